"""What compiled kernels need of real and complex numbers alike: reciprocals, roots, exponentials.

The general-purpose complex ones guard against overflows that cannot occur here, and cost more than
the rest of a pair.
"""

import math

import numpy as np
from numba import types
from numba.extending import overload

from ..crystals._compiled import njit


def _inverse(z):
    return 1.0 / z


def _root(z):
    return np.sqrt(z)


def _exp(z):
    return np.exp(z)


@overload(_inverse, inline="always")
def _inverse_overload(z):
    if isinstance(z, types.Complex):

        def complex_inverse(z):
            scale = 1.0 / (z.real * z.real + z.imag * z.imag)
            return complex(z.real * scale, -z.imag * scale)

        return complex_inverse
    return lambda z: 1.0 / z


@overload(_root, inline="always")
def _root_overload(z):
    if isinstance(z, types.Complex):
        # right half plane: squared distances have a positive real part
        def complex_root(z):
            real = math.sqrt(0.5 * (math.sqrt(z.real * z.real + z.imag * z.imag) + z.real))
            return complex(real, 0.5 * z.imag / real)

        return complex_root
    return lambda z: math.sqrt(z)


@overload(_exp, inline="always")
def _exp_overload(z):
    if isinstance(z, types.Complex):

        def complex_exp(z):
            size = math.exp(z.real)
            return complex(size * math.cos(z.imag), size * math.sin(z.imag))

        return complex_exp
    return lambda z: math.exp(z)


@njit(cache=True, nogil=True, inline="always")
def smoothstep(t):
    """C3 step s(t) = t^4 (35 - 84 t + 70 t^2 - 20 t^3) rising from 0 to 1 over 0 < t < 1, and
    ds/dt.
    """
    s = t * t * t * t * (35.0 + t * (-84.0 + t * (70.0 - 20.0 * t)))
    b = t * (1.0 - t)
    return s, 140.0 * b * b * b
