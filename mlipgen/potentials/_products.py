"""From basis functions to sums of products of the atomic base: what the kernels evaluate.

The atomic base A_a, a = (n, l, c), counts the components c of the harmonics of degree l: on the
sphere m = -l ... l; on the circle cos(l phi) and, for l > 0, sin(l phi).
"""

from collections import Counter
from math import factorial, sqrt

import numpy as np

from ._couplings import circular, spherical


class AtomicBase:
    """Where A_nlc sits in one array, n fastest.

    Attributes
    ----------
    lmax, nmax, size : int      largest degree l and radial index n; number of entries
    start, count : (n_angular,)     first entry and number of radial functions for each (l, c)
    norm : (n_norm,)            of the harmonics, mean square one
    """

    def __init__(self, functions, dimension):
        used = {nl for f in functions for nl in f}
        self.dimension, self.lmax = dimension, max(l for _, l in used)
        per_l = [max(n for n, k in used if k == l) for l in range(self.lmax + 1)]
        width = [2 * l + 1 if dimension == 3 else 1 + (l > 0) for l in range(self.lmax + 1)]
        self.nmax, self.count = max(per_l), np.repeat(per_l, width)
        self._row = np.cumsum([0, *width])
        self.start = np.cumsum(self.count) - self.count
        self.size = int(self.count.sum())
        if dimension == 3:
            self.norm = np.array(
                [_spherical_norm(l, m) for l in range(self.lmax + 1) for m in range(l + 1)]
            )
        else:
            self.norm = np.where(np.arange(self.lmax + 1), sqrt(2), 1.0)

    def index(self, n, l, c):
        return int(self.start[self._row[l] + c]) + n - 1

    def expand(self, function):
        """Products {(a, b, c): coefficient} of one function, padded in front with the constant."""
        terms, couple = Counter(), spherical if self.dimension == 3 else circular
        C = couple(*(l for _, l in function))
        for components in np.argwhere(np.abs(C) > 1e-13):
            key = sorted(self.index(n, l, c) for (n, l), c in zip(function, components))
            terms[(self.size,) * (3 - len(key)) + tuple(key)] += C[tuple(components)]
        return terms


def _spherical_norm(l, m):
    return sqrt((2 * l + 1) * (2 if m else 1) * factorial(l - m) / factorial(l + m))


def products(functions, base):
    """All functions as products: rows, factors (n, 3), coefficients; rows and list of the A used.

    Function k is sum_q coefficient[q] A[factors[q, 0]] A[factors[q, 1]] A[factors[q, 2]] over
    rows[k] <= q < rows[k + 1]; A[base.size] is one.
    """
    rows, factors, coefficient, active_rows, active = [0], [], [], [0], []
    for f in functions:
        terms = base.expand(f)
        factors += list(terms)
        coefficient += list(terms.values())
        rows.append(len(factors))
        active += sorted({a for key in terms for a in key} - {base.size})
        active_rows.append(len(active))
    coefficient = np.array(coefficient, float)
    return np.array(rows), np.array(factors), coefficient, np.array(active_rows), np.array(active)
