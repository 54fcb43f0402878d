"""The error itself, where the reference can be relaxed on the large domain: only if asked for."""

from dataclasses import replace

import numpy as np

from ...crystals import minimum_image
from ...equilibrium import EnergyNorm, Equilibrium, formation_energy
from ...failures import NoEquilibrium
from ..composite import same_defect
from ..defect_error import DefectError
from ..forecast import Forecast
from ..matching import match_labels
from ..measurement import measure
from ..prediction import basin_radius, predict
from ..reference import Reference
from .defect_sections import Truth

#: eV; states of one model whose energies are closer are one.
NOTHING = 1e-3


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
            # as the candidate is: a comparison gains nothing by a finer one, which a calculator
            # may not reach
            tolerance = max(self.settings.tolerance, 5 * self.settings.noise[1])
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
        truth = _measured(self.pair.candidate, equilibrium, reference, found)
        if which == "own" and not self.pair.same_lattice:
            return truth
        return _with_prediction(truth, self.pair.candidate, reference)


def _measured(candidate, equilibrium, reference, found):
    """Two relaxations compared, each in its lattice: displacements from the sites."""
    theirs, large = reference.equilibrium, equilibrium.defect
    there = large.positions + theirs.u  # the reference's displacements on the candidate's sites
    label = match_labels(equilibrium.positions, there, large.cell, basin_radius(large.crystal))
    known = {"reference_energy": reference.formation_energy, "followed": theirs.followed}
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


def _with_prediction(truth, candidate, reference):
    """What `defect_error` predicts from the reference's equilibrium; it relaxes the candidate from
    there, and may end in another of its states.
    """
    # the linear estimate is not shown, and a calculator's Hessian products are calls on the domain
    predicted = predict(candidate, reference, linear=not reference.sparing)
    again = measure(candidate, reference, prediction=predicted)
    error = DefectError(predicted, again, reference)
    reasons = [truth.why]
    if not predicted.applies:
        reasons.append(f"prediction {predicted.verdict}")
    if truth.energy is not None and not abs(again.energy - truth.energy) < NOTHING:
        reasons.append(
            "relaxed from the reference's equilibrium the candidate finds another of its states"
        )
    return replace(
        truth,
        why="; ".join(filter(None, reasons)),
        predicted=_number(predicted.geometry),
        predicted_energy=_number(predicted.energy),
        predicted_kappa=_number(predicted.kappa),
        predicted_effectivity=_number(error.effectivity),
    )


def _ratio(a, b):
    return _number(a / b) if b > 0 else None


def _number(x):
    return float(x) if np.isfinite(x) else None
