"""The recorder of foundation models' labels, with a cheap calculator in the place of the model; and
what was recorded of one as the reference of a fit.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT
from ase.io import read, write

from mlipgen.crystals import Crystal
from mlipgen.generalisation.assess import Assessment
from mlipgen.generalisation.forecast import forecast
from mlipgen.potentials import CalculatorModel
from mlipgen.potentials.files import load_model
from mlipgen.potentials.recorded import RecordedCalculator

ROOT = Path(__file__).resolve().parents[1]
ORIGIN = {"model": "emt", "level": "none, at all", "dtype": "float64", "versions": "ase 3, numpy 2"}


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script():
    return loaded("record_foundation")


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


def test_the_fits_begin_with_the_assessed_one_and_each_truth_is_within_its_bar():
    data = ROOT / "book" / "data"
    fits = json.loads((data / "sevennet_fits.json").read_text(encoding="utf-8"))["fits"]
    main = Assessment.load(data / "sevennet_assessment.json").defects[0].main
    first = fits[0]
    assert first["geometry"][0] == pytest.approx(main.geometry.value, rel=1e-3)
    assert first["truth"]["geometry"] == pytest.approx(main.truth.geometry, rel=1e-3)
    assert first["truth"]["energy"] == pytest.approx(main.truth.energy, abs=1e-4)
    for fit in fits:
        for quantity in ("geometry", "energy"):
            value, bar = fit[quantity]
            assert abs(value - fit["truth"][quantity]) <= bar, fit["kinds"]


@pytest.mark.slow
def test_the_recorded_forecast_is_found_again_from_its_labels():
    """Without the foundation model: the fit relaxed, the labels read, the same numbers."""
    script, data = loaded("assess_foundation"), ROOT / "book" / "data"
    report = Assessment.load(data / "sevennet_assessment.json")
    main = report.defects[0].main
    crystal = Crystal("W", "bcc", *report.reference.lattice)
    labels = CalculatorModel(
        RecordedCalculator(data / "sevennet_labels.xyz"), "W", "bcc", crystal.a, step=script.STEP
    )
    found = forecast(
        load_model(data / "sevennet_fit.json"),
        labels,
        crystal,
        "vacancy",
        script.DOMAIN,
        script.CHECKS,
    )
    assert [step.atoms for step in found.steps] == [step.atoms for step in main.steps]
    for step, then in zip(found.steps, main.steps, strict=True):
        assert step.geometry == pytest.approx(then.geometry, rel=1e-3)
        assert step.energy == pytest.approx(then.energy, abs=1e-5)
        assert step.kappa == pytest.approx(then.kappa, rel=0.02)
    assert bool(found.verdict) == main.applies
    # nothing of the size of the domain is among the labels
    assert max(map(len, read(data / "sevennet_labels.xyz", ":"))) < found.atoms
