"""Labels on disk, computations rehearsed, and files of labels: nothing is computed twice, nothing
is lost, and nothing foreign is taken for a label.
"""

import json
import multiprocessing
import subprocess
import sys

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from ase.io import write

from mlipgen.crystals import Crystal, Supercell, as_atoms, vacancy
from mlipgen.equilibrium import relax
from mlipgen.experiments.study import Study
from mlipgen.learning import Configuration, Energy, Forces, fit, training_set
from mlipgen.learning.labelled import _is_perfect, labelled_set
from mlipgen.learning.labels import CachedCalculator, LabelStore, structure_key, with_store
from mlipgen.learning.planning import dry_run
from mlipgen.potentials import EAM, ACEBasis, CalculatorModel
from mlipgen.potentials.naming import load_potential
from mlipgen.potentials.recorded import RecordedCalculator

W, CRYSTAL = EAM("W"), Crystal.equilibrium(EAM("W"))


class Counted(Calculator):
    """Tungsten's calculator, counting its calculations."""

    def __init__(self, offers=("energy", "forces", "energies", "stress")):
        super().__init__()
        self.inner, self.count, self.implemented_properties = W.calculator(), 0, list(offers)

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        self.count += 1
        self.inner.calculate(self.atoms.copy())
        self.results = {k: self.inner.results[k] for k in self.implemented_properties}


def model(calculator, **options):
    return CalculatorModel(
        calculator, "W", cutoff=W.cutoff, supercell=2, fingerprint="W-EAM 1", **options
    )


def work(m):
    """Force constants, the pressure and one relaxation."""
    table = m.force_constants(CRYSTAL)
    state = relax(m, vacancy(Supercell(CRYSTAL, 3)), tolerance=1e-4, saddle="ignore")
    return table.K, m.pressure_work(CRYSTAL), state.positions, state.site_energies


def test_a_second_run_computes_nothing_and_gives_the_same_digits(tmp_path):
    plain, first, second = Counted(), Counted(), Counted()
    expected = work(model(plain))
    one = with_store(model(first), tmp_path)
    again = with_store(model(second), tmp_path / "labels.jsonl")
    for m in (one, again):
        assert all(np.array_equal(a, b) for a, b in zip(work(m), expected))
    assert first.count == plain.count and second.count == 0
    assert one.calculator.computed == one.calculator.asked == again.calculator.asked == first.count
    assert one.calls == again.calls > 0


def test_labels_are_kept_by_calculator_and_structure(tmp_path):
    store, cell = LabelStore(tmp_path), Supercell(CRYSTAL, 2)
    calculators = [Counted(), Counted()]
    for inner, mark in zip(calculators, ("one 1", "other 1")):
        atoms = cell.crystal.unit.copy()
        atoms.calc = CachedCalculator(inner, store, mark)
        atoms.get_forces(), atoms.get_potential_energy(), atoms.get_stress()
        atoms.positions[0, 0] += 1e-15 * CRYSTAL.a
        atoms.get_forces()
    assert [c.count for c in calculators] == [2, 2] and len(store) == 4


def test_structures_differ_by_what_matters():
    a = CRYSTAL.unit.copy()
    keys = {structure_key(a)}
    for change in (
        lambda b: b.set_positions(b.positions + [0, 0, 1e-12]),
        lambda b: b.set_cell(b.cell * 1.0000001),
        lambda b: b.set_pbc([1, 1, 0]),
        lambda b: b.set_chemical_symbols(["Mo", "W"]),
    ):
        b = a.copy()
        change(b)
        keys.add(structure_key(b))
    assert len(keys) == 5
    b = a.copy()
    b.positions[0] = -0.0
    assert structure_key(b) == structure_key(a)


def test_a_calculator_is_made_when_it_is_needed(tmp_path):
    made = []

    def make():
        made.append(Counted())
        return made[-1]

    atoms = CRYSTAL.unit.copy()
    for _ in range(2):
        atoms.calc = CachedCalculator(make, LabelStore(tmp_path), "a 1")
        atoms.get_forces()
    assert len(made) == 1


def test_what_a_calculator_lacks_is_asked_once(tmp_path):
    atoms, inner = CRYSTAL.unit.copy(), Counted(offers=("energy", "forces"))
    for _ in range(2):
        atoms.calc = CachedCalculator(inner, LabelStore(tmp_path), "a 1")
        atoms.get_forces()
        with pytest.raises(PropertyNotImplementedError, match="offers no stress"):
            atoms.get_stress()
    assert inner.count == 1
    one, other = (model(Counted(o)) for o in (("energy", "forces"), ("energy", "forces", "stress")))
    one, other = (with_store(m, tmp_path / f"{k}.jsonl") for k, m in enumerate((one, other)))
    strained = Crystal("W", "bcc", 1.01 * CRYSTAL.a)
    assert np.allclose(one.pressure_work(strained), other.pressure_work(strained), atol=1e-7)


def test_what_is_not_finite_is_not_kept(tmp_path):
    class Nan(Counted):
        def calculate(self, *arguments, **options):
            super().calculate(*arguments, **options)
            self.results["forces"] = np.nan * self.results["forces"]

    atoms = CRYSTAL.unit.copy()
    atoms.calc = CachedCalculator(Nan(), store := LabelStore(tmp_path), "a 1")
    assert np.isnan(atoms.get_forces()).all() and len(store) == 0


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
import test_labels
from mlipgen.learning.labels import with_store

class Killed(test_labels.Counted):
    def calculate(self, *arguments, **options):
        with open({log!r}, "a") as log:
            log.write("x")
        if {limit} and self.count == {limit}:
            os.kill(os.getpid(), signal.SIGKILL)
        super().calculate(*arguments, **options)

print(repr(float(test_labels.work(with_store(test_labels.model(Killed()), {folder!r}))[3].sum())))
"""


@pytest.mark.slow
def test_killed_and_started_again_it_asks_nothing_twice(tmp_path):
    expected = work(model(plain := Counted()))[3].sum()
    log = tmp_path / "log"

    def run(limit):
        text = KILLED.format(
            tests=str(__file__).rpartition("/")[0], log=str(log), limit=limit, folder=str(tmp_path)
        )
        return subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, encoding="utf-8"
        )

    assert run(5).returncode == -9
    path = tmp_path / "labels.jsonl"
    assert len(path.read_text(encoding="utf-8").split("\n")) == 6
    with open(path, "ab") as file:
        file.write(path.read_bytes().split(b"\n")[0][:200])  # torn by the kill
    finished = run(0)
    assert finished.returncode == 0, finished.stderr
    assert float(finished.stdout) == expected and "damaged" not in finished.stderr
    # the calculation that was under way when it was killed is the only one made again
    assert len(log.read_text(encoding="utf-8")) == plain.count + 1
    assert len(LabelStore(tmp_path)) == plain.count


def test_lines_that_are_no_labels_are_not_used_and_left_alone(tmp_path):
    work_once = lambda: with_store(model(Counted()), tmp_path).pressure_work(CRYSTAL)
    work_once()
    path = tmp_path / "labels.jsonl"
    (line,) = path.read_text(encoding="utf-8").splitlines()
    entry = json.loads(line)
    entry["label"]["results"]["energy"] += 1e-9  # somebody's hand, or a bad disk
    foreign = ["{}", "[1, 2]", "not json", json.dumps(entry), '{"check": 1, "label": {}}']
    path.write_text("\n".join([*foreign, line]), encoding="utf-8")  # and without an end
    with pytest.warns(UserWarning, match="5 lines of .* are damaged or no labels"):
        store = LabelStore(path)
    assert len(store) == 0  # the good line has no end: it may be torn
    with pytest.warns(UserWarning, match="5 lines"):
        work_once()
    assert path.read_text(encoding="utf-8").splitlines() == [*foreign, line]


def test_another_files_unfinished_line_is_not_removed(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my notes", encoding="utf-8")
    with_store(model(Counted()), path).pressure_work(CRYSTAL)
    assert path.read_text(encoding="utf-8").startswith("my notes\n{")


def test_a_store_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match="cannot keep labels in .*: (Not a directory|File exists)"):
        LabelStore(tmp_path / "file" / "labels.jsonl")


def _fill(path, start):
    store = LabelStore(path)
    for k in range(start, start + 20):
        atoms = CRYSTAL.unit.copy()
        atoms.positions[0, 0] += k
        store.add("a 1", atoms, {"energy": float(k)})


@pytest.mark.slow
def test_several_processes_share_a_store(tmp_path):
    path = tmp_path / "labels.jsonl"
    store = LabelStore(path)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_fill, args=(path, 20 * k)) for k in range(3)]
    for p in processes:
        p.start()
    for p in processes:
        p.join()
    assert all(p.exitcode == 0 for p in processes)
    atoms = CRYSTAL.unit.copy()
    atoms.positions[0, 0] += 59
    assert store.get("a 1", structure_key(atoms))["results"]["energy"] == 59.0
    assert len(store) == len(LabelStore(path)) == 60


def test_the_bar_counts(tmp_path, capfd):
    m = with_store(model(Counted()), tmp_path, progress=True)
    m.calculator.expect(2)
    m.pressure_work(CRYSTAL)
    m.pressure_work(Crystal("W", "bcc", 3.2))
    m.calculator._bar.close()
    said = capfd.readouterr().err
    assert "W-EAM" in said and "2/2" in said


# Rehearsals


def test_a_dry_run_counts_without_asking(tmp_path):
    inner = Counted()
    plan = dry_run(work, model(inner), W)
    assert inner.count == 0 and not plan.stopped
    real = model(inner)
    work(real)
    assert plan.calls.total() == inner.count and plan.atoms_calls == real.atoms_calls
    assert "   53 atoms" in str(plan) and f"{inner.count} calls to make" in str(plan)
    # some of it known
    store = LabelStore(tmp_path)
    with_store(model(Counted()), store).force_constants(CRYSTAL)
    rest = dry_run(work, model(inner), model(Counted()), store)
    assert rest.known.total() == len(store) and rest.atoms_calls < plan.atoms_calls
    assert "known" in str(rest)


def test_a_rehearsal_that_fails_says_so():
    def run(m):
        m.energy_per_atom(CRYSTAL)
        raise ValueError("too thin")

    plan = dry_run(run, model(Counted()), W)
    assert plan.calls.total() == 1 and "ended early: too thin" in str(plan)


# Files of labels


def labelled_file(path, count=4, bulk=True):
    """Defect cells of a training set, labelled, with a perfect cell."""
    observations = training_set(W, CRYSTAL, "vacancy", 3, count=count)
    frames = [o.configuration.atoms() for o in observations if o.kind == "E"]
    for atoms, o in zip(frames, (o for o in observations if o.kind == "E")):
        atoms.info["centre"] = o.configuration.centre
    if bulk:
        frames.append(CRYSTAL.unit.repeat(3))
    for atoms in frames:
        atoms.calc = W.calculator()
        atoms.get_forces(), atoms.get_stress()
    write(path, frames, format="extxyz")
    return observations, frames


def test_a_fit_to_a_labelled_file_is_the_fit_to_the_potential(tmp_path):
    observations, _ = labelled_file(tmp_path / "labels.xyz")
    found, source = labelled_set(tmp_path / "labels.xyz", CRYSTAL)
    basis = ACEBasis(4.4, 5, 2, float(CRYSTAL.shells[0]))
    mine = fit(found, basis, source, CRYSTAL, "EF")
    # the perfect cell is one configuration more
    perfect = Configuration(*_frame(Supercell(CRYSTAL, 3)), CRYSTAL)
    theirs = fit([*observations, Energy(perfect), Forces(perfect)], basis, W, CRYSTAL, "EF")
    cell = vacancy(Supercell(CRYSTAL, 3))
    a, b = (
        CalculatorModel(f.model.calculator(), "W").evaluate(cell.positions, cell.cell)[1]
        for f in (mine, theirs)
    )
    assert np.abs(a - b).max() < 1e-5  # eight decimals in the file
    assert {o.kind for o in found} == {"E", "F", "Fw"}


@pytest.mark.slow
def test_a_study_with_a_calculators_labels_is_that_of_the_potential(tmp_path):
    potential = EAM("W", fade=(3.5, 4.4))
    calculator = CalculatorModel(
        potential.calculator(), "W", cutoff=potential.cutoff, fingerprint="W-EAM 2"
    )
    cached = with_store(calculator, tmp_path)
    (exact,), (found,), (again,) = (
        Study("W", "vacancy", (3,), ("EF+FC",), (4,), 4, count=3, potential=p).run(progress=False)
        for p in (potential, cached, with_store(calculator, tmp_path))
    )
    for name in ("fit_force", "fit_force_constants", "predicted_geometry", "measured_energy"):
        assert found[name] == pytest.approx(exact[name], rel=1e-5)
        assert again[name] == found[name]
    assert found["verdict"] == exact["verdict"] == "applies"


def _frame(cell):
    return cell.positions, cell.cell


def test_a_recorded_calculator_knows_its_structures_alone(tmp_path):
    path = tmp_path / "labels.xyz"
    _, frames = labelled_file(path, count=2)
    m = load_potential(str(path), "W")
    assert isinstance(m.calculator, RecordedCalculator)
    energies, forces = m.evaluate(frames[1].positions, frames[1].cell.array)
    assert energies.sum() == pytest.approx(frames[1].get_potential_energy(), abs=1e-6)
    assert np.abs(forces - frames[1].get_forces()).max() < 1e-7
    moved = frames[1].positions.copy()
    moved[0, 0] += 0.01
    with pytest.raises(ValueError, match=r"no label .* 53 atoms .2 of that size; .* 0.01 A"):
        m.evaluate(moved, frames[1].cell.array)
    with pytest.raises(ValueError, match="no label of this structure of 2 atoms .0 of that size"):
        m.evaluate(CRYSTAL.unit.positions, CRYSTAL.unit.cell.array)


def test_levels_of_theory_are_not_mixed_without_a_word(tmp_path):
    """A file of two levels is refused with their names; one of them may be taken alone."""
    path = tmp_path / "labels.xyz"
    _, frames = labelled_file(path, count=3)
    names = ("PBE", "PBE", "r2SCAN", None)  # the perfect cell names none
    for atoms, name in zip(frames, names, strict=True):
        atoms.info |= {"level": name} if name else {}
    write(path, frames, format="extxyz")
    for ask in (lambda: labelled_set(path, CRYSTAL), lambda: load_potential(str(path), "W")):
        with pytest.raises(ValueError) as error:
            ask()
        for text in ("mixes levels", "0 is of 'PBE'", "2 of 'r2SCAN'", "level='PBE'", "one name"):
            assert text in str(error.value)
    found, source = labelled_set(path, CRYSTAL, energy_per_atom=-8.9, level="r2SCAN")
    assert [o.kind for o in found] == ["E", "F", "Fw"] and source.level_of_theory == "r2SCAN"
    with pytest.raises(ValueError, match="no label of this structure"):
        source.evaluate(frames[0].positions, frames[0].cell.array)
    with pytest.raises(ValueError, match="is of level 'LDA'; they name 'PBE', 'r2SCAN'"):
        labelled_set(path, CRYSTAL, level="LDA")
    frames[2].info = frames[2].info | {"level": "PBE"}
    write(path, frames, format="extxyz")
    assert labelled_set(path, CRYSTAL)[1].level_of_theory == "PBE"
    assert load_potential(str(path), "W").level_of_theory == "PBE"


def test_a_perfect_crystal_is_known_by_its_sites():
    cell = Supercell(CRYSTAL, 2)
    whole = as_atoms("W", cell.positions, cell.cell)
    assert _is_perfect(whole, CRYSTAL)
    moved, strained, less = whole.copy(), whole.copy(), whole.copy()
    moved.positions[3] += 0.1
    strained.set_cell(1.01 * strained.cell, scale_atoms=True)
    del less[0]
    assert not any(_is_perfect(atoms, CRYSTAL) for atoms in (moved, strained, less))


def test_labelled_files_that_are_refused(tmp_path):
    path = tmp_path / "labels.xyz"
    _, frames = labelled_file(path, count=2, bulk=False)
    with pytest.raises(ValueError, match="holds no perfect bcc crystal .* give energy_per_atom"):
        labelled_set(path, CRYSTAL)
    _, source = labelled_set(path, CRYSTAL, energy_per_atom=-8.0)
    assert source.energy_per_atom(CRYSTAL) == -8.0
    with pytest.raises(ValueError, match="structure 0 of .* is of W, not of Ta"):
        labelled_set(path, Crystal("Ta", "bcc", 3.3))
    open_end = tmp_path / "open.xyz"
    frames[1].pbc = [True, True, False]
    write(open_end, frames, format="extxyz")
    with pytest.raises(ValueError, match="structure 1 of .* is not periodic"):
        labelled_set(open_end, CRYSTAL, energy_per_atom=-8.0)
    for atoms in frames:
        atoms.calc = None
    write(path, frames, format="extxyz")
    with pytest.raises(ValueError, match="none of the 2 structures .* has both energy and forces"):
        labelled_set(path, CRYSTAL)
    path.write_text("2\nnonsense", encoding="utf-8")
    with pytest.raises(ValueError, match="cannot be read"):
        labelled_set(path, CRYSTAL)
    with pytest.raises(ValueError, match="there is no file"):
        labelled_set(tmp_path / "none.xyz", CRYSTAL)
