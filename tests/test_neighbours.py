"""Neighbour stencils: every pair is there, and the skin never gives a wrong force."""

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from mlipgen.crystals import Crystal, Neighbours, Supercell, vacancy
from mlipgen.potentials import EAM, Toy2D, energies_and_forces

seeds = st.integers(0, 2**32 - 1)
CASES = {
    "W": (EAM("W"), Supercell(Crystal("W", "bcc", 3.165), 3)),
    "2D": (Toy2D(), Supercell(Crystal("X", "triangular", 0.942), 6)),
}


def pairs(neighbours, x):
    """All neighbour vectors with their site, in a canonical order."""
    R = neighbours.vectors(x)
    inside = np.linalg.norm(R, axis=1) < neighbours.cutoff
    table = np.column_stack([neighbours.i, neighbours.j, R])[inside]
    return table[np.lexsort(np.round(table, 6).T)]


@pytest.mark.slow
@given(seed=seeds, n=st.integers(1, 30), cutoff=st.floats(0.5, 6.0))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_pairs_are_ases(seed, n, cutoff):
    """Skew cells thinner than the cutoff, atoms outside the cell, any periodicity."""
    rng = np.random.default_rng(seed)
    cell, pbc = 4 * np.eye(3) + rng.uniform(-1, 1, (3, 3)), rng.integers(0, 2, 3).astype(bool)
    atoms = Atoms("H" * n, positions=rng.uniform(-8, 12, (n, 3)), cell=cell, pbc=pbc)
    i, j, D = neighbor_list("ijD", atoms, cutoff)
    theirs = np.column_stack([i, j, D])
    ours = pairs(Neighbours(atoms.positions, cell, cutoff, pbc=pbc), atoms.positions)
    np.testing.assert_allclose(ours, theirs[np.lexsort(np.round(theirs, 6).T)], atol=1e-12)


def test_pairs_are_grouped_by_site():
    supercell = CASES["W"][1]
    n = Neighbours(supercell.positions, supercell.cell, 4.4, 0.3)
    np.testing.assert_array_equal(n.i, np.repeat(np.arange(len(supercell)), np.diff(n.offsets)))
    assert n.i.dtype == n.j.dtype == np.int32 and n.offsets.dtype == np.int64


@pytest.mark.parametrize("case", CASES)
@given(seed=seeds, skin=st.floats(0.0, 0.5), steps=st.integers(1, 6), size=st.floats(0.001, 0.5))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_a_skin_never_gives_a_wrong_force(case, seed, skin, steps, size):
    potential, supercell = CASES[case]
    defect = vacancy(supercell)
    rng = np.random.default_rng(seed)
    scale = defect.crystal.a / 3.165
    kept = Neighbours(defect.positions, defect.cell, potential.cutoff, skin * scale)
    for _ in range(steps):
        moves = np.zeros_like(defect.positions)
        # sometimes one atom moves far, the others not at all
        moving = rng.integers(0, len(moves), rng.integers(1, 10))
        moves[moving] = rng.uniform(-size, size, (len(moving), moves.shape[1])) * scale
        x = defect.positions + moves
        V, f = energies_and_forces(potential, kept, x)
        V0, f0 = energies_and_forces(potential, Neighbours(x, defect.cell, potential.cutoff), x)
        # The same pairs in another order: only rounding, which grows with the repulsion of atoms
        # that came close.
        np.testing.assert_allclose(V, V0, rtol=0, atol=1e-12 * max(1, abs(V0).max()))
        np.testing.assert_allclose(f, f0, rtol=0, atol=1e-12 * max(1, abs(f0).max()))


def test_rebuilds_exactly_when_an_atom_moved_more_than_half_the_skin():
    x = CASES["W"][1].positions
    n = Neighbours(x, CASES["W"][1].cell, 4.4, skin=0.4)
    move = np.zeros_like(x)
    for distance, builds in (
        (0.0, 1),
        (0.199, 1),
        (0.1999999, 1),
        (0.2001, 2),
        (0.3, 2),
        (0.4, 2),
        (0.0, 3),
        (0.1, 3),
    ):
        # the last rebuild was at 0.2001, and then at 0
        move[5, 1] = distance
        n.vectors(x + move)
        assert n.builds == builds, distance


def test_a_whole_crystal_may_drift():
    """Rigid translations are moves too: rebuilt, and the vectors stay the same."""
    potential, supercell = CASES["W"]
    n = Neighbours(supercell.positions, supercell.cell, potential.cutoff, 0.2)
    before = pairs(n, supercell.positions)
    after = pairs(n, supercell.positions + 7.3)
    assert n.builds == 2
    np.testing.assert_allclose(
        np.sort(np.linalg.norm(before[:, 2:], axis=1)),
        np.sort(np.linalg.norm(after[:, 2:], axis=1)),
        atol=1e-12,
    )


def test_differences_and_divergence_are_adjoint():
    supercell = CASES["W"][1]
    n = Neighbours(supercell.positions, supercell.cell, 4.4)
    rng = np.random.default_rng(0)
    u, G = rng.normal(size=(len(supercell), 3)), rng.normal(size=(len(n.i), 3))
    assert (n.differences(u) * G).sum() == pytest.approx(-(u * n.divergence(G)).sum(), rel=1e-12)
    many = rng.normal(size=(len(n.i), 3, 4))
    np.testing.assert_allclose(
        n.divergence(many)[..., 2], n.divergence(np.ascontiguousarray(many[..., 2])), atol=1e-12
    )


def test_positions_that_exploded_are_refused():
    x = CASES["W"][1].positions.copy()
    n = Neighbours(x, CASES["W"][1].cell, 4.4, 0.4)
    for bad in (np.nan, np.inf):
        x[3, 0] = bad
        with pytest.raises(ValueError, match="nan or infinity"):
            n.vectors(x)
