"""Sweeps and labels on several processes, of this machine and of dask: the serial rows, and nothing
that was finished is lost when a worker is killed.
"""

import json
import os
import re
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase.calculators.calculator import all_changes
from assess_examples import fitted
from fake_points import Logged, begun, fails_at_three

from mlipgen import cli
from mlipgen.crystals import Crystal, Supercell, as_atoms
from mlipgen.experiments.census import CensusStudy
from mlipgen.experiments.forecast_census import ForecastStudy
from mlipgen.experiments.store import Store
from mlipgen.experiments.study import Study
from mlipgen.experiments.sweep import sweep
from mlipgen.failures import WorkerDied
from mlipgen.generalisation.assess import assess
from mlipgen.learning.labels import CachedCalculator, LabelStore, with_store
from mlipgen.potentials import EAM, CalculatorModel, SiteCalculator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    """Two real worker processes."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    from distributed import Client

    with Client(cluster) as client:
        client.wait_for_workers(2)
        yield client


def kill_one_after(store, count):
    """SIGKILL to the process that gave the last of `count` points; what was finished by then, and
    how many points that were not kept yet could be lost with it.
    """
    finished, lost = {}, []

    def wait():
        deadline = time.monotonic() + 60
        while len(store) < count and time.monotonic() < deadline:
            time.sleep(0.005)
        finished.update(store._rows)
        time.sleep(0.2)  # the scheduler hears that they are not needed any more
        lost.append(len(begun(store.path.parent)) - len(finished))
        os.kill(list(finished.values())[-1]["process"], signal.SIGKILL)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, finished, lost


def test_a_killed_worker_of_dask_loses_nothing_and_the_sweep_ends(client, tmp_path):
    store, points = Store(tmp_path, "k"), [(k,) for k in range(24)]
    thread, finished, lost = kill_one_after(store, 6)
    rows = sweep(points, Logged(tmp_path, 0.1), store, client)
    thread.join()
    assert [r["square"] for r in rows] == [k * k for k in range(24)]
    again = Store(tmp_path, "k")
    assert len(finished) >= 6 and len(again) == 24
    assert all(again[p] == row for p, row in finished.items())
    assert all(begun(tmp_path).count(k) == 1 for (k,) in finished)
    # at most what the killed worker held, once more: all but it where this process keeps up
    assert len(begun(tmp_path)) <= 24 + lost[0] + 2


def test_a_killed_local_process_loses_nothing_and_is_named(tmp_path):
    store, points = Store(tmp_path, "k"), [(k,) for k in range(24)]
    thread, finished, _ = kill_one_after(store, 6)
    with (
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool,
        pytest.raises(WorkerDied, match="finished points are kept, start again"),
    ):
        sweep(points, Logged(tmp_path, 0.1), store, pool)
    thread.join()
    again = Store(tmp_path, "k")
    assert 6 <= len(finished) <= len(again) < 24
    rows = sweep(points, Logged(tmp_path, 0.0), again)
    assert [r["square"] for r in rows] == [k * k for k in range(24)]
    assert all(begun(tmp_path).count(k) == 1 for (k,) in finished)


@pytest.mark.parametrize("where", ["dask", "local"])
def test_what_runs_beside_a_failing_point_is_kept(client, where):
    store, points = Store(None, ""), [(k,) for k in range(3, 203)]
    with pytest.raises(ArithmeticError, match="three"):
        if where == "dask":
            sweep(points, fails_at_three, store, client)
        else:
            with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
                sweep(points, fails_at_three, store, pool)
    assert len(store) < 100
    assert where == "dask" or len(store) >= 1  # dask gives up running points, too


SMALL = {"cells": (3,), "degrees": (4, 5), "test_cell": 4, "count": 3}


def plain(row):
    return {k: v for k, v in row.items() if k not in ("seconds", "curvature", "measured_curvature")}


@pytest.mark.parametrize(
    "study",
    [
        Study(observations=("EF",), **SMALL),
        ForecastStudy(observations=("EF",), beyond=(0,), saddle="ignore", **SMALL),
        CensusStudy(observations=("EF",), **SMALL | {"degrees": (5,)}),
    ],
    ids=["study", "forecast", "census"],
)
def test_rows_of_dask_are_the_serial_ones(client, tmp_path, study):
    serial, spread = study.run(progress=False), study.run(tmp_path, False, client)
    for one, other in zip(serial, spread, strict=True):
        one, other = plain(one), plain(other)
        assert one.keys() == other.keys()
        for key, value in one.items():
            if isinstance(value, float):  # a relaxation ends at its tolerance, 1e-8 eV/A
                assert other[key] == pytest.approx(value, rel=1e-6, abs=1e-8), key
            elif key not in ("why", "outcome_why", "force_evaluations"):
                assert other[key] == value, key
    assert Store(tmp_path, study.key)._rows.keys() == set(study.grid())


class Mortal(SiteCalculator):
    """Tungsten's potential; it ends its process where it is told to, once."""

    def __init__(self, log, marker=None):
        super().__init__(EAM("W"))
        self.log, self.marker = log, marker

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        if len(atoms) == 249 and self.marker and self.marker.exists():
            self.marker.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        with open(self.log, "a", encoding="utf-8") as out:
            out.write(f"{os.getpid()} {hash(atoms.positions.tobytes())}\n")
        super().calculate(atoms, properties, system_changes)


def numbers(data, at=""):
    """(place, value) of everything in a report."""
    if isinstance(data, dict):
        data = data.items()
    elif isinstance(data, list):
        data = enumerate(data)
    else:
        return [(at, data)]
    return [row for key, value in data for row in numbers(value, f"{at}/{key}")]


def test_labels_of_assess_are_computed_in_the_workers(client, tmp_path):
    """The serial report, though a worker is killed in the middle; no label is computed here."""
    marker, reports = tmp_path / "kill", []
    for name, executor in ("serial", None), ("spread", client):
        calculator = Mortal(tmp_path / f"{name}.txt", executor and marker)
        model = CalculatorModel(calculator, "W", cutoff=5.0, fingerprint="W 1", name="tungsten")
        marker.touch()
        found = assess(
            fitted(),
            with_store(model, tmp_path / name),
            defects=("vacancy", "divacancy"),
            domain=6,
            checks=(4, 5),
            lattices=("own",),
            check_calculators=False,
            executor=executor,
        )
        reports.append(numbers(json.loads(found.to_json())))
    assert not marker.exists()
    computed = [
        (tmp_path / f"{name}.txt").read_text(encoding="utf-8").split("\n")[:-1]
        for name in ("serial", "spread")
    ]
    ours, theirs = ({line.split()[0] for line in lines} for lines in computed)
    assert ours == {str(os.getpid())} and len(theirs) >= 2 and not ours & theirs
    # each once: the worker that was killed had written down nothing of what it held
    assert len(computed[1]) == len(computed[0]) == len(LabelStore(tmp_path / "spread"))
    for (place, one), (there, other) in zip(*reports, strict=True):
        assert place == there
        if isinstance(one, float):  # sums in another order: a calculator's list of neighbours
            # and an eigenvalue is found to a tolerance
            rel = 1e-3 if place.endswith("curvature") else 1e-6
            assert other == pytest.approx(one, rel=rel, abs=1e-9), place
        elif not place.endswith("why") and "verdict" not in place:
            assert other == one, place


def test_the_command_line_finds_a_scheduler(client, cluster, tmp_path, capsys):
    arguments = ["study", "--cells", "3", "--test-cell", "4", "--degree", "4", "--count", "3"]
    arguments += ["--observations", "EF", "--quiet", "--out", str(tmp_path)]
    assert cli.main([*arguments, "--scheduler", cluster.scheduler_address]) == 0
    assert "1 points" in capsys.readouterr().out
    assert cli.main([*arguments, "--scheduler", str(tmp_path / "none.json")]) == 2
    assert "there is no file" in capsys.readouterr().err


def test_the_scripts_of_the_page_on_clusters_run(client, cluster, tmp_path, monkeypatch):
    """As a reader copies them, up to the cluster itself: two processes here, one small point."""
    page = Path(__file__).resolve().parents[1] / "book" / "course" / "run_anywhere.md"
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\{code-block\} python\n(.*?)^```$", text, re.M | re.S)
    assert [("SLURMCluster" in block) for block in blocks] == [False, True]
    asked, studies = [], []
    of_one_point = lambda s: replace(s, **{**SMALL, "degrees": (4,), "observations": ("EF",)})

    @contextmanager
    def slurm(*, cores, processes, memory, walltime, queue, job_script_prologue):
        asked.append((cores, processes))
        yield cluster

    def small(**arguments):
        studies.append(Study(**arguments))
        return of_one_point(studies[-1])

    monkeypatch.setitem(sys.modules, "dask_jobqueue", SimpleNamespace(SLURMCluster=slurm))
    monkeypatch.setattr(cluster, "adapt", lambda *, maximum_jobs: asked.append(maximum_jobs))
    monkeypatch.setattr("mlipgen.Study", small)
    for k, block in enumerate(blocks):
        folder = tmp_path / str(k)
        folder.mkdir()
        monkeypatch.chdir(folder)
        exec(block.replace("tcp://host:8786", cluster.scheduler_address), {"__name__": "__main__"})
        (row,) = Store(folder / "results", of_one_point(studies[k]).key)._rows.values()
        assert row["cell"] == 3 and row["predicted_geometry"] > 0
    assert asked == [(16, 16), 10] and studies[0] == studies[1]


def label(path, seed):
    """One label, kept in a file that all workers share."""
    cell = Supercell(Crystal("W", "bcc", 3.17), 2)
    atoms = as_atoms("W", cell.positions, cell.cell)
    atoms.rattle(0.05, seed=seed)
    atoms.calc = CachedCalculator(EAM("W").calculator, LabelStore(path), "W 1")
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    return {"energy": energy, "forces": forces.tolist(), "computed": atoms.calc.computed}


def test_labels_of_several_workers_in_one_file(client, tmp_path):
    path = str(tmp_path / "labels.jsonl")
    points = [(path, seed) for seed in range(8)]
    first = sweep(points, label, Store(None, ""), client)
    serial = [label(str(tmp_path / "serial.jsonl"), seed) for _, seed in points]
    for one, other in zip(first, serial):
        assert one["energy"] == pytest.approx(other["energy"], abs=1e-10)
        np.testing.assert_allclose(one["forces"], other["forces"], atol=1e-10)
    assert all(r["computed"] == 1 for r in first) and len(LabelStore(path)) == 8
    client.restart()  # other processes, the same labels
    again = sweep(points, label, Store(None, ""), client)
    assert all(r["computed"] == 0 for r in again)
    assert [r["energy"] for r in again] == [r["energy"] for r in first]
