"""Stability constants: the smallest <Hv, v> / |Dv|^2 of a crystal and of a relaxed defect."""

import numpy as np

from ..failures import Unstable
from ..potentials.derivatives import force_constants
from .eigenvalues import extreme_eigenvalue
from .green import LatticeGreen
from .norm import EnergyNorm, gram_table
from .response import hessian_at, linear_response


def lattice_stability(potential, crystal, samples=8):
    """Smallest <Hv, v> / |Dv|^2 of the perfect crystal, eV/A^2: over wave vectors of the Brillouin
    zone and long waves.
    """
    H, B = force_constants(potential, crystal), gram_table(crystal)
    d = crystal.dimension
    grid = np.stack(np.meshgrid(*[np.arange(samples) / samples] * d, indexing="ij"), -1).reshape(
        -1, d
    )[1:]
    directions = np.array([v for v in np.ndindex(*(3,) * d) if any(v)]) - 1.0
    directions = directions[np.abs(directions).sum(axis=1) > 0]
    waves = np.concatenate([grid, 1e-3 * directions]) @ (2 * np.pi * np.linalg.inv(crystal.cell).T)
    lowest = np.inf
    for k in waves:
        norm, D = B.dynamical_matrix(k), H.dynamical_matrix(k)
        if np.linalg.eigvalsh(norm)[0] > 1e-9 * np.trace(norm).real:
            L = np.linalg.inv(np.linalg.cholesky(norm))
            lowest = min(lowest, np.linalg.eigvalsh(L @ D @ L.conj().T)[0])
    return float(lowest)


def soft_fields(hessian, preconditioner, defect, count=3, seed=1):
    """Responses (n, d) of a defect to random forces on its core: rich in its soft modes, which a
    random field hardly contains.

    Eigenvalue searches must start with them: they can miss what no starting field holds (a
    symmetric core's antisymmetric
    modes) or take the second mode for the first.  A direction of negative curvature met on the way
    stands for its response.
    """
    core = defect.distance() < 1.6 * defect.crystal.shells[0]
    fields = []
    for f in core[:, None] * np.random.default_rng(seed).standard_normal(
        (count,) + defect.positions.shape
    ):
        try:
            fields.append(linear_response(hessian, f, preconditioner, rtol=1e-2))
        except Unstable as error:
            fields.append(error.direction)
    return fields


def stability_constant(potential, equilibrium, green=None, **options):
    """Smallest <Hv, v> / |Dv|^2 at a relaxed defect, eV/A^2; positive means strongly stable,
    negative a saddle.

    options : of `eigenvalues.extreme_eigenvalue`
    """
    defect, x = equilibrium.defect, equilibrium.positions
    P = (green or LatticeGreen(potential, defect.homogeneous)).for_defect(defect)
    H = hessian_at(potential, x, defect.cell)
    options = {"start": soft_fields(H, P, defect), **options}
    return extreme_eigenvalue(H, EnergyNorm(equilibrium).gram, P, x.shape, "smallest", **options)[0]
