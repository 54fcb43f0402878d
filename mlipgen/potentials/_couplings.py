"""Couplings of real harmonics on the sphere (d = 3) and on the circle (d = 2) to an invariant."""

from functools import cache
from math import sqrt

import numpy as np


def spherical(*l):
    """Real coupling of one to three spherical harmonics of degrees l, sum of squares one.

    Shape (2 l1 + 1, ...).
    """
    if len(l) == 3:
        return coupling(*l)
    return np.eye(2 * l[0] + 1) / sqrt(2 * l[0] + 1) if len(l) == 2 else np.ones(1)


def circular(*m):
    """Real coupling of one to three harmonics of the circle, of orders m, sum of squares one.

    Re(z_1 z_2 conj(z_3)) with z_i = exp(i m_i phi_i), conjugate where m is the largest, the sum of
    the others.  An axis of length two (cosine, sine) for each m > 0, of length one for m = 0.
    """
    largest, C = m.index(max(m)), np.ones(())
    for i, order in enumerate(m):
        C = np.multiply.outer(C, [1, -1j if i == largest else 1j] if order else [1])
    return C.real / np.linalg.norm(C.real)


@cache
def coupling(l1, l2, l3):
    """Real coupling C (2 l1 + 1, 2 l2 + 1, 2 l3 + 1), sum of squares one, from sympy's 3j symbols;
    l1 + l2 + l3 even.

    sum C Y_l1m1 Y_l2m2 Y_l3m3 is invariant under rotations and reflections.
    """
    from sympy.physics.wigner import wigner_3j

    W = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1), complex)
    for m1 in range(-l1, l1 + 1):
        for m2 in range(-l2, l2 + 1):
            if abs(m1 + m2) <= l3:
                W[l1 + m1, l2 + m2, l3 - m1 - m2] = float(wigner_3j(l1, l2, l3, m1, m2, -m1 - m2))
    C = np.einsum("abc,ia,jb,kc->ijk", W, *(_complex_to_real(l).conj() for l in (l1, l2, l3)))
    return C.real


def _complex_to_real(l):
    """U (2l + 1, 2l + 1): Y_real = U Y_complex (Condon-Shortley phase), real order m = -l..l (sine,
    cosine).
    """
    U = np.zeros((2 * l + 1, 2 * l + 1), complex)
    U[l, l] = 1.0
    for m in range(1, l + 1):
        U[l + m, l - m], U[l + m, l + m] = sqrt(0.5), (-1) ** m * sqrt(0.5)
        U[l - m, l - m], U[l - m, l + m] = 1j * sqrt(0.5), -1j * (-1) ** m * sqrt(0.5)
    return U
