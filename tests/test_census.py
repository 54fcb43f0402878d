"""Predicted against measured over many fits: the claim of 95 %, with a margin, and the book-keeping
around it.
"""

import numpy as np
import pytest

from mlipgen.experiments import census
from mlipgen.experiments.census import CensusStudy

pytestmark = pytest.mark.slow

SMALL = (
    CensusStudy("Cu", "vacancy", cells=(4,), degrees=(6, 8), test_cell=5),
    CensusStudy("Si", "dumbbell-110", cells=(2,), degrees=(8,), test_cell=3),
    CensusStudy("W", "dumbbell-110", cells=(3, 4), degrees=(6, 8), test_cell=6),
    CensusStudy("W", "vacancy", cells=(3, 4), degrees=(6, 8), test_cell=6),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("census")


@pytest.fixture(scope="module")
def rows(folder):
    return census.run(SMALL, seeds=(0,), out=folder, workers=2)


def test_newton_effectivity_of_95_percent_is_near_one(rows):
    inside, small = census.within(rows)
    assert len(rows) == 55 and small >= 40
    assert inside >= 0.98 * small  # asked for: 95 %
    assert np.abs(census.spread(rows, "effectivity")[[1, 3]] - 1).max() < 0.04


def test_displacements_and_energies_agree_too(rows):
    assert census.spread(rows, "prediction_distance")[-1] < 0.06
    agree = [census.energy_agrees(r) for r in rows if census.small_error(r)]
    assert sum(a is True for a in agree) >= 0.95 * len(agree)


def test_distances_hide_nothing_that_effectivities_show(rows):
    """| |a| - |b| | <= |a - b|, for both estimates."""
    for r in rows:
        for distance, effectivity in (
            ("prediction_distance", "effectivity"),
            ("linear_distance", "linear_effectivity"),
        ):
            if r[distance] is not None:
                assert abs(r[effectivity] - 1) <= r[distance] + 1e-9
    own = [r for r in rows if census.small_error(r)]
    assert all(r["prediction_distance"] < r["linear_distance"] + 1e-3 for r in own)


def test_bounds_hold_for_every_fit_that_has_them(rows):
    having = [r for r in rows if r["mismatch"] is not None and r["mismatch"] < 1]
    assert len(having) >= 40
    for name in census.BOUNDS:
        assert all((r[f"bound_{name}"] is not None) == (r in having) for r in rows)
        assert (census.sharpness(rows, name) > 1).all()
    sharpest = {name: np.median(census.sharpness(rows, name)) for name in census.BOUNDS}
    assert sharpest["dual"] < sharpest["terms"] < sharpest["hardy"] and sharpest["dual"] < 4


def test_linear_effectivity_strays_with_the_hessian_mismatch(rows):
    own = [r for r in rows if census.small_error(r)]
    off = np.array([abs(r["linear_effectivity"] - 1) for r in own])
    delta = np.array([r["mismatch"] for r in own])
    # Linear and Newton's displacement differ by a factor 1 + O(delta) in the energy of H; the norm
    # |D .| may add a little.
    assert (off < 1.5 * delta + 0.03).all()
    assert np.corrcoef(np.argsort(np.argsort(off)), np.argsort(np.argsort(delta)))[0, 1] > 0.4
    assert off.max() > 3 * max(abs(r["effectivity"] - 1) for r in own)


def test_the_error_bar_is_kept_and_no_verdict_is_falsely_kind(rows):
    counts = census.verdicts(rows)
    assert sum(counts.values()) == len(rows)
    assert counts["applies_false"] == 0
    kept = [census.keeps_its_bar(r) for r in rows if census.keeps_its_bar(r) is not None]
    assert len(kept) >= 40 and np.mean(kept) >= 0.95
    # kappa says how far the predicted displacements are from the measured ones
    far = [r for r in rows if r["prediction_distance"] and r["prediction_distance"] > 1e-3]
    ratio = np.array([r["kappa"] / r["prediction_distance"] for r in far])
    assert 0.7 < np.median(ratio) < 1.5


def test_a_second_run_computes_nothing(rows, folder):
    again = census.run(SMALL, seeds=(0,), out=folder, workers=1)
    assert again == rows


def test_counts_are_what_they_say():
    row = {
        "relative_error": 0.02,
        "effectivity": 1.01,
        "kappa": 0.02,
        "verdict": "applies",
        "outcome": "relaxed",
        "followed": 0.0,
        "predicted_energy": 1.0,
        "measured_energy": 1.04,
        "crystal": "X",
        "defect": "d",
    }
    left = {"relative_error": None, "effectivity": None, "outcome": "left the basin"}
    rows = [
        row,
        {**row, "effectivity": 1.2},
        {**row, "effectivity": None, "verdict": "unstable"},
        {**row, **left},
        {**row, **left, "verdict": "not a minimum"},
        {**row, "followed": -0.1},
    ]
    assert census.within(rows) == (2, 4)
    assert census.verdicts(rows) == {
        "applies_right": 1,
        "applies_false": 3,
        "refused_right": 1,
        "false_alarm": 1,
    }
    assert census.keeps_its_bar(row) and not census.keeps_its_bar(rows[1])
    assert census.keeps_its_bar(rows[2]) is None
    assert census.energy_agrees(row) and not census.energy_agrees({**row, "measured_energy": 1.1})
    assert census.energy_agrees({**row, "measured_energy": None}) is None
    more = {"linear_effectivity": 0.9, "prediction_distance": 0.1, "mismatch": 0.2}
    more |= {"predicted_relaxation": -0.9, "measured_relaxation": -1.0}
    first = [{**r, **more} for r in rows]
    other = [{**r, **more, "crystal": "Y", "measured_relaxation": None} for r in rows[:1]]
    x, y, whole = census.summary([*first, *other])
    assert [s["system"] for s in (x, y, whole)] == ["X d", "Y d", "all"]
    counted = ("fits", "small", "newton_within", "linear_within", "energy_agrees", "bar_kept")
    assert [x[k] for k in counted] == [6, 4, 2, 0, 4, 2] and x["with_bar"] == 3
    assert [y[k] for k in counted] == [1, 1, 1, 0, 1, 1]
    assert whole["fits"] == 7 and whole["applies_right"] == 2
    assert x["newton"] == pytest.approx(np.quantile([1.01, 1.2, 1.01], [0, 0.05, 0.5, 0.95, 1]))
    assert (x["relaxation"] == 0.9).all() and np.isnan(y["relaxation"]).all()


def test_the_silicon_vacancy_does_not_relax():
    from mlipgen.crystals import Crystal, Supercell, build_defect
    from mlipgen.equilibrium import relax
    from mlipgen.potentials import StillingerWeber

    potential = StillingerWeber("Si")
    eq = relax(potential, build_defect("vacancy", Supercell(Crystal.equilibrium(potential), 3)))
    assert np.abs(eq.u).max() < 1e-6
