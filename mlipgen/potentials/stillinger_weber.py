"""Silicon of Stillinger and Weber (1985)."""

from __future__ import annotations

import numpy as np

from ..failures import require_number, require_whole
from . import _sw_kernels as kernels
from .site import SitePotential


class StillingerWeber(SitePotential):
    """Silicon of Stillinger and Weber, Phys. Rev. B 31, 5262 (1985), in the form of LAMMPS' Si.sw.

        V_i = 1/2 sum_j A eps [B (s/r)^p - (s/r)^q] exp(s/(r - a s))
              + sum_{j<k} lambda eps (cos theta_jik - cos0)^2 exp(gamma s/(r_ij - a s)) exp(gamma
              s/(r_ik - a s))

    with s = sigma.  The exponentials bring it to zero at the cutoff a sigma with all derivatives.

    Parameters
    ----------
    symbol : str        "Si"; any label with your own parameters
    epsilon, sigma, a, lam, gamma, cos0, A, B : float
    p, q : int
        As in the formula (`lam` is lambda); the defaults are silicon's, epsilon in eV and sigma in
        A.

    Raises
    ------
    ValueError      for another symbol than "Si" without sigma and epsilon, non-positive lengths or
                    non-integer powers.
    """

    concurrent = True

    structure = "diamond"

    def __init__(
        self,
        symbol="Si",
        *,
        epsilon=None,
        sigma=None,
        a=1.8,
        lam=21.0,
        gamma=1.2,
        cos0=-1 / 3,
        A=7.049556277,
        B=0.6022245584,
        p=4,
        q=0,
    ):
        if symbol != "Si" and (epsilon is None or sigma is None):
            raise ValueError(
                f"no Stillinger-Weber parameters for {symbol!r}; use 'Si', or give epsilon and "
                "sigma"
            )
        epsilon = 2.1683 if epsilon is None else epsilon
        sigma = 2.0951 if sigma is None else sigma
        for name, value in (("epsilon", epsilon), ("sigma", sigma), ("a", a)):
            require_number(name, value, 1e-6, 1e6, "it must be positive")
        epsilon, sigma = float(epsilon), float(sigma)
        others = {"lam": lam, "gamma": gamma, "cos0": cos0, "A": A, "B": B}
        for name, value in others.items():
            require_number(name, value, -1e6, 1e6)
        p, q = (
            require_whole(k, v, 0, 100, "the powers must be non-negative integers")
            for k, v in (("p", p), ("q", q))
        )
        self.symbol = symbol
        self.cutoff = float(a) * sigma
        self.a0_guess = 5.431 * sigma / 2.0951
        self.parameters = dict(
            epsilon=epsilon,
            sigma=sigma,
            a=float(a),
            lam=float(lam),
            gamma=float(gamma),
            cos0=float(cos0),
            A=float(A),
            B=float(B),
            p=int(p),
            q=int(q),
        )

    def __repr__(self):
        return f"StillingerWeber({self.symbol!r})"

    def sites(self, R: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        R, offsets, V, G = self._prepare(R, offsets)
        *numbers, p, q = self.parameters.values()
        kernels.stillinger_weber_sites(R, offsets, tuple(numbers), p, q, V, G)
        return V, G

    sites.__doc__ = SitePotential.sites.__doc__
