"""Compiled kernels of the linear ACE, first half: from neighbour vectors to the base, several sites
side by side.

Four neighbours of sixteen sites are the `WIDE` columns that every loop runs over: column q =
g * LANES + s is neighbour g of site s.  Rows of columns lie one after the other in flat arrays, so
that the compiler knows how far a row is from its predecessors and works on several columns at a
time without a test; the rows of a group of neighbours stay in the first-level cache.  Numbers of
rows are unsigned: of a signed index it would first look whether it counts from the end.  Names and
conventions are those of `_ace_kernels`.
"""

from typing import Any

import numpy as np

from ..crystals._compiled import njit
from ._harmonics import FAST

U = np.uint64
NONE, ONE, TWO, THREE, FOUR = U(0), U(1), U(2), U(3), U(4)
LANES = U(16)  # sites side by side
GROUP = U(4)  # neighbours at a time
WIDE = LANES * GROUP
KERNEL: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": FAST}
APART = {**KERNEL, "apart": True}


@njit(**APART)
def inside_block(R, offsets, first, cutoff, which, r, unit):
    """Collect the pairs of `LANES` sites that are inside the cutoff, neighbour j of site s at
    column j * LANES + s: distances, 1 / distances, unit vectors; returns the number of groups.

    Missing neighbours lie on the cutoff, where all radial functions vanish; `which` is -1 there.
    """
    ux, uy, uz, inverse = unit
    counts, most = np.zeros(LANES, np.uint64), NONE
    for s in range(min(LANES, U(len(offsets)) - ONE - first)):
        q = s
        for p in range(offsets[first + s], offsets[first + s + ONE]):
            r2 = R[p, 0] * R[p, 0] + R[p, 1] * R[p, 1]
            if R.shape[1] == 3:
                r2 += R[p, 2] * R[p, 2]
            if r2.real < cutoff * cutoff:
                which[q] = p
                r[q], ux[q], uy[q] = r2, R[p, 0], R[p, 1]
                uz[q] = R[p, 2] if R.shape[1] == 3 else 0.0 * r2
                q += LANES
        counts[s] = q
        most = max(most, q // LANES)
    groups = (most + GROUP - ONE) // GROUP
    for s in range(LANES):
        for q in range(max(counts[s], s), groups * WIDE, LANES):
            which[q] = -1
            r[q], ux[q], uy[q], uz[q] = cutoff * cutoff, cutoff, 0.0, 0.0
    for q in range(groups * WIDE):
        r[q] = np.sqrt(r[q])
        inverse[q] = 1.0 / r[q]
        ux[q] *= inverse[q]
        uy[q] *= inverse[q]
        uz[q] *= inverse[q]
    return groups


@njit(**APART)
def radial_rows(k, r, radial_data, recurrence, x, dx, P, dP):
    """`radial` of group k: its row n is row k * nmax + n."""
    cutoff, r0, a = radial_data
    here, nmax = k * WIDE, U(len(recurrence))
    row = k * nmax * WIDE
    for q in range(WIDE):
        s = r[here + q] / r0
        s2 = s * s
        denominator = 1.0 / (1.0 + s2 + a * s2 * s2)
        x[q] = (1.0 + s2) * denominator
        dx[q] = -2.0 * a * s * s2 * (2.0 + s2) * denominator * denominator / r0
    for q in range(WIDE):
        g = 1.0 - r[here + q] / cutoff
        g3 = g * g * g
        P[row + q] = recurrence[0, 2] * g3 * g
        dP[row + q] = recurrence[0, 2] * (-4.0 / cutoff) * g3
    if nmax > ONE:
        shift, _, scale = recurrence[1]
        row += WIDE
        for q in range(WIDE):
            y = scale * (x[q] - shift)
            dP[row + q] = y * dP[row - WIDE + q] + scale * dx[q] * P[row - WIDE + q]
            P[row + q] = y * P[row - WIDE + q]
    for n in range(TWO, nmax):
        shift, back, scale = recurrence[n]
        back *= scale
        row += WIDE
        for q in range(WIDE):
            y = scale * (x[q] - shift)
            d = y * dP[row - WIDE + q] + scale * dx[q] * P[row - WIDE + q]
            dP[row + q] = d - back * dP[row - TWO * WIDE + q]
            P[row + q] = y * P[row - WIDE + q] - back * P[row - TWO * WIDE + q]


@njit(**KERNEL)
def scratch(size, like):
    return np.empty(size, like.dtype)


@njit(**KERNEL)
def angular_count(dimension, lmax):
    """Rows of F in a group."""
    return lmax + ONE if dimension == 2 else (lmax + ONE) * (lmax + TWO) // TWO


@njit(**KERNEL)
def harmonic(dimension, l, m, sine):
    """Number of the harmonic F_lm Re (x + iy)^m, or with Im, as in `_harmonics`."""
    if dimension == 2:
        return TWO * m - ONE + sine if m else NONE
    return l * l + l - m if sine else l * l + l + m


@njit(**KERNEL)
def triangle(l, m):
    """Number of Q_lm among the norms of the sphere."""
    return l * (l + ONE) // TWO + m


@njit(**APART)
def angular_rows(dimension, k, unit, norm, lmax, rows):
    """Factors of the harmonics of group k: c = Re (x + iy)^m, s = Im (x + iy)^m, and F = N Q_lm(z),
    Q_lm = d^m/dz^m of the Legendre polynomial, by l for each m; on the circle F = N, by m.
    """
    ux, uy, uz, _ = unit
    _, _, F, c, s = rows
    here, row = k * WIDE, k * (lmax + ONE) * WIDE
    for q in range(WIDE):
        c[row + q] = 1.0
        s[row + q] = 0.0
    for _ in range(lmax):
        row += WIDE
        for q in range(WIDE):
            c[row + q] = ux[here + q] * c[row - WIDE + q] - uy[here + q] * s[row - WIDE + q]
            s[row + q] = ux[here + q] * s[row - WIDE + q] + uy[here + q] * c[row - WIDE + q]
    row = k * angular_count(dimension, lmax) * WIDE
    edge = 1.0  # Q_mm = 1 * 3 * ... * (2 m - 1)
    for m in range(lmax + ONE):
        edge *= 2.0 * m - 1.0 if m else 1.0
        edge_norm = norm[m] if dimension == 2 else norm[triangle(m, m)] * edge
        for q in range(WIDE):
            F[row + q] = edge_norm
        row += WIDE
        if dimension == 2 or m == lmax:
            continue
        b = norm[triangle(m + ONE, m)]
        p = (2.0 * m + 1.0) * b / norm[triangle(m, m)]
        for q in range(WIDE):
            F[row + q] = p * uz[here + q] * F[row - WIDE + q]
        row += WIDE
        for l in range(m + TWO, lmax + ONE):
            N = norm[triangle(l, m)] / (1.0 * l - m)
            p = (2.0 * l - 1.0) * N / norm[triangle(l - ONE, m)]
            b = (1.0 * l + m - 1.0) * N / norm[triangle(l - TWO, m)]
            for q in range(WIDE):
                f = p * uz[here + q] * F[row - WIDE + q]
                F[row + q] = f - b * F[row - TWO * WIDE + q]
            row += WIDE


@njit(**APART)
def project_rows(dimension, k, nmax, lmax, rows, Y, start, count, A):
    """Add the neighbours of group k to the base A (n_A + 1, LANES)."""
    P, _, F, c, s = rows
    t = k * angular_count(dimension, lmax) * WIDE
    for m in range(lmax + ONE):
        turn = (k * (lmax + ONE) + m) * WIDE
        for l in range(m, m + ONE if dimension == 2 else lmax + ONE):
            for sine in range(TWO if m else ONE):
                if sine:
                    for q in range(WIDE):
                        Y[q] = F[t + q] * s[turn + q]
                else:
                    for q in range(WIDE):
                        Y[q] = F[t + q] * c[turn + q]
                lm = harmonic(dimension, l, m, sine)
                row = k * nmax * WIDE
                for a in range(start[lm], start[lm] + count[lm]):
                    for i in range(LANES):
                        A[a, i] += (P[row + i] * Y[i] + P[row + LANES + i] * Y[LANES + i]) + (
                            P[row + TWO * LANES + i] * Y[TWO * LANES + i]
                            + P[row + THREE * LANES + i] * Y[THREE * LANES + i]
                        )
                    row += WIDE
            t += WIDE
