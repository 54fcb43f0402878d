"""Controlled experiments for a dislocation: a screw in a scalar lattice, with a known error.

    E(u) = sum_bonds phi(D u) + sum_l w(l) dV_l(Du),      phi(x) = (1 - cos 2 pi x) / (4 pi^2)

u is the displacement along the line, in Burgers vectors, of the columns of a triangular lattice of
unit spacing.  phi has period one, so that a slip of a whole Burgers vector costs nothing, and unit
stiffness.  dV is a term of `mismatch.TERMS`, switched on beyond L.  Energies are in units of that
stiffness.  Source of the model: Ehrlacher, Ortner and Shapeev, Arch. Ration. Mech. Anal. 222, 1217
(2016), section 6; the errors are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ..equilibrium.farfield import ramp
from ..failures import NotConverged
from ..potentials.derivatives import STEP
from .mismatch import TERMS

#: Exponents (geometry, energy) in L of the errors that one wrong term leaves around a straight
#: dislocation.  |Du| ~ 1/r in two dimensions: a term with a factors of Du and j further derivatives
#: has a residual stress r^-(a + j), which sums to L^(1 - a - j) in the energy norm, and an energy
#: of r^-(a + 1 + j), which sums to the same power.  Zero stands for a logarithm of the radius.
RATES = {"elastic": 0, "harmonic": 2, "cubic": 1, "gradient": 3, "quartic": 2}

#: The bonds of a site, one of each pair.
BONDS = np.array([[1.0, 0], [0.5, np.sqrt(3) / 2], [-0.5, np.sqrt(3) / 2]])


def wrapped(x: np.ndarray) -> np.ndarray:
    """Differences up to whole Burgers vectors; keeps a complex step."""
    return x - np.rint(x.real)


class ScrewLattice:
    """A screw dislocation in a disc: columns beyond `radius` keep the elastic field angle / 2 pi.

    positions : (n, 2), the dislocation at the origin, in the middle of a triangle
    u : (n,), relaxed;  free : (n,) of bool
    """

    def __init__(self, radius: float):
        self.radius = radius
        m = int(radius) + 6
        i, j = np.meshgrid(*[np.arange(-2 * m, 2 * m + 1)] * 2, indexing="ij")
        x = np.stack([i + 0.5 * j, np.sqrt(3) / 2 * j], -1).reshape(-1, 2)
        x -= BONDS[:2].sum(axis=0) / 3
        self.positions = x[np.hypot(*x.T) < radius + 3]
        self.r = np.hypot(*self.positions.T)
        self.free = self.r < radius
        tree = cKDTree(self.positions)

        def neighbour(rho):
            gap, k = tree.query(self.positions + rho, distance_upper_bound=1e-6)
            return np.where(np.isfinite(gap), k, -1)

        self._ahead = [neighbour(rho) for rho in BONDS]
        self._behind = neighbour(-BONDS[0])
        pairs = [np.flatnonzero(a >= 0) for a in self._ahead]
        self._i = np.concatenate(pairs)
        self._j = np.concatenate([a[p] for a, p in zip(self._ahead, pairs)])
        self.u = self._minimise(np.arctan2(*self.positions.T[::-1]) / (2 * np.pi))

    def strain(self, u: np.ndarray) -> np.ndarray:
        """Differences over all bonds, wrapped, (bonds,)."""
        return wrapped(u[self._j] - u[self._i])

    def norm(self, e: np.ndarray) -> float:
        """|De|, each bond from both ends, for a change e (n,) of the displacement."""
        return float(np.sqrt(2 * ((e[self._j] - e[self._i]) ** 2).sum()))

    def _reference(self, u):
        """Energy, gradient (n,) and Hessian of the reference."""
        s, n = self.strain(u), len(u)
        slope, stiff = np.sin(2 * np.pi * s) / (2 * np.pi), np.cos(2 * np.pi * s)
        gradient = np.bincount(self._j, slope, n) - np.bincount(self._i, slope, n)
        i, j = self._i, self._j
        H = coo_matrix(
            (np.r_[stiff, stiff, -stiff, -stiff], (np.r_[i, j, i, j], np.r_[i, j, j, i])), (n, n)
        )
        return (1 - np.cos(2 * np.pi * s)) / (4 * np.pi**2), gradient, H.tocsc()

    def _error(self, u, L, term, coefficient):
        """The same of the known error, along the first bond."""
        n = len(u)
        sites = np.flatnonzero((self._ahead[0] >= 0) & (self._behind >= 0) & (self.r > L))
        f, b = self._ahead[0][sites], self._behind[sites]
        w = coefficient * ramp(self.r[sites], L)
        A, B = wrapped(u[f] - u[sites])[None], wrapped(u[sites] - u[b])[None]
        slope = lambda a, b: TERMS[term].slope(a, b)
        ga, gb = (w * s[0] for s in slope(A, B))
        ha = [w * np.imag(s[0]) / STEP for s in slope(A + 1j * STEP, B + 0j)]
        hb = [w * np.imag(s[0]) / STEP for s in slope(A + 0j, B + 1j * STEP)]
        # a = u_f - u_l, b = u_l - u_b: chain rule
        gradient = np.bincount(f, ga, n) - np.bincount(sites, ga - gb, n) - np.bincount(b, gb, n)
        D = {"a": ((f, 1), (sites, -1)), "b": ((sites, 1), (b, -1))}
        rows, columns, values = [], [], []
        for x, y, h in (("a", "a", ha[0]), ("a", "b", ha[1]), ("b", "a", hb[0]), ("b", "b", hb[1])):
            for p, s in D[x]:
                for q, t in D[y]:
                    rows.append(p), columns.append(q), values.append(s * t * h)
        where = (np.concatenate(rows), np.concatenate(columns))
        H = coo_matrix((np.concatenate(values), where), (n, n)).tocsc()
        return w * TERMS[term].value(A, B)[0], gradient, H

    def _minimise(self, u, extra=None):
        """Newton's method on the free columns."""
        free, u = self.free, u.copy()
        for _ in range(30):
            _, g, H = self._reference(u)
            if extra is not None:
                _, ge, He = extra(u)
                g, H = g + ge, H + He
            if np.abs(g[free]).max() < 1e-13:
                return u
            step = splu(csc_matrix(H[free][:, free])).solve(g[free])
            if np.abs(step).max() < 1e-14:  # round-off
                return u
            u[free] -= step * min(1.0, 0.2 / np.abs(step).max())
        raise NotConverged("Newton's method on the scalar lattice did not converge")

    def respond(self, L: float, term: str, coefficient: float) -> ScrewError:
        """Relax under the known error beyond L, and compare with the reference's equilibrium."""
        if 2 * L > self.radius:
            raise ValueError(f"the ramp ends at {2 * L:g}, beyond the radius {self.radius:g}")
        error = lambda u: self._error(u, L, term, coefficient)
        u = self._minimise(self.u, error)
        change = (self._reference(u)[0] - self._reference(self.u)[0]).sum()
        return ScrewError(L, self.norm(u - self.u), float(change + error(u)[0].sum()))


@dataclass(frozen=True)
class ScrewError:
    """L, and the errors of the geometry, |De|, and of the energy."""

    L: float
    geometry: float
    energy: float
