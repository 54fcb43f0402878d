"""The theorem and its use: defect errors measured, predicted and bounded (chapters 7 to 13)."""

from .bounds import (
    Bound,
    ForceWeights,
    Terms,
    cut_constant,
    dual_norm,
    geometry_bound,
    mismatch,
    residual_terms,
    terms_bound,
)
from .crystal_error import force_constant_mismatch, virial_mismatch, wave_mismatch
from .defect_error import DefectError, defect_error
from .matching import match_labels
from .measurement import Measurement, measure
from .prediction import Prediction, predict
from .preflight import Check, Preflight, preflight
from .reference import Reference
from .verdict import Outcome, Verdict

__all__ = [
    "Check",
    "Preflight",
    "preflight",
    "Bound",
    "DefectError",
    "ForceWeights",
    "Measurement",
    "Outcome",
    "Prediction",
    "Reference",
    "Terms",
    "Verdict",
    "cut_constant",
    "defect_error",
    "dual_norm",
    "force_constant_mismatch",
    "geometry_bound",
    "match_labels",
    "measure",
    "mismatch",
    "predict",
    "residual_terms",
    "terms_bound",
    "virial_mismatch",
    "wave_mismatch",
]
