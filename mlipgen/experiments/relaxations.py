"""One defect relaxed, and what there is to say of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..crystals import Crystal, Supercell, build_defect
from ..equilibrium import EnergyNorm, formation_energy, relax
from .study import reference_potential

if TYPE_CHECKING:
    from ..contracts import Model, Size


def relax_report(
    symbol: str,
    defect: str,
    cell: Size,
    tolerance: float = 1e-8,
    potential: Model | None = None,
    crystal: Crystal | None = None,
    saddle: str = "ignore",
) -> dict:
    """Relax one defect and report on it, as a dict of plain numbers.

    symbol, defect : str;  cell : int or tuple;  potential : default the symbol's own
    saddle : see `relax`; with "ignore" there is no curvature

    formation_energy, followed (eV), force_evaluations, max_force (eV/A), curvature (eV/A^2),
    geometry_norm (A), seconds.
    """
    start = time.perf_counter()
    potential = potential or reference_potential(symbol)
    crystal = crystal or Crystal.equilibrium(potential)
    found = relax(
        potential,
        build_defect(defect, Supercell(crystal, cell)),
        tolerance=tolerance,
        max_evaluations=1000,
        saddle=saddle,
    )
    return {
        "crystal": symbol,
        "defect": defect,
        "cell": cell,
        "atoms": len(found.defect),
        "lattice_constant": crystal.a,
        "formation_energy": formation_energy(potential, found),
        "geometry_norm": EnergyNorm(found)(found.u),
        "curvature": found.curvature,
        "followed": found.followed,
        "force_evaluations": found.force_evaluations,
        "max_force": found.max_force,
        "seconds": time.perf_counter() - start,
    }
