"""Phonons of a perfect crystal along the usual path through its Brillouin zone.

omega(k)^2 = eigenvalues of D(k) / m,     nu = omega / 2 pi
"""

from dataclasses import dataclass

import numpy as np
from ase.build import bulk
from ase.data import atomic_masses, atomic_numbers
from ase.units import _amu, _e

from ..crystals import Crystal
from ..potentials.derivatives import ForceConstantTable

#: THz of a spring of 1 eV/A^2 and one atomic mass unit.
THZ = float(np.sqrt(_e / 1e-20 / _amu) / (2e12 * np.pi))


@dataclass(frozen=True)
class BandPath:
    """Wave vectors k (m, d), 1/A, along straight lines; x (m,), 1/A, is the way made.

    ticks, labels : the points with a name, where they stand on x
    """

    k: np.ndarray
    x: np.ndarray
    ticks: np.ndarray
    labels: tuple[str, ...]


def band_path(crystal: Crystal, points: int = 120) -> BandPath:
    """The usual path of the crystal's lattice, with about so many points.

    Source: Setyawan and Curtarolo, Comput. Mater. Sci. 49, 299 (2010), as in ASE.
    """
    d = crystal.dimension
    if d == 2:
        path = crystal.unit.cell.bandpath(npoints=points, pbc=crystal.unit.pbc)
    else:
        cell = bulk(crystal.symbol, crystal.structure, a=crystal.a, c=crystal.c).cell
        path = cell.bandpath(npoints=points)
    x, ticks, labels = path.get_linear_kpoint_axis()
    # ASE's wave vectors lack the 2 pi, its axis has it
    k = 2 * np.pi * path.cartesian_kpts()[:, :d]
    named: dict[float, str] = {}
    for place, label in zip(np.round(ticks, 9), labels):  # where the path jumps there are two
        label = "\N{GREEK CAPITAL LETTER GAMMA}" if label == "G" else label
        named[place] = f"{named[place]}|{label}" if place in named else label
    return BandPath(k, x, np.array(list(named)), tuple(named.values()))


def frequencies(table: ForceConstantTable, symbol: str, k: np.ndarray) -> np.ndarray:
    """Frequencies (m, branches), THz, in rising order; unstable modes are negative.

    k : (m, d), 1/A;  symbol : of the one element, for its mass
    """
    mass = atomic_masses[atomic_numbers[symbol]]
    D = table.dynamical_matrices(k)
    values = np.linalg.eigvalsh(0.5 * (D + np.conj(np.swapaxes(D, 1, 2))))
    return THZ * np.sign(values) * np.sqrt(np.abs(values) / mass)
