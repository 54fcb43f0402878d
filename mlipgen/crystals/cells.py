"""The geometry of periodic cells: thickness, nearest images."""

from itertools import product

import numpy as np


def thickness(cell: np.ndarray) -> np.ndarray:
    """Distances between opposite faces of a cell (rows are lattice vectors), shape (d,), A."""
    cell = np.asarray(cell, float)
    if cell.ndim != 2 or cell.shape[0] != cell.shape[1] or not np.isfinite(cell).all():
        raise ValueError(f"a cell of shape {cell.shape}: give d x d finite numbers, A")
    try:
        inverse = np.linalg.inv(cell)
    except np.linalg.LinAlgError:
        raise ValueError(f"the cell {cell.tolist()} A is flat: it has no volume") from None
    with np.errstate(over="ignore", divide="ignore"):
        distances = 1.0 / np.linalg.norm(inverse, axis=0)
    if not (np.isfinite(distances) & (distances > 0)).all():
        raise ValueError(f"the cell {cell.tolist()} A: its faces are {distances} A apart")
    return distances


def require_thickness(
    cell: np.ndarray, cutoff: float, factor: float = 2.0, what: str = "cell"
) -> None:
    """Refuse a cell thinner than `factor` cutoffs: an atom would see two images of the same
    neighbour.
    """
    if not 0 <= cutoff < np.inf:
        raise ValueError(f"the cutoff is {cutoff} A: give a finite distance")
    thin = thickness(cell).min()
    if thin < factor * cutoff:
        raise ValueError(
            f"{what} is {thin:.2f} A thick, thinner than {factor:g} x the cutoff {cutoff:.2f} A; "
            "repeat the unit cell more often or use a shorter cutoff"
        )


def minimum_image(vectors: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """The shortest periodic image of each vector, shape (n, d)."""
    vectors = np.asarray(vectors, float)
    if not np.isfinite(vectors).all() or vectors.shape[-1:] != (len(cell),):
        raise ValueError(
            f"vectors of shape {vectors.shape}: give finite numbers (n, {len(cell)}), A"
        )
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
