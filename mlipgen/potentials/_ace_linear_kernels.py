"""Compiled kernels of the linear ACE: several sites side by side, the sites innermost.

Neighbour j of site s is q = j * lanes + s, so the many short sums over products of A become long
loops over sites; names and conventions are those of `_ace_kernels`.
"""

import numpy as np

from ..crystals._compiled import njit
from ._ace_kernels import inside, radial
from ._harmonics import FAST, harmonics


@njit(cache=True, nogil=True, fastmath=FAST)
def inside_block(R, offsets, first, lanes, cutoff, which, r, u):
    """`inside` for `lanes` sites side by side; returns the largest number of neighbours.

    Missing neighbours lie on the cutoff, where all radial functions vanish; `which` is -1 there.
    """
    counts = np.zeros(lanes, np.int64)
    for lane in range(min(lanes, len(offsets) - 1 - first)):
        i = first + lane
        counts[lane] = inside(R, offsets[i], offsets[i + 1], cutoff, which, r, u, lane, lanes)
    J = counts.max()
    for lane in range(lanes):
        for q in range(counts[lane] * lanes + lane, J * lanes, lanes):
            which[q] = -1
            r[q] = cutoff
            u[0, q], u[1, q], u[2, q], u[3, q] = 1.0, 0.0, 0.0, 1.0 / cutoff
    return J


@njit(cache=True, nogil=True, fastmath=FAST)
def project_block(J, lanes, P, Y, start, count, A):
    """`project` for `lanes` sites side by side: A (n_A + 1, lanes)."""
    for lm in range(len(start)):
        for n in range(count[lm]):
            a = start[lm] + n
            for s in range(lanes):
                A[a, s] = 0.0
            for j in range(J):  # no steps of `lanes`: the compiler must see that q is positive
                q = j * lanes
                for s in range(lanes):
                    A[a, s] += P[n, q + s] * Y[lm, q + s]
    A[-1] = 1.0


@njit(cache=True, nogil=True, fastmath=FAST)
def products_block(lanes, A, D, E, ab, inner, pairs, rows, last, coefficient):
    """E = sum_(a,b) A_a A_b sum_c C_abc A_c over the sparse coefficients and D = dE/dA, for each
    of the `lanes` sites.

    pairs (n, 2) the (a, b), rows (n + 1,) their entries in `last` (the c) and `coefficient`; ab and
    inner are scratch.  The pad's D is meaningless.
    """
    D[:] = 0.0
    E[:] = 0.0
    for t in range(len(pairs)):
        a, b = pairs[t]
        for s in range(lanes):
            ab[s] = A[a, s] * A[b, s]
            inner[s] = 0.0
        for q in range(rows[t], rows[t + 1]):
            c, C = last[q], coefficient[q]
            for s in range(lanes):
                inner[s] += C * A[c, s]
                D[c, s] += C * ab[s]
        # one array a loop: a and b may be the same
        for s in range(lanes):
            E[s] += ab[s] * inner[s]
        for s in range(lanes):
            D[a, s] += A[b, s] * inner[s]
        for s in range(lanes):
            D[b, s] += A[a, s] * inner[s]


@njit(cache=True, nogil=True, fastmath=FAST)
def backward_block(J, lanes, P, dP, Y, dY, u, start, count, D, w, dw, T):
    """T[:3, q] = sum_a D_a grad_q (P_n Y_lm): radial sums first, then one pass over lm.

    grad = P' u Y + (P / r) (dY - u (u . dY)).
    """
    every = J * lanes
    T[:, :every] = 0.0
    for lm in range(len(start)):
        for q in range(every):
            w[q] = 0.0
            dw[q] = 0.0
        for n in range(count[lm]):
            a = start[lm] + n
            for j in range(J):
                q = j * lanes
                for s in range(lanes):
                    w[q + s] += D[a, s] * P[n, q + s]
                    dw[q + s] += D[a, s] * dP[n, q + s]
        for q in range(every):
            T[3, q] += dw[q] * Y[lm, q]
            T[0, q] += w[q] * dY[0, lm, q]
            T[1, q] += w[q] * dY[1, lm, q]
            T[2, q] += w[q] * dY[2, lm, q]
    for q in range(every):
        along = u[0, q] * T[0, q] + u[1, q] * T[1, q] + u[2, q] * T[2, q]
        outward = T[3, q] - along * u[3, q]
        for d in range(3):
            T[d, q] = T[d, q] * u[3, q] + outward * u[d, q]


@njit(cache=True, nogil=True, fastmath=FAST)
def linear_sites(
    R,
    offsets,
    radial_data,
    recurrence,
    norm,
    lmax,
    start,
    count,
    pairs,
    rows,
    last,
    coefficient,
    lanes,
):
    """Site energies (n_sites,) and their gradients (n_pairs, d) with the coefficients contracted
    first; `lanes` sites are worked on side by side.
    """
    n_sites, n_A = len(offsets) - 1, count.sum()
    V, G = np.zeros(n_sites, R.dtype), np.zeros_like(R)
    nmax, L = len(recurrence), len(start)
    width = 0
    for i in range(n_sites):
        width = max(width, offsets[i + 1] - offsets[i])
    width *= lanes
    for block in range((n_sites + lanes - 1) // lanes):
        which = np.empty(width, np.int64)
        r, x, dx = np.empty(width, R.dtype), np.empty(width, R.dtype), np.empty(width, R.dtype)
        u, T = np.empty((4, width), R.dtype), np.empty((4, width), R.dtype)
        w, dw = np.empty(width, R.dtype), np.empty(width, R.dtype)
        P, dP = np.empty((nmax, width), R.dtype), np.empty((nmax, width), R.dtype)
        Q, cs = (
            np.empty(((lmax + 1) * (lmax + 2) // 2, width), R.dtype),
            np.empty((2, lmax + 1, width), R.dtype),
        )
        Y, dY = np.empty((L, width), R.dtype), np.empty((3, L, width), R.dtype)
        A, D = np.empty((n_A + 1, lanes), R.dtype), np.empty((n_A + 1, lanes), R.dtype)
        E, ab, inner = np.empty(lanes, R.dtype), np.empty(lanes, R.dtype), np.empty(lanes, R.dtype)
        first = block * lanes
        J = inside_block(R, offsets, first, lanes, radial_data[0], which, r, u)
        radial(J * lanes, r, radial_data, recurrence, x, dx, P, dP)
        harmonics(R.shape[1], J * lanes, u, norm, lmax, Q, cs, Y, dY)
        project_block(J, lanes, P, Y, start, count, A)
        products_block(lanes, A, D, E, ab, inner, pairs, rows, last, coefficient)
        backward_block(J, lanes, P, dP, Y, dY, u, start, count, D, w, dw, T)
        for s in range(min(lanes, n_sites - first)):
            V[first + s] = E[s]
        for q in range(J * lanes):
            if which[q] >= 0:
                for d in range(R.shape[1]):
                    G[which[q], d] = T[d, q]
    return V, G
