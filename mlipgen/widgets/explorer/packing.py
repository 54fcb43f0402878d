"""Triangular factors in few numbers: reduced to steps, and packed without their zeros."""

import numpy as np
from scipy.linalg import qr


def r_factor(matrix):
    """R (min(rows, n), n) with R'R = matrix' matrix, by Householder QR; the rows are not needed
    again.
    """
    return qr(np.asarray(matrix, float), mode="economic")[1]


def echelon(R, prior, counts, tolerance=1e-13):
    """An R-factor in steps: first the rows that the smallest basis can fit, then those that the
    next one adds, then the rest.

    R : (r, K + extra);  prior : (K,), columns are compared after division by it;  counts : sizes of
    the nested bases, the last K
    tolerance : combinations of the functions below this fraction of the largest are rounding, and
        left out

    Symmetry makes many rows of a crystal's observations dependent: fewer are left.  And a misfit
    stands in rows that are
    exactly zero in the basis: next to the rounding of dependent rows, a small ridge would magnify
    the product of both.
    """
    scale = np.linalg.norm(R[:, : len(prior)] / prior, 2) * tolerance
    if np.linalg.matrix_rank(R[:, : len(prior)] / prior, tol=scale) == len(prior):
        return R
    steps, start = [], 0
    for K in counts:
        U, s, Vt = np.linalg.svd(R[:, start:K] / prior[start:K])
        r = int((s > scale).sum())
        rows = np.column_stack([s[:r, None] * Vt[:r] * prior[start:K], U[:, :r].T @ R[:, K:]])
        steps.append(np.column_stack([np.zeros((r, start)), r_factor(rows) if r else rows]))
        R = np.column_stack([np.zeros((len(U) - r, K)), U[:, r:].T @ R[:, K:]])
        start = K
    misfit = r_factor(R[:, K:]) if len(R) else R[:, K:]
    misfit = misfit[
        np.linalg.norm(misfit, axis=1) > tolerance * np.linalg.norm(np.vstack(steps)[:, K:])
    ]
    return np.vstack([*steps, np.column_stack([np.zeros((len(misfit), K)), misfit])])


def pack_trapezoid(R):
    r, n = R.shape
    return np.concatenate([R[: min(j + 1, r), j] for j in range(n)])


def unpack_trapezoid(flat, shape):
    r, n = shape
    R, start = np.zeros(shape), 0
    for j in range(n):
        m = min(j + 1, r)
        R[:m, j] = flat[start : start + m]
        start += m
    return R
