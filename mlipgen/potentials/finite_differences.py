"""Force constants of a perfect crystal from forces alone: displaced atoms in a supercell.

    K(s, t, xi) = -dF_t(xi) / du_s(0),        dF by central differences of step h

One atom of each inequivalent sublattice is moved, along as few directions as its site symmetry
allows (bcc and fcc: one, and its reverse follows by symmetry); the symmetric copies of these
displacements then determine every component.
"""

import numpy as np

from ..crystals import Crystal, Supercell
from ..crystals.symmetry import Operation, operations
from .derivatives import ForceConstantTable, _pair_keys


def displacements(crystal: Crystal) -> list[tuple[int, np.ndarray, Operation | None]]:
    """What must be displaced: (sublattice, direction (d,), reversal).

    `reversal` is an operation of the site that reverses the direction, so that the displacement
    backwards needs no calculation; None if there is none.
    """
    out, reached = [], set()
    for s in range(len(crystal.primitive_atoms)):
        if s in reached:
            continue
        reached |= {t for t in range(len(crystal.primitive_atoms)) if operations(crystal, s, t)}
        site = operations(crystal, s, s)
        reverse = lambda v: next((g for g in site if np.allclose(g.rotation @ v, -v)), None)
        axes = sorted(np.eye(crystal.dimension), key=lambda v: reverse(v) is None)
        span = np.zeros((0, crystal.dimension))
        for v in axes:
            orbit = np.array([g.rotation @ v for g in site])
            if np.linalg.matrix_rank(np.vstack([span, orbit]), tol=1e-6) > _rank(span):
                span = np.vstack([span, orbit])
                out.append((s, v, reverse(v)))
    return out


def _rank(span):
    return np.linalg.matrix_rank(span, tol=1e-6) if len(span) else 0


def supercell_force_constants(forces, homogeneous: Supercell, step: float) -> ForceConstantTable:
    """Force constants from displacements of +-step in a supercell.

    Parameters
    ----------
    forces : callable       positions (n, d), A -> forces (n, d), eV/A, in the homogeneous cell
    homogeneous : Supercell
        A force constant between atoms further apart than half its thickness cannot be told from
        that of their images: it is attributed to the nearest image, shared equally among several.
    step : float, A

    Returns
    -------
    ForceConstantTable     with K(s, t, xi) = K(t, s, -xi)' and sum_(t, xi) K = 0 imposed

    Notes
    -----
    Error: h^2 / 6 x the third derivative of the forces + (their noise) / h + what reaches beyond
    half the cell.  Displaced atoms as in phonopy (Togo, J. Phys. Soc. Jpn. 92, 012001 (2023)).
    """
    crystal = homogeneous.crystal
    pushed: dict[int, list] = {}
    for s, v, reversal in displacements(crystal):
        response = _response(forces, homogeneous, s, v, reversal, step)
        pushed.setdefault(s, []).append((v, response))
    blocks = []
    for t in range(len(crystal.primitive_atoms)):
        # the sublattice that was displaced and is equivalent to this one
        s = next(s for s in pushed if operations(crystal, s, t))
        blocks.append(_solve(homogeneous, s, t, pushed[s]))
    table = ForceConstantTable(*(np.concatenate(part) for part in zip(*blocks)))
    return symmetrised(table, crystal)


def _response(forces, homogeneous, s, v, reversal, step):
    """-dF/du (n, d) on all atoms when the first atom of sublattice s moves along v."""
    atom = homogeneous.crystal.primitive_atoms[s]
    push = np.zeros_like(homogeneous.positions)
    push[atom] = step * v
    ahead = forces(homogeneous.positions + push)
    if reversal is None:
        behind = forces(homogeneous.positions - push)
    else:
        moved = _permutation(homogeneous, reversal, atom, atom)
        behind = np.empty_like(ahead)
        behind[moved] = ahead @ reversal.rotation.T
    return (behind - ahead) / (2 * step)


def _permutation(homogeneous, operation, source, target):
    """Where the operation that takes atom `source` to atom `target` takes every atom: (n,)."""
    x = homogeneous.positions
    image = (x - x[source]) @ operation.rotation.T + x[target]
    return site_indices(homogeneous, image)


def site_indices(homogeneous: Supercell, positions: np.ndarray) -> np.ndarray:
    """Index of the site of the supercell at each position (m, d), up to periodic images."""
    cells, k = homogeneous.crystal.locate(positions)
    n = homogeneous.n
    return np.ravel_multi_index(tuple((cells % n).T), n) * len(homogeneous.crystal.basis) + k


def _solve(homogeneous, s, t, pushed):
    """All blocks K of sublattice t, from the responses to displacements of the equivalent s.

    (g v)' K(t, g xi) = g r(xi) for every operation g from s to t and every displacement v with
    response r: linear equations for each block, the same matrix for all.
    """
    crystal, atoms = homogeneous.crystal, homogeneous.crystal.primitive_atoms
    directions, responses = [], []
    for g in operations(crystal, s, t):
        moved = _permutation(homogeneous, g, atoms[s], atoms[t])
        for v, r in pushed:
            directions.append(g.rotation @ v)
            image = np.empty_like(r)
            image[moved] = r @ g.rotation.T
            responses.append(image)
    K = np.einsum("ag,gjb->jab", np.linalg.pinv(np.array(directions)), np.array(responses))
    x = homogeneous.positions
    site, xi, share = nearest_images(x - x[atoms[t]], homogeneous.cell)
    other = crystal.sublattice[site % len(crystal.basis)]
    return np.full(len(xi), t), other, xi, K[site] * share[:, None, None]


def nearest_images(gap: np.ndarray, cell: np.ndarray):
    """The nearest periodic images of vectors (n, d) in a compact cell (cubes, Minkowski-reduced).

    Returns
    -------
    site : (m,)          index of the vector; one that has several nearest images appears with each
    xi : (m, d), A
    share : (m,)         1 / the number of its nearest images
    """
    gap = gap - np.rint(gap @ np.linalg.inv(cell)) @ cell
    d = cell.shape[1]
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * d, indexing="ij"), -1).reshape(-1, d) @ cell
    images = gap[:, None] + shifts
    r = np.linalg.norm(images, axis=2)
    nearest = r < r.min(axis=1, keepdims=True) + 1e-5
    site, image = np.nonzero(nearest)
    return site, images[site, image], 1.0 / nearest.sum(axis=1)[site]


def symmetrised(table: ForceConstantTable, crystal: Crystal) -> ForceConstantTable:
    """The same table with K(s, t, xi) = K(t, s, -xi)' and the acoustic sum rule imposed.

    The rule's defect goes to the block of the atom with itself, as the definition of a force on a
    crystal that moves as a whole demands.
    """
    K, d = table.K.copy(), table.xi.shape[1]
    key = [tuple(k) for k in _pair_keys(table.s, table.t, table.xi, crystal)]
    index = {k: i for i, k in enumerate(key)}
    try:
        back = [index[k[1], k[0], *(-c for c in k[2:])] for k in key]
    except KeyError as missing:
        raise ValueError(
            f"the pair {missing} of the force constants has no reverse: the table is incomplete"
        ) from None
    K = 0.5 * (K + np.swapaxes(K[back], 1, 2))
    own = np.linalg.norm(table.xi, axis=1) < 1e-6
    for i in np.flatnonzero(own):
        K[i] = -K[(table.s == table.s[i]) & ~own].sum(axis=0)
    K[own] = 0.5 * (K[own] + np.swapaxes(K[own], 1, 2))
    return ForceConstantTable(table.s, table.t, table.xi, K.reshape(-1, d, d))
