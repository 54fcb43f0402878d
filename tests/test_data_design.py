"""Data design: new observations checked from outside, budgets kept, one small contest."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlipgen.crystals import Crystal, Supercell, build_defect
from mlipgen.equilibrium import LatticeGreen, hessian_at
from mlipgen.experiments import data_contest
from mlipgen.experiments.data_cells import (
    AnyCell,
    CellEnergy,
    CellVirial,
    DualForces,
    HessianColumn,
    dual_root,
)
from mlipgen.experiments.data_contest import ContestStudy
from mlipgen.experiments.data_design import RECIPES, Sources, crystal_cost, loss_settings
from mlipgen.experiments.data_purse import FIRST, Purse
from mlipgen.generalisation import measure
from mlipgen.learning import parse_kinds
from mlipgen.learning.fitting import assemble
from mlipgen.learning.observations import Configuration, Virial
from mlipgen.potentials import EAM, ACEBasis

pytestmark = pytest.mark.slow  # its fits are shared, and take seconds

SMALL = ContestStudy(
    "W",
    "vacancy",
    (3, 4, 4),
    5,
    recipes=("two sizes", "perfect cells + virials", "theory, dual norm"),
    budgets=(1500, 4000),
    seeds=(0,),
    degree=6,
)


@pytest.fixture(scope="module")
def potential():
    return EAM("W")


@pytest.fixture(scope="module")
def crystal(potential):
    return Crystal.equilibrium(potential)


@pytest.fixture(scope="module")
def basis(potential, crystal):
    return ACEBasis(potential.cutoff, 5, r0=float(crystal.shells[0]))


@pytest.fixture(scope="module")
def prepared():
    return SMALL.prepare()


def test_dual_forces_are_the_dual_norm(potential, crystal):
    defect = build_defect("vacancy", Supercell(crystal, 3))
    green = LatticeGreen(potential, defect.homogeneous)
    root, apply = dual_root(green, defect), green.for_defect(defect)
    rng = np.random.default_rng(0)
    for shift in (0.0, 0.3):
        x = defect.positions + 0.05 * rng.standard_normal(defect.positions.shape)
        c = Configuration(x, defect.cell, crystal, defect.centre)
        f = c.evaluate(potential)[1]
        g = DualForces(c, root).observe(potential)
        assert g @ g == pytest.approx(green.stiffness * (f * apply(f)).sum(), rel=1e-9)
        even = np.full_like(f, shift).ravel()
        assert np.abs(root @ even).max() < 1e-8  # no displacement answers a net force
    assert parse_kinds("EV+Fd+FC") == ("E", "V", "Fd", "FC")
    with pytest.raises(ValueError, match="dual_root"):
        DualForces(c).observe(potential)


def test_hessian_columns_are_columns_of_the_hessian(potential, crystal):
    cell = Supercell(crystal, 3)
    x = cell.positions + 0.02 * np.random.default_rng(1).standard_normal(cell.positions.shape)
    c = AnyCell(x, cell.cell, crystal)
    exact = hessian_at(potential, x, cell.cell)
    for axis in (0, 31):
        e = np.zeros(x.size)
        e[axis] = 1.0
        column = HessianColumn(c, axis, step=1e-4).observe(potential)
        assert column == pytest.approx(exact(e.reshape(x.shape)).ravel(), abs=1e-6)


def test_thin_cells_are_periodic_crystals(potential, crystal):
    rng = np.random.default_rng(2)
    F = np.eye(3) + 0.04 * rng.uniform(-1, 1, (3, 3))
    home = Supercell(crystal, (2, 1, 1))
    x = (home.positions + 0.1 * rng.standard_normal((4, 3))) @ F.T
    box = home.cell @ F.T
    thin = AnyCell(x, box, crystal)
    images = np.stack(np.meshgrid(range(3), range(4), range(4), indexing="ij"), -1).reshape(-1, 3)
    many = (x[None] + (images @ box)[:, None]).reshape(-1, 3)
    thick = Configuration(many, box * np.array([[3], [4], [4]]), crystal)
    (V, f, W), (V0, f0) = thin.all(potential), thick.evaluate(potential)
    assert V0[:4] == pytest.approx(V, abs=1e-10) and f0[:4] == pytest.approx(f, abs=1e-10)
    energy = CellEnergy(thin).observe(potential)
    assert energy[0] == pytest.approx(V.sum() - 4 * crystal.energy_per_atom(potential), abs=1e-9)
    h = 1e-5
    for i, j in ((0, 0), (1, 2)):
        ends = []
        for sign in (1, -1):
            G = np.eye(3)
            G[i, j] += sign * h
            ends.append(AnyCell(x @ G.T, box @ G.T, crystal).all(potential)[0].sum())
        assert W[i, j] == pytest.approx((ends[0] - ends[1]) / (2 * h) / 4, abs=1e-6)


def test_a_strained_crystal_has_the_virial_of_the_library(potential, crystal, basis):
    F = np.eye(3) + 0.02 * np.arange(9).reshape(3, 3) / 9
    home = Supercell(crystal, 1)
    c = AnyCell(home.positions @ F.T, home.cell @ F.T, crystal)
    for model in (potential, basis):
        assert CellVirial(c).observe(model) == pytest.approx(
            Virial(crystal, F).observe(model), abs=1e-9
        )


def test_a_budget_is_kept_and_larger_ones_hold_the_smaller(potential, crystal, basis):
    for source in {r.source for r in RECIPES.values()} - {"list"}:
        sources = [
            Sources(potential, crystal, basis, "vacancy", (3, 4, 4), seed) for seed in (0, 0, 1)
        ]
        purses = [Purse(s.stream(source), basis, potential) for s in sources]
        small, large = purses[0].count(300), purses[0].count(700)
        assert 0 < small < large
        spent = [c.cost for c in purses[0].bought]
        assert sum(spent[:small]) <= 300 and sum(spent[:large]) <= 700
        assert purses[1].count(700) == large  # the smaller budget first, or not: the same
        kind = "F"
        theta = np.random.default_rng(0).standard_normal(len(basis))
        one, two, other = (p.blocks(p.count(700), (kind,))[kind].residual(theta) for p in purses)
        assert one == pytest.approx(two, rel=1e-10) and one != pytest.approx(other, rel=1e-3)
        direct = []
        for calculation in sources[1].stream(source):
            direct.append(calculation)
            if len(direct) == large:
                break
        o = [o for c in direct for o in c.observations if o.kind == kind]
        block = assemble(o, basis, potential)[kind]
        kept = purses[0].blocks(large, (kind,))[kind]
        assert kept.residual(theta) == pytest.approx(block.residual(theta), rel=1e-9)
        assert (kept.rows, kept.groups) == (block.rows, block.groups)


def test_prices(potential, crystal):
    constants, strained = crystal_cost(potential, crystal, 37)
    assert constants.atoms == 2 * 6**3 and constants.cost == 2 * constants.atoms
    assert constants.cubic == 2 * constants.atoms**3
    assert strained.cost == strained.cubic == 37


def test_the_list_shops_from_what_is_paid(prepared):
    recipe = "theory, by the list"
    fit, fixed, bought = prepared.fit(0, recipe, 900)
    purse = prepared.purse(0, "list")
    n, paid = len(bought), sum(c.cost for c in fixed)
    assert paid == sum(c.cost for c in prepared.sources(0).fixed("small"))
    said = purse.summary(n)
    assert n > FIRST and sum(said["number"].values()) == n
    assert said["worth"] and paid + sum(c.cost for c in bought) <= 900
    # the first list sends the buyer to the larger cell, as chapter 8 would
    assert purse.notes[:FIRST] == ["first"] * FIRST and "EF 4" in purse.names[FIRST : FIRST + 2]
    # a better fit than the list began with, as far as a basis of degree 6 goes
    error = lambda k: prepared.linear(
        prepared._fitted(purse.blocks(k, ("E", "F")), ("E", "F"), {}).model.theta
    )[0]
    assert prepared.linear(fit.model.theta)[0] < 0.8 * error(FIRST)
    # the reference's defect on the domain may judge, but no purchase asks for it
    again = replace(SMALL).prepare()
    again.reference = None
    assert len(again.fit(0, recipe, 900)[2]) == n
    assert again.purse(0, "list").names == purse.names
    # what is bought of the crystal becomes its whole block, from then on
    purse._crystal["V"] = n - 1
    assert "V" not in purse.blocks(n - 1, ("E", "V"))
    assert purse.blocks(n, ("E", "V"))["V"] is prepared.crystal_blocks["V"]
    prepared._purses.pop("list")


def test_a_small_contest(tmp_path, prepared):
    rows, (scan,) = SMALL.run(tmp_path)
    assert SMALL.run(tmp_path) == (rows, [scan])  # kept
    by = {(r["recipe"], r["budget"]): r for r in rows}
    assert by["theory, dual norm", 1500]["verdict"] == "not affordable"
    assert by["theory, dual norm", 1500]["geometry"] is None
    fitted = [r for r in rows if r["configurations"]]
    assert len(fitted) == 5 and all(r["cost"] <= r["budget"] for r in fitted)
    near, far = by["two sizes", 4000], by["perfect cells + virials", 4000]
    assert near["verdict"] == "applies" and near["geometry"] < 0.2 * far["geometry"]
    fit = prepared.fit(0, "two sizes", 4000)[0]
    truth = measure(fit.model, prepared.reference)
    assert near["geometry"] == pytest.approx(truth.geometry, rel=1e-2)
    assert near["energy"] == pytest.approx(truth.energy, rel=1e-2)
    geometry, energy = prepared.linear(fit.model.theta)
    assert geometry == pytest.approx(truth.geometry, rel=0.1)
    assert energy == pytest.approx(truth.energy, rel=0.1)
    assert [len(scan[k]) for k in data_contest.SCAN] == [
        len(values) for _, values in data_contest.SCAN.values()
    ]
    assert scan["E"][3] == pytest.approx(scan["default"][0])  # ten is the default weight
    assert scan["V"][-1][2] < scan["default"][0][2]  # a large weight of virials: better constants


def test_only_the_grid_may_change_under_a_key():
    assert replace(SMALL, seeds=(1,), budgets=(1,), recipes=("two sizes",)).key == SMALL.key
    assert replace(SMALL, degree=8).key != SMALL.key


def test_the_record_has_todays_settings():
    path = Path(__file__).parents[1] / "book/data/data_contest.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    seeds = stored["studies"][0]["seeds"]
    today = [replace(s, seeds=tuple(seeds)).to_dict() for s in data_contest.STUDIES]
    assert stored["studies"] == json.loads(json.dumps(today))
    assert len(seeds) >= 5
    assert len(stored["rows"]) == sum(
        len(replace(s, seeds=tuple(seeds)).grid()) for s in data_contest.STUDIES
    )
    assert len(stored["scans"]) == len(seeds) * len(data_contest.STUDIES)


def test_exported_settings_are_the_same_loss():
    rng, N, strained = np.random.default_rng(4), [53, 53, 127], 37
    weights = {"E": 10.0, "F": 1.0, "V": 1.0}
    s = loss_settings(weights, N, strained)
    ratios, normalised = [], []
    for _ in range(3):
        dE = rng.standard_normal(len(N)) * 10.0 ** rng.uniform(-3, 1)
        dF = [rng.standard_normal((m, 3)) * 10.0 ** rng.uniform(-3, 1) for m in N]
        dV = rng.standard_normal((strained, 3, 3)) * 10.0 ** rng.uniform(-3, 1)
        force = sum((f**2).sum() for f in dF)
        ours = 100 * (dE**2).sum() + force + (dV**2).sum()
        n, A = len(N) + strained, sum(N) + strained
        means = (
            s["energy"] * (s["config_energy"] * (dE / N) ** 2).sum() / n
            + s["forces"] * force / (3 * A)
            + s["virials"] * (dV**2).sum() / (9 * n)
        )
        ratios.append(means / ours)
        k = s["kappa"]
        published = (1 - k) * (s["a"] * (dE / N) ** 2).sum() + k * force / sum(N)
        normalised.append(published / (100 * (dE**2).sum() + force))
    assert np.ptp(ratios) < 1e-12 * ratios[0]
    assert np.ptp(normalised) < 1e-12 * normalised[0]
