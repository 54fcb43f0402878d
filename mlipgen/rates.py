"""Rates: the exponents that the theory predicts, and the slope that data show."""

import numpy as np


def observed_rate(L, errors):
    """Slope of log(error) against log(L) by least squares, with its standard error: (slope,
    uncertainty).

    Raises ValueError for fewer than three points or errors that are not positive.
    """
    L, errors = np.asarray(L, float), np.asarray(errors, float)
    if len(L) < 3 or not (errors > 0).all():
        raise ValueError(f"a rate needs at least three positive errors, got {errors.tolist()}")
    (slope, _), covariance = np.polyfit(np.log(L), np.log(errors), 1, cov=True)
    return float(slope), float(np.sqrt(covariance[0, 0]))
