"""The court of uncertainty: ensembles against what is known of them, and the record that the book
shows."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlipgen.experiments import court
from mlipgen.experiments.ensembles import (
    ENSEMBLES,
    ActiveSet,
    Rows,
    committee,
    pointwise,
    posterior,
)

pytestmark = pytest.mark.slow  # its fits are shared, and take seconds

RECORD = Path(__file__).resolve().parents[1] / "book" / "data" / "uncertainty_court.json"


def line(noise=0.1, m=400, bend=0.0, ridge=1e-9, groups=20):
    """Noisy data on a line, perhaps bent: the model is the line."""
    rng = np.random.default_rng(0)
    t = np.linspace(-1, 1, m)
    y = 0.3 + 2 * t + bend * t**2 + noise * rng.standard_normal(m)
    A = np.column_stack([np.ones(m), t, y])
    parts = [(1.0, g, A[g::groups]) for g in range(groups)]
    return Rows.of(parts, np.ones(2), ridge)


def test_rows_are_solved_as_least_squares():
    rows = line()
    expected = np.linalg.lstsq(rows.A, rows.y, rcond=None)[0]
    assert rows.theta == pytest.approx(expected, abs=1e-10)
    assert rows.R.T @ rows.R == pytest.approx(rows.A.T @ rows.A)


def test_posterior_and_bootstrap_agree_where_the_misfit_is_noise():
    """sigma^2 (A'A)^-1, from the formula and from resampled data."""
    rows, rng = line(), np.random.default_rng(1)
    exact = 0.1**2 * np.linalg.inv(rows.A.T @ rows.A)
    for draw, allowed in ((posterior, 0.15), (committee, 0.35)):
        spread = draw(rows, 2000, rng)
        assert np.sqrt(np.diag(np.cov(spread.T))) == pytest.approx(
            np.sqrt(np.diag(exact)), rel=allowed
        )
        assert np.abs(spread.mean(axis=0)).max() < 3 * np.sqrt(exact.max() / 20)


def test_every_pointwise_change_fits_its_datum_and_the_box_holds_them():
    """Without noise and with a wrong model the posterior is narrow, the box is as wide as the
    misfit.
    """
    rows, rng = line(noise=0.0, bend=0.5), np.random.default_rng(2)
    t = rows.A[:-2, 1]
    misfit = np.abs(rows.residual[:-2]).max()
    at_end = np.array([1.0, t.max()])
    narrow = np.abs(posterior(rows, 500, rng) @ at_end).max()
    wide = np.abs(pointwise(rows, 500, rng) @ at_end).max()
    assert narrow < 0.25 * misfit < 0.7 * misfit < wide < 3 * misfit


def test_bootstrap_keeps_what_every_member_keeps():
    rows = line()
    fixed = Rows(rows.A, rows.y, np.where(rows.group >= 0, 0, -1), rows.R, rows.theta)
    assert np.abs(committee(fixed, 3, np.random.default_rng(0))).max() < 1e-10


def test_grades_are_at_most_one_on_the_training_set_and_grow_beyond():
    rng = np.random.default_rng(3)
    B = rng.standard_normal((300, 6))
    active = ActiveSet(B)
    assert active.grade(B).max() < 1.01
    assert active.grade(4 * B).max() == pytest.approx(4 * active.grade(B).max())
    # no volume that rows of B span is larger
    chosen = [i for i, g in enumerate(np.abs(B @ active._to @ active._inverse)) if g.max() > 0.999]
    best = abs(np.linalg.det(B[chosen[:6]])) if len(chosen) == 6 else None
    drawn = [abs(np.linalg.det(B[rng.choice(300, 6, replace=False)])) for _ in range(500)]
    assert best is None or best > max(drawn)


def test_grade_does_not_depend_on_the_scale_of_the_descriptors():
    rng = np.random.default_rng(4)
    B, x = rng.standard_normal((100, 5)), rng.standard_normal((7, 5))
    scale = np.array([1, 10, 1e-2, 3, 1e2])
    assert ActiveSet(B * scale).grade(x * scale) == pytest.approx(ActiveSet(B).grade(x), rel=1e-6)


@pytest.fixture(scope="module")
def point():
    prepared = replace(court.SYSTEMS[-1], members=4).prepare()
    return prepared, prepared.point(2, "EF", 8)


def test_rows_are_those_of_the_fit(point):
    prepared, _ = point
    for kinds in ("EF", "EFV+FC"):
        model = prepared.fit(2, kinds, 8).model
        rows = prepared.rows(2, kinds, model)
        prior = model.basis.prior
        assert rows.theta * prior == pytest.approx(
            model.theta * prior, rel=1e-6, abs=1e-8 * np.abs(model.theta * prior).max()
        )


def test_linear_response_of_a_member_is_what_relaxing_it_gives(point):
    """One member of the committee, relaxed."""
    from mlipgen.equilibrium import formation_energy, relax
    from mlipgen.generalisation.composite import embed
    from mlipgen.learning.fitting import fitted_model

    prepared, _ = point
    model = prepared.fit(2, "EF", 8).model
    rows = prepared.rows(2, "EF", model)
    domain = prepared.reference.defect
    start = embed(prepared.known(2), domain)
    found = relax(model, domain, start=start, saddle="follow", max_evaluations=1000)
    dtheta = committee(rows, 1, np.random.default_rng(0))[0]
    with_one = {"one": lambda *_: [dtheta]}
    before = dict(ENSEMBLES)
    try:
        ENSEMBLES.clear()
        ENSEMBLES.update(with_one)
        told = prepared.ensembles(rows, model, found)["one"]
    finally:
        ENSEMBLES.clear()
        ENSEMBLES.update(before)
    other = fitted_model(model.basis, model.theta + dtheta, prepared.potential, prepared.crystal)
    moved = relax(other, domain, start=found.positions, saddle="ignore", max_evaluations=1000)
    geometry = prepared.reference.norm(prepared._apart(moved.positions, found.positions))
    energy = formation_energy(other, moved) - formation_energy(model, found)
    assert told["geometry"] == pytest.approx(geometry, rel=0.05)
    assert told["energy"] == pytest.approx(abs(energy), rel=0.05)


def test_a_point_holds_the_forecast_and_the_rest(point):
    _, row = point
    assert set(court.upper(row)) == {"posterior", "committee", "pointwise", "forecast"}
    assert row["grade"] > 0 and row["steps"][-1]["k"] == 4
    json.dumps(row, allow_nan=False)


# --- the record


@pytest.fixture(scope="module")
def recorded():
    return json.loads(RECORD.read_text(encoding="utf-8"))


def test_the_record_is_of_today_s_settings_and_complete(recorded):
    assert recorded["studies"] == json.loads(json.dumps([s.to_dict() for s in court.SYSTEMS]))
    expected = sum(len(s.grid()) for s in court.SYSTEMS) * len(court.SEEDS)
    assert len(recorded["rows"]) == expected
    assert len(court.judged(recorded["rows"])) >= 0.9 * expected


def test_the_record_keeps_what_the_book_says(recorded):
    rows = court.judged(recorded["rows"])
    told = [(court.upper(r), r["measured_geometry"]) for r in rows]
    kept = {
        name: np.mean([u[name] >= truth for u, truth in told if u[name] is not None])
        for name in ("posterior", "committee", "pointwise", "forecast")
    }
    assert kept["forecast"] >= 0.9 and kept["posterior"] < 0.5


def test_a_recorded_point_comes_out_again(recorded):
    now = court.SYSTEMS[-1].prepare().point(2, "EF", 8)
    names = ("crystal", "defect", "cell", "observations", "degree", "seed")
    then = next(r for r in recorded["rows"] if all(r[k] == now[k] for k in names))
    for name in ENSEMBLES:
        assert now[name]["geometry"] == pytest.approx(then[name]["geometry"], rel=0.02)
    assert now["grade"] == pytest.approx(then["grade"], rel=0.02)
    assert now["measured_geometry"] == pytest.approx(then["measured_geometry"], rel=1e-4)
