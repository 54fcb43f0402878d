"""The geometry of periodic cells: thickness, nearest images."""

from itertools import product

import numpy as np


def thickness(cell: np.ndarray) -> np.ndarray:
    """Distances between opposite faces of a cell (rows are lattice vectors), shape (d,), A."""
    return 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)


def require_thickness(
    cell: np.ndarray, cutoff: float, factor: float = 2.0, what: str = "cell"
) -> None:
    """Refuse a cell thinner than `factor` cutoffs: an atom would see two images of the same
    neighbour.
    """
    thin = thickness(cell).min()
    if thin < factor * cutoff:
        raise ValueError(
            f"{what} is {thin:.2f} A thick, thinner than {factor:g} x the cutoff {cutoff:.2f} A; "
            "repeat the unit cell more often or use a shorter cutoff"
        )


def minimum_image(vectors: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """The shortest periodic image of each vector, shape (n, d)."""
    near = vectors - np.rint(vectors @ np.linalg.inv(cell)) @ cell
    if np.allclose(cell, np.diag(np.diag(cell))):
        return near
    # skew cells: look at the next images too
    images = np.array(list(product((-1, 0, 1), repeat=len(cell)))) @ cell
    best = near.copy()
    for shift in images:
        closer = ((near + shift) ** 2).sum(-1) < (best**2).sum(-1) - 1e-12
        best[closer] = (near + shift)[closer]
    return best
