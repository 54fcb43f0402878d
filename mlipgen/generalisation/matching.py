"""Which atom of one configuration is which of another."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..crystals import minimum_image
from ..failures import require_number


def match_labels(
    positions: np.ndarray, reference: np.ndarray, cell: np.ndarray, limit: float
) -> np.ndarray | None:
    """Which atom of `positions` stands where each atom of `reference` stands: a permutation, shape
    (n,), or None.

    Atoms further than `limit` (A) from their own place are matched among themselves, by least
    squared distance, so that equal atoms which changed places count as equal.  None if a place
    stays empty: the neighbours have changed.
    """
    if np.ndim(reference) != 2 or np.shape(positions) != np.shape(reference):
        raise ValueError(
            f"positions of shape {np.shape(positions)}, reference of {np.shape(reference)}: give "
            "as many atoms (n, d) of both"
        )
    limit = require_number("limit", limit, 0, np.inf)
    label = np.arange(len(reference))

    def gap(atoms, places):
        return np.linalg.norm(minimum_image(positions[atoms] - reference[places], cell), axis=-1)

    moved = np.flatnonzero(gap(label, label) > limit)
    if len(moved):
        # rows: atoms, columns: places
        pairs = np.array([gap(np.full(len(moved), a), moved) for a in moved])
        atoms, places = linear_sum_assignment(pairs**2)
        label[moved[places]] = moved[atoms]
    return label if (gap(label, np.arange(len(reference))) <= limit).all() else None
