"""Convergence with the supercell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from ..crystals import Neighbours, Supercell, build_defect, minimum_image
from ..equilibrium import formation_energy, relax

if TYPE_CHECKING:
    from ..contracts import Model
    from ..crystals.lattice import Crystal


@dataclass(frozen=True)
class SupercellConvergence:
    """cells : (m,);  sizes : (m,), A (d-th root of the volume);  geometry : (m,), A;  energy :
    (m,), eV, |E_N - E_ref|;
    formation_energies : (m + 1,), eV, the reference cell's last"""

    cells: tuple
    sizes: np.ndarray
    geometry: np.ndarray
    energy: np.ndarray
    formation_energies: np.ndarray


def supercell_convergence(
    potential: Model,
    crystal: Crystal,
    defect: str = "vacancy",
    cells: Sequence[int] = (4, 5, 6, 7, 8),
    reference_cell: int = 16,
    tolerance: float = 1e-10,
) -> SupercellConvergence:
    """Errors of cells of size N against a large one: |D(ubar_N - ubar)| ~ N^(-d/2), |E_N - E| ~
    N^(-d).

    Outside the small cell its displacement counts as having no gradient, as in Ehrlacher, Ortner
    and Shapeev 2016.
    """

    def solve(n):
        return relax(potential, build_defect(defect, Supercell(crystal, n)), tolerance=tolerance)

    large = solve(reference_cell)
    pairs = Neighbours(large.defect.positions, large.defect.cell, crystal.norm_cutoff)
    x = minimum_image(large.defect.positions - large.defect.centre, large.defect.cell)
    whole, geometry, energies, sizes = pairs.differences(large.u), [], [], []
    for n in cells:
        small = solve(n)
        y = minimum_image(small.defect.positions - small.defect.centre, small.defect.cell)
        gap, match = cKDTree(y).query(x, distance_upper_bound=1e-4)
        inside = np.isfinite(gap)
        du = np.where(inside[:, None], small.u[np.where(inside, match, 0)] - large.u, 0.0)
        both = (inside[pairs.i] & inside[pairs.j])[:, None]
        geometry.append(np.sqrt((np.where(both, pairs.differences(du), whole) ** 2).sum()))
        energies.append(formation_energy(potential, small))
        sizes.append(abs(np.linalg.det(small.defect.cell)) ** (1 / crystal.dimension))
    energies.append(formation_energy(potential, large))
    E = np.array(energies)
    return SupercellConvergence(
        cells=tuple(cells),
        sizes=np.array(sizes),
        geometry=np.array(geometry),
        energy=np.abs(E[:-1] - E[-1]),
        formation_energies=E,
    )
