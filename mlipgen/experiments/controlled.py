"""Controlled experiments: a known error, switched on away from the defect, and what it does to the
defect.

    E = E_ref + sum_l w(l) dV_l(Du)

No force acts on the perfect crystal (no ghost forces), the energy is conserved, the net force
vanishes.  Each kind of dV (`mismatch`) isolates one term of the error bound of the book's
chapter 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..equilibrium.landscape import landscape
from ..equilibrium.response import linear_response
from ..failures import NotConverged
from ..rates import ROWS, observed_rate, predicted_rates
from .mismatch import TERMS, Mismatch

if TYPE_CHECKING:
    from ..generalisation.reference import Reference

__all__ = [
    "ROWS",
    "TERMS",
    "ControlledError",
    "Mismatch",
    "RateExperiment",
    "calibrate",
    "measure_rates",
    "predicted_rates",
    "respond",
]


@dataclass(frozen=True)
class ControlledError:
    """What a known error does.  geometry, A, |D du| and energy, eV, of the nonlinear equilibrium;
    the same to first order (linear response with the reference's Hessian; energy at the reference
    equilibrium);
    steps : Newton's steps taken;  residual : what is left of the force, relative, in the dual norm.
    """

    L: float
    geometry: float
    energy: float
    linear_geometry: float
    linear_energy: float
    du: np.ndarray
    steps: int
    residual: float


def respond(
    reference: Reference,
    mismatch: Mismatch,
    nonlinear: bool = True,
    rtol: float = 1e-5,
    max_steps: int = 12,
) -> ControlledError:
    """Relax under the known error by Newton's method from the reference equilibrium.

    The tiny forces left over in the reference are kept as a dead load on both sides, and the energy
    is the work of the reference's forces along the straight path (Simpson's rule) plus the mismatch
    energy: no two large numbers are subtracted, so errors are resolved down to round-off in the
    forces (1e-14 eV/A), far below the relaxation's tolerance.

    Raises
    ------
    Unstable, NotConverged      from the conjugate gradients, or if Newton's method does not
                                converge
    """
    ref, P, model = reference.equilibrium, reference.preconditioner, reference.potential
    surface = landscape(model, reference.defect.cell, ref.positions, skin=0.1)
    u0 = ref.positions - reference.defect.positions
    dead = surface.displaced(np.zeros_like(u0))

    def pull(du):
        return surface.displaced(du) - dead

    def hessian(du):
        return surface.displaced_hessian(du) + mismatch.hessian(u0 + du)

    f = mismatch.forces(u0)
    start = np.sqrt((f * P(f)).sum())
    linear = reference.response(f, rtol=1e-4)
    linear_energy = mismatch.energy(u0)
    if not nonlinear:
        return ControlledError(
            L=mismatch.L,
            geometry=reference.norm(linear),
            energy=linear_energy - 0.5 * float((f * linear).sum()),
            linear_geometry=reference.norm(linear),
            linear_energy=linear_energy,
            du=linear,
            steps=0,
            residual=1e-4,
        )
    du, residual = linear.copy(), np.inf
    for step in range(1, max_steps + 1):
        r = pull(du) + mismatch.forces(u0 + du)
        r -= r.mean(axis=0)
        previous, residual = residual, np.sqrt(max((r * P(r)).sum(), 0))
        # converged, or down to round-off
        if residual <= rtol * start or 0.3 * previous < residual <= 1e-3 * start:
            break
        du = du + linear_response(hessian(du), r, P, rtol=1e-3)
    else:
        raise NotConverged(
            f"Newton's method left {residual / start:.1e} of the force after {max_steps} steps"
        )
    work = -float(((4 * pull(du / 2) + pull(du)) * du).sum()) / 6
    return ControlledError(
        L=mismatch.L,
        geometry=reference.norm(du),
        energy=mismatch.energy(u0 + du) + work,
        linear_geometry=reference.norm(linear),
        linear_energy=linear_energy,
        du=du,
        steps=step,
        residual=float(residual / start),
    )


@dataclass(frozen=True)
class RateExperiment:
    """Errors over a series of L and their slopes.

    predicted : (geometry, energy) exponents;  geometry_rate, energy_rate : (slope, standard error),
        slopes positive
    """

    terms: tuple
    coefficients: dict
    dimension: int
    L: np.ndarray
    geometry: np.ndarray
    energy: np.ndarray

    @property
    def predicted(self) -> tuple[float, float]:
        """The slowest term decides."""
        exponents = [TERMS[t].rate.exponents(self.dimension) for t in self.terms]
        return min(g for g, _ in exponents), min(e for _, e in exponents)

    def rate(self, what: str = "geometry", last: int | None = None) -> tuple[float, float]:
        """Fitted exponent and its standard error; `last`: only from the largest so many L."""
        values = np.abs(getattr(self, what))
        slope, error = observed_rate(self.L[-(last or 0) :], values[-(last or 0) :])
        return -slope, error

    def local_rates(self, what: str = "geometry") -> np.ndarray:
        """Slopes between neighbouring L: they show whether the asymptotic range is reached."""
        return -np.diff(np.log(np.abs(getattr(self, what)))) / np.diff(np.log(self.L))


def calibrate(reference: Reference, L: float, term: str, size: float, **options: Any) -> float:
    """Coefficient for which the term changes the geometry by `size` (A) at L, to first order, and
    raises the energy.

    The sign matters when terms are combined: energies of opposite sign would cancel at some L.
    """
    one = respond(reference, Mismatch(reference.defect, L, {term: 1.0}, **options), nonlinear=False)
    return float(np.sign(one.linear_energy)) * size / one.geometry


def measure_rates(
    reference: Reference,
    terms: str | Sequence[str],
    radii: Sequence[float],
    size: float = 1e-3,
    nonlinear: bool = True,
    coefficients: dict[str, float] | None = None,
    **options: Any,
) -> RateExperiment:
    """Run one controlled experiment at every L.

    Parameters
    ----------
    reference : Reference
    terms : sequence of names of TERMS, or a key of ROWS
    radii : increasing L, A
    size : float       fraction of |D ubar| by which each term alone would change the geometry at
                       the smallest L
    nonlinear : bool   relax (True) or linear response (False)
    options : of `Mismatch`
    """
    if isinstance(terms, str):
        terms = ROWS.get(terms, (terms,))
    L = np.asarray(radii, float)
    if coefficients is None:
        coefficients = {
            t: calibrate(reference, L[0], t, size * reference.scale, **options) for t in terms
        }
    runs = [
        respond(reference, Mismatch(reference.defect, x, coefficients, **options), nonlinear)
        for x in L
    ]
    return RateExperiment(
        terms=tuple(terms),
        coefficients=coefficients,
        dimension=reference.defect.crystal.dimension,
        L=L,
        geometry=np.array([r.geometry for r in runs]),
        energy=np.array([r.energy for r in runs]),
    )
