"""Studies: the table, resuming after a kill, the same result as an uninterrupted run."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from mlipgen.experiments.relaxations import relax_report
from mlipgen.experiments.study import Study, reference_potential

pytestmark = pytest.mark.slow  # its fits are shared, and take seconds

SMALL = dict(
    crystal="W",
    defect="vacancy",
    cells=(3, 4),
    observations=("E", "EF", "EF+FC"),
    degrees=(6,),
    test_cell=5,
    count=5,
)
NAMED = [
    "cell",
    "observations",
    "degree",
    "n_basis",
    "predicted_geometry",
    "linear_predicted_geometry",
    "measured_geometry",
    "predicted_energy",
    "measured_energy",
    "effectivity",
    "verdict",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    return Study(**SMALL).run(out, progress=False), out


def without_time(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def test_table_has_one_row_a_point(finished):
    rows, out = finished
    table = list(csv.DictReader((out / "study.csv").read_text(encoding="utf-8").splitlines()))
    assert [(r["cell"], r["degree"], r["observations"]) for r in table] == [
        (str(n), "6", kinds) for n in (3, 4) for kinds in ("E", "EF", "EF+FC")
    ]
    assert set(NAMED) <= set(table[0]) and tuple(table[0]) == tuple(rows[0])
    for text, row in zip(table, rows):
        for key, value in row.items():
            assert text[key] == ("" if value is None else str(value))
        if row["verdict"] != "applies":
            assert (
                row["predicted_geometry"] is None
                and row["predicted_energy"] is None
                and row["effectivity"] is None
            )
    good = [r for r in rows if r["observations"] != "E"]
    for row in good:
        assert row["verdict"] == "applies" and row["n_basis"] == 30
        assert row["effectivity"] == pytest.approx(
            row["predicted_geometry"] / row["measured_geometry"]
        )


def test_json_and_figure(finished):
    rows, out = finished
    stored = json.loads((out / "study.json").read_text(encoding="utf-8"))
    assert stored["rows"] == rows and stored["study"]["cells"] == [3, 4] and stored["version"]
    assert (out / "study.png").read_bytes().startswith(b"\x89PNG")


def test_finished_points_are_not_computed_again(finished, monkeypatch):
    rows, out = finished
    before = (out / "points.jsonl").read_bytes()
    monkeypatch.setattr(
        Study,
        "prepare",
        lambda self: pytest.fail("nothing is missing, yet the study prepared itself"),
    )
    assert Study(**SMALL).run(out, progress=False) == rows
    # a part of the grid
    assert Study(**{**SMALL, "cells": (4,)}).run(out, progress=False) == rows[3:]
    assert (out / "points.jsonl").read_bytes() == before


def test_other_settings_are_other_points(finished):
    keys = {
        Study(**{**SMALL, **change}).key
        for change in (
            {},
            dict(seed=1),
            dict(ridge=1e-5),
            dict(count=6),
            dict(test_cell=6),
            dict(defect="divacancy"),
            dict(crystal="Mo"),
            dict(weights={"E": 1.0}),
            dict(degrees=(6, 8)),
        )
    }
    assert len(keys) == 9
    # held-out cells are the largest
    assert Study(**{**SMALL, "cells": (3,)}).key != Study(**{**SMALL, "cells": (3, 5)}).key
    assert Study(**SMALL).key == Study(**SMALL).key


def test_a_torn_last_line_is_computed_again(finished, tmp_path):
    rows, out = finished
    lines = (out / "points.jsonl").read_bytes().splitlines(keepends=True)
    kept = b"".join(lines[:-1])
    (tmp_path / "points.jsonl").write_bytes(kept + lines[-1][:40])
    again = Study(**SMALL).run(tmp_path, progress=False)
    assert without_time(again) == without_time(rows) and again[:-1] == rows[:-1]
    assert (tmp_path / "points.jsonl").read_bytes().startswith(kept)


def start(out):
    command = [
        sys.executable,
        "-m",
        "mlipgen.cli",
        "study",
        "--crystal",
        "W",
        "--defect",
        "vacancy",
        "--cells",
        "3,4",
        "--observations",
        "E,EF,EF+FC",
        "--degree",
        "6",
        "--test-cell",
        "5",
        "--count",
        "5",
        "--out",
        str(out),
    ]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        encoding="utf-8",
    )


@pytest.mark.slow
def test_killed_and_started_again(finished, tmp_path):
    """kill -9 as soon as a point is on disk; the second run keeps it byte by byte and ends like an
    uninterrupted one.
    """
    rows, _ = finished
    points = tmp_path / "points.jsonl"
    process = start(tmp_path)
    deadline = time.monotonic() + 120
    while not (points.exists() and points.read_bytes().count(b"\n") >= 1):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "no point within two minutes"
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    saved = points.read_bytes()
    complete = saved[: saved.rfind(b"\n") + 1]
    n = complete.count(b"\n")
    assert 1 <= n < len(rows) and not (tmp_path / "study.csv").exists()
    process = start(tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    # the progress bar counts what is missing
    assert f"{len(rows) - n}/{len(rows) - n}" in err and "W vacancy" in err
    assert "6 points in" in out
    assert points.read_bytes().startswith(complete) and points.read_bytes().count(b"\n") - n in (
        len(rows) - n,
        len(rows) - n + 1,
    )
    again = json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))["rows"]
    for one, other in zip(without_time(again), without_time(rows)):
        # A kernel that this process compiled and the same kernel read from numba's cache order
        # their fused sums differently: 1e-16, which a fit magnifies by its condition number.
        # So does the number of line searches at the end of a long relaxation.
        plain = lambda row: {
            k: v
            for k, v in row.items()
            if isinstance(v, (str, int)) and k not in ("force_evaluations", "why", "outcome_why")
        }
        assert plain(one) == plain(other)
        for key, value in other.items():
            if isinstance(value, float) and key not in ("curvature", "measured_curvature"):
                assert one[key] == pytest.approx(value, rel=1e-4, abs=1e-9), key


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(cells=()), "at least one cell size"),
        (dict(observations=("EX",)), "'EX' is not understood"),
        (dict(cells=(3, 6)), "test cell 5 is smaller than the training cell 6"),
        (dict(degrees=()), "one degree"),
    ],
)
def test_errors_name_the_value_and_the_fix(change, message):
    with pytest.raises(ValueError, match=message):
        Study(**{**SMALL, **change})


def test_reference_potentials():
    assert (
        reference_potential("Si").structure == "diamond"
        and reference_potential("Mg").structure == "hcp"
    )
    with pytest.raises(ValueError, match="'U'; choose one of"):
        reference_potential("U")


def test_relax_report():
    report = relax_report("W", "vacancy", 5)
    assert report["formation_energy"] == pytest.approx(3.577213, abs=6e-7)
    assert (
        report["force_evaluations"] <= 12 and report["max_force"] < 1e-8 and report["atoms"] == 249
    )
    assert report["geometry_norm"] == pytest.approx(1.196, abs=0.01) and report["seconds"] > 0
