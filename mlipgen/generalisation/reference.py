"""The reference side of every comparison: relaxed once, used for many models."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..equilibrium import (
    EnergyNorm,
    LatticeGreen,
    curvature_at,
    formation_energy,
    landscape,
    linear_response,
    relax,
    soft_fields,
    stability_constant,
)
from ..equilibrium.relaxation import saddle_message
from ..equilibrium.stability import core_forces, lowest_curvature, spread_field
from ..failures import Unstable
from ..potentials.calculator_model import CalculatorModel, reachable

if TYPE_CHECKING:
    from ..contracts import Operator
    from ..equilibrium.stability import Curvature


class Reference:
    """The reference side of every comparison: relaxed once, used for many models.

    A calculator is asked for as little as this takes: the relaxation, one call for the forces that
    it left over, and one for each product of the search for the lowest curvature.

    Parameters
    ----------
    potential : SitePotential, or another model with a landscape
    defect : Defect                  on the large test domain
    tolerance : float, eV/A          of the relaxation; no less than 20 times a calculator's noise:
                                     the largest force on many atoms alone is five times a component
    start : (n, d), A                where the relaxation starts; default the defect's sites
    saddle : str                     "follow": leave saddle points on the way, see `relax`

    Attributes
    ----------
    equilibrium : Equilibrium;  green : LatticeGreen;  norm : EnergyNorm
    formation_energy : float, eV
    scale : float, A, |D ubar| (interstitials: outside the core, see `EnergyNorm`); zero where the
        defect exerts no force, as silicon's vacancy under Stillinger-Weber

    Raises
    ------
    Unstable        if the relaxed defect is a saddle point of the potential
    """

    def __init__(self, potential, defect, tolerance=1e-10, start=None, saddle="ignore"):
        self.potential, self.defect = potential, defect
        #: Whether each force call counts, as those of a calculator do.
        self.sparing = isinstance(potential, CalculatorModel)
        tolerance = reachable(potential, tolerance)
        self.green = LatticeGreen(potential, defect.homogeneous)
        self.preconditioner = self.green.for_defect(defect)
        self.equilibrium = relax(
            potential, defect, start, self.green, tolerance, max_evaluations=1000, saddle=saddle
        )
        self.norm = EnergyNorm(self.equilibrium)
        self.landscape = landscape(potential, defect.cell, self.equilibrium.positions)
        self.hessian = self.landscape.hessian()
        #: Dual norm of the forces that the relaxation left over: smaller residuals are no error.
        self.rest = self.dual_norm(self.landscape.evaluate()[1])
        self._modes: list[np.ndarray] = []
        self._require_minimum()
        self.formation_energy = formation_energy(potential, self.equilibrium)
        interstitial = len(defect) > len(defect.homogeneous)
        core = 1.5 * defect.crystal.shells[0] if interstitial else 0.0
        self.scale = self.norm.reference_scale(self.equilibrium.u, core)

    def response(self, f: np.ndarray, rtol: float = 1e-8) -> np.ndarray:
        """H_ref^-1 f for forces f (n, d), eV/A: displacements (n, d), A; see `linear_response`."""
        return linear_response(self.hessian, f, self.preconditioner, rtol=rtol)

    def dual_norm(self, f: np.ndarray) -> float:
        """<f, G f>^(1/2), eV^(1/2), with the lattice Green's function G in place of H^-1."""
        return float(np.sqrt(max((f * self.preconditioner(f)).sum(), 0.0)))

    def relative(self, length: float) -> float:
        """A length (A) as a fraction of |D ubar|; nan where the defect displaces nothing."""
        return length / self.scale if self.scale > 1e-8 else np.nan

    @cached_property
    def stability(self) -> float:
        """gamma = min <Hv, v> / |Dv|^2 of the reference defect, eV/A^2."""
        return stability_constant(self.potential, self.equilibrium, self.green)

    @cached_property
    def soft(self) -> list[np.ndarray]:
        """Fields (n, d) without symmetry, rich in soft modes: where eigenvalue searches start.

        A calculator's own would cost some twenty calls: the lattice's responses stand for them.
        """
        if self.sparing:
            return [self.preconditioner(f) for f in core_forces(self.defect)]
        return soft_fields(self.hessian, self.preconditioner, self.defect)

    @cached_property
    def spread(self) -> np.ndarray:
        """Response (n, d) of the lattice to random forces on all atoms."""
        return spread_field(self.preconditioner, self.equilibrium.u.shape)

    def lowest_curvature(self, hessian: Operator) -> Curvature:
        """Lowest <Hv, v> / |Dv|^2 (eV/A^2) of a Hessian at this defect, and its mode.

        Once the reference's own mode is known, the search starts with it: a model near the
        reference has nearly the same.
        """
        start = [*self.soft[: 3 - len(self._modes)], self.spread, *self._modes]
        return lowest_curvature(hessian, self.norm.gram, self.preconditioner, start)

    def _require_minimum(self):
        """The theory needs a strongly stable minimiser; a relaxation that keeps the start's
        symmetry may end on a saddle.
        """
        if self.sparing:
            curvature = self.equilibrium.curvature  # known where saddle points were followed
            if curvature is None:
                curvature = curvature_at(self.potential, self.equilibrium, self.green).value
        else:
            curvature, mode = self.lowest_curvature(self.hessian)
            self._modes = [mode]
        if not curvature > 0:
            raise Unstable(
                f"under this potential {saddle_message(self.equilibrium, curvature)}; "
                "a reference must be a minimum: choose e.g. another dumbbell direction"
            )
