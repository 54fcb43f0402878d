"""Compiled kernels of the linear ACE, second half: from the base to energies and gradients, several
sites side by side; columns and rows are those of `_ace_rows`.
"""

import numpy as np

from ..crystals._compiled import njit
from ._ace_rows import (
    APART,
    FOUR,
    GROUP,
    KERNEL,
    LANES,
    NONE,
    ONE,
    THREE,
    TWO,
    WIDE,
    U,
    angular_count,
    angular_rows,
    harmonic,
    inside_block,
    project_rows,
    radial_rows,
    scratch,
    triangle,
)


@njit(**APART)
def products_block(A, D, E, ab, inner, pairs, rows, last, coefficient):
    """E = sum_(a,b) A_a A_b sum_c C_abc A_c over the sparse coefficients and D = dE/dA, for each
    of the sites side by side.

    pairs (n, 2) the (a, b), rows (n + 1,) their entries in `last` (the c) and `coefficient`; ab and
    inner are scratch.  The pad's D is meaningless.
    """
    D[:] = 0.0
    E[:] = 0.0
    for t in range(len(pairs)):
        a, b = pairs[t, 0], pairs[t, 1]
        for s in range(LANES):
            ab[s] = A[a, s] * A[b, s]
        for s in range(LANES):
            inner[s] = 0.0
        for q in range(rows[t], rows[t + 1]):
            c, C = last[q], coefficient[q]
            for s in range(LANES):
                inner[s] += C * A[c, s]
            for s in range(LANES):
                D[c, s] += C * ab[s]
        # one array a loop: a and b may be the same
        for s in range(LANES):
            E[s] += ab[s] * inner[s]
        for s in range(LANES):
            D[a, s] += A[b, s] * inner[s]
        for s in range(LANES):
            D[b, s] += A[a, s] * inner[s]


@njit(**KERNEL)
def one(D, a, P, n, q):
    return D[a + q] * P[n + q]


@njit(**KERNEL)
def two(D, a, P, n, q):
    return D[a + q] * P[n + q] + D[a + WIDE + q] * P[n + WIDE + q]


@njit(**APART)
def weigh_rows(a, n, count, t, above, slope, D, rows, sums):
    """S += F sum_n D_n P_n, dS += F sum_n D_n P'_n, Z += slope F_above sum_n D_n P_n, four n at a
    time: sums in memory are what takes time.
    """
    P, dP, F, _, _ = rows
    w, dw, S, dS, Z = sums
    for q in range(WIDE):
        w[q] = 0.0
        dw[q] = 0.0
    while count >= FOUR:
        a2, n2 = a + TWO * WIDE, n + TWO * WIDE
        for q in range(WIDE):
            w[q] += two(D, a, P, n, q) + two(D, a2, P, n2, q)
            dw[q] += two(D, a, dP, n, q) + two(D, a2, dP, n2, q)
        a, n, count = a + FOUR * WIDE, n + FOUR * WIDE, count - FOUR
    a2, n2 = a + TWO * WIDE, n + TWO * WIDE
    if count == ONE:
        for q in range(WIDE):
            w[q] += one(D, a, P, n, q)
            dw[q] += one(D, a, dP, n, q)
    elif count == TWO:
        for q in range(WIDE):
            w[q] += two(D, a, P, n, q)
            dw[q] += two(D, a, dP, n, q)
    elif count == THREE:
        for q in range(WIDE):
            w[q] += two(D, a, P, n, q) + one(D, a2, P, n2, q)
            dw[q] += two(D, a, dP, n, q) + one(D, a2, dP, n2, q)
    for q in range(WIDE):
        S[q] += w[q] * F[t + q]
        dS[q] += dw[q] * F[t + q]
        Z[q] += slope * w[q] * F[above + q]


@njit(**APART)
def backward_rows(dimension, k, nmax, lmax, rows, unit, norm, start, count, D, sums, T):
    """T = sum_a D_a grad (P_n Y_lm) at the columns of group k.

    Y = F c or F s; of each m the sums over l come first, then the derivatives of c and s.
    """
    _, _, _, c, s = rows
    ux, uy, uz, inverse = unit
    _, _, S, dS, Z = sums
    Tx, Ty, Tz, Tr = T
    for q in range(WIDE):
        Tx[q] = 0.0
        Ty[q] = 0.0
        Tz[q] = 0.0
        Tr[q] = 0.0
    block = k * angular_count(dimension, lmax)
    for m in range(lmax + ONE):
        turn = (k * (lmax + ONE) + m) * WIDE
        width = ONE if dimension == 2 else lmax + ONE - m
        for sine in range(TWO if m else ONE):
            for q in range(WIDE):
                S[q] = 0.0
                dS[q] = 0.0
                Z[q] = 0.0
            for i in range(width):
                l = m + i
                lm = harmonic(dimension, l, m, sine)
                if count[lm] == NONE:
                    continue
                above, slope = block, 0.0
                if i > NONE:  # dQ_lm/dz = Q_l(m+1)
                    above = block + width + i - ONE
                    slope = norm[triangle(l, m)] / norm[triangle(l, m + ONE)]
                a, n, t = start[lm] * WIDE, k * nmax * WIDE, (block + i) * WIDE
                weigh_rows(a, n, count[lm], t, above * WIDE, slope, D, rows, sums)
            if sine:
                for q in range(WIDE):
                    Tr[q] += dS[q] * s[turn + q]
                    Tz[q] += Z[q] * s[turn + q]
                    Tx[q] += m * S[q] * s[turn - WIDE + q]
                    Ty[q] += m * S[q] * c[turn - WIDE + q]
            elif m:
                for q in range(WIDE):
                    Tr[q] += dS[q] * c[turn + q]
                    Tz[q] += Z[q] * c[turn + q]
                    Tx[q] += m * S[q] * c[turn - WIDE + q]
                    Ty[q] -= m * S[q] * s[turn - WIDE + q]
            else:
                for q in range(WIDE):
                    Tr[q] += dS[q]
                    Tz[q] += Z[q]
        block += width
    here = k * WIDE
    for q in range(WIDE):
        x, y, z, i = ux[here + q], uy[here + q], uz[here + q], inverse[here + q]
        outward = Tr[q] - (x * Tx[q] + y * Ty[q] + z * Tz[q]) * i
        Tx[q] = Tx[q] * i + outward * x
        Ty[q] = Ty[q] * i + outward * y
        Tz[q] = Tz[q] * i + outward * z


@njit(**KERNEL)
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
    pair_rows,
    last,
    coefficient,
):
    """Site energies (n_sites,) and their gradients (n_pairs, d) with the coefficients contracted
    first.
    """
    n_sites, n_A, dimension = len(offsets) - 1, U(count.sum()), R.shape[1]
    V, G = np.zeros(n_sites, R.dtype), np.zeros_like(R)
    nmax, lmax, start, count = U(len(recurrence)), U(lmax), start.astype(U), count.astype(U)
    most = NONE
    for i in range(n_sites):
        most = max(most, U(offsets[i + 1] - offsets[i]))
    groups = (most + GROUP - ONE) // GROUP
    wide = groups * WIDE
    which, angular = np.empty(wide, np.int64), angular_count(dimension, lmax)
    r, x, dx, Y = scratch(wide, R), scratch(WIDE, R), scratch(WIDE, R), scratch(WIDE, R)
    unit = scratch(wide, R), scratch(wide, R), scratch(wide, R), scratch(wide, R)
    P, dP, F = scratch(nmax * wide, R), scratch(nmax * wide, R), scratch(angular * wide, R)
    c, s = scratch((lmax + ONE) * wide, R), scratch((lmax + ONE) * wide, R)
    rows = P, dP, F, c, s
    sums = scratch(WIDE, R), scratch(WIDE, R), scratch(WIDE, R), scratch(WIDE, R), scratch(WIDE, R)
    T = scratch(WIDE, R), scratch(WIDE, R), scratch(WIDE, R), scratch(WIDE, R)
    spread = scratch(n_A * WIDE, R)  # D, once for each neighbour
    A, D = np.empty((n_A + ONE, LANES), R.dtype), np.empty((n_A + ONE, LANES), R.dtype)
    E, ab, inner = scratch(LANES, R), scratch(LANES, R), scratch(LANES, R)
    for first in range(0, n_sites, int(LANES)):
        used = inside_block(R, offsets, U(first), radial_data[0], which, r, unit)
        A[:] = 0.0
        for k in range(used):
            radial_rows(U(k), r, radial_data, recurrence, x, dx, P, dP)
            angular_rows(dimension, U(k), unit, norm, lmax, rows)
            project_rows(dimension, U(k), nmax, lmax, rows, Y, start, count, A)
        A[-1] = 1.0
        products_block(A, D, E, ab, inner, pairs, pair_rows, last, coefficient)
        for i in range(min(LANES, U(n_sites - first))):
            V[first + i] = E[i]
        for a in range(n_A):
            for g in range(GROUP):
                for i in range(LANES):
                    spread[(a * GROUP + g) * LANES + i] = D[a, i]
        for k in range(used):
            backward_rows(
                dimension, U(k), nmax, lmax, rows, unit, norm, start, count, spread, sums, T
            )
            for q in range(WIDE):
                p = which[k * WIDE + q]
                if p >= 0:
                    G[p, 0], G[p, 1] = T[0][q], T[1][q]
                    if dimension == 3:
                        G[p, 2] = T[2][q]
    return V, G
