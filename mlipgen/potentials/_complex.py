"""What compiled kernels need of real and complex numbers alike: reciprocals, roots, exponentials.

The general-purpose complex ones guard against overflows that cannot occur here, and cost more than
the rest of a pair.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from ..crystals._compiled import njit

# Put into the loop that calls them, and without error branches: only then are several pairs worked
# on at a time.
FLAT: Any = {"forceinline": True, "error_model": "numpy", "fastmath": {"contract"}}


def _inverse(z):
    return 1.0 / z


def _root(z):
    return np.sqrt(z)


def _exp(z):
    return np.exp(z)


@overload(_inverse, jit_options=FLAT)
def _inverse_overload(z):
    if isinstance(z, types.Complex):

        def complex_inverse(z):
            scale = 1.0 / (z.real * z.real + z.imag * z.imag)
            return complex(z.real * scale, -z.imag * scale)

        return complex_inverse
    return lambda z: 1.0 / z


@overload(_root, jit_options=FLAT)
def _root_overload(z):
    if isinstance(z, types.Complex):
        # right half plane: squared distances have a positive real part
        def complex_root(z):
            real = math.sqrt(0.5 * (math.sqrt(z.real * z.real + z.imag * z.imag) + z.real))
            return complex(real, 0.5 * z.imag / real)

        return complex_root
    return lambda z: math.sqrt(z)


@overload(_exp, jit_options=FLAT)
def _exp_overload(z):
    if isinstance(z, types.Complex):

        def complex_exp(z):
            size = math.exp(z.real)
            return complex(size * math.cos(z.imag), size * math.sin(z.imag))

        return complex_exp
    return lambda z: real_exp(z)


@intrinsic
def _bits(context, x):
    """The 64 bits of a float64 as an int64."""
    return types.int64(types.float64), lambda c, builder, s, args: builder.bitcast(
        args[0], ir.IntType(64)
    )


@intrinsic
def _float_of(context, n):
    """The float64 that has the bits of an int64."""
    return types.float64(types.int64), lambda c, builder, s, args: builder.bitcast(
        args[0], ir.DoubleType()
    )


@njit(cache=True, nogil=True, **FLAT)
def real_exp(x):
    """exp(x) to one unit in the last place; 0 below -708 and infinite above 708.

    Without a branch or a call, so that a loop over pairs works on several at a time: x = k ln 2 + r
    with ln 2 in two parts (Cody and Waite), and the Taylor polynomial on |r| < ln(2)/2.
    """
    y = -708.0 if x < -708.0 else x  # nan stays nan
    y = 708.0 if y > 708.0 else y
    shifted = y * 1.4426950408889634 + 6755399441055744.0  # 1.5 2^52: the low bits round y / ln 2
    k = shifted - 6755399441055744.0
    r = y - k * 6.93147180369123816490e-01
    r = r - k * 1.90821492927058770002e-10
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    p = p * _float_of((_bits(shifted) + 1023) << 52)
    p = 0.0 if x < -708.0 else p
    return math.inf if x > 708.0 else p


@njit(cache=True, nogil=True, **FLAT)
def smoothstep(t):
    """C3 step s(t) = t^4 (35 - 84 t + 70 t^2 - 20 t^3) rising from 0 to 1 over 0 < t < 1, and
    ds/dt.
    """
    s = t * t * t * t * (35.0 + t * (-84.0 + t * (70.0 - 20.0 * t)))
    b = t * (1.0 - t)
    return s, 140.0 * b * b * b
