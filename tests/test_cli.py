"""The command line: help that is complete, errors that name the value, the allowed ones and the
fix.
"""

import json
import re
import subprocess
import sys

import pytest
from command_line import run

from mlipgen import cli


def test_help_is_complete(capsys):
    status, out, _ = run(capsys, "--help")
    assert status == 0 and "study" in out and "relax" in out and "eV, angstrom" in out
    for command in ("study", "relax"):
        status, out, _ = run(capsys, command, "--help")
        assert status == 0
        subparser = cli.parser()._subparsers._group_actions[0].choices[command]
        for action in subparser._actions:
            assert action.help, f"{command} {action.option_strings} has no help"
            assert all(name in out for name in action.option_strings)
    assert "points.jsonl" in run(capsys, "study", "--help")[1]


@pytest.mark.parametrize(
    "arguments, wanted",
    [
        (["study", "--crystal", "U", "--out", "x"], ["--crystal", "'U'", "Cu, Ag", "Zr"]),
        (
            ["study", "--defect", "hole", "--out", "x"],
            ["--defect", "'hole'", "vacancy", "dumbbell-111"],
        ),
        (["study", "--cells", "3,x", "--out", "x"], ["--cells", "'3,x'", "3,4,5"]),
        (["study", "--cells", "0", "--out", "x"], ["--cells", "'0'", "positive integers"]),
        (["study", "--degree", "", "--out", "x"], ["--degree", "''", "positive integers"]),
        (
            ["study", "--observations", "EF,EQ", "--out", "x"],
            ["--observations", "'EQ'", "E, EF, EFV, EF+FC"],
        ),
        (["study"], ["--out"]),
        (
            ["study", "--cells", "8", "--test-cell", "6", "--out", "x"],
            ["test cell 6", "training cell 8"],
        ),
        (
            ["study", "--cells", "2", "--test-cell", "4", "--out", "x"],
            ["6.33 A thick", "4.40 A", "repeat"],
        ),
        (["study", "--count", "0", "--out", "x"], ["--count", "'0'", "positive integer"]),
        (["study", "--ridge", "-1", "--out", "x"], ["ridge", "-1"]),
        (["study", "--test-cell", "x", "--out", "x"], ["--test-cell", "'x'"]),
        (["relax", "--cell", "0"], ["--cell", "'0'", "positive integer"]),
        (["relax", "--cell", "2"], ["2x2x2 cell is 6.33 A thick", "repeat"]),
        (["relax", "--crystal", "w"], ["--crystal", "'w'", "W"]),
        (["relax", "--tolerance", "0"], ["tolerance", "0"]),
        (["relax", "--tolerance", "-1"], ["tolerance", "-1"]),
        (["relaxx"], ["relaxx", "study", "relax"]),
        ([], ["study", "relax"]),
    ],
)
def test_errors_name_the_value_and_what_is_allowed(
    capsys, tmp_path, monkeypatch, arguments, wanted
):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *arguments)
    assert status == 2 and not out
    for text in wanted:
        assert text in err
    assert "Traceback" not in err


def test_relax_for_machines_and_people(capsys):
    status, out, err = run(
        capsys, "relax", "--crystal", "W", "--defect", "vacancy", "--cell", "4", "--json"
    )
    report = json.loads(out)
    assert status == 0 and not err
    assert report["formation_energy"] == pytest.approx(3.581994, abs=6e-7)
    assert {
        "formation_energy",
        "force_evaluations",
        "max_force",
        "geometry_norm",
        "seconds",
    } <= set(report)
    assert report["max_force"] < 1e-8 and report["force_evaluations"] <= 12
    status, out, _ = run(capsys, "relax", "--cell", "4")
    assert (
        status == 0 and "3.581994 eV" in out and "127 atoms" in out and "force evaluations" in out
    )


@pytest.mark.slow
def test_installed_command():
    """The `mlipgen` script itself, in a process of its own."""
    script = [sys.executable, "-m", "mlipgen.cli"]
    done = subprocess.run(
        script + ["relax", "--cell", "3", "--json"],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0 and json.loads(done.stdout)["formation_energy"] == pytest.approx(
        3.611285, abs=6e-7
    )
    done = subprocess.run(
        script + ["relax", "--cell", "1"], capture_output=True, text=True, encoding="utf-8"
    )
    assert (
        done.returncode == 2
        and done.stderr.startswith("mlipgen relax: ")
        and done.stderr.count("\n") == 1
    )


@pytest.mark.parametrize(
    "arguments, wanted",
    [
        (["relax", "--cell", "300"], ["54,000,000", "memory", "smaller cell"]),
        (["study", "--test-cell", "300", "--out", "x"], ["memory", "smaller cell"]),
        (["study", "--degree", "60", "--out", "x"], ["degree 60", "memory", "lower degree"]),
        (["study", "--ridge", "inf", "--out", "x"], ["ridge = inf"]),
        (["study", "--ridge", "1e300", "--out", "x"], ["ridge = 1e+300"]),
        (["study", "--cutoff", "nan", "--out", "x"], ["--cutoff", "'nan'"]),
        (["study", "--cells", "3x3", "--out", "x", "--degree", "6"], ["3"]),
        (["relax", "--tolerance", "nan"], ["tolerance=nan"]),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_begun(
    capsys, tmp_path, monkeypatch, arguments, wanted
):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *arguments)
    assert status == 2 and not out and "Traceback" not in err
    for text in wanted:
        assert text in err


@pytest.mark.parametrize("where", ["file", "file/below", "x" * 300, "/proc/nowhere"])
def test_results_that_cannot_be_kept(capsys, tmp_path, monkeypatch, where):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("here", encoding="utf-8")
    arguments = ["study", "--cells", "3", "--test-cell", "4", "--degree", "4", "--out", where]
    status, out, err = run(capsys, *arguments)
    assert status == 2 and not out and "Traceback" not in err
    assert "cannot keep results" in err and "give a folder" in err


def test_a_saddle_point_is_followed_and_a_potential_named(capsys):
    named = ["--potential", "EAM:W", "--crystal", "W", "--cell", "3", "--defect", "dumbbell-111"]
    status, out, err = run(capsys, "relax", *named, "--follow")
    assert status == 0 and not err and "a minimum" in out
    assert re.search(r"reached from a saddle point \d\.\d{4} eV above", out)


def test_anisotropic_cells_and_a_cutoff_of_its_own(capsys, tmp_path):
    """Force constants too, though the fit reaches less far than the reference."""
    arguments = ["study", "--cells", "3x3x4", "--test-cell", "4x4x5", "--degree", "6"]
    arguments += ["--cutoff", "4.0", "--observations", "EF+FC", "--count", "4", "--quiet"]
    status, out, err = run(capsys, *arguments, "--out", str(tmp_path))
    assert status == 0 and "1 points" in out and not err
    (row,) = json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))["rows"]
    assert row["cell"] == [3, 3, 4] and row["fit_force_constants"] > 0


def test_the_silicon_vacancy_has_no_displacement_to_compare_with(capsys, tmp_path):
    arguments = ["study", "--crystal", "Si", "--cells", "2", "--test-cell", "3", "--degree", "6"]
    arguments += ["--observations", "EF", "--count", "4", "--quiet", "--out", str(tmp_path)]
    status, _, err = run(capsys, *arguments)
    assert status == 0 and not err
    (row,) = json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))["rows"]
    assert row["relative_error"] is None
