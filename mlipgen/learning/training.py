"""Training sets: cells with the defect near its equilibrium, and the perfect crystal, strained or
not.

Everything is seeded: the same arguments give the same configurations on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..crystals import Supercell, build_defect
from ..equilibrium.relaxation import relax
from ..failures import require_number, require_whole
from ..potentials.calculator_model import reachable
from .observations import Configuration, Energy, ForceConstants, Forces, Virial, WeightedForces

if TYPE_CHECKING:
    from ..contracts import Model, Size
    from ..crystals.lattice import Crystal
    from .kinds import Observation

#: What is held out of every training set: rattles of another seed; on the perfect crystal virials
#: at strains of another
#: size (and other displacements of a basis, in lattice constants), force constants at another
#: volume (relative change).
HELD_OUT: dict[str, Any] = {"seed": 1000, "strain": 0.01, "internal": 0.005, "volume": 0.01}


def defect_configurations(
    potential: Model,
    crystal: Crystal,
    defect: str,
    cells: Size,
    count: int = 10,
    seed: int = 0,
    scales: tuple[float, float] = (0.7, 1.2),
    rattle: float = 0.03,
    saddle: str = "warn",
) -> list[Configuration]:
    """Copies of a relaxed defect: displacements scaled by `scales`, atoms rattled by 0 ... `rattle`
    A.

    Forces at the equilibrium alone would not fix the core's force *derivatives*, hence the rattled
    copies.

    Parameters
    ----------
    potential : SitePotential or CalculatorModel
                                   labels come from here; it also relaxes the defect in this cell,
                                   a calculator to 20 times its noise at best
    defect : str                   see `mlipgen.crystals.DEFECTS`
    cells : int or tuple           size of the training cell, in conventional unit cells
    count : int                    number of configurations; seed : int
    saddle : str                   where the defect relaxes to a saddle point in this cell: "warn",
                                   "follow" it down or "ignore" it, see `relax`

    Returns
    -------
    list of Configuration
    """
    if not 1 <= count <= 1_000_000:
        raise ValueError(f"count = {count}: at least one configuration is needed, 1e6 at most")
    count = require_whole("count", count, 1, 1_000_000)
    seed = require_whole("seed", seed, 0, np.inf, "of the rattled configurations")
    require_number("rattle", rattle, 0.0, 1.0, "in angstrom")
    if np.shape(scales) != (2,):
        raise ValueError(f"scales={scales!r}: give two numbers, e.g. (0.7, 1.2)")
    for scale in scales:
        require_number("scales", scale, -10.0, 10.0, "factors of the relaxed displacements")
    start = build_defect(defect, Supercell(crystal, cells))
    equilibrium = relax(potential, start, tolerance=reachable(potential, 1e-8), saddle=saddle)
    rng = np.random.default_rng(seed)
    out = []
    for scale, sigma in zip(np.linspace(*scales, count), np.linspace(0.0, rattle, count)):
        noise = sigma * rng.standard_normal(start.positions.shape)
        out.append(
            Configuration(
                start.positions + scale * equilibrium.u + noise, start.cell, crystal, start.centre
            )
        )
    return out


def strains(dimension: int, sizes: Sequence[float] = (0.005, 0.02)) -> list[np.ndarray]:
    """The identity and +- every elementary deformation gradient of the given sizes (symmetric and
    not).
    """
    if dimension not in (2, 3):
        raise ValueError(f"dimension={dimension!r}: strains are of two or three dimensions")
    out = [np.eye(dimension)]
    for size in np.atleast_1d(sizes):
        require_number("size", size, -0.5, 0.5, "a small strain")
        for i in range(dimension):
            for j in range(dimension):
                for sign in (1, -1):
                    F = np.eye(dimension)
                    F[i, j] += sign * size
                    out.append(F)
    return out


def _displaced_basis(crystal, size):
    """Virials of a multilattice with its last basis atom displaced by +- `size` lattice constants
    along each axis; else none.
    """
    n, d, out = len(crystal.primitive_atoms), crystal.dimension, []
    for i in range(d if n > 1 else 0):
        for sign in (1, -1):
            p = np.zeros((n, d))
            p[-1, i] = sign * size * crystal.a
            out.append(Virial(crystal, np.eye(d), p))
    return out


def crystal_observations(
    crystal: Crystal, sizes: Sequence[float] = (0.005, 0.02)
) -> list[Observation]:
    """Virials at the identity and at small strains (multilattices: also with displaced basis), and
    force constants.
    """
    return [
        *(Virial(crystal, F) for F in strains(crystal.dimension, sizes)),
        *_displaced_basis(crystal, 0.01),
        ForceConstants(crystal),
    ]


def held_out_crystal_observations(crystal: Crystal) -> list[Observation]:
    """The crystal as no training set shows it: virials at strains of 1 % (multilattices: also with
    the basis displaced by
    0.5 % of the lattice constant), and force constants of the crystal compressed and dilated by 1 %
    of its volume."""
    out: list[Observation] = [
        Virial(crystal, F) for F in strains(crystal.dimension, (HELD_OUT["strain"],))[1:]
    ]
    out += _displaced_basis(crystal, HELD_OUT["internal"])
    for sign in (-1, 1):
        scale = (1.0 + sign * HELD_OUT["volume"]) ** (1.0 / crystal.dimension)
        out.append(
            ForceConstants(replace(crystal, a=scale * crystal.a, c=crystal.c and scale * crystal.c))
        )
    return out


def defect_observations(
    potential: Model,
    crystal: Crystal,
    defect: str,
    cells: Size,
    count: int = 10,
    seed: int = 0,
    **near: Any,
) -> list[Observation]:
    """Energies and forces (uniform, and weighted by distance) of `count` defect cells; see
    `defect_configurations`.
    """
    configurations = defect_configurations(potential, crystal, defect, cells, count, seed, **near)
    return [kind for c in configurations for kind in (Energy(c), Forces(c), WeightedForces(c))]


def training_set(
    potential: Model,
    crystal: Crystal,
    defect: str,
    cells: Size,
    count: int = 10,
    seed: int = 0,
    **near: Any,
) -> list[Observation]:
    """All kinds of observation for one training-cell size; a fit chooses among them by weight.

    Returns a list of observations: those of `count` defect cells, and virials and force constants
    of the perfect crystal.
    """
    return defect_observations(
        potential, crystal, defect, cells, count, seed, **near
    ) + crystal_observations(crystal)


def held_out_set(
    potential: Model,
    crystal: Crystal,
    defect: str,
    cells: Size,
    count: int = 10,
    seed: int = 0,
    **near: Any,
) -> list[Observation]:
    """What `training_set` with the same arguments does not show: other rattles of the defect, and a
    strained crystal.

    Kinds, weights and norms are those of the training set; see `HELD_OUT` and
    `held_out_crystal_observations`.
    """
    return defect_observations(
        potential, crystal, defect, cells, count, seed + HELD_OUT["seed"], **near
    ) + held_out_crystal_observations(crystal)
