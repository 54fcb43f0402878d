"""Phonons: another code's, the path's lengths, an instability seen as one."""

import warnings

import numpy as np
import pytest

from mlipgen.crystals import Crystal
from mlipgen.equilibrium.phonons import band_path, frequencies
from mlipgen.potentials import EAM, StillingerWeber
from mlipgen.potentials.derivatives import force_constants


@pytest.mark.slow
def test_frequencies_are_phonopys():
    """phonopy displaces atoms in a supercell and has masses and units of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from phonopy import Phonopy
        from phonopy.structure.atoms import PhonopyAtoms
    potential = StillingerWeber("Si")
    crystal = Crystal.equilibrium(potential)
    cell = crystal.unit
    phonopy = Phonopy(
        PhonopyAtoms(symbols=cell.symbols, cell=cell.cell, positions=cell.positions),
        supercell_matrix=np.diag([3, 3, 3]),
        primitive_matrix="F",
    )
    phonopy.generate_displacements(distance=1e-4)
    forces = []
    for displaced in phonopy.supercells_with_displacements:
        atoms = cell.repeat(phonopy.supercell_matrix.diagonal())
        atoms = type(atoms)(
            symbols=displaced.symbols, cell=displaced.cell, positions=displaced.positions, pbc=True
        )
        atoms.calc = potential.calculator()
        forces.append(atoms.get_forces())
    phonopy.forces = forces
    phonopy.produce_force_constants()
    k = np.array([[0.3, 0.1, -0.2], [0.5, 0.5, 0.0], [0.05, 0.0, 0.0]]) * 2 * np.pi / crystal.a
    own = frequencies(force_constants(potential, crystal), crystal.symbol, k)
    primitive = phonopy.primitive.cell
    phonopy.run_qpoints(k @ primitive.T / (2 * np.pi))
    theirs = np.sort(phonopy.qpoints.frequencies, axis=1)
    assert own == pytest.approx(theirs, rel=2e-5, abs=1e-3)


def test_the_path_of_a_cubic_crystal():
    crystal = Crystal("W", "bcc", 3.0)
    path = band_path(crystal, 60)
    g = "\N{GREEK CAPITAL LETTER GAMMA}"
    assert path.labels == (g, "H", "N", g, "P", "H|P", "N")
    # from Gamma to H = (0, 0, 2 pi / a)
    assert path.ticks[1] == pytest.approx(2 * np.pi / 3.0)
    at = np.abs(path.x - path.ticks[1]).argmin()
    assert np.linalg.norm(path.k[at]) == pytest.approx(2 * np.pi / 3.0)
    assert len(path.k) == len(path.x) and 40 < len(path.x) < 80


def test_paths_of_the_other_lattices_begin_at_gamma_without_a_frequency():
    for potential in (EAM("Mg"), EAM("Cu"), StillingerWeber("Si")):
        crystal = Crystal.equilibrium(potential)
        path = band_path(crystal, 40)
        f = frequencies(force_constants(potential, crystal), crystal.symbol, path.k)
        assert path.x[0] == 0 and (np.diff(path.x) >= 0).all()
        assert np.abs(f[0, :3]).max() < 1e-4 and f.min() > -1e-4 and 5 < f.max() < 20


def test_the_path_of_a_plane():
    path = band_path(Crystal("X", "triangular", 1.0), 30)
    assert (
        path.k.shape[1] == 2
        and path.labels[0] == path.labels[-1] == "\N{GREEK CAPITAL LETTER GAMMA}"
    )
    corners = {
        n: np.linalg.norm(path.k[np.abs(path.x - t).argmin()])
        for n, t in zip(path.labels, path.ticks)
    }
    assert corners["M"] == pytest.approx(2 * np.pi / np.sqrt(3), rel=1e-6)
    assert corners["K"] == pytest.approx(4 * np.pi / 3, rel=1e-6)


def test_an_unstable_crystal_has_negative_frequencies():
    copper = EAM("Cu")
    crystal = Crystal.equilibrium(copper, structure="bcc")
    f = frequencies(force_constants(copper, crystal), "Cu", band_path(crystal).k)
    assert f.min() < -1
