"""Calculators by name, and in processes of their own."""

import copy
import json
import os
import signal
import sys

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.emt import EMT

from mlipgen.crystals import Crystal, Supercell
from mlipgen.failures import CalculatorDied
from mlipgen.potentials import (
    EAM,
    ACEBasis,
    CalculatorModel,
    LinearACE,
    StillingerWeber,
    save_model,
)
from mlipgen.potentials import _worker as worker
from mlipgen.potentials.naming import calculator_spec, load_potential, read_calculators
from mlipgen.potentials.remote import RemoteCalculator

EMT_RECIPE = {"module": "ase.calculators.emt", "class_name": "EMT", "kwargs": {}}
SCRIPT = """
import os
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT

ready = EMT()
number = 3

def make():
    return EMT()

def ours():
    from mlipgen.potentials import EAM
    return EAM("Cu")

def nothing():
    return [1, 2]

class Loud(EMT):
    def calculate(self, *arguments, **options):
        print("not an answer")
        super().calculate(*arguments, **options)

class Device(EMT):
    def __init__(self, device="none", default_dtype="none", path=None):
        super().__init__()
        self.given = device, default_dtype, path

class Dies(EMT):
    count = 0
    def calculate(self, *arguments, **options):
        self.count += 1
        if self.count == 3:
            os.write(2, b"out of memory")
            os._exit(7)
        super().calculate(*arguments, **options)

class Stumbles(EMT):
    def calculate(self, atoms, *arguments, **options):
        if atoms.positions[0, 0] > 5:
            raise ValueError("too far")
        if atoms.positions[0, 1] > 5:
            raise ZeroDivisionError("zero")
        super().calculate(atoms, *arguments, **options)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


def copper(rattle=0.1):
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.rattle(rattle)
    return atoms


# Names


def test_the_librarys_own(tmp_path):
    assert repr(load_potential("EAM:W", "W")) == repr(EAM("W"))
    assert repr(load_potential("SW:Si", "Si")) == repr(StillingerWeber("Si"))
    basis = ACEBasis(4.4, 4, 2, 2.74)
    save_model(LinearACE(basis, np.ones(len(basis)), "W"), tmp_path / "fit.json")
    assert load_potential(str(tmp_path / "fit.json"), "W").symbol == "W"
    with pytest.raises(ValueError, match="EAM:W is for W, not for Ta"):
        load_potential("EAM:W", "Ta")
    with pytest.raises(ValueError, match="No such file"):
        load_potential(str(tmp_path / "none.json"), "W")
    with pytest.raises(ValueError, match="no EAM parameters for 'Xx'"):
        load_potential("EAM:Xx", "Xx")


def test_a_calculator_in_a_python_file(script):
    atoms = copper()
    atoms.calc = EMT()
    for name in ("ready", "make", "Loud"):
        model = load_potential(f"{script}:{name}", "Cu")
        assert isinstance(model, CalculatorModel)
        energies, forces = model.evaluate(atoms.positions, atoms.cell.array)
        assert energies.sum() == pytest.approx(atoms.get_potential_energy())
        assert np.allclose(forces, atoms.get_forces())
    assert type(load_potential(f"{script}:ours", "Cu").calculator).__name__ == "SiteCalculator"


@pytest.mark.parametrize(
    "name, message",
    [
        ("script.py", "name the calculator in that file"),
        ("script.py:absent", "has no absent"),
        ("script.py:Stumble", "has no Stumble; it has Stumbles"),
        ("script.py:number", "neither a calculator nor makes one"),
        ("script.py:nothing", "made list: no ASE calculator"),
        ("none.py:a", "there is no file"),
        ("broken.py:a", "does not run: ZeroDivisionError"),
        ("nonsense", "is no potential; write EAM:W"),
    ],
)
def test_what_is_wrong_is_said(script, monkeypatch, name, message):
    monkeypatch.chdir(script.parent)
    (script.parent / "broken.py").write_text("1 / 0", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_potential(name, "Cu")


YAML = """
emt-a:
  module: ase.calculators.emt
  class_name: EMT
  datasets: [MPtrj]
  device: "auto"
  trained_on_dispersion: false
  level_of_theory: PBE
  cutoff: 5.7
  kwargs:
    asap_cutoff: true
given:
  file: script.py
  class_name: Device
  device: cuda:1
  overwrite_dtype: float64
  kwargs: {path: data.bin}
"""


def test_yaml_in_the_form_of_ml_peg(script):
    path = script.parent / "models.yml"
    path.write_text(YAML, encoding="utf-8")
    specs = read_calculators(path)
    assert list(specs) == ["emt-a", "given"]
    assert (specs["emt-a"].level_of_theory, specs["emt-a"].cutoff) == ("PBE", 5.7)
    assert specs["emt-a"].calculator().parameters["asap_cutoff"] is True
    assert specs["given"].calculator().given == ("cuda:1", "float64", "data.bin")
    model = load_potential(f"{path}:emt-a", "Cu", noise=(1e-14, 1e-14))
    assert (model.name, model.cutoff, model.level_of_theory) == ("emt-a", 5.7, "PBE")
    assert model.noise.energy == 1e-14 and model.fingerprint == specs["emt-a"].fingerprint
    path.write_text(
        "- name: only\n  module: ase.calculators.emt\n  class_name: EMT\n", encoding="utf-8"
    )
    assert calculator_spec(str(path)).name == "only"
    with pytest.raises(ValueError, match="has no entry 'emt'; it has only"):
        calculator_spec(f"{path}:emt")


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: !!python/object/apply:os.system ['true']", "is not plain YAML"),
        ("a: [1", "is not plain YAML"),
        ("[" * 101 + "]" * 101, "nested too deeply"),
        ("", "holds no calculators"),
        ("{}", "holds no calculators"),
        ("- module: x", "every entry of a list needs a name"),
        ("- {a: 1}", "every entry of a list needs a name"),
        ("a: 3", "entry 'a' of .*: give it module and class_name"),
        ("a: {module: os, class_name: system.x}", "class_name is 'system.x'"),
        ("a: {module: os, class_name: system, kwarg: {}}", "'kwarg' is unknown; kwargs?"),
        ("a: {class_name: b}", "needs class_name, and either module or file"),
        ("a: {module: [1], class_name: b}", "module is .1., no text"),
        ("a: {module: os, class_name: b, kwargs: 3}", "kwargs are 3, no mapping"),
        ("a: {module: os, class_name: b, kwargs: {d: 2020-01-01}}", "not JSON serializable"),
        ("a: {module: os, class_name: b, cutoff: wide}", "could not convert"),
    ],
)
def test_yaml_that_is_refused(tmp_path, text, message):
    path = tmp_path / "models.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_calculators(path)


@pytest.mark.parametrize(
    "recipe, message",
    [
        ({"module": "no_such_package.x", "class_name": "Y"}, "install the package it is of"),
        ({"module": "ase.calculators.emt", "class_name": "Emt"}, "has no Emt; it has EMT"),
        ({"module": "math", "class_name": "pi"}, "neither a calculator nor makes one"),
    ],
)
def test_modules_and_classes_that_are_missing(recipe, message):
    with pytest.raises(ValueError, match=message):
        worker.build(recipe)
    with pytest.raises(ValueError, match=message):
        RemoteCalculator(recipe)


def test_fingerprints_know_the_recipe_and_the_files(script, monkeypatch):
    monkeypatch.chdir(script.parent)
    (script.parent / "data.bin").write_text("1", encoding="utf-8")
    (script.parent / "models.yml").write_text(YAML, encoding="utf-8")
    mark = lambda name: calculator_spec(name).fingerprint
    given, script_mark = mark("models.yml:given"), mark("script.py:make")
    assert mark("models.yml:given") == given != mark("models.yml:emt-a")
    (script.parent / "data.bin").write_text("2", encoding="utf-8")
    assert mark("models.yml:given") != given
    script.write_text(SCRIPT + "\n", encoding="utf-8")
    assert mark("script.py:make") != script_mark
    unnamed = [CalculatorModel(EMT(), "Cu").fingerprint for _ in range(2)]
    assert unnamed[0] != unnamed[1]


# Processes


def test_another_process_gives_the_same_numbers():
    atoms, there = copper(), copper()
    atoms.calc, there.calc = EMT(), RemoteCalculator(EMT_RECIPE)
    for _ in range(3):
        assert there.get_potential_energy() == atoms.get_potential_energy()
        assert np.array_equal(there.get_forces(), atoms.get_forces())
        assert np.array_equal(there.get_stress(), atoms.get_stress())
        for a in (atoms, there):
            a.positions[0] += 0.05
            a.set_cell(1.01 * a.cell)
    assert there.calc._process.pid != os.getpid()
    assert there.calc.implemented_properties == EMT.implemented_properties
    with pytest.raises(PropertyNotImplementedError):
        there.get_dipole_moment()
    there.calc.close()


@pytest.mark.slow
def test_a_model_in_another_process(script):
    spec = calculator_spec(f"{script}:ours")
    model = spec.model("Cu", own_process=True, supercell=3)
    here = CalculatorModel(EAM("Cu").calculator(), "Cu", supercell=3)
    crystal = Crystal.equilibrium(EAM("Cu"))
    assert np.array_equal(model.force_constants(crystal).K, here.force_constants(crystal).K)
    assert len(model.evaluate(*_frame(crystal))[0]) == 32
    model.calculator.close()


def _frame(crystal):
    cell = Supercell(crystal, 2)
    return cell.positions, cell.cell


def test_what_a_library_prints_is_no_answer(script):
    atoms = copper()
    atoms.calc = calculator_spec(f"{script}:Loud").calculator(own_process=True)
    assert np.isfinite(atoms.get_potential_energy())
    atoms.calc.close()


def test_errors_come_back_and_the_process_lives_on(script):
    atoms = copper()
    atoms.calc = calculator_spec(f"{script}:Stumbles").calculator(own_process=True)
    atoms.positions[0] = [6, 0, 0]
    with pytest.raises(ValueError, match="too far"):
        atoms.get_forces()
    atoms.positions[0] = [0, 6, 0]
    with pytest.raises(RuntimeError, match="Stumbles: ZeroDivisionError: zero"):
        atoms.get_forces()
    pid = atoms.calc._process.pid
    atoms.positions[0] = 0
    assert np.isfinite(atoms.get_forces()).all() and atoms.calc._process.pid == pid
    atoms.calc.close()


def test_an_interrupted_question_is_not_answered_later(monkeypatch):
    atoms, other = copper(), copper()
    atoms.calc, other.calc = RemoteCalculator(EMT_RECIPE), EMT()
    with monkeypatch.context() as patch:
        patch.setattr(atoms.calc, "_answer", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            atoms.get_potential_energy()
    for a in (atoms, other):
        a.positions[0] += 0.3
    assert atoms.get_potential_energy() == other.get_potential_energy()
    atoms.calc.close()


@pytest.mark.slow
def test_lammps_by_name_here_and_in_another_process():
    models = [
        load_potential("LAMMPS:Cu_Zuo_JPCA2020.snap", "Cu", own_process=own)
        for own in (False, True)
    ]
    frame = copper()
    here, there = (m.evaluate(frame.positions, frame.cell.array) for m in models)
    assert len(here[0]) == 32 and np.allclose(here[1], there[1], atol=1e-12)
    assert here[0].sum() == pytest.approx(there[0].sum(), abs=1e-10)
    assert models[0].fingerprint == models[1].fingerprint
    models[1].calculator.close()


@pytest.mark.slow
def test_a_process_that_dies_is_reported_and_started_again(script):
    atoms = copper()
    atoms.calc = calculator_spec(f"{script}:Dies").calculator(own_process=True)
    for _ in range(2):
        atoms.rattle(0.01, seed=1)
        atoms.get_forces()
    atoms.rattle(0.01, seed=2)
    with pytest.raises(CalculatorDied, match=r"exit status 7\) after 2 .* words: out of memory"):
        atoms.get_forces()
    assert np.isfinite(atoms.get_forces()).all()
    os.kill(atoms.calc._process.pid, signal.SIGKILL)
    atoms.calc._process.wait()
    atoms.rattle(0.01, seed=3)
    assert np.isfinite(atoms.get_forces()).all()  # it was idle: nothing was lost
    atoms.calc.close()


def test_a_remote_calculator_goes_to_other_processes_as_its_recipe():
    calculator = RemoteCalculator(EMT_RECIPE, name="emt")
    twin = copy.copy(calculator)
    assert twin.recipe == EMT_RECIPE and twin._process.pid != calculator._process.pid
    for c in (calculator, twin):
        c.close()


def test_a_python_that_is_not_there():
    with pytest.raises(ValueError, match="cannot run /no/python"):
        RemoteCalculator(EMT_RECIPE, python="/no/python")
    calculator = RemoteCalculator(EMT_RECIPE, python=sys.executable)
    calculator.close()


def test_messages_hold_arrays_and_text_and_nothing_that_runs():
    message = worker.pack(a=np.arange(3.0), words=json.dumps(["x"]))
    back = worker.unpack(message)
    assert np.array_equal(back["a"], np.arange(3.0)) and json.loads(str(back["words"])) == ["x"]
    with pytest.raises(ValueError, match="allow_pickle"):
        worker.unpack(worker.pack(bad=np.array([object()], dtype=object)))
