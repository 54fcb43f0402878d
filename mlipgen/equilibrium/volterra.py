"""Straight dislocations in an anisotropic elastic medium.

    u(x) = 1/(2 pi i) sum_k s_k a_k (l_k . b) log(x + p_k y),      E = b.K.b / (4 pi) log(R / r)

p_k, (a_k, l_k) are the eigenvalues and vectors of Stroh's sextic problem, 2 a_k . l_k = 1, and s_k
the sign of Im p_k.  Source: Hirth and Lothe, Theory of Dislocations (1982), chapter 13; Stroh,
Philos. Mag. 3, 625 (1958).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


def rotated(C: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """A fourth-order tensor in the frame whose unit vectors are the rows of `axes`."""
    return np.einsum("ijkl,ai,bj,ck,dl->abcd", C, axes, axes, axes, axes)


@dataclass(frozen=True)
class Volterra:
    """The elastic field of a straight dislocation along z.

    C : (3, 3, 3, 3), eV/A^3, d2W / dF_iJ dF_kL in the frame of the dislocation
    burgers : (3,), A

    Two equal eigenvalues (an isotropic medium) have no basis of eigenvectors: give such a medium a
    relative anisotropy of 1e-6.
    """

    C: np.ndarray
    burgers: np.ndarray

    @cached_property
    def _modes(self):
        """p (6,), a (3, 6), l (3, 6), normalised; signs (6,)."""
        # components first and third, derivatives second and fourth: it matters under stress
        Q, R, T = (self.C[:, j, :, l] for j, l in ((0, 0), (0, 1), (1, 1)))
        inverse = np.linalg.inv(T)
        N = np.block([[-inverse @ R.T, inverse], [R @ inverse @ R.T - Q, -R @ inverse]])
        p, V = np.linalg.eig(N)
        a, l = V[:3], V[3:]
        scale = np.sqrt(2 * (a * l).sum(axis=0))
        return p, a / scale, l / scale, np.sign(p.imag)

    def displacement(self, x: np.ndarray) -> np.ndarray:
        """u (n, 3), A, at x (n, 2 or more), A, up to a constant; it jumps by b across y = 0, x < 0,
        and gains b on a counterclockwise circuit."""
        p, a, l, sign = self._modes
        log = np.log(x[:, :1] + p * x[:, 1:2])
        return (log @ (sign * a * (l.T @ self.burgers)).T / (2j * np.pi)).real

    @property
    def energy_factor(self) -> float:
        """b.K.b / (4 pi), eV/A: energy of a unit length for each factor e of the outer radius."""
        _, _, l, sign = self._modes
        K = (-1j * (sign * l) @ l.T).real
        return float(self.burgers @ K @ self.burgers / (4 * np.pi))
