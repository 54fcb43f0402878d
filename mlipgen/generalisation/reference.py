"""The reference side of every comparison: relaxed once, used for many models."""

import numpy as np

from ..equilibrium import (
    EnergyNorm,
    LatticeGreen,
    formation_energy,
    hessian_at,
    linear_response,
    relax,
)
from ..failures import Unstable


class Reference:
    """The reference side of every comparison: relaxed once, used for many fits.

    Parameters
    ----------
    potential : SitePotential
    defect : Defect                  on the large test domain

    Attributes
    ----------
    equilibrium : Equilibrium;  green : LatticeGreen;  norm : EnergyNorm
    formation_energy : float, eV;  scale : float, A, |D ubar| (interstitials: outside the core, see
                                   `EnergyNorm`)
    """

    def __init__(self, potential, defect, tolerance=1e-10):
        self.potential, self.defect = potential, defect
        self.green = LatticeGreen(potential, defect.homogeneous)
        self.preconditioner = self.green.for_defect(defect)
        self.equilibrium = relax(potential, defect, green=self.green, tolerance=tolerance)
        self.norm = EnergyNorm(self.equilibrium)
        self.hessian = hessian_at(potential, self.equilibrium.positions, defect.cell)
        self._require_minimum()
        self.formation_energy = formation_energy(potential, self.equilibrium)
        interstitial = len(defect) > len(defect.homogeneous)
        core = 1.5 * defect.crystal.shells[0] if interstitial else 0.0
        self.scale = self.norm.reference_scale(self.equilibrium.u, core)

    def response(self, f, rtol=1e-8):
        """H_ref^-1 f for forces f (n, d), eV/A: displacements (n, d), A; see `linear_response`."""
        return linear_response(self.hessian, f, self.preconditioner, rtol=rtol)

    def _require_minimum(self):
        """The theory needs a strongly stable minimiser; a relaxation that keeps the start's
        symmetry may end on a saddle.

        Conjugate gradients on a force without symmetry meet any negative direction.
        """
        f = np.random.default_rng(0).normal(size=self.defect.positions.shape)
        try:
            self.response(f, rtol=1e-4)
        except Unstable as error:
            raise Unstable(
                f"the relaxed {self.defect.name} is a saddle point of this potential, not a "
                f"minimum: {error}; "
                "choose another defect, e.g. another dumbbell direction"
            ) from None
