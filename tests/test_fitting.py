"""The fit: against LAPACK, its null space, nestedness, files, errors."""

import json
from functools import lru_cache

import numpy as np
import pytest

from mlipgen.crystals import Crystal
from mlipgen.failures import Unfitted
from mlipgen.learning import (
    RIDGE,
    WEIGHTS,
    Block,
    assemble,
    fit,
    fit_blocks,
    nested_basis,
    parse_kinds,
    solve,
    training_set,
)
from mlipgen.potentials import EAM, ACEBasis, LinearACE, load_model, save_model


@lru_cache
def setting():
    potential = EAM("W")
    crystal = Crystal.equilibrium(potential)
    basis = ACEBasis(potential.cutoff, 8, 3, float(crystal.shells[0]))
    observations = training_set(potential, crystal, "vacancy", 3, count=10)
    return potential, crystal, basis, observations, assemble(observations, basis, potential)


@lru_cache
def raw(kind):
    """The rows A and targets y of one kind, unreduced."""
    potential, _, basis, observations, _ = setting()
    own = [o for o in observations if o.kind == kind]
    return np.concatenate([o.observe(basis) for o in own]), np.concatenate(
        [o.observe(potential) for o in own]
    )


def fitted(kinds, **options):
    potential, crystal, basis, _, blocks = setting()
    return fit_blocks(blocks, basis, kinds, potential, crystal, **options)


# --- blocks ---


@pytest.mark.parametrize("kind", WEIGHTS)
def test_r_factors_keep_every_residual(kind):
    A, y = raw(kind)
    block = setting()[4][kind]
    assert block.rows == len(y) and block.target_norm == pytest.approx(np.linalg.norm(y), rel=1e-12)
    assert len(block.R) <= A.shape[1] + 1
    rng = np.random.default_rng(0)
    near = fitted("EF").model.theta
    for theta in (
        np.zeros(A.shape[1]),
        rng.normal(size=A.shape[1]),
        near,
        near * (1 + 1e-3 * rng.normal(size=len(near))),
    ):
        direct = np.linalg.norm(A @ theta - y)
        # Both round at the size of the terms that cancel.
        assert block.residual(theta) == pytest.approx(
            direct, rel=1e-10, abs=1e-13 * np.linalg.norm(abs(A) @ abs(theta))
        )


def test_groups_are_configurations():
    blocks = setting()[4]
    assert {k: b.groups for k, b in blocks.items()} == {
        "E": 10,
        "F": 10,
        "Fw": 10,
        "V": 37,
        "FC": 1,
    }
    assert blocks["F"].rows == 10 * 53 * 3 and blocks["V"].rows == 37 * 9


# --- the solution ---


@pytest.mark.parametrize("kinds", ["E", "EF", "EFV", "EF+FC", "EFV+FC", "E+Fw"])
def test_solution_is_lapacks_on_the_full_rows(kinds):
    """Stack the weighted rows and the ridge, solve by least squares on the unreduced problem."""
    basis = setting()[2]
    result = fitted(kinds, ridge=1e-4)
    A = np.concatenate(
        [WEIGHTS[k] * raw(k)[0] / basis.prior for k in parse_kinds(kinds)]
        + [1e-4 * np.eye(len(basis))]
    )
    y = np.concatenate(
        [WEIGHTS[k] * raw(k)[1] for k in parse_kinds(kinds)] + [np.zeros(len(basis))]
    )
    expected = np.linalg.lstsq(A, y, rcond=None)[0]
    ours = result.model.theta * basis.prior
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6 * abs(expected).max())
    # The objective is the sharper test: it is flat along badly determined directions.
    objective = lambda t: np.linalg.norm(A @ t - y)
    assert objective(ours) <= objective(expected) * (1 + 1e-10)


def test_reported_errors_are_those_of_the_model():
    potential, crystal, _, observations, _ = setting()
    result = fitted("EFV+FC")
    for kind in WEIGHTS:
        gaps = [
            o.observe(result.model) - o.observe(potential) for o in observations if o.kind == kind
        ]
        eps = np.sqrt(sum((g**2).sum() for g in gaps) / len(gaps))
        assert result.errors[kind] == pytest.approx(eps, rel=1e-5)
        assert result.rmse[kind] == pytest.approx(
            np.sqrt(np.mean(np.concatenate(gaps) ** 2)), rel=1e-5
        )
    assert crystal.energy_per_atom(result.model) == pytest.approx(
        crystal.energy_per_atom(potential), abs=1e-12
    )
    assert (
        result.weights == {k: WEIGHTS[k] for k in ("E", "F", "V", "FC")} and result.ridge == RIDGE
    )


def test_held_out_errors():
    potential, crystal, basis, _, blocks = setting()
    other = assemble(
        training_set(potential, crystal, "vacancy", 3, count=3, seed=9), basis, potential
    )
    result = fit_blocks(blocks, basis, "EF", potential, crystal, held_out=other)
    assert result.held_out["F"] == pytest.approx(
        other["F"].residual(result.model.theta) / np.sqrt(3)
    )
    assert result.held_out["F"] < 3 * result.errors["F"]


def test_weights_matter_and_a_smaller_ridge_fits_better():
    assert fitted("EF", weights={"E": 1000.0}).errors["E"] < 0.5 * fitted("EF").errors["E"]
    assert fitted("EF", ridge=1e-8).errors["F"] < fitted("EF", ridge=1e-2).errors["F"]
    zero = fitted("EF", ridge=0.0)
    assert np.isfinite(zero.model.theta).all() and zero.errors["F"] <= fitted("EF").errors["F"] * (
        1 + 1e-9
    )
    assert fitted("EF", weights={"E": 0.0}).model.theta == pytest.approx(
        fitted("F").model.theta, rel=1e-12
    )


# --- the null space ---


def test_directions_left_free_change_no_observation():
    basis = setting()[2]
    result = fitted("E")
    A, _ = raw("E")
    assert A.shape[0] == 10 and len(basis) == 73
    assert (
        result.rank <= 10
        and result.free_directions.shape == (73, 73 - result.rank)
        and len(result.singular_values) == 73
    )
    # unit vectors of the scaled parameters
    change = A @ result.free_directions
    assert np.abs(change).max() < 1e-9 * np.linalg.norm(A / basis.prior, 2)
    assert (
        np.linalg.matrix_rank(result.free_directions * basis.prior[:, None])
        == result.free_directions.shape[1]
    )
    # Along a free direction the fit of the energies stays, the forces do not.
    moved = result.model.theta + result.free_directions[:, -1]
    blocks = setting()[4]
    assert blocks["E"].residual(moved) == pytest.approx(
        blocks["E"].residual(result.model.theta), abs=1e-8
    )
    assert abs(blocks["F"].residual(moved) - blocks["F"].residual(result.model.theta)) > 1e-3


def test_forces_leave_fewer_directions_free():
    E, EF, everything = (fitted(k) for k in ("E", "EF", "EFV+FC"))
    assert E.rank < EF.rank <= everything.rank <= 73
    np.testing.assert_array_equal(np.sort(EF.singular_values)[::-1], EF.singular_values)


# --- nested bases ---


def test_a_nested_degree_is_the_fit_of_the_smaller_basis():
    potential, crystal, basis, observations, _ = setting()
    small = ACEBasis(basis.cutoff, 6, 3, basis.r0)
    nested = fitted("EFV", degree=6)
    direct = fit(observations, small, potential, crystal, "EFV")
    assert len(nested.model.basis) == 30 == len(nested.model.theta)
    np.testing.assert_allclose(
        nested.model.theta, direct.model.theta, rtol=1e-7, atol=1e-9 * abs(direct.model.theta).max()
    )
    for kind in nested.errors:
        assert nested.errors[kind] == pytest.approx(direct.errors[kind], rel=1e-6)
    assert nested_basis(basis, None) is basis and nested_basis(basis, 8) is basis
    assert fitted("EF", degree=8).errors["F"] < fitted("EF", degree=6).errors["F"]


# --- names and errors ---


@pytest.mark.parametrize(
    "text, kinds",
    [
        ("E", ("E",)),
        ("EF", ("E", "F")),
        ("EFV", ("E", "F", "V")),
        ("EF+FC", ("E", "F", "FC")),
        ("EFV+FC", ("E", "F", "V", "FC")),
        ("FC", ("FC",)),
        ("E+Fw", ("E", "Fw")),
        (("E", "FC"), ("E", "FC")),
    ],
)
def test_observation_sets(text, kinds):
    assert parse_kinds(text) == kinds


@pytest.mark.parametrize("text", ["", "X", "EE", "E F", "EFC", "EF+", "+FC", "ef", "E+FC+FC"])
def test_observation_sets_that_are_not_understood(text):
    with pytest.raises(
        ValueError, match=r"is not understood; combine E, F, V.*E, EF, EFV, EF\+FC, EFV\+FC"
    ):
        parse_kinds(text)


@pytest.mark.parametrize(
    "options, error, message",
    [
        (dict(kinds="EF", weights={"E": 0.0, "F": 0.0}), Unfitted, "all weights are zero"),
        (dict(kinds="EF", weights={"F": -1.0}), ValueError, "non-negative.*'F': -1.0"),
        (dict(kinds="EF", weights={"F": float("nan")}), ValueError, "non-negative.*nan"),
        (dict(kinds=("E", "mine")), ValueError, "'mine'.*known kinds are E, F, Fw, V, FC"),
        (dict(kinds=()), Unfitted, "choose at least one"),
        (dict(kinds="EF", weights={"F": float("inf")}), ValueError, "non-negative.*inf"),
        (dict(kinds="EF", weights=[1.0]), ValueError, "give a mapping"),
        (dict(kinds="EF", weights={"mine": 1.0}), ValueError, "give a mapping"),
        (dict(kinds="EF", ridge=-1.0), ValueError, "ridge = -1.0"),
        (dict(kinds="EF", ridge=1e100), ValueError, "ridge = 1e\\+100"),
    ],
)
def test_errors_name_the_value_and_the_fix(options, error, message):
    with pytest.raises(error, match=message):
        fitted(**options)


def test_an_empty_training_set_is_an_error():
    potential, _, basis, _, _ = setting()
    with pytest.raises(Unfitted, match="training set is empty"):
        assemble([], basis, potential)


def test_free_standing_solve():
    _, _, basis, _, blocks = setting()
    theta, values, free = solve(blocks, {"F": 1.0}, basis.prior)
    np.testing.assert_array_equal(theta, fitted("F").model.theta)
    assert values.shape == (73,) and free.shape[0] == 73
    for weights, message in (({"F": -1.0}, "weight of F=-1"), ({"mine": 1.0}, "holds E, F")):
        with pytest.raises(ValueError, match=message):
            solve(blocks, weights, basis.prior)


def test_without_a_ridge_the_smallest_of_all_solutions_is_taken():
    """A singular matrix whose last singular value is round-off, and a target out of its range."""
    A, y = np.arange(1.0, 10.0).reshape(3, 3), np.array([1.0, 0.0, 1.0])
    theta, _, free = solve(
        {"F": Block("F", np.column_stack([A, y]), 3, 1)}, {"F": 1.0}, np.ones(3), ridge=0.0
    )
    assert theta == pytest.approx(np.linalg.lstsq(A, y, rcond=1e-12)[0], abs=1e-12)
    assert free.shape == (3, 1) and np.abs(A @ free).max() < 1e-12


# --- files ---


def test_models_survive_a_file_bit_by_bit(tmp_path):
    model = fitted("EF").model
    save_model(model, tmp_path / "model.json")
    again = load_model(tmp_path / "model.json")
    assert isinstance(again, LinearACE) and again.symbol == "W"
    assert (
        (again.theta == model.theta).all()
        and again.offset == model.offset
        and again.cutoff == model.cutoff
    )
    R, offsets, _, _ = setting()[1].stencil(4.4, [0])
    for ours, theirs in zip(model.sites(R, offsets), again.sites(R, offsets)):
        np.testing.assert_array_equal(ours, theirs)
    text = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    # versioned, and nothing but numbers and names
    assert any(c.isdigit() for c in text["format"])


@pytest.mark.parametrize(
    "content", ["", "not json", "[1, 2]", "3", "{}", '{"format": "something else", "theta": []}']
)
def test_foreign_files_are_refused(content, tmp_path):
    path = tmp_path / "file.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="not a|not an"):
        load_model(path)


def test_damaged_models_are_refused(tmp_path):
    path = tmp_path / "model.json"
    save_model(fitted("EF").model, path)
    good = json.loads(path.read_text(encoding="utf-8"))
    for damage in (
        {"theta": good["theta"][:-1]},
        {"theta": None},
        {"format": good["format"] + "9"},
        {"degree": "x"},
    ):
        path.write_text(json.dumps({**good, **damage}), encoding="utf-8")
        with pytest.raises(ValueError):
            load_model(path)
    del good["theta"]
    path.write_text(json.dumps(good), encoding="utf-8")
    with pytest.raises(ValueError, match="not a model file.*theta"):
        load_model(path)
