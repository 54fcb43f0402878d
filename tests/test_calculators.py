"""ASE calculators: energy, forces, stress, per-atom energies; optimisers, dynamics, phonons; any
cell and periodicity.
"""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_stress
from ase.filters import FrechetCellFilter
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from ase.phonons import Phonons

import mlipgen
from mlipgen.crystals import Crystal, as_atoms
from mlipgen.potentials import EAM, ACEBasis, LinearACE, StillingerWeber, Toy2D


def ace():
    basis = ACEBasis(4.4, 6, 3, 2.74)
    return LinearACE(
        basis, 0.3 * np.random.default_rng(0).normal(size=len(basis)) / basis.prior, "W"
    )


MODELS = {"EAM": EAM("W"), "SW": StillingerWeber("Si"), "ACE": ace()}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def crystal(model, repeat=2, rattle=0.1):
    atoms = (
        bulk("W", "bcc", a=3.17, cubic=True)
        if model.symbol == "W"
        else bulk("Si", "diamond", a=5.43, cubic=True)
    )
    atoms = atoms.repeat(repeat)
    atoms.positions += rattle * np.random.default_rng(0).normal(size=atoms.positions.shape)
    atoms.calc = model.calculator()
    return atoms


@every_model
@pytest.mark.parametrize("repeat", [1, (3, 1, 2)])
def test_forces_and_stress_are_numerical_derivatives_also_in_thin_cells(model, repeat):
    """Cells thinner than the cutoff: an atom sees its own images."""
    atoms = crystal(model, repeat)
    atoms.set_cell(
        atoms.cell @ (np.eye(3) + [[0, 0.05, 0], [0, 0.01, 0.02], [0, 0, -0.02]]), scale_atoms=True
    )
    h, x = 1e-4, atoms.positions.copy()
    f = atoms.get_forces()
    for atom, c in ((0, 0), (1, 2)):
        e = np.zeros_like(x)
        e[atom, c] = h
        energies = []
        for sign in (1, -1):
            atoms.positions = x + sign * e
            energies.append(atoms.get_potential_energy())
        assert f[atom, c] == pytest.approx(
            (energies[1] - energies[0]) / (2 * h), abs=1e-6 * max(1, abs(f).max())
        )
    atoms.positions = x
    stress = atoms.get_stress()
    np.testing.assert_allclose(
        stress,
        calculate_numerical_stress(atoms, eps=1e-5),
        rtol=0,
        atol=1e-7 * max(1, abs(stress).max()),
    )


@every_model
def test_energies_sum_to_the_energy_and_forces_to_zero(model):
    atoms = crystal(model)
    assert atoms.get_potential_energies().sum() == pytest.approx(
        atoms.get_potential_energy(), rel=1e-13
    )
    assert atoms.get_potential_energies().shape == (len(atoms),)
    assert abs(atoms.get_forces().sum(axis=0)).max() < 1e-11
    assert atoms.calc.get_property("free_energy", atoms) == atoms.get_potential_energy()


@every_model
def test_repetition_wrapping_and_permutation(model):
    atoms = crystal(model, repeat=(1, 2, 1))
    energies = atoms.get_potential_energies()
    big = atoms.repeat((2, 1, 3))
    big.calc = model.calculator()
    np.testing.assert_allclose(big.get_potential_energies(), np.tile(energies, 6), rtol=1e-12)
    moved = atoms.copy()
    moved.positions += np.random.default_rng(1).integers(-4, 5, (len(atoms), 3)) @ np.asarray(
        atoms.cell
    )
    moved = moved[::-1]
    moved.calc = model.calculator()
    np.testing.assert_allclose(moved.get_potential_energies()[::-1], energies, rtol=1e-11)


def test_open_boundaries():
    """A cluster is a cluster whatever its box; a slab is a slab; an atom alone has no force."""
    potential = EAM("W")
    cluster = bulk("W", "bcc", a=3.17, cubic=True).repeat(2)
    cluster.positions += 0.05 * np.random.default_rng(0).normal(size=cluster.positions.shape) - 40.0
    results = []
    for cell in (None, [3.0, 3.0, 3.0], [[50, 0, 0], [10, 50, 0], [0, 0, 50]]):
        atoms = Atoms(cluster.symbols, positions=cluster.positions, cell=cell, pbc=False)
        atoms.calc = potential.calculator()
        results.append((atoms.get_potential_energies(), atoms.get_forces()))
    for energies, forces in results[1:]:
        np.testing.assert_allclose(energies, results[0][0], atol=1e-12)
        np.testing.assert_allclose(forces, results[0][1], atol=1e-12)
    slab = bulk("W", "bcc", a=3.17, cubic=True).repeat((2, 2, 3))
    slab.pbc = (True, True, False)
    padded = slab.copy()
    padded.center(vacuum=10, axis=2)
    padded.pbc = True
    slab.calc, padded.calc = potential.calculator(), potential.calculator()
    assert slab.get_potential_energy() == pytest.approx(padded.get_potential_energy(), abs=1e-10)
    single = Atoms("W", calculator=potential.calculator())
    assert (
        not single.get_forces().any()
        and single.get_potential_energy() == potential.sites(np.zeros((0, 3)), [0, 0])[0][0]
    )


def test_a_fragment_that_flies_away_feels_nothing():
    """Open boundaries stay open however far atoms move: no image is ever met."""
    potential = EAM("W")
    atoms = Atoms("W4", positions=[[0, 0, 0], [2.7, 0, 0], [0, 2.7, 0], [2.7, 2.7, 0.5]])
    atoms.calc = potential.calculator()
    atoms.get_forces()
    for distance in np.linspace(5, 200, 79):
        atoms.positions[3] = [2.7, 2.7 + distance, 0.5]
        assert not atoms.get_forces()[3].any(), distance


def test_stress_without_a_cell_is_refused():
    atoms = Atoms("W2", positions=[[0, 0, 0], [2.7, 0, 0]])
    atoms.calc = EAM("W").calculator()
    assert atoms.get_potential_energy() < 0
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()


@pytest.mark.parametrize("symbols", ["W15Cu", "Cu16"])
def test_unknown_elements_are_refused(symbols):
    for model in (EAM("W"), ace()):
        atoms = bulk("W", "bcc", a=3.17, cubic=True).repeat(2)
        atoms.symbols = symbols
        atoms.calc = model.calculator()
        with pytest.raises(ValueError, match="this potential is for W; the atoms contain Cu"):
            atoms.get_potential_energy()


def test_changing_atoms_and_cells_in_place():
    """One calculator through moves, strains, removals and other periodicities, always like a fresh
    one.
    """
    potential = EAM("W")
    atoms = crystal(potential, 3, rattle=0.05)
    rng = np.random.default_rng(0)

    def move():
        atoms.positions += rng.normal(scale=0.05, size=atoms.positions.shape)

    def strain():
        atoms.set_cell(atoms.cell * 1.003, scale_atoms=True)

    def shear():
        atoms.set_cell(np.asarray(atoms.cell) + 0.02 * rng.normal(size=(3, 3)), scale_atoms=True)

    for change in (
        move,
        strain,
        move,
        shear,
        lambda: atoms.pop(3),
        move,
        lambda: atoms.set_pbc((True, False, True)),
        move,
    ):
        change()
        fresh = atoms.copy()
        fresh.calc = potential.calculator()
        np.testing.assert_allclose(atoms.get_forces(), fresh.get_forces(), rtol=0, atol=1e-11)
        np.testing.assert_allclose(atoms.get_stress(), fresh.get_stress(), rtol=0, atol=1e-12)


def test_optimise_the_cell():
    potential = EAM("W")
    atoms = bulk("W", "bcc", a=3.1)
    atoms.calc = potential.calculator()
    assert BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-7, steps=100)
    assert 2 * atoms.get_volume() == pytest.approx(Crystal.equilibrium(potential).a ** 3, rel=1e-7)


@pytest.mark.parametrize("model", [EAM("W"), StillingerWeber("Si")], ids=repr)
def test_dynamics_conserve_energy_to_second_order(model):
    def drift(step, count):
        atoms = crystal(model, 2 if model.symbol == "Si" else 3, rattle=0.0)
        thermal = np.sqrt(units.kB * 600 * atoms.get_masses())[:, None]
        atoms.set_momenta(thermal * np.random.default_rng(0).normal(size=(len(atoms), 3)))
        kinetic = atoms.get_kinetic_energy()
        total = [atoms.get_total_energy()]
        md = VelocityVerlet(atoms, timestep=step * units.fs, logfile=None)
        for _ in range(count):
            md.run(1)
            total.append(atoms.get_total_energy())
        return np.ptp(total), abs(atoms.get_kinetic_energy() - kinetic)

    coarse, exchanged = drift(2.0, 30)
    fine, _ = drift(1.0, 60)
    # kinetic and potential energy do change
    assert exchanged > 30 * coarse
    # Verlet's error falls with the square of the step
    assert 3.0 < coarse / fine < 5.5


def test_phonon_frequencies_are_real(tmp_path):
    potential = EAM("W")
    atoms = bulk("W", "bcc", a=Crystal.equilibrium(potential).a)
    phonons = Phonons(
        atoms,
        potential.calculator(),
        supercell=(5, 5, 5),
        delta=0.01,
        name=str(tmp_path / "phonon"),
    )
    phonons.run()
    phonons.read(acoustic=True)
    path = atoms.cell.bandpath("GHNGP", npoints=40)
    # imaginary frequencies come out negative
    energies = phonons.band_structure(path.kpts)
    gamma = np.linalg.norm(path.kpts, axis=1) < 1e-9
    assert gamma.any() and abs(energies[gamma]).max() < 1e-4
    assert energies[~gamma].min() > 1e-3 and 0.01 < energies.max() < 0.05


def test_two_dimensions():
    potential = Toy2D()
    c = Crystal.equilibrium(potential)
    atoms = as_atoms("X", c.basis, c.cell).repeat((6, 6, 1))
    atoms.positions[:, :2] += 0.02 * np.random.default_rng(0).normal(size=(36, 2))
    atoms.calc = potential.calculator()
    f = atoms.get_forces()
    assert abs(f[:, :2]).max() > 0.01 and not f[:, 2].any()
    np.testing.assert_allclose(atoms.get_stress()[2:5], 0, atol=1e-15)
    atoms.positions[3, 2] = 0.1
    with pytest.raises(ValueError, match="two-dimensional: all atoms must lie in one plane"):
        atoms.get_forces()


def test_models_know_their_calculator():
    assert mlipgen.EAM("W").calculator().potential.symbol == "W"
    assert mlipgen.StillingerWeber("Si").calculator().potential.symbol == "Si"
