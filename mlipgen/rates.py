"""Rates: the exponents that the theory predicts, and the slope that data show."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Rate:
    """Exponents of the errors that one wrong term of the far field leaves: geometry L^-(a d + b),
    energy L^-(a d + b), each given as (a, b).
    """

    what: str
    geometry: tuple[float, float]
    energy: tuple[float, float]

    def exponents(self, d: int) -> tuple[float, float]:
        """(geometry, energy) in d dimensions."""
        return self.geometry[0] * d + self.geometry[1], self.energy[0] * d + self.energy[1]


#: The terms of the error bound (the book's chapter 7), slowest first.
TERM_RATES = {
    "elastic": Rate("elastic constants wrong", (1 / 2, 0), (1, 0)),
    "dilation": Rate("elastic constants wrong for a change of volume only", (1 / 2, 0), (1, 0)),
    "harmonic": Rate("elastic constants right, force constants wrong", (1 / 2, 2), (1, 2)),
    "cubic": Rate("force constants right, third-order elastic constants wrong", (3 / 2, 0), (2, 0)),
    "gradient": Rate(
        "third-order elastic constants right, third-order force constants wrong",
        (3 / 2, 2),
        (2, 2),
    ),
    "quartic": Rate("third order right, fourth-order elastic constants wrong", (5 / 2, 0), (3, 0)),
}

#: What remains wrong in the far field for each set of observations: the rows of the rate table.
ROWS = {
    "E,F": ("elastic",),
    "E,F,V": ("harmonic", "cubic"),
    "E,F,FC": ("cubic",),
    "E,F,FC,V": ("gradient", "quartic"),
}


def predicted_rates(terms: Iterable[str], d: int) -> tuple[float, float]:
    """Smallest geometry and energy exponent over the terms, in d dimensions: the slowest decides.

    terms : names of `TERM_RATES`, e.g. a value of `ROWS`
    """
    geometry, energy = zip(*(TERM_RATES[t].exponents(d) for t in terms))
    return min(geometry), min(energy)


def observed_rate(L: ArrayLike, errors: ArrayLike) -> tuple[float, float]:
    """Slope of log(error) against log(L) by least squares, with its standard error: (slope,
    uncertainty).

    Raises ValueError for fewer than three points or errors that are not positive.
    """
    x, y = np.asarray(L, float), np.asarray(errors, float)
    if y.ndim != 1 or y.size < 3 or not ((y > 0) & np.isfinite(y)).all():
        raise ValueError(f"a rate needs at least three positive errors, got {y.tolist()}")
    if x.shape != y.shape or not ((x > 0) & np.isfinite(x)).all() or len(set(x)) < 3:
        raise ValueError(f"a rate needs a positive size for each error, three of them, got {x}")
    (slope, _), covariance = np.polyfit(np.log(x), np.log(y), 1, cov=True)
    return float(slope), float(np.sqrt(covariance[0, 0]))
