"""Transfer between defects, and rankings of dumbbells: small studies, checked from outside."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mlipgen.crystals import Supercell, build_defect
from mlipgen.equilibrium import formation_energy, relax
from mlipgen.experiments import ranking, transfer
from mlipgen.experiments.ranking import RankingStudy
from mlipgen.experiments.transfer import TransferStudy

pytestmark = pytest.mark.slow  # its fits are shared, and take seconds

SMALL = TransferStudy(
    "W",
    ("vacancy", "crystal+vacancy"),
    ("vacancy", "divacancy"),
    cell=3,
    test_cell=5,
    observations=("EF",),
    degree=6,
    seeds=(0,),
    count=4,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("transfer")


@pytest.fixture(scope="module")
def rows(folder):
    return SMALL.run(folder)


def test_a_fit_is_best_on_its_own_defect_and_the_prediction_knows(rows):
    by = {(r["trained"], r["tested"]): r for r in rows}
    assert len(by) == 4
    own, other = by["vacancy", "vacancy"], by["vacancy", "divacancy"]
    assert own["relative_error"] < 0.02 and other["relative_error"] > 2 * own["relative_error"]
    for r in rows:
        assert r["verdict"] == "applies" and abs(r["effectivity"] - 1) <= 1.2 * r["kappa"] + 0.005
        assert abs(r["predicted_energy"] - r["measured_energy"]) < 0.05 * abs(r["measured_energy"])


def test_points_are_kept_and_another_setting_is_another_study(rows, folder):
    assert SMALL.run(folder) == rows
    assert replace(SMALL, count=8).key != SMALL.key
    assert replace(SMALL, seeds=(1,), tested=("vacancy",)).key == SMALL.key  # only the grid differs
    json.dumps(SMALL.to_dict())
    with pytest.raises(ValueError, match="evenly"):
        replace(SMALL, count=5)


def test_leverage_is_at_most_one_on_the_training_set_and_grows_away_from_it(rows):
    prepared = SMALL.prepare()
    cells = prepared.configurations("vacancy", 0)
    seen = np.concatenate([prepared._functions(c.positions, c.cell) for c in cells])
    ridge = SMALL.ridge * np.diag(prepared.basis.prior)
    M = seen.T @ seen + ridge @ ridge
    leverage = np.einsum("nk,nk->n", seen, np.linalg.solve(M, seen.T).T)
    assert leverage.max() <= 1 + 1e-6
    grade = {d: prepared.grade("vacancy", 0, d) for d in SMALL.tested}
    assert grade["divacancy"] > 10 * grade["vacancy"]
    # the same number from the definition
    at = prepared.reference("vacancy").equilibrium
    b = prepared._functions(at.positions, at.defect.cell)
    direct = np.einsum("nk,nk->n", b, np.linalg.solve(M, b.T).T).max()
    assert grade["vacancy"] == pytest.approx(direct, rel=1e-2)


def test_training_sets_share_their_configurations():
    prepared = SMALL.prepare()
    cells = prepared.configurations("crystal+vacancy", 0)
    sites = len(Supercell(prepared.crystal, 3))
    assert [len(c.positions) for c in cells] == 2 * [sites] + 2 * [sites - 1]
    again = prepared.configurations("crystal+vacancy", 0)
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(cells, again))
    assert not np.array_equal(
        cells[1].positions, prepared.configurations("crystal", 1)[1].positions
    )


def test_symmetric_states_are_ranked_with_the_sign_of_their_curvature():
    study = RankingStudy(
        "Fe", ("dumbbell-100+dumbbell-110+dumbbell-111",), ranking.DUMBBELLS, cell=4, test_cell=5,
        observations=("EF",), degree=6, seeds=(0,), count=6,
    )  # fmt: skip
    (row,) = study.run()
    states = {s["name"]: s for s in row["states"]}
    assert ranking.order(row["states"], "reference") == (
        "dumbbell-110", "dumbbell-111", "dumbbell-100",
    )  # fmt: skip
    assert (
        states["dumbbell-110"]["reference_curvature"]
        > 0
        > states["dumbbell-100"]["reference_curvature"]
    )
    potential, crystal = study.prepare().potential, study.prepare().crystal
    for name, s in states.items():
        defect = build_defect(name, Supercell(crystal, 5))
        alone = formation_energy(potential, relax(potential, defect, saddle="ignore"))
        assert s["reference"] == pytest.approx(alone, abs=1e-8)
        if s["predicted"] is not None and s["learned"] is not None:
            gained = abs(s["unrelaxed"] - s["learned"])
            assert abs(s["predicted"] - s["learned"]) < 0.2 * gained + 1e-5
    assert ranking.order([{"name": "a", "e": None}], "e") is None


def test_recorded_settings_are_todays():
    from pathlib import Path

    stored = json.loads(
        (Path(__file__).parents[1] / "book/data/transfer.json").read_text(encoding="utf-8")
    )
    plain = lambda studies: json.loads(json.dumps([s.to_dict() for s in studies]))
    assert stored["studies"] == plain(transfer.STUDIES)
    assert stored["ranking_studies"] == plain(ranking.STUDIES)
    assert len(stored["rows"]) == sum(len(s.grid()) for s in transfer.STUDIES)
    assert len(stored["ranking"]) == sum(len(s.grid()) for s in ranking.STUDIES)
