"""Compiled kernels of the ACE basis: one site at a time, its neighbours j innermost (vectorised).

The same source serves float64 and complex128 neighbour vectors (complex step): every formula is
analytic, comparisons use `.real`.  `reassoc` and `contract` let the compiler vectorise sums;
infinities and nan keep their meaning.

Names: x[j] transformed distance, P[n, j] radial functions, Y[lc, j] real harmonics (on the sphere
at l^2 + l + m; on the circle 1, cos(phi), sin(phi), cos(2 phi), ...), A[a] the atomic base,
a = (l, c, n) with n fastest: A[start[lc] + n], n < count[lc].  In two dimensions vectors carry a
third component of zero.
"""

import numpy as np

from ..crystals._compiled import njit
from ._harmonics import FAST, harmonics

CHUNK = 16  # sites that share one set of scratch arrays


@njit(cache=True, nogil=True, fastmath=FAST)
def radial(J, r, radial_data, recurrence, x, dx, P, dP):
    """P[n, j] = f(r_j) p_n(x(r_j)) and dP = dP/dr.

    x = 1 / (1 + a s^4 / (1 + s^2)), s = r / r0;  f = (1 - r/cutoff)^4, C3 at the cutoff;
    p_n orthonormal polynomials: c_n p_n = (x - a_n) p_(n-1) - b_n p_(n-2).
    """
    cutoff, r0, a = radial_data
    for j in range(J):
        s = r[j] / r0
        s2 = s * s
        denominator = 1.0 / (1.0 + s2 + a * s2 * s2)
        x[j] = (1.0 + s2) * denominator
        dx[j] = -2.0 * a * s * s2 * (2.0 + s2) * denominator * denominator / r0
        g = 1.0 - r[j] / cutoff
        g3 = g * g * g
        P[0, j] = recurrence[0, 2] * g3 * g
        dP[0, j] = recurrence[0, 2] * (-4.0 / cutoff) * g3
    for n in range(1, P.shape[0]):
        shift, back, scale = recurrence[n]
        for j in range(J):
            P[n, j] = scale * (x[j] - shift) * P[n - 1, j]
            dP[n, j] = scale * ((x[j] - shift) * dP[n - 1, j] + dx[j] * P[n - 1, j])
        if n > 1:
            for j in range(J):
                P[n, j] -= scale * back * P[n - 2, j]
                dP[n, j] -= scale * back * dP[n - 2, j]


@njit(cache=True, nogil=True, fastmath=FAST)
def inside(R, first, last, cutoff, which, r, u):
    """Collect the pairs of one site that are inside the cutoff; returns their number."""
    J = 0
    for p in range(first, last):
        r2 = R[p, 0] * R[p, 0] + R[p, 1] * R[p, 1]
        if R.shape[1] == 3:
            r2 += R[p, 2] * R[p, 2]
        if r2.real < cutoff * cutoff:
            which[J] = p
            r[J] = np.sqrt(r2)
            inverse = 1.0 / r[J]
            u[2, J] = 0.0
            for d in range(R.shape[1]):
                u[d, J] = R[p, d] * inverse
            u[3, J] = inverse
            J += 1
    return J


@njit(cache=True, nogil=True, fastmath=FAST)
def project(J, P, Y, start, count, A):
    """A_nlm = sum_j P_n(r_j) Y_lm(u_j); the last entry of A is the constant one that pads short
    products.
    """
    for lm in range(len(start)):
        for n in range(count[lm]):
            total = 0.0 * P[0, 0]  # a zero of the right type
            for j in range(J):
                total += P[n, j] * Y[lm, j]
            A[start[lm] + n] = total
    A[-1] = 1.0


@njit(cache=True, nogil=True, fastmath=FAST)
def base_gradients(dim, J, P, dP, Y, dY, u, start, count, F):
    """F[a, d * J + j] = gradient component d of P_n Y_lc at neighbour j."""
    for lm in range(len(start)):
        for j in range(J):
            along = u[0, j] * dY[0, lm, j] + u[1, j] * dY[1, lm, j] + u[2, j] * dY[2, lm, j]
            for d in range(3):
                dY[d, lm, j] = (dY[d, lm, j] - along * u[d, j]) * u[3, j]
        for n in range(count[lm]):
            for d in range(dim):
                for j in range(J):
                    F[start[lm] + n, d * J + j] = (
                        dP[n, j] * Y[lm, j] * u[d, j] + P[n, j] * dY[d, lm, j]
                    )


@njit(cache=True, nogil=True, fastmath=FAST)
def basis_sites(
    R,
    offsets,
    radial_data,
    recurrence,
    norm,
    lmax,
    start,
    count,
    rows,
    factors,
    coefficient,
    active_rows,
    active,
    B,
    dB,
):
    """Put basis functions into B (n_sites, K) and their gradients into dB (n_pairs, d, K); both
    must be zero before.

    Function k is sum_q coefficient[q] A[factors[q, 0]] A[factors[q, 1]] A[factors[q, 2]], rows[k]
    <= q < rows[k + 1]; active[active_rows[k]:active_rows[k + 1]] lists the A it depends on.
    """
    n_sites, n_A, K, dim = len(offsets) - 1, count.sum(), len(rows) - 1, R.shape[1]
    nmax, L = len(recurrence), len(start)
    width = 0
    for i in range(n_sites):
        width = max(width, offsets[i + 1] - offsets[i])
    for chunk in range((n_sites + CHUNK - 1) // CHUNK):
        which = np.empty(width, np.int64)
        r, x, dx = np.empty(width, R.dtype), np.empty(width, R.dtype), np.empty(width, R.dtype)
        u, T = np.empty((4, width), R.dtype), np.empty((8, dim * width), R.dtype)
        P, dP = np.empty((nmax, width), R.dtype), np.empty((nmax, width), R.dtype)
        Q, cs = (
            np.empty(((lmax + 1) * (lmax + 2) // 2, width), R.dtype),
            np.empty((2, lmax + 1, width), R.dtype),
        )
        Y, dY = np.empty((L, width), R.dtype), np.empty((3, L, width), R.dtype)
        A, D, F = (
            np.empty(n_A + 1, R.dtype),
            np.empty(n_A + 1, R.dtype),
            np.empty((n_A, dim * width), R.dtype),
        )
        D[:] = 0.0
        for i in range(chunk * CHUNK, min(n_sites, (chunk + 1) * CHUNK)):
            J = inside(R, offsets[i], offsets[i + 1], radial_data[0], which, r, u)
            if J == 0:
                continue
            radial(J, r, radial_data, recurrence, x, dx, P, dP)
            harmonics(R.shape[1], J, u, norm, lmax, Q, cs, Y, dY)
            project(J, P, Y, start, count, A)
            base_gradients(dim, J, P, dP, Y, dY, u, start, count, F)
            for k0 in range(0, K, 8):  # eight functions at a time: whole cache lines when written
                k1 = min(K, k0 + 8)
                for k in range(k0, k1):
                    value = 0.0 * A[-1]
                    for q in range(rows[k], rows[k + 1]):
                        a, b, c = factors[q]
                        ab = coefficient[q] * A[a] * A[b]
                        value += ab * A[c]
                        D[c] += ab
                        D[b] += coefficient[q] * A[a] * A[c]
                        D[a] += coefficient[q] * A[b] * A[c]
                    B[i, k] = value
                    T[k - k0, : dim * J] = 0.0
                    q, stop = active_rows[k], active_rows[k + 1]
                    while q + 1 < stop:  # two at a time: half the traffic of T
                        a, b = active[q], active[q + 1]
                        weight_a, weight_b = D[a], D[b]
                        for p in range(dim * J):
                            T[k - k0, p] += weight_a * F[a, p] + weight_b * F[b, p]
                        q += 2
                    if q < stop:
                        a, weight_a = active[q], D[active[q]]
                        for p in range(dim * J):
                            T[k - k0, p] += weight_a * F[a, p]
                    for q in range(active_rows[k], stop):
                        D[active[q]] = 0.0
                for d in range(dim):
                    for j in range(J):
                        for k in range(k0, k1):
                            dB[which[j], d, k] = T[k - k0, d * J + j]
