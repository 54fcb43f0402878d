"""The numbers behind the explorer: what a page carries so that it can fit in the browser.

    minimise  sum_b w_b^2 |A_b theta - y_b - sigma xi_b|^2 + ridge^2 |Gamma theta|^2

needs from each observation block only the R-factor of [A_b y_b xi_b].  The predicted geometry error
is |S [theta; 1]|, the predicted energy error  e . [theta; 1] - 1/2 |T [theta; 1]|^2, with S and T
triangles.  `ExplorerData.solve` is the reference for page/solver.js and page/predict.js: same
inputs, LAPACK instead of loops.
"""

import base64
import gzip
import json
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import qr, solve_triangular

from .packing import pack_trapezoid, unpack_trapezoid

KINDS = ("E", "F", "V", "FC")
#: How forces may be weighted, and the block of each way.
FORCES = {"uniform": "F", "distance": "Fw", "dual": "Fd"}


@dataclass
class Setting:
    """One position of the explorer's controls.

    cell : training-cell size (0 means: the data's first); weights : {"E", "F", "V", "FC"} ->
        weight, 0 or missing = off;
    forces : "uniform", "distance" or "dual" (the dual norm); degree : basis degree; ridge : > 0;
        noise : sigma, multiplies the fixed draw xi.
    """

    cell: int
    degree: int
    ridge: float
    weights: dict = field(default_factory=dict)
    forces: str = "uniform"
    noise: float = 0.0

    def __post_init__(self):
        unknown = set(self.weights) - set(KINDS)
        if unknown:
            raise ValueError(f"weights for {sorted(unknown)}: known observations are {list(KINDS)}")
        if self.forces not in FORCES:
            raise ValueError(f"forces={self.forces!r}: choose one of {list(FORCES)}")
        if not self.ridge > 0:
            raise ValueError(
                f"ridge={self.ridge}: choose a positive number, e.g. 1e-8 (the fit must have one "
                "solution)"
            )

    def blocks(self):
        """(kind, weight) of the training blocks used, cell-independent ones first."""
        pairs = [(kind, self.weights.get(kind, 0.0)) for kind in ("V", "FC", "E", "F")]
        return [(FORCES[self.forces] if kind == "F" else kind, w) for kind, w in pairs if w > 0]


@dataclass
class ExplorerData:
    """One crystal and defect: R-factors, predictions, applicability tests and measured points.

    meta : plain JSON-able facts (labels, degrees, cells, limits, measured points; see
        `explorer_builder`).
    arrays : name -> float64 array.  With K functions sorted by degree:
        "R/train/<kind>/<cell|any>", "R/held/..."  (<= K+2, K+2) R-factor of [A y xi], kinds E F Fw
        Fd V FC
        "R/S/<shell>" (<= K+1, K+1) A;  "R/T" (<= K+1, K+1) eV^(1/2);  "energy" (K+1,) eV
        "stiffness/<i>" (count, K+1, entries)  whitened matrices, upper triangle (then imaginary
        part) by rows;
            with "stiffness/<i>/map" (r, K) they are given for the r combinations map theta: (count,
            r+1, entries)
        "prior" (K,);  "near/positions" (n, 3) A;  "near/U" (3n, K+1) A
    """

    meta: dict
    arrays: dict
    # callable(data, setting, progress, cancelled) behind a live explorer; never packed
    relax: object = None

    # ------------------------------------------------------------------ transport
    def pack(self):
        """Everything as one base64 string: gzip of a JSON header and the arrays, bytes shuffled by
        significance.
        """
        header, flat, offset = dict(self.meta, arrays={}), [], 0
        for name in sorted(self.arrays):
            a = np.asarray(self.arrays[name], float)
            data = pack_trapezoid(a) if name.startswith("R/") else a.ravel()
            header["arrays"][name] = [offset, list(a.shape)]
            flat.append(data)
            offset += data.size
        data = np.concatenate(flat).astype("<f8")
        shuffled = data.view(np.uint8).reshape(-1, 8).T.tobytes()
        text = json.dumps(header, allow_nan=False).encode()
        blob = len(text).to_bytes(4, "little") + text + shuffled
        return base64.b64encode(gzip.compress(blob, 9, mtime=0)).decode()

    @classmethod
    def unpack(cls, text):
        """Inverse of `pack`; the arrays come back bit for bit."""
        blob = gzip.decompress(base64.b64decode(text))
        length = int.from_bytes(blob[:4], "little")
        meta = json.loads(blob[4 : 4 + length])
        shuffled = np.frombuffer(blob[4 + length :], np.uint8).reshape(8, -1)
        flat = np.ascontiguousarray(shuffled.T).view("<f8").ravel()
        arrays = {}
        for name, (offset, shape) in meta.pop("arrays").items():
            if name.startswith("R/"):
                arrays[name] = unpack_trapezoid(flat[offset:], shape)
            else:
                arrays[name] = flat[offset : offset + int(np.prod(shape))].reshape(shape)
        return cls(meta, arrays)

    # ------------------------------------------------------------------ the reference solution
    def block(self, role, kind, cell):
        """Name of the R-factor of a block; kinds that do not depend on the cell are stored once."""
        name = f"R/{role}/{kind}/{cell}"
        return name if name in self.arrays else f"R/{role}/{kind}/any"

    def count(self, degree):
        """Number of basis functions up to a degree."""
        if degree not in self.meta["degrees"]:
            raise ValueError(f"degree={degree}: this data holds {self.meta['degrees']}")
        return self.meta["counts"][self.meta["degrees"].index(degree)]

    def theta(self, setting, cells=None):
        """Fitted coefficients (K',) of the leading functions, in eV.

        cells : sizes of all training cells whose configurations are fitted; default the setting's
        """
        K = self.count(setting.degree)
        prior, stacked = self.arrays["prior"][:K], []
        for name, weight in self._chosen(setting, [setting.cell] if cells is None else cells):
            R = self.arrays[name]
            stacked.append(
                weight * np.column_stack([R[:K, :K] / prior, R[:K, -2] + setting.noise * R[:K, -1]])
            )
        # Large rows first and columns pivoted (Powell and Reid 1969), and one step of refinement by
        # the corrected seminormal equations (Björck 1987): then a small ridge is not lost beside
        # large weights.
        stacked.sort(key=lambda rows: -np.abs(rows).max(initial=0.0))
        A = np.vstack([*stacked, np.eye(K, K + 1) * setting.ridge])
        Q, R, pivots = qr(A[:, :K], mode="economic", pivoting=True)
        x = solve_triangular(R, Q.T @ A[:, K])
        gradient = A[:, pivots].T @ (A[:, K] - A[:, pivots] @ x)
        x += solve_triangular(R, solve_triangular(R, gradient, trans="T"))
        theta = np.empty(K)
        theta[pivots] = x
        return theta / prior

    def _chosen(self, setting, cells):
        """(name, weight) of the training blocks of a fit, those of the crystal once."""
        known = [cell["size"] for cell in self.meta["cells"]]
        if unknown := [n for n in cells if n not in known]:
            raise ValueError(f"cell={unknown[0]}: this data holds {known}")
        pairs = [
            (self.block("train", kind, n), weight)
            for kind, weight in setting.blocks()
            for n in cells
        ]
        if missing := [name for name, _ in pairs if name not in self.arrays]:
            block = missing[0].split("/")[2]
            option = {"Fw": "by_distance", "Fd": "by_dual"}.get(block)
            built = f", or build it with {option}=True" if option else ""
            raise ValueError(
                f"this data holds no training block {block}: choose forces='uniform'{built}"
            )
        return list(dict.fromkeys(pairs))

    def residual(self, role, kind, setting, theta):
        """Norm of a block's residual in its own unit; held-out labels are clean. None if there is
        no such block.
        """
        name = self.block(role, kind, setting.cell)
        if name not in self.arrays:
            return None
        R = self.arrays[name]
        sigma = setting.noise if role == "train" else 0.0
        r = R[:, : len(theta)] @ theta - R[:, -2] - sigma * R[:, -1]
        return float(self.meta["factors"][name] * np.linalg.norm(r))

    def stiffness(self, theta):
        """Lowest and highest eigenvalue of each family of whitened stiffness matrices (1 = the
        reference's).
        """
        ranges = []
        for i, info in enumerate(self.meta["stiffness"]):
            a, m = self.arrays[f"stiffness/{i}"], info["size"]
            own = (
                self.arrays[f"stiffness/{i}/map"][:, : len(theta)] @ theta
                if f"stiffness/{i}/map" in self.arrays
                else theta
            )
            flat = np.einsum("cbe,b->ce", a[:, : len(own)], own) + a[:, -1]
            upper = np.triu_indices(m)
            M = np.zeros((len(flat), m, m), complex)
            M[:, upper[0], upper[1]] = flat[:, : len(upper[0])]
            if info["complex"]:
                strict = np.triu_indices(m, 1)
                M[:, strict[0], strict[1]] += 1j * flat[:, len(upper[0]) :]
            eigenvalues = np.linalg.eigvalsh(M, UPLO="U")
            ranges.append(
                {
                    "low": float(eigenvalues.min()),
                    "high": float(eigenvalues.max()),
                    "at": int(eigenvalues.min(axis=1).argmin()),
                }
            )
        return ranges

    def solve(self, setting):
        """Every number the explorer shows for a setting; the JavaScript's twin.

        Returns
        -------
        dict: theta (K',); errors {id: {train, held}}; geometry, shells (A); energy, relaxation
        (eV);
            stiffness, mismatch; reasons [(code, detail)], empty when the prediction `applies`.
        """
        theta = self.theta(setting)
        on = lambda R: R[:, : len(theta)] @ theta + R[:, -1]
        shells = [
            float(np.linalg.norm(on(self.arrays[f"R/S/{s}"])))
            for s in range(len(self.meta["shells"]))
        ]
        geometry = float(np.linalg.norm(shells))
        relaxation = -0.5 * float(np.sum(on(self.arrays["R/T"]) ** 2))
        energy = float(on(self.arrays["energy"][None])[0]) + relaxation
        stiffness, limits, reasons = self.stiffness(theta), self.meta["limits"], []
        for info, s in zip(self.meta["stiffness"], stiffness):
            if not s["low"] > 0:
                reasons.append(("unstable", info["what"]))
        mismatch = max(max(abs(s["low"] - 1), abs(s["high"] - 1)) for s in stiffness)
        if not reasons and not mismatch <= limits["mismatch"]:
            reasons.append(("mismatch", mismatch))
        if not geometry <= limits["geometry"] * self.meta["norm"]:
            reasons.append(("large", geometry / self.meta["norm"]))
        errors = {
            e["id"]: {
                role: self.residual(role, e["block"], setting, theta) for role in ("train", "held")
            }
            for e in self.meta["errors"]
        }
        return {
            "theta": theta,
            "errors": errors,
            "geometry": geometry,
            "energy": energy,
            "relaxation": relaxation,
            "shells": shells,
            "stiffness": stiffness,
            "mismatch": mismatch,
            "reasons": reasons,
            "applies": not reasons,
        }

    def near(self, theta):
        """Predicted displacement errors (n, 3) of the atoms nearest the defect, A."""
        U = self.arrays["near/U"]
        return (U[:, : len(theta)] @ theta + U[:, -1]).reshape(-1, 3)
