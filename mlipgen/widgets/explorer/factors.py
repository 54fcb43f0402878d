"""The factors of a page's prediction, each from a prepared study and its basis in nested order.

Linear response with the *reference's* Hessian makes the predicted defect error a fixed linear map
of the parameters:

    du = H^-1 F theta,     |D du| = |S theta|,              <f, du> = |T theta|^2,
                           S'S = F'H^-1 D'D H^-1 F,         T'T = F'H^-1 F.
"""

import numpy as np
from scipy.linalg import cholesky

from ...crystals import Neighbours, minimum_image
from ...equilibrium import landscape
from ...potentials import force_constants
from ...potentials.derivatives import STEP
from .packing import echelon, r_factor

SITES = 64  # at once: gradients of all functions in many directions fill a memory


# ---------------------------------------------------------------------- the prediction
def responses(prepared, order, arrays):
    """du_k = H_ref^-1 f_k for every basis function: (n, d, K), A; stores "energy" and "R/T"."""
    reference, basis = prepared.reference, prepared.basis
    x, cell = reference.equilibrium.positions, reference.defect.cell
    V, F = landscape(basis, cell, x).evaluate()
    V, F = V[:, order], F[..., order]
    e = (V - prepared.crystal.energy_per_atom(basis)[order]).sum(axis=0)
    arrays["energy"] = np.append(e, -reference.formation_energy)
    F -= F.mean(axis=0)
    du = np.stack([reference.response(F[..., k], rtol=1e-11) for k in range(len(order))], axis=-1)
    # <f, du> = |T theta|^2.  In a basis that is orthonormal in |D.| the matrix is well conditioned,
    # so its Cholesky factor keeps the digits that F'H^-1 F would have lost.  Symmetry leaves fewer
    # independent displacements than functions: combinations that move nothing to ten digits are
    # left out.
    K, scaled = len(order), du.reshape(-1, len(order)) / arrays["prior"]
    S = r_factor(reference.norm.differences(du).reshape(-1, K) / arrays["prior"])
    _, s, Vt = np.linalg.svd(S)
    moving = s > 1e-10 * s[0]
    V, s = Vt[moving].T, s[moving]
    C = (scaled @ V / s).T @ ((F.reshape(-1, K) / arrays["prior"]) @ V / s)
    T = cholesky(0.5 * (C + C.T)) @ (s[:, None] * V.T) * arrays["prior"]
    arrays["R/T"] = r_factor(np.column_stack([T, np.zeros(len(T))]))
    return du


def shell_factors(reference, du, count, arrays):
    """R-factors S of D du by shells of distance from the defect, and what the shells are."""
    defect, K = reference.defect, du.shape[-1]
    r = defect.distance()
    half = 0.5 * min(np.linalg.norm(row) for row in defect.cell)
    edges = np.concatenate(
        [[0.0], np.geomspace(1.25 * defect.crystal.shells[0], 0.95 * half, count - 1), [np.inf]]
    )
    pairs, D = np.digitize(r, edges)[reference.norm._pairs.i] - 1, reference.norm.differences(du)
    info, own = [], reference.norm.shells(reference.equilibrium.u, edges)
    for s in range(count):
        rows = D[pairs == s].reshape(-1, K)
        if not len(rows):
            continue
        sites = (r >= edges[s]) & (r < edges[s + 1])
        S = r_factor(np.column_stack([rows, np.zeros(len(rows))]))
        arrays[f"R/S/{len(info)}"] = echelon(S, arrays["prior"], [K])
        info.append(
            {
                "r": float(r[sites].mean()),
                "sites": int(sites.sum()),
                "reference": float(own[s]),
                "edges": [float(edges[s]), float(min(edges[s + 1], r.max() + 1e-9))],
                "periodic": bool(edges[s + 1] > half),
            }
        )
    return info


def near_atoms(reference, du, count, arrays):
    """Positions and displacement maps of the atoms nearest the defect, in single precision: colours
    need no more.
    """
    defect = reference.defect
    r = np.sort(defect.distance())
    # whole coordination shells, so that symmetry shows
    gaps = np.flatnonzero(np.diff(r[: count + 1]) > 1e-3)
    nearest = np.argsort(defect.distance(), kind="stable")[: gaps[-1] + 1 if len(gaps) else count]
    offset = minimum_image(reference.equilibrium.positions[nearest] - defect.centre, defect.cell)
    d, K = offset.shape[1], du.shape[-1]
    positions = np.zeros((len(nearest), 3))
    positions[:, :d] = offset
    U = np.zeros((len(nearest), 3, K + 1))
    U[:, :d, :K] = du[nearest]
    arrays["near/positions"], arrays["near/U"] = (
        positions,
        U.reshape(-1, K + 1).astype(np.float32).astype(float),
    )


# ---------------------------------------------------------------------- the verdict
def stiffness(prepared, order, modes, arrays):
    """Hessians of the basis functions on soft modes of the defect and on plane waves, whitened by
    the reference's.
    """
    reference, basis, crystal = prepared.reference, prepared.basis, prepared.crystal
    x, K = reference.equilibrium.positions, len(order)
    W = soft_modes(reference, modes)
    upper = np.triu_indices(len(W))
    M = np.zeros((len(W), len(W), K + 1))
    M[..., :K] = _quadratic_forms(basis, Neighbours(x, reference.defect.cell, basis.cutoff), x, W)[
        ..., order
    ]
    arrays["stiffness/0"] = M[upper[0], upper[1]].T[None]
    ks = wave_vectors(crystal)
    table, own = force_constants(basis, crystal), force_constants(prepared.potential, crystal)
    flat, size = [], len(crystal.primitive_atoms) * crystal.dimension
    complex_ = len(crystal.primitive_atoms) > 1  # one atom a cell: inversion makes D(k) real
    upper, strict = np.triu_indices(size), np.triu_indices(size, 1)
    for k in ks:
        C = np.linalg.inv(np.linalg.cholesky(own.dynamical_matrix(k)))
        D = np.einsum("ip,pqb,jq->ijb", C, table.dynamical_matrix(k)[..., order], C.conj())
        flat.append(np.concatenate([D[upper].real] + ([D[strict].imag] if complex_ else [])))
    # A crystal's force constants depend on few combinations of the coefficients: its symmetry
    # leaves no others.
    flat = np.array(flat)
    U, s, Vt = np.linalg.svd(
        np.moveaxis(flat, -1, 0).reshape(K, -1) / arrays["prior"][:, None], full_matrices=False
    )
    r = int((s > 1e-13 * s[0]).sum())
    arrays["stiffness/1/map"] = (U[:, :r] * s[:r]).T * arrays["prior"]
    directions = np.vstack([Vt[:r], np.zeros((1, Vt.shape[1]))])
    arrays["stiffness/1"] = np.moveaxis(directions.reshape((r + 1,) + flat.shape[:2]), 0, 1)
    return [
        {"what": "the defect", "size": len(W), "complex": False},
        {"what": "the perfect crystal", "size": size, "complex": complex_},
    ]


def _quadratic_forms(basis, neighbours, x, W):
    """<W_i, H_k W_j> of every basis function's Hessian, (m, m, K), a few sites at a time: pairs x
    functions fill a memory.
    """
    M = 0.0
    for first in range(0, len(x), SITES):
        R, offsets, pairs = neighbours.piece(x, slice(first, first + SITES))
        D = W[:, neighbours.j[pairs]] - W[:, neighbours.i[pairs]]
        flat = D.reshape(len(W), -1)
        G = (basis.sites(R + 1j * STEP * d, offsets)[1].imag / STEP for d in D)
        M = M + np.stack([flat @ g.reshape(flat.shape[1], -1) for g in G], axis=1)
    return M


def soft_modes(reference, count):
    """The softest ways to push the atoms around the defect, with W'HW = 1: (count, n, d)."""
    d = reference.equilibrium.positions.shape[1]
    nearest = np.argsort(reference.defect.distance(), kind="stable")[: -(-2 * count // d)]
    w = []
    for i in nearest:
        for c in range(d):
            f = np.zeros_like(reference.equilibrium.positions)
            f[i, c] = 1.0
            w.append(reference.response(f, rtol=1e-9))
    w = np.array(w)
    # e_i' H^-1 e_j; the net force is taken out on both sides
    compliance = w[:, nearest].reshape(len(w), -1)
    values, vectors = np.linalg.eigh(0.5 * (compliance + compliance.T))
    top = slice(-1, -count - 1, -1)
    return np.einsum("im,ind->mnd", vectors[:, top] / np.sqrt(values[top]), w)


def wave_vectors(crystal, generic=7):
    """Wave vectors (n, d), 1/A: along the axes, face and body diagonals of the reciprocal cell, and
    generic ones.
    """
    d = crystal.dimension
    directions = [np.eye(d)[0], np.eye(d)[0] + np.eye(d)[1]] + ([np.ones(3)] if d == 3 else [])
    fractions = [
        t * v
        for v in directions
        for t in ((0.08, 0.25, 0.5, 0.75, 0.95) if v.sum() == 1 else (0.08, 0.2, 0.35, 0.5))
    ]
    # a low-discrepancy (Kronecker) sequence
    golden = 1.0 / np.array([1.22074408, 1.22074408**2, 1.22074408**3])[:d]
    fractions += [(n * golden) % 1.0 - 0.5 for n in range(1, generic + 1)]
    return 2 * np.pi * np.array(fractions) @ np.linalg.inv(crystal.cell).T
