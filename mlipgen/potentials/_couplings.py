"""Couplings of three real spherical harmonics to an invariant."""
from functools import lru_cache
from math import sqrt

import numpy as np


@lru_cache(maxsize=None)
def coupling(l1, l2, l3):
    """Real coupling C (2 l1 + 1, 2 l2 + 1, 2 l3 + 1), sum of squares one, from sympy's 3j symbols; l1 + l2 + l3 even.

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
    """U (2l + 1, 2l + 1): Y_real = U Y_complex (Condon-Shortley phase), real order m = -l..l (sine, cosine)."""
    U = np.zeros((2 * l + 1, 2 * l + 1), complex)
    U[l, l] = 1.0
    for m in range(1, l + 1):
        U[l + m, l - m], U[l + m, l + m] = sqrt(0.5), (-1) ** m * sqrt(0.5)
        U[l - m, l - m], U[l - m, l + m] = 1j * sqrt(0.5), -1j * (-1) ** m * sqrt(0.5)
    return U
