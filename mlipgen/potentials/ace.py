"""Linear atomic cluster expansion: V(R) = sum_k theta_k B_k(R), invariant polynomials in the atomic
base.

    A_nlm = sum_j P_n(r_j) Y_lm(u_j),      u_j = R_j / r_j
    order 1   B = A_n00
    order 2   B = (2l + 1)^(-1/2) sum_m A_nlm A_n'lm
    order 3   B = sum_(m1 m2 m3) C(l1 l2 l3; m1 m2 m3) A_n1l1m1 A_n2l2m2 A_n3l3m3,   l1 + l2 + l3
              even, triangle

with C the 3j symbols carried over to real spherical harmonics.  One function for each multiset of
(n, l) pairs, so
none is redundant.  Radial functions, couplings, scaling and prior do not depend on the maximal
                    degree: a smaller basis
is a leading block of columns.  Source: R. Drautz, Phys. Rev. B 99, 014104 (2019).
"""

from collections import Counter
from math import factorial, sqrt

import numpy as np

from ._couplings import coupling
from ._functions import _degree, _functions, _recurrence
from .site import SitePotential

FORMAT = "mlipgen-ace/1"

# `a` of the distance transform x = 1 / (1 + a s^4 / (1 + s^2)), see `_kernels.radial`.  Transform
# and envelope were chosen by the
# test error of least-squares fits to tungsten vacancy cells (EAM, 4 x 4 x 4, 73 functions), cutoff
# 5.5 / 4.4 A, meV/A:
# this one 1.3 / 0.15; a = 0.6 or 1.5 2.1 / 0.18, 1.8 / 0.24; envelope (1 - (r/c)^2)^4 1.8 / 0.16; x
# = exp(-2 s) 2.3 / 0.42,
# cos(pi r/c) 1.5 / 0.19, 1/(1 + s^2) 1.6 / 0.23, x = r 3.4 / 0.22.  Steeper envelopes gain at 5.5 A
# what they lose at 4.4 A.
TRANSFORM = 1.0


class ACEBasis:
    """Invariant basis functions of one species' neighbourhood.

    Parameters
    ----------
    cutoff : float, A            everything is C3 and zero beyond
    degree : int >= 2            total degree, sum(n + l) <= degree over the factors of a function,
                                 n >= 1
    order : 1, 2 or 3            correlation order, order 3 sees four bodies
    r0 : float, A                nearest-neighbour distance, scale of the distance transform
    pair : int >= 1              order-1 functions go up to n = pair * degree.  Pair terms dominate
                                 in metals and need more
                                 radial resolution than many-body ones: with pair=2 and the default
                                 ridge the test force
                                 error on tungsten vacancy cells fell from 2.5 to 0.5 meV/A (degree
                                 8, 8 more functions),
                                 0.71 to 0.33 (degree 10); with no ridge to 0.13 and, overfitting
                                 ten cells, 1.0

    Attributes
    ----------
    functions : list of K tuples of (n, l), sorted by degree
    prior : (K,)                 smoothness prior gamma_k = sum_i (n_i^2 + l_i^2): ridge penalises
                                 (gamma_k theta_k)^2

    Raises
    ------
    ValueError      for an order outside 1..3, a degree below 2, a cutoff or r0 that is not positive
                    or r0 >= cutoff
    """

    dimension = 3

    def __init__(self, cutoff, degree, order=3, r0=None, dimension=3, pair=1):
        if dimension != 3:
            raise ValueError(
                f"dimension={dimension}: the ACE basis is three-dimensional; use dimension=3"
            )
        if order not in (1, 2, 3):
            raise ValueError(
                f"order={order!r}: the correlation order is 1, 2 or 3 (pairs to four bodies)"
            )
        if int(degree) != degree or degree < 2:
            raise ValueError(f"degree={degree!r}: the total degree is an integer of at least 2")
        if not cutoff > 0:
            raise ValueError(f"cutoff={cutoff!r}: give a positive distance in angstrom")
        if r0 is None or not 0 < r0 < cutoff:
            raise ValueError(
                f"r0={r0!r}: give the nearest-neighbour distance, between 0 and the cutoff "
                f"{cutoff} A"
            )
        if int(pair) != pair or pair < 1:
            raise ValueError(
                f"pair={pair!r}: give a positive integer; pair functions go up to n = pair * degree"
            )
        self.cutoff, self.degree, self.order, self.r0 = (
            float(cutoff),
            int(degree),
            int(order),
            float(r0),
        )
        self.pair = int(pair)
        self.functions = _functions(self.degree, self.order, self.pair)
        self.degrees = np.array([_degree(f, self.pair) for f in self.functions])
        self.prior = np.array([float(sum(n**2 + l**2 for n, l in f)) for f in self.functions])
        self._layout()
        self._monomials()

    def __len__(self):
        return len(self.functions)

    def subset(self, degree):
        """Columns of the basis of smaller total degree, in its own order: indices (K',)."""
        if not 2 <= degree <= self.degree:
            raise ValueError(
                f"degree={degree!r}: a subset of this basis has a degree from 2 to {self.degree}"
            )
        return np.flatnonzero(self.degrees <= degree)

    def nested(self, degree):
        """The basis of smaller total degree: its columns are `subset(degree)` of this one's."""
        return type(self)(self.cutoff, degree, self.order, self.r0, pair=self.pair)

    def _layout(self):
        """Where A_nlm sits, and the constant tables of the radial functions and harmonics."""
        used = {nl for f in self.functions for nl in f}
        self._lmax = max(l for _, l in used)
        per_l = [max(n for n, k in used if k == l) for l in range(self._lmax + 1)]
        self._count = np.array([per_l[l] for l in range(self._lmax + 1) for m in range(2 * l + 1)])
        self._start = np.concatenate([[0], np.cumsum(self._count)[:-1]])
        self._n_A = int(self._count.sum())
        recurrence = _recurrence(self.cutoff, self.r0, TRANSFORM, max(per_l))
        norm = np.array(
            [
                sqrt((2 * l + 1) * (2 if m else 1) * factorial(l - m) / factorial(l + m))
                for l in range(self._lmax + 1)
                for m in range(l + 1)
            ]
        )
        self._tables = (
            (self.cutoff, self.r0, TRANSFORM),
            recurrence,
            norm,
            self._lmax,
            self._start,
            self._count,
        )

    def _index(self, n, l, m):
        return int(self._start[l * l + l + m]) + n - 1

    def _expand(self, function):
        """Products {(a, b, c): coefficient} of one function, padded in front with the constant one."""
        one, terms = self._n_A, Counter()
        if len(function) == 1:
            return {(one, one, self._index(*function[0], 0)): 1.0}
        l = [t[1] for t in function]
        if len(function) == 2:
            for m in range(-l[0], l[0] + 1):
                a, b = sorted(self._index(*t, m) for t in function)
                terms[one, a, b] += 1 / sqrt(2 * l[0] + 1)
            return terms
        C = coupling(*l)
        for m in np.argwhere(np.abs(C) > 1e-13):
            key = sorted(self._index(*t, k - t[1]) for t, k in zip(function, m))
            terms[tuple(key)] += C[tuple(m)]
        return terms

    def _monomials(self):
        rows, factors, coefficient, active_rows, active = [0], [], [], [0], []
        for f in self.functions:
            terms = self._expand(f)
            factors += list(terms)
            coefficient += list(terms.values())
            rows.append(len(factors))
            active += sorted({a for key in terms for a in key} - {self._n_A})
            active_rows.append(len(active))
        self._products = (
            np.array(rows),
            np.array(factors),
            np.array(coefficient, float),
            np.array(active_rows),
            np.array(active),
        )

    def sites(self, R, offsets):
        """Basis functions and gradients of many sites.

        Parameters
        ----------
        R : (n_pairs, 3) float64 or complex128, A      neighbour vectors grouped by site; pairs
            beyond the cutoff count zero
        offsets : (n_sites + 1,) int64

        Returns
        -------
        B (n_sites, K), dB (n_pairs, 3, K) with dB[p] = dB_i/dR_p, 1/A
        """
        from ._ace_kernels import basis_sites

        R, offsets = _checked(R, offsets)
        # allocated by numpy, which asks for huge pages: a page fault for every 4 kB would double
        # the time
        B, dB = (
            np.zeros((len(offsets) - 1, len(self)), R.dtype),
            np.zeros((len(R), 3, len(self)), R.dtype),
        )
        basis_sites(R, offsets, *self._tables, *self._products, B, dB)
        return B, dB

    def to_dict(self):
        """Plain JSON-able description."""
        return {
            "format": FORMAT,
            **{k: getattr(self, k) for k in ("cutoff", "degree", "order", "r0", "pair")},
        }

    @classmethod
    def from_dict(cls, data):
        if data.get("format") != FORMAT:
            raise ValueError(
                f"format {data.get('format')!r} is not {FORMAT!r}: not an ACE of this library's "
                "version"
            )
        return cls(data["cutoff"], data["degree"], data["order"], data["r0"], pair=data["pair"])


def _checked(R, offsets):
    R, offsets = np.ascontiguousarray(R), np.ascontiguousarray(offsets, dtype=np.int64)
    if R.ndim != 2 or R.shape[1] != 3:
        raise ValueError(f"R has shape {R.shape}: neighbour vectors must have shape (n_pairs, 3)")
    if len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != len(R) or (np.diff(offsets) < 0).any():
        raise ValueError(f"offsets must rise from 0 to the number of pairs, {len(R)}")
    return R.astype(complex if np.iscomplexobj(R) else float, copy=False), offsets


class LinearACE(SitePotential):
    """Site potential V = B @ theta + offset.

    Parameters
    ----------
    basis : ACEBasis
    theta : (K,), eV
    symbol : str
    offset : float, eV           energy of an isolated atom
    structure, a0_guess : str, float (A)      the crystal it was fitted to, from where
                                              `Crystal.equilibrium` finds its own; optional
    """

    dimension = 3

    def __init__(self, basis, theta, symbol, offset=0.0, structure=None, a0_guess=None):
        self.basis, self.theta = basis, np.array(theta, float)
        if self.theta.shape != (len(basis),):
            raise ValueError(
                f"theta has shape {self.theta.shape}: this basis needs {len(basis)} coefficients"
            )
        self.symbol, self.offset, self.cutoff = symbol, float(offset), basis.cutoff
        self.structure, self.a0_guess = structure, a0_guess
        rows, factors, coefficient, _, _ = basis._products
        order = np.lexsort(factors.T[::-1])  # the products A_a A_b are formed once
        factors, coefficient = (
            factors[order],
            (coefficient * np.repeat(self.theta, np.diff(rows)))[order],
        )
        first = np.flatnonzero(np.any(np.diff(factors[:, :2], axis=0, prepend=-1), axis=1))
        self._contracted = (
            np.ascontiguousarray(factors[first, :2]),
            np.append(first, len(factors)),
            np.ascontiguousarray(factors[:, 2]),
            coefficient,
        )

    def sites(self, R, offsets):
        """Site energies V (n_sites,), eV, and gradients G (n_pairs, 3), eV/A; see
        `SitePotential.sites`.
        """
        from ._ace_kernels import linear_sites

        V, G = linear_sites(*_checked(R, offsets), *self.basis._tables, *self._contracted)
        return V + self.offset, G

    def to_dict(self):
        return {
            **self.basis.to_dict(),
            "theta": self.theta.tolist(),
            **{k: getattr(self, k) for k in ("symbol", "offset", "structure", "a0_guess")},
        }

    @classmethod
    def from_dict(cls, data):
        # files of older versions have none
        own = {k: data[k] for k in ("structure", "a0_guess") if k in data}
        return cls(ACEBasis.from_dict(data), data["theta"], data["symbol"], data["offset"], **own)
