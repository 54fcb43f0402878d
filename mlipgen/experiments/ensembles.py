"""What the training data alone say about the uncertainty of a linear fit.

    minimise |A theta - y|^2 + ridge^2 |Gamma theta|^2,      R'R = A'A + ridge^2 Gamma'Gamma

Each function gives deviations of the parameters, (count, K), eV: members of an ensemble less theta.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr, solve_triangular

#: Singular values of site descriptors below this, relative, are not resolved.
RESOLVED = 1e-7


@dataclass(frozen=True)
class Rows:
    """The weighted rows of one fit, with its ridge as the last ones.

    A : (m, K);  y : (m,);  group : (m,), the configuration that a row belongs to, -1 for rows that
    every member keeps (ridge, perfect crystal);  R : (K, K);  theta : (K,)
    """

    A: np.ndarray
    y: np.ndarray
    group: np.ndarray
    R: np.ndarray
    theta: np.ndarray

    @classmethod
    def of(cls, parts, prior, ridge) -> Rows:
        """From (weight, group, [A y]) of every observation."""
        K = len(prior)
        A = np.concatenate([*(w * rows[:, :-1] for w, _, rows in parts), ridge * np.diag(prior)])
        y = np.concatenate([*(w * rows[:, -1] for w, _, rows in parts), np.zeros(K)])
        group = np.concatenate([*(np.full(len(rows), g) for _, g, rows in parts), np.full(K, -1)])
        return cls(A, y, group, *_least_squares(A, y))

    @property
    def residual(self) -> np.ndarray:
        return self.y - self.A @ self.theta


def _least_squares(A, y):
    R = qr(np.column_stack([A, y]), mode="r")[0][: A.shape[1] + 1]
    K = A.shape[1]
    return R[:K, :K], solve_triangular(R[:K, :K], R[:K, K])


def posterior(rows: Rows, count: int, rng: np.random.Generator) -> np.ndarray:
    """Bayesian linear regression: theta ~ N(theta, sigma^2 (R'R)^-1), sigma^2 = |residual|^2 /
    (m - K).  It takes all misfit for noise, which averages out.
    """
    m, K = rows.A.shape
    sigma = np.linalg.norm(rows.residual) / np.sqrt(m - K)
    return sigma * solve_triangular(rows.R, rng.standard_normal((K, count))).T


def committee(rows: Rows, count: int, rng: np.random.Generator) -> np.ndarray:
    """Fits to configurations drawn with replacement (bootstrap)."""
    groups = np.unique(rows.group[rows.group >= 0])
    out = []
    for _ in range(count):
        drawn = rng.choice(groups, len(groups))
        index = np.concatenate(
            [np.flatnonzero(rows.group == g) for g in (*drawn, -1)]  # -1: what all keep
        )
        out.append(_least_squares(rows.A[index], rows.y[index])[1] - rows.theta)
    return np.array(out)


def pointwise(rows: Rows, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draws from the box round pointwise-optimal parameters.

    For each datum the least change that fits it exactly, d_i = C^-1 a_i r_i / (a_i' C^-1 a_i) with
    C = R'R, for the half of the data with the larger leverage; a box along the principal axes of
    these changes (in the metric of C) that holds them all; uniform draws from it.

    Source: Swinburne and Perez (2025), https://arxiv.org/abs/2402.01810, and Perez et al. (2025),
    https://arxiv.org/abs/2502.07104; there the axes are those of the parameters themselves.
    """
    data = rows.A[: -rows.A.shape[1]]  # without the ridge
    q = solve_triangular(rows.R, data.T, trans="T").T
    leverage = (q**2).sum(axis=1)
    used = leverage >= np.median(leverage)
    c = q[used] * (rows.residual[: len(data)][used] / leverage[used])[:, None]
    axes = np.linalg.svd(c, full_matrices=False)[2]
    along = c @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    draws = low + (high - low) * rng.random((count, len(axes)))
    return solve_triangular(rows.R, axes.T @ draws.T).T


ENSEMBLES = {"posterior": posterior, "committee": committee, "pointwise": pointwise}


class ActiveSet:
    """D-optimal sites of a training set: those that span the largest volume of descriptors.

    grade(B) = max_j |b A^-1|_j of each site, A the active rows: at most one on the training set;
    above, the site's energy is extrapolated.

    Source: Podryabinkin and Shapeev, Comput. Mater. Sci. 140, 171 (2017), arXiv:1611.09346.
    """

    def __init__(self, B: np.ndarray, swaps: int = 1000, tolerance: float = 1.001):
        """B : (sites, K), the basis functions at all training sites."""
        s, axes = np.linalg.svd(B, full_matrices=False)[1:]
        keep = s > RESOLVED * s[0]
        self._to = axes[keep].T / s[keep]
        X = B @ self._to
        active = qr(X.T, pivoting=True, mode="r")[1][: X.shape[1]]
        C = X @ np.linalg.inv(X[active])
        for _ in range(swaps):
            row, column = np.unravel_index(np.abs(C).argmax(), C.shape)
            if abs(C[row, column]) <= tolerance:
                break
            active[column] = row
            C = X @ np.linalg.inv(X[active])
        self._inverse = np.linalg.inv(X[active])

    def grade(self, B: np.ndarray) -> np.ndarray:
        return np.abs(B @ self._to @ self._inverse).max(axis=1)
