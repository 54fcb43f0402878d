"""Defect errors: measured by relaxing both models, and predicted before relaxing the learned one.

Both models live on the same large domain.  With f the learned model's forces at the reference
                                            equilibrium,
    Newton   du = H_ML^-1 f          linear   du = H_ref^-1 f
    predicted geometry error |D du|,  predicted energy error  [E_ML - E_ref](ubar) - <f, du> / 2.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..crystals import Neighbours, minimum_image
from ..equilibrium import formation_energy, hessian_at, linear_response, relax
from ..failures import LeftBasin, NotConverged, Unstable
from ..potentials.derivatives import energies_and_forces
from .reference import Reference

APPLIES, LEFT, UNSTABLE, LARGE = "applies", "left the basin", "unstable", "too large"

#: Predictions are first order: beyond this fraction of |D ubar| they are not given.
LARGEST_PREDICTION = 0.10


@dataclass(frozen=True)
class Prediction:
    """Predicted defect error; `applies` is False (and `why` says so) when first order has no
    meaning here.

    geometry : float, A            |D du| with the model's own Hessian (Newton); nan if it does not
                                   apply
    linear_geometry : float, A     the same with the reference's Hessian
    energy : float, eV             error of the formation energy;  relaxation : float, eV, its part
                                   -<f, du>/2
    du : (n, d), A or None;        linear_du : (n, d), A, the linear estimate of the displacements
    """

    geometry: float
    linear_geometry: float
    energy: float
    relaxation: float
    du: np.ndarray | None
    linear_du: np.ndarray
    applies: bool
    why: str


def predict(model, reference, rtol=1e-4):
    """Predict the defect error of `model` without relaxing it (the book, chapter 12; both
    first-order estimates).

    Parameters
    ----------
    model : SitePotential
    reference : Reference
    rtol : float        of the conjugate gradients, in the preconditioner's norm
    """
    x, crystal = reference.equilibrium.positions, reference.defect.crystal
    V, f = energies_and_forces(model, Neighbours(x, reference.defect.cell, model.cutoff), x)
    linear = reference.response(f, rtol)
    linear_geometry = reference.norm(linear)
    gap = float(
        (
            (V - crystal.energy_per_atom(model))
            - (reference.equilibrium.site_energies - crystal.energy_per_atom(reference.potential))
        ).sum()
    )
    nothing = (np.nan, linear_geometry, np.nan, np.nan, None, linear, False)
    if linear_geometry > 3 * LARGEST_PREDICTION * reference.scale:
        return Prediction(
            *nothing,
            f"{LARGE}: the linear estimate is {linear_geometry:.2g} A of |D ubar| = "
            f"{reference.scale:.2g} A",
        )
    try:
        du = linear_response(
            hessian_at(model, x, reference.defect.cell),
            f,
            reference.preconditioner,
            start=linear,
            rtol=rtol,
        )
    except (Unstable, NotConverged) as error:
        return Prediction(*nothing, f"{UNSTABLE}: {error}")
    geometry, relaxation = reference.norm(du), -0.5 * float((f * du).sum())
    applies = geometry <= LARGEST_PREDICTION * reference.scale
    why = (
        APPLIES
        if applies
        else f"{LARGE}: {geometry:.2g} A is over {LARGEST_PREDICTION:.0%} of |D ubar| = "
        f"{reference.scale:.2g} A"
    )
    return Prediction(
        geometry, linear_geometry, gap + relaxation, relaxation, du, linear, applies, why
    )


@dataclass(frozen=True)
class Measurement:
    """Measured defect error; geometry and energy are nan when the model's relaxation left the basin
    (`verdict` says so).

    geometry : float, A;  energy : float, eV;  relaxation : float, eV, E_ML(ubar_ML) - E_ML(ubar)
    du : (n, d), A or None;  force_evaluations : int
    """

    geometry: float
    energy: float
    relaxation: float
    du: np.ndarray | None
    force_evaluations: int
    verdict: str


def match_labels(positions, reference, cell, limit):
    """Which atom of `positions` stands where each atom of `reference` stands: a permutation, shape
    (n,), or None.

    Atoms further than `limit` (A) from their own place are matched among themselves, by least
    squared distance, so that
    equal atoms which changed places count as equal.  None if a place stays empty: the neighbours
    have changed.
    """
    label = np.arange(len(reference))
    gap = lambda a, b: np.linalg.norm(minimum_image(positions[a] - reference[b], cell), axis=-1)
    moved = np.flatnonzero(gap(label, label) > limit)
    if len(moved):
        # rows: atoms, columns: places
        pairs = np.array([gap(np.full(len(moved), a), moved) for a in moved])
        atoms, places = linear_sum_assignment(pairs**2)
        label[moved[places]] = moved[atoms]
    return label if (gap(label, np.arange(len(reference))) <= limit).all() else None


def measure(model, reference, tolerance=1e-7, progress=None):
    """Relax the defect with `model` from the reference equilibrium and compare, atom by atom.

    Atoms that changed places are matched first (`match_labels`).  If then an atom is further than a
    third of the nearest-neighbour distance from its reference position, the defect is another one
    and no error is given.
    """
    ref, defect = reference.equilibrium, reference.defect
    try:
        # The reference's Green's function serves: a model whose crystal is so different that it
        # fails has left anyway.
        eq = relax(
            model,
            defect,
            start=ref.positions,
            green=reference.green,
            tolerance=tolerance,
            max_move=1.2 * defect.crystal.shells[0],
            max_evaluations=100,
            progress=progress,
        )
    except (LeftBasin, NotConverged) as error:
        return Measurement(np.nan, np.nan, np.nan, None, 0, f"{LEFT}: {error}")
    label = match_labels(eq.positions, ref.positions, defect.cell, defect.crystal.shells[0] / 3)
    if label is None:
        return Measurement(
            np.nan,
            np.nan,
            np.nan,
            None,
            eq.force_evaluations,
            f"{LEFT}: an atom found another place",
        )
    du = minimum_image(eq.positions[label] - ref.positions, defect.cell)
    du -= du.mean(axis=0)
    energy = formation_energy(model, eq) - reference.formation_energy
    V0, _ = energies_and_forces(
        model, Neighbours(ref.positions, defect.cell, model.cutoff), ref.positions
    )
    return Measurement(
        reference.norm(du),
        energy,
        float((eq.site_energies[label] - V0).sum()),
        du,
        eq.force_evaluations,
        "relaxed",
    )


@dataclass(frozen=True)
class DefectError:
    """Prediction and measurement side by side."""

    prediction: Prediction
    measurement: Measurement
    reference: Reference

    @property
    def effectivity(self):
        """Predicted / measured geometry error (Newton's); nan when either is missing."""
        return (
            self.prediction.geometry / self.measurement.geometry
            if self.measurement.geometry
            else np.nan
        )

    @property
    def linear_effectivity(self):
        return (
            self.prediction.linear_geometry / self.measurement.geometry
            if self.measurement.geometry
            else np.nan
        )

    @property
    def distance(self):
        """|D(du_predicted - du_measured)| / |D du_measured|: cannot hide errors that compensate."""
        return self._distance(self.prediction.du)

    @property
    def linear_distance(self):
        return self._distance(self.prediction.linear_du)

    def _distance(self, predicted):
        measured = self.measurement.du
        return (
            np.nan
            if predicted is None or measured is None
            else self.reference.norm(predicted - measured) / self.measurement.geometry
        )

    @property
    def verdict(self):
        """ "applies", or "does not apply: ..." with the reason."""
        if not self.prediction.applies:
            return f"does not apply: {self.prediction.why}"
        return APPLIES

    @property
    def left_basin(self):
        return self.measurement.du is None


def defect_error(model, reference, **options):
    """Predict, then relax and measure: `DefectError`."""
    return DefectError(predict(model, reference), measure(model, reference, **options), reference)
