"""The ASE calculator through whatever a simulation does to its atoms: the numbers of a fresh one,
each time.
"""

import copy
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from ase import Atom, Atoms, units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet

import mlipgen
from mlipgen.failures import NotFinite
from mlipgen.potentials import EAM, ACEBasis, LinearACE

W = EAM("W")


def tungsten(repeat=2, seed=0):
    atoms = bulk("W", "bcc", a=3.17, cubic=True).repeat(repeat)
    atoms.rattle(0.05, seed=seed)
    return atoms


def fresh(atoms, potential=W):
    """Energy, forces and stress of a copy with a calculator of its own."""
    other = atoms.copy()
    other.calc = potential.calculator()
    return other.get_potential_energy(), other.get_forces(), other.get_stress()


def assert_like_fresh(atoms):
    energy, forces, stress = fresh(atoms)
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-10)
    np.testing.assert_allclose(atoms.get_forces(), forces, rtol=0, atol=1e-10)
    np.testing.assert_allclose(atoms.get_stress(), stress, rtol=0, atol=1e-11)


def test_a_long_run_keeps_its_energy():
    """3 ps at 1200 K and then some: atoms leave the skin often, and the energy does not drift."""
    atoms = tungsten()
    atoms.calc = W.calculator()
    thermal = np.sqrt(units.kB * 1200 * atoms.get_masses())[:, None]
    atoms.set_momenta(thermal * np.random.default_rng(1).normal(size=(len(atoms), 3)))
    atoms.set_momenta(atoms.get_momenta() - atoms.get_momenta().mean(axis=0) + 1.0)
    total, kinetic = [], []
    md = VelocityVerlet(atoms, timestep=2 * units.fs, logfile=None)
    for _ in range(100):
        md.run(15)
        total.append(atoms.get_total_energy()), kinetic.append(atoms.get_kinetic_energy())
    first, last = np.mean(total[:50]), np.mean(total[50:])
    # fluctuations of the step's error average out, a drift would not
    assert abs(last - first) < 0.02 * np.std(kinetic) and np.ptp(total) < 0.1 * np.ptp(kinetic)
    assert atoms.calc._neighbours.builds > 20  # a skin's worth of motion many times over
    assert_like_fresh(atoms)


def test_cells_change():
    atoms = tungsten()
    atoms.calc = W.calculator()
    for change in ([1.01, 1, 1], [1, 0.98, 1.02], [1.05, 1.05, 1.05]):
        atoms.set_cell(atoms.cell * np.array(change)[:, None], scale_atoms=True)
        assert_like_fresh(atoms)
        atoms.set_cell(atoms.cell @ [[1, 0.02, 0], [0, 1, 0], [0, 0.01, 1]], scale_atoms=False)
        assert_like_fresh(atoms)


def test_atoms_are_added_and_removed():
    atoms = tungsten()
    atoms.calc = W.calculator()
    rng = np.random.default_rng(0)
    for _ in range(5):
        assert_like_fresh(atoms)
        del atoms[int(rng.integers(len(atoms)))]
        assert_like_fresh(atoms)
        atoms.append(Atom("W", atoms.positions[0] + [0.5, 0.5, 1.2]))
        assert_like_fresh(atoms)
        atoms = atoms[rng.permutation(len(atoms))]  # the same number, another order
        atoms.calc = W.calculator()


def test_elements_change():
    atoms = tungsten()
    atoms.calc = W.calculator()
    assert_like_fresh(atoms)
    atoms.symbols[3] = "Mo"
    for _ in range(2):  # and no old answer the second time
        with pytest.raises(ValueError, match="the atoms contain Mo"):
            atoms.get_potential_energy()
    with pytest.raises(ValueError, match="the atoms contain Mo"):
        atoms.calc.calculate(atoms)
    with pytest.raises(ValueError, match="the atoms contain Mo"):
        atoms.get_forces()
    atoms.symbols[3] = "W"
    assert_like_fresh(atoms)


def test_several_atoms_share_a_calculator():
    shared = W.calculator()
    many = [tungsten(seed=k) for k in range(3)] + [tungsten((1, 2, 3), seed=4)]
    for atoms in many:
        atoms.calc = shared
    for _ in range(2):
        for atoms in many:
            assert_like_fresh(atoms)
            atoms.positions += 0.01


def test_copies_and_pickles_are_independent():
    atoms = tungsten()
    atoms.calc = W.calculator()
    expected = fresh(atoms)
    atoms.get_forces()
    for other in (copy.deepcopy(atoms), pickle.loads(pickle.dumps(atoms))):
        other.positions[0] += 0.1
        assert_like_fresh(other)
        np.testing.assert_allclose(atoms.get_forces(), expected[1], rtol=0, atol=1e-12)


def test_two_threads_share_a_calculator():
    shared, wrong = W.calculator(), []

    def work(seed):
        atoms = tungsten(seed=seed)
        expected = fresh(atoms)
        atoms.calc = shared
        for _ in range(60):
            shared.reset()
            if abs(atoms.get_potential_energy() - expected[0]) > 1e-10:
                wrong.append("energy")
            if np.abs(atoms.get_forces() - expected[1]).max() > 1e-10:
                wrong.append("forces")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        [t.start() for t in threads], [t.join() for t in threads]
    finally:
        sys.setswitchinterval(before)
    assert not wrong


def test_what_is_no_configuration_is_refused():
    pair = dict(symbols="W2", positions=[[0, 0, 0], [2.7, 0, 0]])
    for options, wanted in (
        (dict(pbc=True), "has no vector there"),
        (dict(cell=[5, 0, 0], pbc=[1, 1, 0]), "has no vector there"),
        (dict(cell=[[5, 0, 0], [5, 1e-12, 0], [0, 0, 5]], pbc=True), "flat"),
        (dict(cell=np.full((3, 3), np.nan), pbc=True), "without a length"),
        (dict(cell=[0.01] * 3, pbc=True), "give lengths in angstrom"),
        (dict(positions=[[0, 0, 0], [np.inf, 0, 0]]), "nan or infinity"),
        (dict(positions=[[0, 0, 0], [1e12, 0, 0]]), "no longer exact"),
        (dict(positions=[[0, 0, 0], [0, 0, 1e-9]]), "at the same place"),
    ):
        atoms = Atoms(**{**pair, **options}, calculator=W.calculator())
        for _ in range(2):
            with pytest.raises(ValueError, match=wanted):
                atoms.get_forces()


def test_atoms_that_creep_into_one_place_have_no_force():
    """Within the skin the list is not made anew, and coincidence is seen by the numbers."""
    atoms = Atoms("W2", positions=[[0, 0, 0], [0.1, 0, 0]], calculator=W.calculator())
    atoms.get_forces()
    atoms.positions[:] = 0
    with pytest.raises(NotFinite, match="too near"):
        atoms.get_forces()


ENERGIES = """
import numpy as np
import test_ase_calculator as t
for potential in t.potentials():
    energy, forces, stress = t.fresh(t.tungsten(), potential)
    print(repr([float(energy), *map(float, forces.ravel()), *map(float, stress)]))
"""


def potentials():
    basis = ACEBasis(4.4, 6, 3, 2.74)
    theta = 0.3 * np.random.default_rng(0).normal(size=len(basis)) / basis.prior
    return W, LinearACE(basis, theta, "W")


@pytest.mark.slow
def test_one_or_two_threads_with_or_without_a_cache(tmp_path):
    """A read-only installation without a home: no cache of kernels can be read or written."""
    source = Path(mlipgen.__file__).parent
    own = shutil.copytree(
        source, tmp_path / "mlipgen", ignore=shutil.ignore_patterns("__pycache__")
    )
    for folder in ("crystals", "potentials"):
        (own / folder / "__pycache__").touch()  # a file in its place: no folder can be made
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("XDG_")},
        "HOME": "/proc/nowhere",
        "NUMBA_NUM_THREADS": "2",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.path.dirname(__file__)]),
    }
    done = subprocess.run(
        [sys.executable, "-c", ENERGIES],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for line, potential in zip(done.stdout.splitlines(), potentials(), strict=True):
        energy, forces, stress = fresh(tungsten(), potential)
        np.testing.assert_allclose(
            eval(line), [energy, *forces.ravel(), *stress], rtol=1e-8, atol=1e-8
        )


@pytest.mark.slow
def test_damaged_caches_of_kernels_are_made_anew(tmp_path):
    """Truncated files of numba's cache mean compiling again, and are replaced."""
    from numba.core.config import CACHE_DIR

    assert not CACHE_DIR
    code = (
        "import numpy as np; from mlipgen.crystals._scatter import outflow; "
        "print(outflow(np.ones((1, 2)), np.array([0]), np.array([1]), 2).tolist())"
    )
    run = lambda: subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    wanted = "[[1.0, 1.0], [-1.0, -1.0]]\n"
    assert run().stdout == wanted
    files = sorted(p for p in tmp_path.rglob("*") if p.suffix in (".nbi", ".nbc"))
    assert len(files) >= 2
    for k, path in enumerate(files):
        path.write_bytes(path.read_bytes()[:7] if k % 2 else b"")
    done = run()
    assert done.returncode == 0 and done.stdout == wanted, done.stderr[-2000:]
    assert all(len(p.read_bytes()) > 7 for p in files if p.suffix == ".nbi")
