"""Where the error comes from: the composite's residual split by what causes it.

    r = (1 - chi) r                                               core
        + chi (-dK p)                                             harmonic far field
        + chi ([F_ref - F_ML](x_k) + dK_k p_k)                    anharmonic far field

chi rises from 0 at the core's radius to 1 at twice that.  The parts sum to r; each has its dual
norm <r, G r>^(1/2) and the displacement H_ML^-1 r that it alone would cause.  For the energy,

    E_ML - E_ref = -([E_ref - E_ML](x_k) - 1/2 <dK_k p_k, p_k>) - 1/2 <dK p, p> - (gained by du)
"""

from typing import Any

import numpy as np

from ...crystals import Crystal, Defect
from ...equilibrium import EnergyNorm, LatticeGreen, landscape, linear_response
from ...equilibrium.farfield import ramp
from ...failures import NoEquilibrium
from ..forecast import ForecastStep
from .defect_sections import Budget, BudgetTerm, DistanceShell


def core_radius(crystal: Crystal) -> float:
    """A; neighbours of a point defect as far as the energy norm's pairs reach."""
    return float(crystal.norm_cutoff)


def residual_parts(step: ForecastStep, defect: Defect) -> dict[str, np.ndarray]:
    """The three parts of the residual, (n, d) each, eV/A, by name."""
    correction = step.correction
    chi = ramp(defect.distance(), core_radius(defect.crystal))[:, None]
    harmonic = -chi * correction.far.gradient
    rest = chi * step.residual - harmonic
    parts = {
        "core": step.residual - chi * step.residual,
        "harmonic far field": harmonic,
        "anharmonic far field": rest,
    }
    return {name: r - r.mean(axis=0) for name, r in parts.items()}


def budget(
    candidate: Any, equilibrium: Any, step: ForecastStep, green: LatticeGreen, rtol: float = 1e-2
) -> Budget:
    """The budget of one check cell's forecast, at the candidate's equilibrium."""
    defect = equilibrium.defect
    P, norm = green.for_defect(defect), EnergyNorm(equilibrium)
    hessian = landscape(candidate, defect.cell, equilibrium.positions).hessian()
    terms = []
    for name, r in residual_parts(step, defect).items():
        try:
            geometry = norm(linear_response(hessian, r, P, rtol=rtol))
        except NoEquilibrium:
            geometry = norm(P(r))  # the lattice's response in the place of the defect's
        dual = float(np.sqrt(max((r * P(r)).sum(), 0.0)))
        terms.append(BudgetTerm(name, dual, geometry))
    c = step.correction
    near, far = -(c.core.energy - c.near.energy), -c.far.energy
    return Budget(
        radius=core_radius(defect.crystal),
        terms=terms,
        energy={
            "core and anharmonic": float(near),
            "harmonic far field": float(far),
            "relaxation": float(step.energy - near - far),
        },
    )


def distance_shells(equilibrium: Any, step: ForecastStep) -> list[DistanceShell]:
    """Forces and errors by distance from the defect, shells a nearest-neighbour distance wide."""
    defect, norm = equilibrium.defect, EnergyNorm(equilibrium)
    r, width = defect.distance(), defect.crystal.shells[0]
    edges = np.append(0.5 * width, np.arange(1.5 * width, r.max() + width, width))
    edges[0] = 0.0
    error = norm.shells(step.du, edges)
    size = np.linalg.norm(step.residual, axis=1)
    out = []
    for inner, outer, e in zip(edges[:-1], edges[1:], error):
        here = size[(r >= inner) & (r < outer)]
        if len(here):
            rms, most = np.sqrt((here**2).mean()), here.max()
            row = (inner, outer, len(here), rms, most, e)
            out.append(DistanceShell(*(x.item() if hasattr(x, "item") else x for x in row)))
    return out
