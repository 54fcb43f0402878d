"""The recorder of foundation models' labels, with a cheap calculator in the place of the model."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT
from ase.io import read, write

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "record_foundation.py"
ORIGIN = {"model": "emt", "level": "none, at all", "dtype": "float64", "versions": "ase 3, numpy 2"}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("record_foundation", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    for name, seeds in {"a.xyz": (0, 1), "b.extxyz": (2,)}.items():
        frames = [bulk("Cu", cubic=True).repeat(2) for _ in seeds]
        for atoms, seed in zip(frames, seeds, strict=True):
            atoms.rattle(0.05, seed=seed)
            atoms.info["energy"] = 1.0  # somebody else's label
        write(tmp_path / "in" / name, frames, format="extxyz")
    return tmp_path


class Counting(EMT):
    calls = 0

    def calculate(self, atoms, properties, system_changes):
        Counting.calls += 1
        # a new neighbour list each time: rounding that does not depend on what came before
        super().calculate(atoms, properties, all_changes)


@pytest.fixture
def record(script, folder):
    def run(origin=ORIGIN):
        Counting.calls = 0
        script.record(folder / "in", folder / "out" / "labels.xyz", Counting, origin)
        return Counting.calls

    return run


def test_labels_are_those_of_the_structures_written(record, folder):
    assert record() == 3
    frames = read(folder / "out" / "labels.xyz", ":")
    assert [atoms.info["source"] for atoms in frames] == ["a.xyz#0", "a.xyz#1", "b.extxyz#0"]
    for atoms in frames:
        assert ORIGIN.items() <= atoms.info.items()
        again = atoms.copy()
        again.calc = EMT()
        assert atoms.get_potential_energy() == pytest.approx(
            again.get_potential_energy(), rel=1e-13
        )
        np.testing.assert_allclose(atoms.get_forces(), again.get_forces(), rtol=0, atol=1e-8)
        np.testing.assert_allclose(atoms.get_stress(), again.get_stress(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("cut", [0, 1, 300, -1])
def test_goes_on_where_it_was_killed(record, folder, cut):
    record()
    path = folder / "out" / "labels.xyz"
    whole = path.read_bytes()
    assert record() == 0
    path.write_bytes(whole[: len(whole) // 2] if cut < 0 else whole[: len(whole) - cut])
    assert record() == (0 if cut == 0 else 1 if cut > 0 else 2)
    assert path.read_bytes() == whole


def test_refuses_to_mix_provenances(record):
    record()
    with pytest.raises(SystemExit, match="dtype='float64', these have 'float32'"):
        record(ORIGIN | {"dtype": "float32"})


def test_a_label_that_is_not_finite_ends_it_and_nothing_is_lost(script, folder):
    class Broken(EMT):
        def calculate(self, *args):
            super().calculate(*args)
            if abs(self.atoms.positions - last.positions).max() < 1e-6:
                self.results["forces"][0] = np.nan

    last = read(folder / "in" / "b.extxyz")
    path = folder / "labels.xyz"
    with pytest.raises(SystemExit, match="b.extxyz#0: forces not finite"):
        script.record(folder / "in", path, Broken, ORIGIN)
    assert len(read(path, ":")) == 2


def test_a_folder_without_structures(script, tmp_path):
    with pytest.raises(SystemExit, match=r"holds no \.xyz or \.extxyz file"):
        list(script.structures(tmp_path))
