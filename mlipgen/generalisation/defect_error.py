"""Defect errors: prediction and measurement side by side.  Both models live on the same domain."""

from dataclasses import dataclass, field

import numpy as np

from .measurement import Measurement, measure
from .prediction import Prediction, predict
from .reference import Reference
from .verdict import Verdict

#: Geometry errors below this (A) are those of the reference's own relaxation.
RESOLUTION = 1e-8


@dataclass(frozen=True)
class DefectError:
    """Prediction and measurement side by side."""

    prediction: Prediction
    measurement: Measurement
    reference: Reference = field(repr=False)

    @property
    def effectivity(self) -> float:
        """Predicted / measured geometry error (Newton's); nan when either is missing, or when the
        error is below the resolution.
        """
        return self._ratio(self.prediction.geometry)

    @property
    def linear_effectivity(self) -> float:
        return self._ratio(self.prediction.linear_geometry)

    @property
    def distance(self) -> float:
        """|D(du_predicted - du_measured)| / |D du_measured|: cannot hide errors that compensate;
        kappa is its estimate.
        """
        return self._distance(self.prediction.du)

    @property
    def linear_distance(self) -> float:
        return self._distance(self.prediction.linear_du)

    def _ratio(self, length):
        measured = self.measurement.geometry
        return float(length / measured) if measured > RESOLUTION else np.nan

    def _distance(self, predicted):
        measured = self.measurement.du
        if predicted is None or measured is None:
            return np.nan
        return self._ratio(self.reference.norm(predicted - measured))

    @property
    def verdict(self) -> Verdict:
        """The prediction's."""
        return self.prediction.verdict

    @property
    def left_basin(self) -> bool:
        return self.measurement.du is None


def defect_error(model, reference: Reference, **options) -> DefectError:
    """Predict, then relax and measure: `DefectError`; options of `measure`."""
    prediction = predict(model, reference)
    measured = measure(model, reference, prediction=prediction, **options)
    return DefectError(prediction, measured, reference)
