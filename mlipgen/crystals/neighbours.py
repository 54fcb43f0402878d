"""Neighbour stencils with a skin: built once, checked at every use, rebuilt when an atom moved too
far.
"""

import numpy as np
from vesin import NeighborList


class Neighbours:
    """Neighbour vectors of a periodic configuration, grouped by site (compressed rows).

    Parameters
    ----------
    positions : (n_sites, d), A
    cell : (d, d), A             rows are lattice vectors
    cutoff : float, A            every pair closer than this is always present
    skin : float, A              extra reach; as soon as an atom has moved by more than half of it,
                                 the list is rebuilt
    pbc : (d,) of bool           periodic directions; default all

    Attributes
    ----------
    i, j : (n_pairs,)            the pair's site and neighbour
    offsets : (n_sites + 1,)     pairs of site l are offsets[l]:offsets[l + 1]
    builds : int                 how often the list was built
    """

    def __init__(self, positions, cell, cutoff, skin=0.0, pbc=None):
        self.cell, self.cutoff, self.skin, self.builds = np.asarray(cell, float), cutoff, skin, 0
        self.pbc = [True] * len(self.cell) if pbc is None else [bool(p) for p in pbc]
        self._build(np.asarray(positions, float))

    def _build(self, positions):
        if not np.isfinite(positions).all():
            raise ValueError("positions contain nan or infinity; the configuration exploded")
        n, d = positions.shape
        full, box = np.zeros((n, 3)), np.eye(3)
        full[:, :d], box[:d, :d] = positions, self.cell
        i, j, S = NeighborList(cutoff=self.cutoff + self.skin, full_list=True).compute(
            full, box, self.pbc + [False] * (3 - d), quantities="ijS"
        )
        # vesin orders by half pairs; kernels want one run of pairs a site
        order = np.argsort(i, kind="stable")
        self.i, self.j = i[order].astype(np.int64), j[order].astype(np.int64)
        self.shift = np.ascontiguousarray(S[order, :d] @ self.cell)
        self.offsets = np.concatenate([[0], np.cumsum(np.bincount(self.i, minlength=n))]).astype(
            np.int64
        )
        self.built_at = positions.copy()
        self._refuse_coincidence(positions)
        self.builds += 1

    def _refuse_coincidence(self, positions):
        """Two atoms at one place have no neighbour vector."""
        gap = positions[self.j] - positions[self.i] + self.shift
        same = np.flatnonzero((gap**2).sum(axis=1) < 1e-12)
        if len(same):
            i, j = int(self.i[same[0]]), int(self.j[same[0]])
            raise ValueError(
                f"atoms {i} and {j} are at the same place, {positions[i].round(4).tolist()} A: "
                "remove one of them"
            )

    def vectors(self, positions: np.ndarray) -> np.ndarray:
        """Neighbour vectors r_j - r_i at `positions` (n_sites, d), shape (n_pairs, d), A."""
        self.check(positions)
        return self.piece(positions)[0]

    def check(self, positions: np.ndarray) -> None:
        """Rebuild the list if an atom moved too far."""
        moved = ((positions - self.built_at) ** 2).sum(axis=1).max() if len(positions) else 0.0
        if not moved <= (0.5 * self.skin) ** 2 + 1e-24:  # also true for nan
            self._build(positions)

    def piece(
        self, positions: np.ndarray, sites: slice = slice(None)
    ) -> tuple[np.ndarray, np.ndarray, slice]:
        """Of some consecutive sites of a list that was checked: the vectors, their offsets, and the
        slice of their pairs.
        """
        from ._scatter import gather_vectors

        first, last, _ = sites.indices(len(self.built_at))
        offsets = self.offsets[first : last + 1]
        pairs = slice(offsets[0], offsets[-1])
        R = gather_vectors(
            np.ascontiguousarray(positions, float), self.i[pairs], self.j[pairs], self.shift[pairs]
        )
        return R, offsets - offsets[0], pairs

    def differences(self, u: np.ndarray) -> np.ndarray:
        """Finite differences u_j - u_i of a site function of any trailing shape."""
        return u[self.j] - u[self.i]

    def divergence(
        self, G: np.ndarray, pairs: slice = slice(None), out: np.ndarray | None = None
    ) -> np.ndarray:
        """Adjoint of `differences`: out_l = sum_{pairs of l} G - sum_{pairs towards l} G = forces
        for G = dV/dR.

        G : (n_pairs, ...) -> (n_sites, ...); G may belong to a slice of the pairs only, and be
            added to `out`
        """
        from ._scatter import add_outflow

        n, m = len(self.built_at), int(np.prod(G.shape[1:]))
        out = np.zeros((n,) + G.shape[1:], G.dtype) if out is None else out
        add_outflow(
            out.reshape(n, m),
            np.ascontiguousarray(G.reshape(len(G), m)),
            self.i[pairs],
            self.j[pairs],
        )
        return out
