"""Supercells: a crystal repeated n1 x n2 (x n3) times, the domain on which everything else lives.

Sites are numbered cell by cell, so that a Fourier transform over cells is a reshape.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from ase import Atoms

from ..failures import TooLarge, require_whole
from .lattice import Crystal

#: More atoms than any machine relaxes; their positions alone take 12 GB.
MANY = 5 * 10**8


@dataclass(frozen=True)
class Supercell:
    """n1 x n2 (x n3) conventional cells of a crystal with periodic boundaries; site = cell *
    n_basis + basis atom.
    """

    crystal: Crystal
    n: Any  # an integer or one for each direction; kept as a tuple

    def __post_init__(self):
        try:
            n = (self.n,) * self.crystal.dimension if np.isscalar(self.n) else tuple(self.n)
            whole = tuple(require_whole("size", m, 1, 100_000) for m in n)
        except (TypeError, ValueError):
            whole = ()
        if len(whole) != self.crystal.dimension:
            raise ValueError(
                f"supercell size {self.n!r}: give a positive integer or {self.crystal.dimension} "
                "of them"
            )
        object.__setattr__(self, "n", whole)

    @property
    def cell(self) -> np.ndarray:
        return np.array(self.n)[:, None] * self.crystal.cell

    @cached_property
    def positions(self) -> np.ndarray:
        if len(self) > MANY:
            raise TooLarge(
                f"a supercell of {len(self):,} atoms does not fit into memory: take a smaller cell"
            )
        grid = np.stack(np.meshgrid(*(np.arange(m) for m in self.n), indexing="ij"), -1).reshape(
            -1, len(self.n)
        )
        return ((grid @ self.crystal.cell)[:, None] + self.crystal.basis).reshape(-1, len(self.n))

    def __len__(self):
        return math.prod(self.n) * len(self.crystal.basis)

    def central_site(self) -> int:
        """A site near the middle of the cell: where defects go, so that pictures look right."""
        middle = self.cell.sum(axis=0) / 2
        return int(np.argmin(((self.positions - middle) ** 2).sum(axis=1).round(6)))


def as_atoms(symbol: str, positions: np.ndarray, cell: np.ndarray) -> Atoms:
    """ASE Atoms from (n, d) positions and a (d, d) cell; two-dimensional ones lie in the plane z =
    0.
    """
    d = positions.shape[1]
    full, box = np.zeros((len(positions), 3)), np.diag([1.0, 1.0, 10.0])
    full[:, :d], box[:d, :d] = positions, cell
    return Atoms([symbol] * len(full), positions=full, cell=box, pbc=[True] * d + [False] * (3 - d))


def translations(crystal: Crystal) -> np.ndarray:
    """The shortest lattice translations, one of each pair +-rho: (m, d), A."""
    R, _, b, _ = crystal.stencil(1.5 * crystal.a, crystal.primitive_atoms[:1])
    R = R[crystal.sublattice[b] == crystal.sublattice[crystal.primitive_atoms[0]]]
    r = np.linalg.norm(R, axis=1)
    R = R[r < r.min() * 1.001]
    leading = [v[np.flatnonzero(np.abs(v) > 1e-6)[-1]] for v in R]
    return R[np.array(leading) > 0]


def translated(supercell: Supercell, rho: np.ndarray) -> np.ndarray:
    """Index of the site at l + rho for every site l of the supercell, shape (n_sites,); rho a
    lattice translation.
    """
    n = np.array(supercell.n)
    try:
        cells, k = supercell.crystal.locate(supercell.positions + rho)
    except ValueError as error:
        raise ValueError(
            f"rho = {np.asarray(rho).tolist()} A is not a translation of the "
            f"{supercell.crystal.structure} lattice: {error}"
        ) from None
    return np.ravel_multi_index(tuple((cells % n).T), tuple(n)) * len(supercell.crystal.basis) + k
