"""A two-dimensional toy for the triangular lattice."""

import numpy as np

from ..failures import require_number
from . import _pair_kernels as kernels
from .site import SitePotential, check_fade


class Toy2D(SitePotential):
    """A smooth embedded-atom toy in two dimensions with a stable triangular lattice of spacing
    0.942.

        V_i = 1/2 sum_j phi(r_ij) - c (sqrt(rho_i + rho_0) - sqrt(rho_0)),     rho_i = sum_j f(r_ij)
        phi = D (m^2 - 2 m),  m = exp(-a (r - 1)),     f = exp(-b (r - 1))

    phi and f fall to zero over `fade` by a C3 smoothstep; with the default, first neighbours
    interact fully,
    second ones (1.63) almost, third ones (1.88) half.  The embedding breaks Cauchy's relation C12 =
    C66 that pair energies alone would force.

    Parameters
    ----------
    fade : (float, float)       (r_on, r_off); cutoff = r_off
    D, a, b, c, rho_0 : float   as in the formula

    Raises
    ------
    ValueError      unless 0 < r_on < r_off and rho_0 > 0.
    """

    concurrent = True

    symbol = "X"
    dimension = 2
    structure = "triangular"
    a0_guess = 0.94

    def __init__(self, fade=(1.5, 2.3), D=0.5, a=5.0, b=3.0, c=1.0, rho_0=0.1):
        for name, value in {"D": D, "a": a, "b": b, "c": c, "rho_0": rho_0}.items():
            require_number(name, value, -100.0, 100.0)
        if not rho_0 > 0:
            raise ValueError(
                f"rho_0={rho_0} must be positive: it keeps the embedding smooth at an isolated atom"
            )
        self.fade = check_fade(fade)
        self.cutoff = self.fade[1]
        self._radial = np.array([D, a, b, *self.fade])
        self._embedding = np.array([c, rho_0], dtype=float)

    def __repr__(self):
        return f"Toy2D(fade=({self.fade[0]:g}, {self.fade[1]:g}))"

    def sites(self, R: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        R, offsets, V, G = self._prepare(R, offsets)
        own = self.fade[1]  # a subclass may reach further: `cutoff`
        kernels.eam_sites(True, R, offsets, own, self._radial, self._embedding, V, G)
        return V, G

    sites.__doc__ = SitePotential.sites.__doc__
