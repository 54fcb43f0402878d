"""Neighbour stencils with a skin: built once, checked at every use, rebuilt when an atom moved too
far.
"""

import numpy as np
from vesin import NeighborList

from ..failures import require_number
from .cells import thickness

#: Positions beyond this, A, are no longer exact to 1e-8 A.
FAR = 1e8
#: The search for pairs divides by zero, or takes very long, in cells thicker than this in cutoffs.
WIDE = 1000
#: As many pairs take some 10 GB, and no physical configuration has them.
MANY = 10**8


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

    Raises
    ------
    ValueError      for shapes that do not fit, a flat cell, what is not finite, two atoms at one
                    place, or so many neighbours that lengths cannot be in angstrom

    Attributes
    ----------
    i, j : (n_pairs,), int32     the pair's site and neighbour
    offsets : (n_sites + 1,)     pairs of site l are offsets[l]:offsets[l + 1]
    builds : int                 how often the list was built
    """

    def __init__(self, positions, cell, cutoff, skin=0.0, pbc=None):
        self.cell, self.builds = np.array(cell, float), 0
        self.cutoff = require_number("cutoff", cutoff, 1e-3, 1e6, "a positive distance in angstrom")
        self.skin = require_number("skin", skin, 0.0, 1e6, "in angstrom")
        d = len(self.cell) if self.cell.ndim else 0
        self.pbc = [True] * d if pbc is None else [bool(p) for p in np.atleast_1d(pbc)]
        self._refuse_cell(d)
        self._build(self._checked(positions))

    def _refuse_cell(self, d):
        """The compiled search looks at nothing itself."""
        if self.cell.shape not in ((2, 2), (3, 3)) or len(self.pbc) != d:
            raise ValueError(
                f"the cell has shape {self.cell.shape} and pbc {self.pbc}: give 2 x 2 or 3 x 3 "
                "numbers, and one periodicity for each direction"
            )
        lengths = np.linalg.norm(self.cell, axis=1)
        if not (np.isfinite(self.cell).all() and 0 < lengths.min() and lengths.max() < FAR):
            raise ValueError(f"the cell {self.cell.tolist()} A has a vector without a length")
        if abs(np.linalg.det(self.cell / lengths[:, None])) < 1e-9:
            raise ValueError(f"the cell {self.cell.tolist()} A is flat: it has no volume")
        wide = thickness(self.cell)
        boxes = np.maximum(1.0, wide / (self.cutoff + self.skin))
        if boxes.max() > WIDE or boxes.prod() > WIDE**3 / 100:
            raise ValueError(
                f"the cell is {wide.max():.3g} A thick, too large for a cutoff of {self.cutoff:g}: "
                "take a smaller one, in open directions (pbc=False) too"
            )

    def _checked(self, positions):
        """Positions as an array that the compiled loops may index."""
        positions = np.asarray(positions, float)
        if positions.ndim != 2 or positions.shape[1] != len(self.cell):
            raise ValueError(
                f"positions have shape {positions.shape}: give (n_sites, {len(self.cell)})"
            )
        if not np.isfinite(positions).all():
            raise ValueError("positions contain nan or infinity; the configuration exploded")
        if positions.size and np.abs(positions).max() > FAR:
            raise ValueError(
                f"a position is {np.abs(positions).max():.3g} A from the origin: beyond {FAR:g} A "
                "distances are no longer exact; move the atoms back"
            )
        periodic = thickness(self.cell)[np.array(self.pbc)]
        images = np.prod(np.maximum(1.0, 2 * (self.cutoff + self.skin) / periodic))
        if images > 1000 and images * max(1, len(positions)) ** 2 > MANY:
            raise ValueError(
                f"{len(positions)} atoms in a cell {periodic.min():.3g} A thick have more than "
                f"{MANY:,} pairs within {self.cutoff:g} A: give lengths in angstrom"
            )
        return positions

    def _build(self, positions):
        from ._scatter import by_site

        n, d = positions.shape
        full, box = np.zeros((n, 3)), np.eye(3)
        full[:, :d], box[:d, :d] = positions, self.cell
        i, j, S = NeighborList(cutoff=self.cutoff + self.skin, full_list=True).compute(
            full, box, self.pbc + [False] * (3 - d), quantities="ijS"
        )
        # vesin orders by half pairs; kernels want one run of pairs a site
        self.offsets, self.i, self.j, self._image, low, span = by_site(i, j, S, n, d)
        # a number for each pair and one table of lattice vectors: a tenth of a vector for each pair
        every = np.stack(np.unravel_index(np.arange(np.prod(span)), tuple(span)), axis=1) + low
        self._images = np.ascontiguousarray(every @ self.cell)
        self.built_at = np.array(positions, order="C")
        self._refuse_coincidence()
        self.builds += 1

    def _refuse_coincidence(self):
        """Two atoms at one place have no neighbour vector."""
        from ._scatter import first_closer

        x = self.built_at
        pair = first_closer(x, self.i, self.j, self._image, self._images, 1e-6)
        if pair >= 0:
            a, b = int(self.i[pair]), int(self.j[pair])
            raise ValueError(
                f"atoms {a} and {b} are at the same place, {x[a].round(4).tolist()} A: "
                "remove one of them"
            )

    def vectors(self, positions: np.ndarray) -> np.ndarray:
        """Neighbour vectors r_j - r_i at `positions` (n_sites, d), shape (n_pairs, d), A."""
        self.check(positions)
        return self.piece(positions)[0]

    def check(self, positions: np.ndarray) -> None:
        """Rebuild the list if an atom moved too far."""
        if np.shape(positions) != self.built_at.shape:
            positions = self._checked(positions)
            if len(positions) != len(self.built_at):
                raise ValueError(
                    f"{len(positions)} positions: the list is of {len(self.built_at)} sites; make "
                    "another one"
                )
        moved = ((positions - self.built_at) ** 2).sum(axis=1).max() if len(positions) else 0.0
        if not moved <= (0.5 * self.skin) ** 2 + 1e-24:  # also true for nan
            self._build(self._checked(positions))

    def piece(
        self, positions: np.ndarray, sites: slice = slice(None)
    ) -> tuple[np.ndarray, np.ndarray, slice]:
        """Of some consecutive sites of a list that was checked: the vectors, their offsets, and the
        slice of their pairs.
        """
        from ._scatter import gather_vectors

        if np.shape(positions) != self.built_at.shape:
            raise ValueError(
                f"positions have shape {np.shape(positions)}, the list is of {self.built_at.shape}"
            )
        offsets, pairs = self.rows(sites)
        x = np.ascontiguousarray(positions, float)
        i, j, image = self.i[pairs], self.j[pairs], self._image[pairs]
        return gather_vectors(x, i, j, image, self._images), offsets, pairs

    def rows(self, sites: slice) -> tuple[np.ndarray, slice]:
        """Of some consecutive sites: the offsets of their pairs, and the slice of these."""
        first, last, _ = sites.indices(len(self.built_at))
        offsets = self.offsets[first : last + 1]
        return offsets - offsets[0], slice(offsets[0], offsets[-1])

    def differences(self, u: np.ndarray, pairs: slice = slice(None)) -> np.ndarray:
        """Finite differences u_j - u_i of a site function of any trailing shape."""
        if np.shape(u)[:1] != self.built_at.shape[:1]:
            raise ValueError(f"values of shape {np.shape(u)} for {len(self.built_at)} sites")
        return u[self.j[pairs]] - u[self.i[pairs]]

    def divergence(
        self, G: np.ndarray, pairs: slice = slice(None), out: np.ndarray | None = None
    ) -> np.ndarray:
        """Adjoint of `differences`: out_l = sum_{pairs of l} G - sum_{pairs towards l} G = forces
        for G = dV/dR.

        G : (n_pairs, ...) -> (n_sites, ...); G may belong to a slice of the pairs only, and be
            added to `out`
        """
        from ._scatter import add_outflow

        if np.shape(G)[:1] != self.i[pairs].shape:
            raise ValueError(f"gradients of shape {np.shape(G)} for {len(self.i[pairs])} pairs")
        n, m = len(self.built_at), int(np.prod(G.shape[1:]))
        out = np.zeros((n,) + G.shape[1:], G.dtype) if out is None else out
        add_outflow(
            out.reshape(n, m),
            np.ascontiguousarray(G.reshape(len(G), m)),
            self.i[pairs],
            self.j[pairs],
        )
        return out
