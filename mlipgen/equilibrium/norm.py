"""The energy norm |Du|."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..crystals import Neighbours
from ..potentials.derivatives import ForceConstantTable

if TYPE_CHECKING:
    from ..crystals.lattice import Crystal


class EnergyNorm:
    """|Du| over the pairs of the relaxed reference within 1.2 x the second-neighbour distance, each
    from both ends.

    The pair list is fixed, so displacements of different models are compared on the same pairs.
    """

    def __init__(self, equilibrium):
        defect = equilibrium.defect
        self._pairs = Neighbours(equilibrium.positions, defect.cell, defect.crystal.norm_cutoff)
        self._distance = defect.distance()

    def per_site(self, u: np.ndarray) -> np.ndarray:
        """sum_rho |D_rho u(l)|^2, shape (n_sites,), A^2, for u (n_sites, d)."""
        n = len(self._pairs.offsets) - 1
        return np.bincount(self._pairs.i, (self._pairs.differences(u) ** 2).sum(axis=1), n)

    def differences(self, u: np.ndarray) -> np.ndarray:
        """D u on the pairs, shape (n_pairs, d): |Du|^2 is the sum of their squares."""
        return self._pairs.differences(u)

    def gram(self, u: np.ndarray) -> np.ndarray:
        """D'D u, shape (n_sites, d): |Du|^2 = <u, gram(u)>."""
        return -self._pairs.divergence(self._pairs.differences(u))

    def __call__(self, u):
        """|Du|, A."""
        return float(np.sqrt(self.per_site(u).sum()))

    def shells(self, u: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """|Du| over the sites between consecutive distances `edges` (A) from the defect: shape
        (len(edges) - 1,).
        """
        where = np.digitize(self._distance, edges) - 1
        inside = (where >= 0) & (where < len(edges) - 1)
        return np.sqrt(np.bincount(where[inside], self.per_site(u)[inside], len(edges) - 1))

    def reference_scale(self, u: np.ndarray, core: float = 0.0) -> float:
        """|D ubar| outside the core (A): what errors are compared with.

        An interstitial's |D ubar| inside its core depends on the arbitrary starting sites, so there
        give the core radius; the core then counts as the part of the energy norm that a
        displacement of 0.1 A on each core site would have.
        """
        site = self.per_site(u)
        n_pairs = np.diff(self._pairs.offsets)
        inside = self._distance < core
        return float(np.sqrt(site[~inside].sum() + 0.1**2 * n_pairs[inside].sum()))


def gram_table(crystal: Crystal) -> ForceConstantTable:
    """|Du|^2 of the perfect crystal, pairs from both ends, written as force constants."""
    s, t, xi, K = [], [], [], []
    for atom in crystal.primitive_atoms:
        R, _, b, _ = crystal.stencil(crystal.norm_cutoff, [atom])
        own = crystal.sublattice[atom]
        s.append(np.full(len(R) + 1, own)), t.append(np.append(own, crystal.sublattice[b]))
        xi.append(np.vstack([np.zeros(R.shape[1]), R]))
        K.append(np.append(2.0 * len(R), np.full(len(R), -2.0))[:, None, None] * np.eye(R.shape[1]))
    return ForceConstantTable(*(np.concatenate(x) for x in (s, t, xi, K)))
