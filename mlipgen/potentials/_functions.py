"""Which products of the atomic base make a basis function, and the radial polynomials behind it."""

from functools import lru_cache
from math import sqrt

import numpy as np


def _degree(function, pair):
    """Total degree sum(n + l); a pair function's n counts 1 / pair, rounded up."""
    return -(-function[0][0] // pair) if len(function) == 1 else sum(map(sum, function))


def _coupled(l, dimension):
    """Whether harmonics of these degrees (2D: of these |m|) couple to an invariant."""
    if dimension == 2:
        return 2 * max(l) == sum(l)  # +-m1 +- m2 +- m3 = 0 for some signs
    return sum(l) % 2 == 0 and 2 * max(l) <= sum(l)


def _multisets(nl, size, most):
    """All multisets of `size` pairs out of nl, sorted by n + l, whose sums are at most `most`."""
    if size == 0:
        yield ()
        return
    for k, pair in enumerate(nl):
        if size * sum(pair) > most:  # as are all that follow
            return
        for rest in _multisets(nl[k:], size - 1, most - sum(pair)):
            yield (pair, *rest)


def count_functions(degree: int, order: int = 3, pair: int = 1) -> int:
    """At most how many functions an ACE basis has: multisets of (n, l), n + l summing to at most
    `degree`, before symmetry leaves some out.
    """
    level = np.arange(degree + 1)  # of these (n, l) have n + l = level
    products, total = level.astype(float), float(pair * degree)
    for size in range(2, order + 1):
        products = np.convolve(products, level)[: degree + 1] / size
        total += products.sum()
    return int(np.ceil(total))


@lru_cache(maxsize=4)  # a model's file is checked by them before its basis is built
def _functions(degree, order, pair, dimension):
    """All multisets of (n, l) up to the total degree that carry an invariant; sorted by degree."""
    out = [((n, 0),) for n in range(1, pair * degree + 1)]
    for size in range(2, order + 1):
        nl = sorted(((n, l) for n in range(1, degree) for l in range(degree - n)), key=sum)
        for term in _multisets(nl, size, degree):
            if _coupled([l for _, l in term], dimension):
                out.append(tuple(sorted(term, key=lambda t: (t[1], t[0]))))
    return tuple(sorted(out, key=lambda f: (_degree(f, pair), len(f), f)))


def _recurrence(cutoff, r0, a, nmax, dimension):
    """Three-term recurrence of the radial polynomials by the Stieltjes procedure, rows (shift,
    back, scale).

    Orthonormal for the measure of neighbours spread evenly at close-packed density beyond 0.7 r0,
    so that A_nlm has variance of order one; row n depends on the rows before it only.
    """
    t, weight = np.polynomial.legendre.leggauss(200)
    r = 0.5 * ((cutoff - 0.7 * r0) * t + cutoff + 0.7 * r0)
    s2 = (r / r0) ** 2
    x = (1 + s2) / (1 + s2 + a * s2**2)
    density = sqrt(2) / r0**3 if dimension == 3 else sqrt(4 / 3) / r0**2
    shell = 4 * np.pi * r**2 if dimension == 3 else 2 * np.pi * r
    measure = weight * 0.5 * (cutoff - 0.7 * r0) * shell * density * (1 - r / cutoff) ** 8
    rows, before, p = [], 0 * x, 1 + 0 * x
    shift = back = 0.0
    for n in range(nmax):
        if n:
            shift, back = measure @ (x * p * p), rows[-1][2] ** -1 if n > 1 else 0.0
            before, p = p, (x - shift) * p - back * before
        scale = 1 / sqrt(measure @ p**2)
        p = p * scale
        rows.append((shift, back, scale))
    return np.array(rows)
