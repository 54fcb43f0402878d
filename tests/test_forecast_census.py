"""The census of forecasts: small, resumed, through an executor; and the record of the book."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlipgen.experiments import forecast_census as census
from mlipgen.experiments.forecast_census import ForecastStudy

pytestmark = pytest.mark.slow

RECORD = Path(__file__).resolve().parents[1] / "book" / "data" / "forecast_census.json"
SMALL = (
    ForecastStudy("W", "vacancy", cells=(3,), observations=("EF",), degrees=(8,), test_cell=7,
                  variants=(8,)),
    ForecastStudy("Si", "dumbbell-110", cells=(2,), observations=("EF",), degrees=(6, 8),
                  test_cell=4, beyond=(0, 1, 2), saddle="ignore"),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("forecasts")


@pytest.fixture(scope="module")
def rows(folder):
    return census.run(SMALL, seeds=(0,), out=folder, workers=1)


@pytest.fixture(scope="module")
def recorded():
    return json.loads(RECORD.read_text(encoding="utf-8"))


def test_two_cells_beyond_the_training_cell_show_what_it_hides(rows):
    for row in (rows[0], rows[2]):  # W and Si with degree 8
        own = census.forecasts([row])
        assert own[0]["distance"] > 0.4 > 0.1 > own[-1]["distance"]
    best = [p for p in census.forecasts(rows[:1], 2) if p["verdict"] == "applies"]
    assert len(best) == 1 and all(map(census.geometry_agrees, best))
    assert all(map(census.energy_agrees, best))


def test_check_cells_stay_inside_the_domain(rows):
    assert [s["k"] for s in rows[0]["steps"]] == [3, 4, 5, 6]
    assert [s["k"] for s in rows[1]["steps"]] == [2, 3]  # 4 is the domain


def test_a_candidate_too_far_away_is_refused(rows):
    poor = rows[1]
    assert poor["degree"] == 6 and poor["relative_error"] > 0.2
    assert poor["verdict"] == "error bar too wide" and "κ" in poor["why"]


def test_variants_are_computed_where_they_are_asked_for(rows):
    exact, folded, without = rows[0]["steps"][2], rows[0]["folded"], rows[0]["without"]
    assert exact["k"] == folded["k"] == without["k"] == 5
    assert folded["geometry"] == pytest.approx(exact["geometry"], rel=1e-3)
    assert without["distance"] > 3 * exact["distance"]
    assert rows[1]["folded"] is None is rows[1]["without"]


def test_a_second_run_computes_nothing(rows, folder, monkeypatch):
    monkeypatch.setattr(census.ForecastPrepared, "point", None)
    assert census.run(SMALL, seeds=(0,), out=folder, workers=1) == rows


def test_any_executor_will_do(rows):
    with ThreadPoolExecutor(1) as pool:
        again = census.run(SMALL[:1], seeds=(0,), executor=pool)
    assert {**again[0], "seconds": 0} == {**rows[0], "seconds": 0}


def test_an_equilibrium_that_is_not_found_leaves_a_row(rows, monkeypatch):
    """The row says why, and is no forecast."""
    from mlipgen.failures import LeftBasin

    def leave(*args, **options):
        raise LeftBasin("an atom moved 3 A")

    prepared = SMALL[0].prepare()
    prepared.known(3)
    monkeypatch.setattr(census, "relax", leave)
    row = prepared.point(3, "EF", 8)
    assert row["steps"] == [] and row["outcome"] == "left the basin"
    assert row["outcome_why"] == "an atom moved 3 A" and row["measured_geometry"] is None
    assert set(row) == set(rows[0])
    json.dumps(row, allow_nan=False)
    assert census.forecasts([row]) == []


def test_the_truth_is_the_reference_s_state_next_to_the_candidate_s(rows):
    """Silicon's dumbbell has a second minimum; fits to three cells find it."""
    assert all(row["elsewhere"] < 1e-6 for row in rows)
    study = next(s for s in census.SYSTEMS if s.crystal == "Si")
    row = replace(study, seed=1, variants=()).prepare().point(3, "EF", 8)
    assert row["elsewhere"] > 0.2 * row["scale"] > 2 * row["measured_geometry"]
    assert row["verdict"] == "applies"
    assert census.forecasts([row], 1)[0]["ratio"] == pytest.approx(1, abs=0.1)


def test_points_are_what_they_say():
    step = {"k": 4, "geometry": 1.1, "distance": 0.2, "energy": 0.002, "kappa": 0.01}
    row = {
        "crystal": "X", "defect": "d", "cell": 3, "outcome": "relaxed",
        "measured_geometry": 1.0, "measured_energy": 0.003,
        "steps": [step, step | {"k": 5, "geometry": 1.05, "energy": 0.0026}],
    }  # fmt: skip
    first, second = census.forecasts([row])
    assert (first["beyond"], second["beyond"], first["system"]) == (1, 2, "X d")
    assert first["ratio"] == 1.1 and first["off"] == pytest.approx(0.1 / 1.1)
    assert first["distance"] == pytest.approx(0.2 / 1.1) and first["energy_moved"] is None
    assert second["energy_moved"] == pytest.approx(6e-4)
    assert not census.geometry_agrees({"ratio": 1.11}) and census.geometry_agrees(second)
    assert census.energy_agrees(first)  # within 1 meV
    far = {"energy_off": 0.004, "measured_energy": 0.02}
    assert not census.energy_agrees(far)
    assert census.energy_agrees(far | {"measured_energy": -0.03})  # within 15 %


# --- the record


def test_the_record_is_of_today_s_settings_and_complete(recorded):
    studies = (*census.SYSTEMS, *census.LARGE)
    assert recorded["studies"] == json.loads(json.dumps([s.to_dict() for s in studies]))
    expected = [
        (s.crystal, s.defect, n, kinds, degree, seed, s.test_cell)
        for s, seeds in [*((s, census.SEEDS) for s in census.SYSTEMS),
                         *((s, census.SEEDS[:1]) for s in census.LARGE)]
        for seed in seeds
        for n, kinds, degree in s.grid()
    ]  # fmt: skip
    assert len(recorded["rows"]) == len(expected) >= 200
    names = ("crystal", "defect", "cell", "observations", "degree", "seed")
    assert [tuple(r[k] for k in names) for r in recorded["rows"]] == [e[:-1] for e in expected]
    assert max(r["atoms"] for r in recorded["rows"]) > 45_000


def test_the_record_keeps_what_the_book_says(recorded):
    rows = [r for r in recorded["rows"] if r["atoms"] < 10_000]
    best = [p for p in census.forecasts(rows, 2) if p["verdict"] == "applies"]
    assert len(best) >= 200
    assert np.mean([census.geometry_agrees(p) for p in best]) >= 0.95
    assert np.mean([census.energy_agrees(p) for p in best]) >= 0.95
    for beyond in (1, 2, 3):
        own = [p for p in census.forecasts(rows, beyond) if p["verdict"] == "applies"]
        held = [p["distance"] <= p["kappa"] + p["moved"] + 0.002 for p in own]
        assert np.mean(held) >= 0.95


def test_a_recorded_point_comes_out_again(recorded):
    study = next(s for s in census.SYSTEMS if (s.crystal, s.defect) == ("Si", "dumbbell-110"))
    now = replace(study, variants=()).prepare().point(2, "EF", 8)
    names = ("crystal", "defect", "cell", "observations", "degree", "seed")
    then = next(r for r in recorded["rows"] if all(r[k] == now[k] for k in names))
    for a, b in zip(then["steps"], now["steps"], strict=True):
        assert b["geometry"] == pytest.approx(a["geometry"], rel=5e-3)
        assert b["energy"] == pytest.approx(a["energy"], rel=0.02)
    assert now["measured_geometry"] == pytest.approx(then["measured_geometry"], rel=1e-4)
