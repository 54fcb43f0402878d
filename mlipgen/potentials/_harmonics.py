"""Real harmonics on the sphere and on the circle, as polynomials in the unit vector.

Polynomials continue analytically to complex vectors.  Arrays have the neighbours j last; in two
dimensions unit vectors carry a third component of zero.
"""

from ..crystals._compiled import njit

FAST = {"reassoc", "contract", "nsz"}


@njit(cache=True, nogil=True, fastmath=FAST)
def harmonics(dimension, J, u, norm, lmax, Q, cs, Y, dY):
    """Fill Y[lc, j] and the formal gradients dY[:, lc, j]; Q and cs are scratch."""
    if dimension == 2:
        circular(J, u, norm, lmax, cs, Y, dY)
    else:
        spherical(J, u, norm, lmax, Q, cs, Y, dY)


@njit(cache=True, nogil=True, fastmath=FAST)
def circular(J, u, norm, mmax, cs, Y, dY):
    """N cos(m phi) = N Re (x + iy)^m and N sin(m phi) = N Im (x + iy)^m at rows 2m - 1 and 2m."""
    for j in range(J):
        cs[0, 0, j] = 1.0
        cs[1, 0, j] = 0.0
        Y[0, j] = norm[0]
    dY[:, 0, :J] = 0.0
    dY[2, :, :J] = 0.0
    for m in range(1, mmax + 1):
        c, k = norm[m], m * norm[m]
        for j in range(J):
            cs[0, m, j] = u[0, j] * cs[0, m - 1, j] - u[1, j] * cs[1, m - 1, j]
            cs[1, m, j] = u[0, j] * cs[1, m - 1, j] + u[1, j] * cs[0, m - 1, j]
            Y[2 * m - 1, j] = c * cs[0, m, j]
            Y[2 * m, j] = c * cs[1, m, j]
            dY[0, 2 * m - 1, j] = k * cs[0, m - 1, j]
            dY[1, 2 * m - 1, j] = -k * cs[1, m - 1, j]
            dY[0, 2 * m, j] = k * cs[1, m - 1, j]
            dY[1, 2 * m, j] = k * cs[0, m - 1, j]


@njit(cache=True, nogil=True, fastmath=FAST)
def spherical(J, u, norm, lmax, Q, cs, Y, dY):
    """Y_(l,+m) = N Q_lm(z) Re (x + iy)^m and Y_(l,-m) = N Q_lm(z) Im (x + iy)^m at l^2 + l +- m.

    Q_lm = d^m/dz^m of the Legendre polynomial, so dQ_lm/dz = Q_l(m+1); Q at row l (l + 1) / 2 + m.
    """
    for j in range(J):
        Q[0, j] = 1.0
        cs[0, 0, j] = 1.0
        cs[1, 0, j] = 0.0
    for m in range(1, lmax + 1):
        for j in range(J):
            cs[0, m, j] = u[0, j] * cs[0, m - 1, j] - u[1, j] * cs[1, m - 1, j]
            cs[1, m, j] = u[0, j] * cs[1, m - 1, j] + u[1, j] * cs[0, m - 1, j]
    for l in range(1, lmax + 1):
        row, below, below2 = l * (l + 1) // 2, l * (l - 1) // 2, (l - 1) * (l - 2) // 2
        for m in range(l - 1):
            p, q = (2.0 * l - 1.0) / (l - m), (l + m - 1.0) / (l - m)
            for j in range(J):
                Q[row + m, j] = p * u[2, j] * Q[below + m, j] - q * Q[below2 + m, j]
        for j in range(J):
            Q[row + l - 1, j] = (2.0 * l - 1.0) * u[2, j] * Q[below + l - 1, j]
            Q[row + l, j] = (2.0 * l - 1.0) * Q[below + l - 1, j]
    for l in range(lmax + 1):
        row = l * (l + 1) // 2
        for m in range(l + 1):
            c = norm[row + m]
            plus, minus = l * l + l + m, l * l + l - m
            for j in range(J):
                q = c * Q[row + m, j]
                dq = c * Q[row + m + 1, j] if m < l else 0.0 * q
                Y[plus, j] = q * cs[0, m, j]
                dY[2, plus, j] = dq * cs[0, m, j]
                if m == 0:
                    dY[0, plus, j] = 0.0
                    dY[1, plus, j] = 0.0
                else:
                    Y[minus, j] = q * cs[1, m, j]
                    dY[2, minus, j] = dq * cs[1, m, j]
                    qm = m * q
                    dY[0, plus, j] = qm * cs[0, m - 1, j]
                    dY[1, plus, j] = -qm * cs[1, m - 1, j]
                    dY[0, minus, j] = qm * cs[1, m - 1, j]
                    dY[1, minus, j] = qm * cs[0, m - 1, j]
