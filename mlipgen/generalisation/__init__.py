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
from .defect_error import (
    DefectError,
    Measurement,
    Prediction,
    defect_error,
    match_labels,
    measure,
    predict,
)
from .reference import Reference

__all__ = [
    "Bound",
    "DefectError",
    "ForceWeights",
    "Measurement",
    "Prediction",
    "Reference",
    "Terms",
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
