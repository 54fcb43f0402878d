"""Reference site potentials: embedded atoms for 16 metals, Stillinger-Weber silicon, a two-dimensional toy.

A potential, reference or learned, is one thing: the energy V_i of each site and its gradient with respect to the vectors
R = r_j - r_i to the site's neighbours.  Forces, virials, force constants and elastic constants are derived from that elsewhere,
for all potentials alike.  Units eV and angstrom.
"""
import csv
from importlib import resources

import numpy as np

from . import _pair_kernels as kernels

_TABLE = "data/zhou2004.csv"

# Fade range [r_on, r_off] of the radial functions, in units of the guessed lattice constant.
_FADE = {"bcc": (1.12, 1.39), "fcc": (1.30, 1.55), "hcp": (1.84, 2.33)}


class SitePotential:
    """Energy of each site and its gradient; the base class of reference potentials and fitted models.

    Attributes
    ----------
    symbol : str            chemical symbol of the one element
    cutoff : float          A; pairs at this distance or beyond contribute nothing
    dimension : int         3, or 2 for the toy
    structure : str         natural lattice: "bcc", "fcc", "hcp", "diamond" or "triangular"
    a0_guess : float        A; starting value for its lattice constant
    c_over_a : float        starting value, hcp only
    """

    symbol: str
    cutoff: float
    dimension: int = 3
    structure: str
    a0_guess: float

    def sites(self, R, offsets):
        """Site energies V_i and gradients dV_i/dR_p.

        Parameters
        ----------
        R : ndarray, shape (n_pairs, dimension), float64 or complex128
            A; neighbour vectors r_j - r_i grouped by site i.  Pairs beyond the cutoff are allowed and contribute zero.
        offsets : ndarray, shape (n_sites + 1,), int64
            The pairs of site i are offsets[i] <= p < offsets[i+1].

        Returns
        -------
        V : ndarray, shape (n_sites,)               eV
        G : ndarray, shape (n_pairs, dimension)     eV/A, dV_i/dR_p
            Both have the dtype of R: for complex R they are the analytic continuation, so a complex step differentiates exactly.

        Raises
        ------
        ValueError      if R has the wrong shape or offsets do not cover the pairs.
        """
        raise NotImplementedError(f"{type(self).__name__} must define sites(R, offsets)")

    def calculator(self):
        """The ASE calculator of this potential (energy, forces, stress, per-atom energies)."""
        from .calculators import SiteCalculator
        return SiteCalculator(self)

    def _prepare(self, R, offsets):
        """Contiguous R and offsets after checking their shapes, with V (zeros) and G (uninitialised) to fill."""
        R = np.asarray(R)
        R = np.ascontiguousarray(R, dtype=np.complex128 if np.iscomplexobj(R) else np.float64)
        offsets = np.ascontiguousarray(offsets, dtype=np.int64)
        if R.ndim != 2 or R.shape[1] != self.dimension:
            raise ValueError(f"R has shape {R.shape}; {self!r} needs neighbour vectors of shape (n_pairs, {self.dimension})")
        if offsets.ndim != 1 or len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(R) or (np.diff(offsets) < 0).any():
            raise ValueError(f"offsets must rise from 0 to the number of pairs, {len(R)}, with one entry more than sites; "
                             f"got shape {offsets.shape}, first and last {offsets[:1].tolist()}, {offsets[-1:].tolist()}")
        return R, offsets, np.zeros(len(offsets) - 1, R.dtype), np.empty_like(R)


def _check_fade(fade):
    try:
        r_on, r_off = (float(r) for r in fade)
    except (TypeError, ValueError):
        raise ValueError(f"fade={fade!r}: give two distances in angstrom, (r_on, r_off)") from None
    if not 0 < r_on < r_off < np.inf:
        raise ValueError(f"fade=({r_on:g}, {r_off:g}): need 0 < r_on < r_off, both in angstrom")
    return r_on, r_off


class EAM(SitePotential):
    """Embedded-atom potential of Zhou, Johnson and Wadley, with a finite, smooth range.

        V_i = 1/2 sum_j phi(r_ij) + F(rho_i),     rho_i = sum_j f(r_ij)

    phi, f, F: Phys. Rev. B 69, 144113 (2004), with the parameters of LAMMPS' EAM database.  Two changes make it smooth:
    phi and f are multiplied by a C3 smoothstep (degree 7) falling from 1 to 0 over `fade`; and the three published branches of F,
    which meet only to table accuracy, are blended by the same smoothstep on windows of half width 0.03 rho_e around
    rho_n = 0.85 rho_e (Pt: 0.25) and 1.15 rho_e.  F is the published one elsewhere, in particular at the crystal's density.

    Parameters
    ----------
    symbol : str
        One of `EAM.symbols()`.
    fade : (float, float), optional
        A; (r_on, r_off), and cutoff = r_off.  By default 1.12-1.39 lattice constants for bcc, 1.30-1.55 for fcc and 1.84-2.33
        for hcp, rounded to 0.1 A: short, yet it moves the lattice constant by less than 0.5 %.

    Raises
    ------
    ValueError      for an unknown symbol, or unless 0 < r_on < r_off.
    """

    blend = 0.03        # half width of the blends of F, in units of rho_e

    def __init__(self, symbol, fade=None):
        table = _read_table()
        if symbol not in table:
            raise ValueError(f"no EAM parameters for {symbol!r}; choose one of {', '.join(table)}")
        row = table[symbol]
        p = {key: float(value) for key, value in row.items() if key not in ("symbol", "structure")}
        self.symbol = symbol
        self.structure = row["structure"]
        self.a0_guess = p["a0_guess"]
        if self.structure == "hcp":
            self.c_over_a = 1.633
        if fade is None:
            fade = [round(x * self.a0_guess, 1) for x in _FADE[self.structure]]
        self.fade = _check_fade(fade)
        self.cutoff = self.fade[1]
        self.atomic_number, self.mass = int(p["Z"]), p["mass"]
        self.rho_e = p["rho_e"]
        self._radial = np.array([1 / p["r_e"]] + [p[k] for k in ("alpha", "beta", "kappa", "lambda", "A", "B", "f_e")]
                                + list(self.fade))
        self._embedding = np.array([p["rho_e"], p["rho_low"] * p["rho_e"], p["rho_high"] * p["rho_e"], p["rho_s"],
                                    self.blend * p["rho_e"]]
                                   + [p[k] for k in ("eta", "Fe", "Fn0", "Fn1", "Fn2", "Fn3", "F0", "F1", "F2", "F3")])

    def __repr__(self):
        return f"EAM({self.symbol!r}, fade=({self.fade[0]:g}, {self.fade[1]:g}))"

    @staticmethod
    def symbols():
        """The chemical symbols with parameters, a tuple of 16."""
        return tuple(_read_table())

    def sites(self, R, offsets):
        R, offsets, V, G = self._prepare(R, offsets)
        kernels.eam_sites(False, R, offsets, self.cutoff, self._radial, self._embedding, V, G)
        return V, G

    sites.__doc__ = SitePotential.sites.__doc__

    def pair(self, r):
        """Faded pair energy phi(r) and phi'(r); r any shape (A), results of that shape (eV, eV/A)."""
        r, shape = _flat(r)
        table = kernels.zhou_radial_table(r, self._radial)
        return table[0].reshape(shape), table[1].reshape(shape)

    def density(self, r):
        """Faded density f(r) and f'(r); r any shape (A), results of that shape (the published density unit)."""
        r, shape = _flat(r)
        table = kernels.zhou_radial_table(r, self._radial)
        return table[2].reshape(shape), table[3].reshape(shape)

    def embedding(self, rho):
        """Blended embedding energy F(rho) and F'(rho); rho any shape, results of that shape (eV)."""
        rho, shape = _flat(rho)
        table = kernels.zhou_embedding_table(rho, self._embedding)
        return table[0].reshape(shape), table[1].reshape(shape)

    def tabulate(self, path, n_rho=20001, n_r=20001, rho_max=None):
        """Write F, f and r phi, as blended and faded here, to a setfl file (LAMMPS `pair_style eam/alloy`, ASE, matscipy).

        Parameters
        ----------
        path : str or Path
        n_rho, n_r : int        grid points of F on [0, rho_max]; of f and r phi from 0 to one step beyond the cutoff
        rho_max : float         largest density tabulated, by default 3 rho_e

        Raises
        ------
        ValueError      for fewer than 10 points or a non-positive rho_max.
        """
        if min(n_rho, n_r) < 10:
            raise ValueError(f"n_rho={n_rho}, n_r={n_r}: a table needs at least 10 points of each")
        rho_max = 3 * self.rho_e if rho_max is None else float(rho_max)
        if not rho_max > 0:
            raise ValueError(f"rho_max={rho_max:g} must be positive")
        # One step beyond the cutoff, so that readers which differentiate the table see it end flat.
        d_rho, d_r = rho_max / (n_rho - 1), self.cutoff / (n_r - 2)
        r = d_r * np.arange(n_r)
        with open(path, "w") as file:
            file.write(f"EAM of {self.symbol}, Zhou, Johnson, Wadley, Phys. Rev. B 69, 144113 (2004)\n"
                       f"faded by a C3 smoothstep over [{self.fade[0]:g}, {self.fade[1]:g}] A, embedding branches blended\n"
                       "written by mlipgen\n"
                       f"1 {self.symbol}\n{n_rho} {d_rho:.17g} {n_r} {d_r:.17g} {self.cutoff:.17g}\n"
                       f"{self.atomic_number} {self.mass:.10g} {self.a0_guess:.10g} {self.structure}\n")
            for values in (self.embedding(d_rho * np.arange(n_rho))[0], self.density(r)[0], r * self.pair(r)[0]):
                np.savetxt(file, values, fmt="%.17g")


class StillingerWeber(SitePotential):
    """Silicon of Stillinger and Weber, Phys. Rev. B 31, 5262 (1985), in the form of LAMMPS' Si.sw.

        V_i = 1/2 sum_j A eps [B (s/r)^p - (s/r)^q] exp(s/(r - a s))
              + sum_{j<k} lambda eps (cos theta_jik - cos0)^2 exp(gamma s/(r_ij - a s)) exp(gamma s/(r_ik - a s))

    with s = sigma.  The exponentials bring it to zero at the cutoff a sigma with all derivatives.

    Parameters
    ----------
    symbol : str        "Si"; any label with your own parameters
    epsilon, sigma, a, lam, gamma, cos0, A, B : float
    p, q : int
        As in the formula (`lam` is lambda); the defaults are silicon's, epsilon in eV and sigma in A.

    Raises
    ------
    ValueError      for another symbol than "Si" without sigma and epsilon, non-positive lengths or non-integer powers.
    """

    structure = "diamond"

    def __init__(self, symbol="Si", *, epsilon=None, sigma=None, a=1.8, lam=21.0, gamma=1.2, cos0=-1 / 3,
                 A=7.049556277, B=0.6022245584, p=4, q=0):
        if symbol != "Si" and (epsilon is None or sigma is None):
            raise ValueError(f"no Stillinger-Weber parameters for {symbol!r}; use 'Si', or give epsilon and sigma")
        epsilon = 2.1683 if epsilon is None else float(epsilon)
        sigma = 2.0951 if sigma is None else float(sigma)
        for name, value in (("epsilon", epsilon), ("sigma", sigma), ("a", a)):
            if not value > 0:
                raise ValueError(f"{name}={value} must be positive")
        if p != int(p) or q != int(q) or min(p, q) < 0:
            raise ValueError(f"p={p}, q={q}: the powers must be non-negative integers")
        self.symbol = symbol
        self.cutoff = a * sigma
        self.a0_guess = 5.431 * sigma / 2.0951
        self.parameters = dict(epsilon=epsilon, sigma=sigma, a=float(a), lam=float(lam), gamma=float(gamma), cos0=float(cos0),
                               A=float(A), B=float(B), p=int(p), q=int(q))

    def __repr__(self):
        return f"StillingerWeber({self.symbol!r})"

    def sites(self, R, offsets):
        R, offsets, V, G = self._prepare(R, offsets)
        *numbers, p, q = self.parameters.values()
        kernels.stillinger_weber_sites(R, offsets, tuple(numbers), p, q, V, G)
        return V, G

    sites.__doc__ = SitePotential.sites.__doc__


class Toy2D(SitePotential):
    """A smooth embedded-atom toy in two dimensions with a stable triangular lattice of spacing 0.942.

        V_i = 1/2 sum_j phi(r_ij) - c (sqrt(rho_i + rho_0) - sqrt(rho_0)),     rho_i = sum_j f(r_ij)
        phi = D (m^2 - 2 m),  m = exp(-a (r - 1)),     f = exp(-b (r - 1))

    phi and f fall to zero over `fade` by a C3 smoothstep; with the default, first neighbours interact fully,
    second ones (1.63) almost, third ones (1.88) half.  The embedding breaks Cauchy's relation C12 = C66 that pair energies alone would force.

    Parameters
    ----------
    fade : (float, float)       (r_on, r_off); cutoff = r_off
    D, a, b, c, rho_0 : float   as in the formula

    Raises
    ------
    ValueError      unless 0 < r_on < r_off and rho_0 > 0.
    """

    symbol = "X"
    dimension = 2
    structure = "triangular"
    a0_guess = 0.94

    def __init__(self, fade=(1.5, 2.3), D=0.5, a=5.0, b=3.0, c=1.0, rho_0=0.1):
        if not rho_0 > 0:
            raise ValueError(f"rho_0={rho_0} must be positive: it keeps the embedding smooth at an isolated atom")
        self.fade = _check_fade(fade)
        self.cutoff = self.fade[1]
        self._radial = np.array([D, a, b, *self.fade])
        self._embedding = np.array([c, rho_0], dtype=float)

    def __repr__(self):
        return f"Toy2D(fade=({self.fade[0]:g}, {self.fade[1]:g}))"

    def sites(self, R, offsets):
        R, offsets, V, G = self._prepare(R, offsets)
        kernels.eam_sites(True, R, offsets, self.cutoff, self._radial, self._embedding, V, G)
        return V, G

    sites.__doc__ = SitePotential.sites.__doc__


def _flat(x):
    x = np.asarray(x)
    return np.ascontiguousarray(x, dtype=np.complex128 if np.iscomplexobj(x) else np.float64).ravel(), x.shape


def _read_table():
    """The published parameters, {symbol: {column: text}}."""
    text = resources.files("mlipgen").joinpath(_TABLE).read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {row["symbol"]: row for row in csv.DictReader(lines)}
