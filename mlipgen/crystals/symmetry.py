"""Point symmetry of a crystal, found from its lattice and its neighbour vectors."""

from itertools import product
from typing import NamedTuple

import numpy as np

from .lattice import Crystal


class Operation(NamedTuple):
    """An orthogonal map that takes the surroundings of one atom to those of another.

    rotation : (d, d)          x -> rotation @ x
    sublattices : tuple        the sublattice that each sublattice is taken to
    """

    rotation: np.ndarray
    sublattices: tuple[int, ...]


def lattice_rotations(crystal: Crystal) -> np.ndarray:
    """All g with g g' = 1 that take the lattice of conventional cells to itself: (m, d, d).

    Rows of M A are lattice vectors again, so g' = A^-1 M A with integer M; entries of -1, 0 and 1
    suffice for the conventional cells, whose edges are their shortest vectors in each direction.
    """
    A, d = crystal.cell, crystal.dimension
    metric = A @ A.T
    M = np.array(list(product((-1, 0, 1), repeat=d * d))).reshape(-1, d, d)
    kept = np.isclose(M @ metric @ np.swapaxes(M, 1, 2), metric, rtol=1e-9, atol=1e-9)
    return np.swapaxes(np.linalg.inv(A) @ M[kept.all(axis=(1, 2))] @ A, 1, 2)


def operations(crystal: Crystal, source: int, target: int) -> list[Operation]:
    """Operations of the crystal's space group that take sublattice `source` to `target`, up to
    lattice translations; with source = target, the site symmetry.
    """
    reach = 1.01 * crystal.shells[2]
    atoms = crystal.primitive_atoms
    here, there = (_surroundings(crystal, atoms[s], reach) for s in (source, target))
    found = []
    for g in lattice_rotations(crystal):
        image = _key(here[0] @ g.T, crystal)
        labels = {source: target}
        if all(
            k in there[1] and labels.setdefault(s, there[1][k]) == there[1][k]
            for k, s in zip(image, here[2])
        ):
            found.append(Operation(g, tuple(labels[s] for s in range(len(atoms)))))
    return found


def _surroundings(crystal, atom, reach):
    """Neighbour vectors of an atom, the sublattice at each of them by its key, and in order."""
    R, _, b, _ = crystal.stencil(reach, [atom])
    s = crystal.sublattice[b].tolist()
    return R, dict(zip(_key(R, crystal), s)), s


def _key(R, crystal):
    # Sites, and their images under rotations of the lattice, lie at twelfths of the cell.
    return [tuple(v) for v in np.rint(12 * R @ np.linalg.inv(crystal.cell)).astype(int).tolist()]
