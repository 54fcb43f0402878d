"""Linear atomic cluster expansion: V(R) = sum_k theta_k B_k(R), invariant polynomials in the base.

    A_nlm = sum_j P_n(r_j) Y_lm(u_j),      u_j = R_j / r_j
    order 1   B = A_n00
    order 2   B = (2l + 1)^(-1/2) sum_m A_nlm A_n'lm
    order 3   B = sum_(m1 m2 m3) C(l1 l2 l3; m1 m2 m3) A_n1l1m1 A_n2l2m2 A_n3l3m3,
              l1 + l2 + l3 even, triangle

with C the 3j symbols carried over to real spherical harmonics.  In two dimensions Y becomes
exp(i m phi), phi the angle of u_j, and of the couplings is left that m sums to zero in a product:

    A_nm = sum_j P_n(r_j) exp(i m phi_j)
    order 1   B = A_n0
    order 2   B = Re A_nm conj(A_n'm)
    order 3   B = Re A_n1m1 A_n2m2 conj(A_n3m3),      m1 + m2 = m3

up to constants.  One function for each multiset of (n, l) pairs (2D: of (n, |m|)), so none is
redundant.  Radial functions, couplings, scaling and prior do not depend on the maximal degree: a
smaller basis is a leading block of columns.  Sources: R. Drautz, Phys. Rev. B 99, 014104 (2019);
G. Dusson et al., J. Comput. Phys. 454, 110946 (2022).
"""

import numpy as np

from ..crystals.lattice import STRUCTURES
from ..failures import TooLarge, require_number, require_whole
from ._functions import _degree, _functions, _recurrence, count_functions
from ._products import AtomicBase, products
from .site import SitePotential, checked_pairs

FORMAT = "mlipgen-ace/1"

#: Functions that still are built in minutes, and radial ones that the recurrence still resolves.
MANY, STABLE = 100_000, 150

# `a` of the distance transform x = 1 / (1 + a s^4 / (1 + s^2)), see `_ace_kernels.radial`.
# Transform and envelope were chosen by the test error of least-squares fits to tungsten vacancy
# cells (EAM, 4 x 4 x 4, 73 functions), cutoff 5.5 / 4.4 A, meV/A: this one 1.3 / 0.15;
# a = 0.6 or 1.5 2.1 / 0.18, 1.8 / 0.24; envelope (1 - (r/c)^2)^4 1.8 / 0.16;
# x = exp(-2 s) 2.3 / 0.42, cos(pi r/c) 1.5 / 0.19, 1/(1 + s^2) 1.6 / 0.23, x = r 3.4 / 0.22.
# Steeper envelopes gain at 5.5 A what they lose at 4.4 A.
TRANSFORM = 1.0


class ACEBasis:
    """Invariant basis functions of one species' neighbourhood, in three or two dimensions.

    Parameters
    ----------
    cutoff : float, A            everything is C3 and zero beyond
    degree : int >= 2            total degree: sum(n + l) <= degree over the factors of a function,
                                 n >= 1 (2D: l is |m|)
    order : 1, 2 or 3            correlation order, order 3 sees four bodies
    r0 : float, A                nearest-neighbour distance, scale of the distance transform
    dimension : 3 or 2
    pair : int >= 1              order-1 functions go up to n = pair * degree.  Pair terms dominate
                                 in metals and need more radial resolution than many-body ones: with
                                 pair=2 and the default ridge the test force error on tungsten
                                 vacancy cells fell from 2.5 to 0.5 meV/A (degree 8, 8 more
                                 functions), 0.71 to 0.33 (degree 10); with no ridge to 0.13 and,
                                 overfitting ten cells, 1.0

    Attributes
    ----------
    functions : list of K tuples of (n, l), sorted by degree
    degrees : (K,) int           of each function
    prior : (K,)                 smoothness prior gamma_k = sum_i (n_i^2 + l_i^2): ridge penalises
                                 (gamma_k theta_k)^2

    Raises
    ------
    ValueError      for a dimension that is neither 2 nor 3, an order outside 1..3, a degree below
                    2, a cutoff or r0 that is not positive, or r0 >= cutoff
    """

    concurrent = True

    def __init__(self, cutoff, degree, order=3, r0=None, dimension=3, pair=1):
        if not isinstance(dimension, (int, np.integer)) or dimension not in (2, 3):
            raise ValueError(f"dimension={dimension!r}: the ACE basis has dimension 2 or 3")
        if not isinstance(order, (int, np.integer)) or order not in (1, 2, 3):
            raise ValueError(
                f"order={order!r}: the correlation order is 1, 2 or 3 (pairs to four bodies)"
            )
        degree = require_whole("degree", degree, 2, 1000, "the total degree of the functions")
        cutoff = require_number("cutoff", cutoff, 0.1, 1000.0, "a positive distance in angstrom")
        if not isinstance(r0, (int, float, np.number)) or not 0.01 * cutoff < r0 < cutoff:
            raise ValueError(
                f"r0={r0!r}: give the nearest-neighbour distance, between 1 % of the cutoff and "
                f"the cutoff {cutoff} A"
            )
        pair = require_whole("pair", pair, 1, 1000, "pair functions go up to n = pair * degree")
        most = count_functions(degree, order, pair)
        if most > MANY or pair * degree > STABLE:
            raise TooLarge(
                f"a basis of degree={degree}, order={order}, pair={pair} has up to {most:,} "
                f"functions and radial ones to n = {pair * degree}: take a lower degree, {MANY:,} "
                f"functions and n = {STABLE} at most"
            )
        self.cutoff, self.r0 = float(cutoff), float(r0)
        self.degree, self.order = int(degree), int(order)
        self.dimension, self.pair = int(dimension), int(pair)
        self.functions = list(_functions(self.degree, self.order, self.pair, self.dimension))
        self.degrees = np.array([_degree(f, self.pair) for f in self.functions])
        self.prior = np.array([float(sum(n**2 + l**2 for n, l in f)) for f in self.functions])
        self._nested = {}
        base = AtomicBase(self.functions, self.dimension)
        recurrence = _recurrence(self.cutoff, self.r0, TRANSFORM, base.nmax, self.dimension)
        scales = (self.cutoff, self.r0, TRANSFORM)
        self._tables = (scales, recurrence, base.norm, base.lmax, base.start, base.count)
        self._products = products(self.functions, base)

    def __len__(self):
        return len(self.functions)

    def __repr__(self):
        return (
            f"ACEBasis(cutoff={self.cutoff:g}, degree={self.degree}, order={self.order}, "
            f"r0={self.r0:.4g}, dimension={self.dimension}, pair={self.pair})"
        )

    def subset(self, degree: int) -> np.ndarray:
        """Columns of the basis of smaller total degree, in its own order: indices (K',)."""
        if not isinstance(degree, (int, np.integer)) or not 2 <= degree <= self.degree:
            raise ValueError(
                f"degree={degree!r}: a subset of this basis has a degree from 2 to {self.degree}"
            )
        return np.flatnonzero(self.degrees <= degree)

    def nested(self, degree: int) -> "ACEBasis":
        """The basis of smaller total degree: its columns are `subset(degree)` of this one's.

        Built once for each degree; of the basis's own degree it is the basis itself.
        """
        self.subset(degree)  # refuses what is no degree of a part of it
        if degree == self.degree:
            return self
        if degree not in self._nested:
            own = {k: getattr(self, k) for k in ("cutoff", "order", "r0", "dimension", "pair")}
            self._nested[degree] = type(self)(degree=degree, **own)
        return self._nested[degree]

    def sites(self, R: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Basis functions and gradients of many sites.

        Parameters
        ----------
        R : (n_pairs, d) float64 or complex128, A
            neighbour vectors grouped by site; pairs beyond the cutoff count zero
        offsets : (n_sites + 1,) int64

        Returns
        -------
        B (n_sites, K), dB (n_pairs, d, K) with dB[p] = dB_i/dR_p, 1/A
        """
        from ._ace_kernels import basis_sites

        R, offsets = checked_pairs(R, offsets, self.dimension)
        # numpy asks for huge pages: a page fault for every 4 kB would double the time
        B = np.zeros((len(offsets) - 1, len(self)), R.dtype)
        dB = np.zeros((*R.shape, len(self)), R.dtype)
        basis_sites(R, offsets, *self._tables, *self._products, B, dB)
        return B, dB

    def to_dict(self) -> dict:
        """Plain JSON-able description."""
        own = ("cutoff", "degree", "order", "r0", "dimension", "pair")
        return {"format": FORMAT, **{k: getattr(self, k) for k in own}}

    @classmethod
    def from_dict(cls, data: dict) -> "ACEBasis":
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            data = data if isinstance(data, dict) else {"format": type(data).__name__}
            raise ValueError(
                f"format {data.get('format')!r} is not {FORMAT!r}: not an ACE of this library's "
                "version"
            )
        own = {k: data[k] for k in ("cutoff", "degree", "order", "r0", "pair")}
        return cls(
            **own, dimension=data.get("dimension", 3)
        )  # older files are all three-dimensional


class LinearACE(SitePotential):
    """Site potential V = B @ theta + offset.

    Parameters
    ----------
    basis : ACEBasis             its dimension is the model's
    theta : (K,), eV
    symbol : str
    offset : float, eV           energy of an isolated atom
    structure, a0_guess : str, float (A)
        the crystal it was fitted to, from where `Crystal.equilibrium` finds its own; optional
    """

    concurrent = True

    def __init__(self, basis, theta, symbol, offset=0.0, structure=None, a0_guess=None):
        try:
            self.basis, self.theta = basis, np.array(theta, float)
        except (TypeError, ValueError):
            raise ValueError(
                f"theta is no list of numbers: this basis needs {len(basis)} coefficients"
            ) from None
        if self.theta.shape != (len(basis),):
            raise ValueError(
                f"theta has shape {self.theta.shape}: this basis needs {len(basis)} coefficients"
            )
        if not np.isfinite(self.theta).all():
            raise ValueError("theta has nan or infinity among its coefficients: fit again")
        if not isinstance(symbol, str) or not symbol:
            raise ValueError(f"symbol={symbol!r}: give a chemical symbol")
        if structure is not None and structure not in STRUCTURES:
            raise ValueError(f"structure={structure!r}: one of {', '.join(STRUCTURES)}, or None")
        if a0_guess is not None:
            a0_guess = require_number("a0_guess", a0_guess, 0.1, 20.0, "a lattice constant in A")
        self.symbol, self.offset = symbol, require_number("offset", offset, -1e9, 1e9, "in eV")
        self.cutoff, self.dimension = basis.cutoff, basis.dimension
        self.structure, self.a0_guess = structure, a0_guess
        self._contracted = _contract(basis, self.theta)

    def sites(self, R: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Site energies V (n_sites,), eV, and gradients G (n_pairs, d), eV/A.

        See `SitePotential.sites`.
        """
        from ._ace_linear_kernels import linear_sites

        R, offsets = checked_pairs(R, offsets, self.dimension)
        V, G = linear_sites(R, offsets, *self.basis._tables, *self._contracted)
        return V + self.offset, G

    def to_dict(self) -> dict:
        own = ("symbol", "offset", "structure", "a0_guess")
        model = {"theta": self.theta.tolist(), **{k: getattr(self, k) for k in own}}
        return {**self.basis.to_dict(), **model}

    @classmethod
    def from_dict(cls, data: dict) -> "LinearACE":
        own = {
            k: data[k] for k in ("structure", "a0_guess") if k in data
        }  # files of older versions have none
        theta = data["theta"]
        if not isinstance(theta, list) or not all(type(x) in (int, float) for x in theta):
            raise ValueError("theta is no list of numbers")
        shape = [data["degree"], data["order"], data["pair"], data.get("dimension", 3)]
        if all(type(x) is int and 0 < x < 1000 for x in shape) and shape[1] <= 3:
            most = count_functions(*shape[:3])  # before a basis is built
            if most > MANY or len(_functions(*shape)) != len(theta):
                raise ValueError(
                    f"theta has shape ({len(theta)},): a basis of degree {shape[0]}, order "
                    f"{shape[1]} and pair {shape[2]} has another number of functions"
                )
        return cls(ACEBasis.from_dict(data), theta, data["symbol"], data["offset"], **own)


def _contract(basis, theta):
    """The sum over all functions with each product A_a A_b formed once.

    Returns the pairs (a, b), their rows, and for each entry its last factor and coefficient.
    """
    rows, factors, coefficient, _, _ = basis._products
    order = np.lexsort(factors.T[::-1])
    factors = factors[order]
    coefficient = (coefficient * np.repeat(theta, np.diff(rows)))[order]
    first = np.flatnonzero(np.any(np.diff(factors[:, :2], axis=0, prepend=-1), axis=1))
    pairs, last = np.ascontiguousarray(factors[first, :2]), np.ascontiguousarray(factors[:, 2])
    return pairs, np.append(first, len(factors)), last, coefficient
