"""The continuum beside the lattice: the elastic dipole that sets the far field's strength, and what
elasticity predicts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..crystals import Neighbours, minimum_image, translated, translations
from ..failures import require_whole
from ..potentials.derivatives import elastic_tensor, virial
from .farfield import on_lattice
from .landscape import landscape

if TYPE_CHECKING:
    from ..contracts import SiteModel
    from ..crystals.defects import Defect
    from .green import LatticeGreen
    from .relaxation import Equilibrium


def elastic_dipole(
    potential: SiteModel, equilibrium: Equilibrium, method: str = "stress"
) -> np.ndarray:
    """Elastic dipole tensor P (d, d), eV: the strength of the far field, u_i = -P_jk d_k G_ij.

    method : "stress"     P = -dE/dF of the relaxed cell at fixed shape (a stress-free crystal
                          exerts none)
             "kanzaki"    first moment of the forces that would hold u in the harmonic crystal (one
                          atom a primitive cell: elsewhere the moment depends on how the core's
                          atoms are labelled)
    Both converge to the same tensor as the cell grows, with errors N^(-d).
    """
    defect = equilibrium.defect
    if method == "stress":
        pairs = Neighbours(equilibrium.positions, defect.cell, potential.cutoff)
        return -virial(potential, pairs.vectors(equilibrium.positions), pairs.offsets)
    if method != "kanzaki":
        raise ValueError(f"method {method!r} is unknown; choose 'stress' or 'kanzaki'")
    cell = defect.homogeneous
    if len(cell.crystal.primitive_atoms) > 1:
        raise ValueError(
            f"Kanzaki forces need one atom a primitive cell, {cell.crystal.structure} has "
            f"{len(cell.crystal.primitive_atoms)}: use method='stress'"
        )
    u = on_lattice(defect, equilibrium.u, empty=0.0)
    f = landscape(potential, cell.cell, cell.positions).hessian()(u)
    return f.T @ minimum_image(cell.positions - defect.centre, cell.cell)


def green_gradient(A: np.ndarray, x: np.ndarray, points: int = 32) -> np.ndarray:
    """Gradient d_k G_ij of the continuum Green's function at x (n, d): shape (n, d, d, d) = (n, i,
    j, k).

    A : (d, d, d, d), eV/A^d, d2W / dF_iJ dF_kL.  d = 3: Barnett's line integral (Phys. Status
        Solidi B 49, 741, 1972);
    d = 2: the same by the plane-wave expansion of log r.  Trapezoidal sums over a circle:
    exponentially accurate, with 32 points to 1e-8 even for lead (anisotropy 4.1) and to machine
    precision for tungsten.
    """
    points = require_whole("points", points, 1, 1e6)
    x = np.atleast_2d(np.asarray(x, float))
    if x.ndim != 2 or x.shape[1] != len(A) or not np.isfinite(x).all():
        raise ValueError(f"x of shape {x.shape}: give finite numbers (n, {len(A)}), A")
    r = np.linalg.norm(x, axis=1)
    if not r.all():
        raise ValueError("x holds the origin, where the Green's function is singular")
    T = x / r[:, None]
    angle = np.pi * (np.arange(points) + 0.5) / points  # integrands have period pi
    d = x.shape[1]
    table = np.ascontiguousarray(A.transpose(1, 3, 0, 2)).reshape(d * d, d * d)
    contract = lambda v, w: ((v[:, :, None] * w[:, None]).reshape(-1, d * d) @ table).reshape(
        -1, d, d
    )  # A_iakb v_a w_b
    if d == 2:
        normal = np.stack([-T[:, 1], T[:, 0]], axis=1)
        out = np.zeros((len(x), d, d, d))
        # nodes lie symmetrically about the pole at xi.x = 0, which gives the principal value
        for a in angle:
            xi = np.cos(a) * normal + np.sin(a) * T
            M = np.linalg.inv(contract(xi, xi))
            out = out + M[..., None] * (xi / (np.sin(a) * r[:, None]))[:, None, None]
        return -out / (2 * np.pi * points)
    helper = np.eye(3)[np.abs(T).argmin(axis=1)]
    p = np.cross(T, helper)
    p /= np.linalg.norm(p, axis=1)[:, None]
    q, out = np.cross(T, p), np.zeros((len(x), d, d, d))
    for a in angle:
        z = np.cos(a) * p + np.sin(a) * q
        M = np.linalg.inv(contract(z, z))
        mixed = contract(z, T)
        F = M @ (mixed + mixed.swapaxes(1, 2)) @ M
        out = out - M[..., None] * T[:, None, None] + F[..., None] * z[:, None, None]
    return out / (4 * np.pi * points) / (r**2)[:, None, None, None]


def _checked(dipole, defect):
    dipole, d = np.asarray(dipole, float), defect.crystal.dimension
    if dipole.shape != (d, d) or not np.isfinite(dipole).all():
        raise ValueError(f"a dipole of shape {dipole.shape}: give {d} x {d} finite numbers, eV")
    return dipole


def continuum_prediction(potential: Any, defect: Defect, dipole: np.ndarray) -> np.ndarray:
    """Displacement of every atom (n_atoms, d), A, by linear elasticity in an infinite medium: u_i =
    -P_jk d_k G_ij.
    """
    dipole = _checked(dipole, defect)
    x = minimum_image(defect.positions - defect.centre, defect.cell)
    x[np.linalg.norm(x, axis=1) < 1e-6] = np.nan  # no prediction at the defect itself
    A = elastic_tensor(potential, defect.crystal)
    safe = np.where(np.isnan(x), 1.0, x)
    u = -np.einsum("nijk,jk->ni", green_gradient(A, safe), dipole)
    return np.where(np.isnan(x), np.nan, u)


def lattice_prediction(green: LatticeGreen, defect: Defect, dipole: np.ndarray) -> np.ndarray:
    """The same by the periodic lattice's own Green's function: the dipole as forces on the sites
    next to the defect.
    """
    dipole, cell = _checked(dipole, defect), defect.homogeneous
    R = translations(cell.crystal)
    moment = np.linalg.inv(2 * R.T @ R)
    start = np.linalg.norm(minimum_image(cell.positions - defect.centre, cell.cell), axis=1)
    near = np.flatnonzero(start < start.min() + 1e-6)
    f = np.zeros_like(cell.positions)
    for rho in np.concatenate([R, -R]):
        np.add.at(f, translated(cell, rho)[near], dipole @ moment @ rho / len(near))
    return green(f)[defect.lattice_index]
