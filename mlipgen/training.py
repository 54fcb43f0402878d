"""Training sets: cells with the defect near its equilibrium, and the perfect crystal, strained or not.

Everything is seeded: the same arguments give the same configurations on every machine.
"""
import numpy as np

from .crystals import Supercell, build_defect
from .equilibrium import relax
from .observations import Configuration, Energy, ForceConstants, Forces, Virial


def defect_configurations(reference, crystal, defect, cells, count=10, seed=0, scales=(0.7, 1.2), rattle=0.03):
    """Copies of a relaxed defect: displacements scaled by `scales`, atoms rattled by 0 ... `rattle` A.

    Forces at the equilibrium alone would not fix the core's force *derivatives*, hence the rattled copies.

    Parameters
    ----------
    reference : SitePotential      labels come from here; it also relaxes the defect in this cell
    defect : str                   see `mlipgen.crystals.DEFECTS`
    cells : int or tuple           size of the training cell, in conventional unit cells
    count : int                    number of configurations; seed : int

    Returns
    -------
    list of Configuration
    """
    if count < 1:
        raise ValueError(f"count = {count}: at least one configuration is needed")
    start = build_defect(defect, Supercell(crystal, cells))
    equilibrium = relax(reference, start)
    rng = np.random.default_rng(seed)
    out = []
    for scale, sigma in zip(np.linspace(*scales, count), np.linspace(0.0, rattle, count)):
        noise = sigma * rng.standard_normal(start.positions.shape)
        out.append(Configuration(start.positions + scale * equilibrium.u + noise, start.cell, crystal, start.centre))
    return out


def strains(dimension, sizes=(0.005, 0.02)):
    """The identity and +- every elementary deformation gradient of the given sizes (symmetric and not)."""
    out = [np.eye(dimension)]
    for size in sizes:
        for i in range(dimension):
            for j in range(dimension):
                for sign in (1, -1):
                    F = np.eye(dimension)
                    F[i, j] += sign * size
                    out.append(F)
    return out


def crystal_observations(crystal, sizes=(0.005, 0.02)):
    """Virials at the identity and at small strains (multilattices: also with displaced basis), and force constants."""
    out = [Virial(crystal, F) for F in strains(crystal.dimension, sizes)]
    n = len(crystal.primitive_atoms)
    if n > 1:
        for i in range(crystal.dimension):
            for sign in (1, -1):
                p = np.zeros((n, crystal.dimension))
                p[-1, i] = sign * 0.01 * crystal.a
                out.append(Virial(crystal, np.eye(crystal.dimension), p))
    return out + [ForceConstants(crystal)]


def defect_observations(reference, crystal, defect, cells, count=10, seed=0, **near):
    """Energies and forces (uniform, and weighted by distance) of `count` defect cells; see `defect_configurations`."""
    configurations = defect_configurations(reference, crystal, defect, cells, count, seed, **near)
    return [kind for c in configurations for kind in (Energy(c), Forces(c), Forces(c, by_distance=True))]


def training_set(reference, crystal, defect, cells, count=10, seed=0, **near):
    """All kinds of observation for one training-cell size; a fit chooses among them by weight.

    Returns a list of observations: those of `count` defect cells, and virials and force constants of the perfect crystal.
    """
    return defect_observations(reference, crystal, defect, cells, count, seed, **near) + crystal_observations(crystal)
