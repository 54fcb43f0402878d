"""The theorem in real fits: errors of fits to the two-dimensional crystal, term by term, against L.

    python benchmarks/real_rates.py [cells windows radii]      (default: all; an hour in all)

Writes book/data/real_rates.json, which a chapter shows.  The reference is the toy's divacancy in a
crystal of 14,398 atoms.  A fit is given one of two kinds of force data:

    cells       periodic training cells, L lattice constants wide, as in practice
    windows     the large crystal itself, but only the forces on atoms within L/2 of the defect: the
                theorem's setting, without the images that a periodic cell adds

and energies (cells only), virials and force constants of the perfect crystal or not.  Its residual
at the reference equilibrium, f, is cut at the training radius by a ramp from 0 at L/2 to 1 at L.
The outer part is split into (K_ML - K) ubar, harmonic, and the rest, anharmonic.  Each part is
turned into the displacement that it alone would cause, |D H^-1 f|, a length to compare with the
measured error.  `radii` takes three fits to cells of one size, whose crystal data count much, and
moves the ramp instead: the far field's terms of one potential.  Each finished fit is saved at once;
one with the same settings is not run again.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy.linalg import qr

from mlipgen.crystals import Crystal, Supercell, build_defect
from mlipgen.equilibrium import landscape
from mlipgen.equilibrium.farfield import lattice_displacement, ramp
from mlipgen.generalisation import Reference, measure, virial_mismatch, wave_mismatch
from mlipgen.generalisation.bounds import residual_forces
from mlipgen.learning import assemble, crystal_observations, defect_observations, fit_blocks
from mlipgen.learning.fitting import Block
from mlipgen.potentials import ACEBasis, Toy2D, elastic_tensor

TARGET = Path(__file__).resolve().parents[1] / "book" / "data" / "real_rates.json"
SETTINGS = {
    "defect": "divacancy",
    "cell": 120,
    "L": [6, 7, 8, 10, 12, 15, 20, 25, 30],
    "degrees": [6, 8, 10],
    "pair": 2,
    "count": 10,
    "scales": [0.7, 1.2],
    "rattle": 0.01,  # A: the same part of the lattice constant as 0.03 A in tungsten
    "ridge": 1e-8,
    # Shells of distance from the defect, in lattice constants, for the residual's profile.
    "edges": [0, *np.arange(1.25, 10.5, 0.5).tolist(), 12, 14, 17, 20, 24, 28, 33, 40],
}
ADDED = ("", "V", "FC", "V,FC")  # to E,F or to F
RADII = {
    "L": 12,
    "degrees": [8, 10],
    "weights": {"EF": {}, "EFV": {"V": 100.0}, "EF+FC": {"FC": 10.0}},
    "R": [3, 4.5, 6, 9, 12, 16, 20],  # where the ramp begins, in lattice constants
}


class Setting:
    """What all fits share: the large reference, the basis, the crystal's observations."""

    def __init__(self, settings):
        self.settings, self.potential = settings, Toy2D()
        self.crystal = Crystal.equilibrium(self.potential)
        domain = Supercell(self.crystal, settings["cell"])
        self.reference = Reference(self.potential, build_defect(settings["defect"], domain))
        self.basis = ACEBasis(
            self.potential.cutoff,
            max(settings["degrees"]),
            r0=self.crystal.a,
            dimension=2,
            pair=settings["pair"],
        )
        self.of_crystal = assemble(crystal_observations(self.crystal), self.basis, self.potential)
        self._windows = None

    def cells(self, L):
        """Blocks of periodic training cells of size L."""
        own = {k: self.settings[k] for k in ("count", "scales", "rattle")}
        data = defect_observations(self.potential, self.crystal, self.settings["defect"], L, **own)
        return {**assemble(data, self.basis, self.potential), **self.of_crystal}

    def windows(self, L):
        """The block of forces within L/2 of the defect on scaled and rattled copies of ubar."""
        near = self.reference.defect.distance()
        kept = near < max(self.settings["L"]) / 2 * self.crystal.a
        if self._windows is None:
            self._windows = [self._forces(x)[kept] for x in self._copies()]
        inside = near[kept] < L / 2 * self.crystal.a
        rows = np.concatenate([F[inside].reshape(-1, F.shape[-1]) for F in self._windows])
        triangle = qr(rows, mode="r")[0][: min(rows.shape)]
        return {"F": Block("F", triangle, len(rows), len(self._windows)), **self.of_crystal}

    def _copies(self):
        s, rng = self.settings, np.random.default_rng(0)
        u, start = self.reference.equilibrium.u, self.reference.defect.positions
        for scale, rattle in zip(
            np.linspace(*s["scales"], s["count"]), np.linspace(0, s["rattle"], s["count"])
        ):
            yield start + scale * u + rattle * rng.standard_normal(u.shape)

    def _forces(self, x):
        """Forces of the basis functions and, last, of the reference: (n, d, K + 1)."""
        cell = self.reference.defect.cell
        rows, target = (landscape(m, cell, x).evaluate()[1] for m in (self.basis, self.potential))
        return np.concatenate([rows, target[..., None]], axis=-1)

    def terms(self, model, L):
        """|D H^-1 f| of the residual and its parts, A, and its profile, eV/A by shells."""
        r, (f, harmonic) = self.distance, self.residual(model)
        near = (1 - ramp(r, L / 2))[:, None] * f
        parts = {"whole": self.length(f), "core": self.length(near)}
        edges = self.settings["edges"]
        where = np.digitize(r, edges) - 1
        count = np.bincount(where, minlength=len(edges))[: len(edges) - 1]
        square = np.bincount(where, (f**2).sum(axis=1), len(edges))[: len(edges) - 1]
        profile = np.sqrt(square / count).tolist()
        return {**parts, **self.outside(f, harmonic, L / 2), "profile": profile}

    @property
    def distance(self):
        """Of every atom from the defect, in lattice constants."""
        return self.reference.defect.distance() / self.crystal.a

    def residual(self, model):
        """The forces of the model at ubar, and their harmonic part (K - K_ML) ubar; eV/A."""
        defect, u = self.reference.defect, lattice_displacement(self.reference)
        home = defect.homogeneous
        exact, learned = (
            landscape(m, home.cell, home.positions).hessian()(u) for m in (self.potential, model)
        )
        return residual_forces(model, self.reference), (exact - learned)[defect.lattice_index]

    def length(self, f):
        """|D H^-1 f|, A."""
        return self.reference.norm(self.reference.response(f, 1e-4))

    def outside(self, f, harmonic, R):
        """The lengths of the residual beyond R lattice constants, in all and in its two parts."""
        far = ramp(self.distance, R)[:, None]
        parts = {"outside": f, "harmonic": harmonic, "anharmonic": f - harmonic}
        return {k: self.length(far * g) for k, g in parts.items()}

    def radii(self, degree, kinds):
        """`outside` of one fit against the radius."""
        own = {
            "degree": degree,
            "ridge": self.settings["ridge"],
            "weights": RADII["weights"][kinds],
        }
        given = self.basis, kinds, self.potential, self.crystal
        model = fit_blocks(self.cells(RADII["L"]), *given, **own).model
        rows = [self.outside(*self.residual(model), R) for R in RADII["R"]]
        found = {k: [row[k] for row in rows] for k in rows[0]}
        return {
            "degree": degree,
            "kinds": kinds,
            "measured": measure(model, self.reference).geometry,
        } | found

    def fitted(self, blocks, kinds, degree, L):
        """One fit: measured error, fit errors, terms."""
        fit = fit_blocks(
            blocks,
            self.basis,
            kinds,
            self.potential,
            self.crystal,
            degree=degree,
            ridge=self.settings["ridge"],
        )
        found = measure(fit.model, self.reference)
        eps = virial_mismatch(fit.model, self.potential, self.crystal)
        return {
            "geometry": found.geometry,
            "energy": found.energy,
            "functions": len(fit.model.basis),
            "numbers": blocks["F"].rows,
            "rank": fit.rank,
            "rmse_F": fit.rmse["F"],
            "eps_F": fit.errors["F"],
            "eps_V": list(eps),
            "eps_FC": wave_mismatch(fit.model, self.potential, self.crystal),
            **self.terms(fit.model, L),
        }


def kinds_of(data, added):
    """("cells", "V,FC") -> "EFV+FC"; windows have no energies."""
    start = "EF" if data == "cells" else "F"
    return start + ("V" if "V" in added else "") + ("+FC" if "FC" in added else "")


def stored():
    """What the file holds of these settings: fits, and fits by radius."""
    data = json.loads(TARGET.read_text(encoding="utf-8")) if TARGET.exists() else {}
    fits = data.get("fits", []) if data.get("settings") == SETTINGS else []
    radii = data.get("radii", []) if fits and data.get("radii_settings") == RADII else []
    return fits, radii


def run(names):
    fits, radii = stored()
    tasks = [
        (data, kinds_of(data, added), degree, L)
        for data in names
        if data != "radii"
        for L in SETTINGS["L"]
        for degree in SETTINGS["degrees"]
        for added in ADDED
    ]
    done = {(f["data"], f["kinds"], f["degree"], f["L"]) for f in fits}
    tasks = [t for t in tasks if t not in done]
    by_radius = [(d, k) for d in RADII["degrees"] for k in RADII["weights"] if "radii" in names]
    by_radius = [t for t in by_radius if t not in {(f["degree"], f["kinds"]) for f in radii}]
    if not tasks and not by_radius:
        return
    setting = Setting(SETTINGS)
    save = lambda: TARGET.write_text(
        json.dumps({**head(setting), "fits": fits, "radii": radii}) + "\n", encoding="utf-8"
    )
    blocks = {}
    for data, kinds, degree, L in tasks:
        start = time.time()
        if (data, L) not in blocks:
            blocks = {(data, L): getattr(setting, data)(L)}
        row = setting.fitted(blocks[data, L], kinds, degree, L)
        fits.append({"data": data, "kinds": kinds, "degree": degree, "L": L, **rounded(row)})
        save()
        shown = {k: f"{row[k] / setting.reference.scale:.1e}" for k in ("geometry", "outside")}
        print(
            data, f"L {L:2d} degree {degree:2d} {kinds:7s}", shown, f"{time.time() - start:.0f} s"
        )
    for degree, kinds in by_radius:
        radii.append(rounded(setting.radii(degree, kinds)))
        save()
        print("radii", degree, kinds, radii[-1]["outside"])


def head(setting):
    """What the file says of the system."""
    crystal, reference = setting.crystal, setting.reference
    volume = abs(np.linalg.det(crystal.cell)) / len(crystal.basis)
    A, k = elastic_tensor(setting.potential, crystal), np.array([1.0, 0.0])
    acoustic = np.linalg.eigvalsh(np.einsum("iajb,a,b->ij", A, k, k)) * volume
    return {
        "settings": SETTINGS,
        "radii_settings": RADII,
        "atoms": len(reference.defect),
        "a": crystal.a,
        "cutoff": setting.potential.cutoff,
        "scale": reference.scale,
        "stiffness": [
            float(f"{x:.5g}") for x in acoustic
        ],  # eV an atom, what eps_V1 is an error of
    }


def rounded(row):
    """Five digits are more than a figure shows."""
    short = lambda v: float(f"{v:.5g}") if isinstance(v, float) else v
    return {k: [short(x) for x in v] if isinstance(v, list) else short(v) for k, v in row.items()}


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    run(sys.argv[1:] or ["cells", "windows", "radii"])
