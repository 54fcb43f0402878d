"""The error itself, where the reference can be relaxed on the large domain: only if asked for."""

import numpy as np

from ...crystals import minimum_image
from ...equilibrium import EnergyNorm, Equilibrium, formation_energy
from ...failures import NoEquilibrium
from ..composite import same_defect
from ..defect_error import defect_error
from ..forecast import Forecast
from ..matching import match_labels
from ..prediction import basin_radius
from ..reference import Reference
from .defect_sections import Truth


class Truths:
    """What forecasts of one defect are compared with; the reference is relaxed once, from where the
    candidate is: a soft defect has other minima, and another one is no truth about this.
    """

    def __init__(self, pair, defect, settings):
        self.pair, self.defect, self.settings = pair, defect, settings
        self._known: Reference | NoEquilibrium | None = None

    def reference(self, equilibrium: Equilibrium) -> Reference:
        """The reference relaxed on the domain from the candidate's displacements."""
        if self._known is None:
            large = same_defect(self.defect, self.pair.target, self.settings.domain)
            tolerance = max(1e-10, 5 * self.settings.noise[1])
            start = large.positions + equilibrium.u
            try:
                self._known = Reference(self.pair.reference, large, tolerance, start, "follow")
            except NoEquilibrium as error:
                self._known = error
        if isinstance(self._known, NoEquilibrium):
            raise self._known
        return self._known

    def of(self, which: str, equilibrium: Equilibrium, found: Forecast) -> Truth:
        """The truth in the candidate's own lattice, or in the reference's (with its prediction)."""
        try:
            reference = self.reference(equilibrium)
        except NoEquilibrium as error:
            return Truth(f"the reference cannot be relaxed there: {error}")
        if which == "own" and not self.pair.same_lattice:
            return _in_own_lattices(self.pair.candidate, equilibrium, reference, found)
        return _in_the_reference(self.pair.candidate, reference, found)


def _in_own_lattices(candidate, equilibrium, reference, found):
    """Displacement fields of two relaxations compared, each in a lattice of its own."""
    theirs, large = reference.equilibrium, equilibrium.defect
    # the reference's displacements, carried to the candidate's sites
    there = large.positions + theirs.u
    label = match_labels(equilibrium.positions, there, large.cell, basin_radius(large.crystal))
    known = {"reference_energy": reference.formation_energy}
    if label is None:
        return Truth("relaxed by both, an atom is in another place", **known)
    du = minimum_image(there - equilibrium.positions[label], large.cell)
    geometry = EnergyNorm(equilibrium)(du - du.mean(axis=0))
    return Truth(
        geometry=geometry,
        energy=formation_energy(candidate, equilibrium) - reference.formation_energy,
        effectivity=_ratio(found.geometry, geometry),
        **known,
    )


def _in_the_reference(candidate, reference, found):
    """Prediction and measurement in the reference's lattice, as `defect_error` has them."""
    error = defect_error(candidate, reference)
    measured, predicted = error.measurement, error.prediction
    why = "" if measured.verdict else str(measured.verdict)
    if not predicted.applies:
        why = "; ".join(filter(None, (why, f"prediction {predicted.verdict}")))
    return Truth(
        why=why,
        geometry=_number(measured.geometry),
        energy=_number(measured.energy),
        reference_energy=reference.formation_energy,
        effectivity=_ratio(found.geometry, measured.geometry),
        predicted=_number(predicted.geometry),
        predicted_energy=_number(predicted.energy),
        predicted_kappa=_number(predicted.kappa),
        predicted_effectivity=_number(error.effectivity),
    )


def _ratio(a, b):
    return _number(a / b) if b > 0 else None


def _number(x):
    return float(x) if np.isfinite(x) else None
