"""Stability: the smallest <Hv, v> / |Dv|^2 of a crystal and of a relaxed defect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..failures import Unstable, require_whole
from ..potentials.derivatives import force_constants
from .eigenvalues import extreme_eigenvalue
from .green import LatticeGreen
from .landscape import landscape
from .norm import EnergyNorm, gram_table
from .response import linear_response

if TYPE_CHECKING:
    from ..contracts import Model, Operator
    from ..crystals.defects import Defect
    from ..crystals.lattice import Crystal
    from .landscape import Landscape
    from .relaxation import Equilibrium


def lattice_stability(potential: Model, crystal: Crystal, samples: int = 8) -> float:
    """Smallest <Hv, v> / |Dv|^2 of the perfect crystal, eV/A^2: over wave vectors of the Brillouin
    zone and long waves.
    """
    samples = require_whole("samples", samples, 1, 1000)
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


def core_forces(defect: Defect, count: int = 3, seed: int = 1) -> np.ndarray:
    """Random forces (count, n, d) on the atoms of a defect's core: they have no symmetry."""
    count = require_whole("count", count, 1, 1000)
    seed = require_whole("seed", seed, 0, np.inf)
    core = defect.distance() < 1.6 * defect.crystal.shells[0]
    shape = (count, *defect.positions.shape)
    return core[:, None] * np.random.default_rng(seed).standard_normal(shape)


def spread_field(preconditioner: Operator, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Response (n, d) of the lattice to random forces on all atoms."""
    return preconditioner(np.random.default_rng(seed).standard_normal(shape))


def soft_fields(
    hessian: Operator, preconditioner: Operator, defect: Defect, count: int = 3, seed: int = 1
) -> list[np.ndarray]:
    """Responses (n, d) of a defect to random forces on its core: rich in its soft modes, which a
    random field hardly contains.

    Eigenvalue searches must start with them: they can miss what no starting field holds (a
    symmetric core's antisymmetric modes) or take the second mode for the first.  A direction of
    negative curvature met on the way stands for its response.
    """
    fields = []
    for f in core_forces(defect, count, seed):
        try:
            fields.append(linear_response(hessian, f, preconditioner, rtol=1e-2))
        except Unstable as error:
            fields.append(error.direction)
    return fields


class Curvature(NamedTuple):
    """The lowest <Hv, v> / |Dv|^2 and its mode.

    value : eV/A^2, positive at a strict minimum;  mode : (n, d)
    """

    value: float
    mode: np.ndarray


def lowest_curvature(
    hessian: Operator,
    gram: Operator,
    preconditioner: Operator,
    start: Sequence[np.ndarray],
    tolerance: float = 0.01,
) -> Curvature:
    """Is this a minimum?  The smallest <Hv, v> / |Dv|^2, accurate enough for its sign.

    Parameters
    ----------
    hessian, preconditioner : operators (n, d) -> (n, d);  gram : operator, D'D
    start : sequence of (n, d)     fields without symmetry (`soft_fields`, `core_forces`): a mode
                                   that breaks the state's symmetry is found only if a start has it;
                                   the mode of a nearby state saves most of the search
    """
    # A stiffness far below any crystal's counts as zero: else an eigenvalue zero never settles.
    return Curvature(
        *extreme_eigenvalue(
            hessian,
            gram,
            preconditioner,
            start[0].shape,
            "smallest",
            tolerance,
            start=start,
            floor=1e-3,
        )
    )


def curvature_at(
    model: Model,
    equilibrium: Equilibrium,
    green: LatticeGreen | None = None,
    surface: Landscape | None = None,
    forces: np.ndarray | None = None,
    modes: Sequence[np.ndarray] = (),
) -> Curvature:
    """`lowest_curvature` of a model at its own equilibrium, from random forces on the core.

    surface, forces : of the model near the equilibrium, and (n, d), eV/A, at it, where known
    modes : sequence of (n, d)    lowest modes of nearby states: start with them and one random
                                  field
    """
    defect, x = equilibrium.defect, equilibrium.positions
    P = (green or LatticeGreen(model, defect.homogeneous)).for_defect(defect)
    surface = landscape(model, defect.cell, x, skin=0.1) if surface is None else surface
    hessian = surface.quick_hessian(x, surface.evaluate()[1] if forces is None else forces)
    if len(modes):
        start = [P(core_forces(defect, 1)[0]), *modes]
    else:
        start = [*(P(f) for f in core_forces(defect, 2)), spread_field(P, x.shape)]
    return lowest_curvature(hessian, EnergyNorm(equilibrium).gram, P, start)


def stability_constant(
    potential: Model, equilibrium: Equilibrium, green: LatticeGreen | None = None, **options: Any
) -> float:
    """Smallest <Hv, v> / |Dv|^2 at a relaxed defect, eV/A^2; positive means strongly stable,
    negative a saddle.

    options : of `eigenvalues.extreme_eigenvalue`
    """
    defect, x = equilibrium.defect, equilibrium.positions
    P = (green or LatticeGreen(potential, defect.homogeneous)).for_defect(defect)
    H = landscape(potential, defect.cell, x).hessian()
    options = {"start": [*soft_fields(H, P, defect), spread_field(P, x.shape)], **options}
    return extreme_eigenvalue(H, EnergyNorm(equilibrium).gram, P, x.shape, "smallest", **options)[0]
