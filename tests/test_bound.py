"""The bound bounds, its constants behave as the theory says, and a saddle point is recognised."""

import numpy as np
import pytest
from scipy.linalg import eigh

from mlipgen.crystals import Crystal, Supercell, build_defect
from mlipgen.equilibrium import Unstable, extreme_eigenvalue, hessian_at
from mlipgen.experiments.study import Study, reference_potential
from mlipgen.generalisation import (
    ForceWeights,
    Reference,
    defect_error,
    force_constant_mismatch,
    geometry_bound,
    mismatch,
    residual_terms,
    terms_bound,
    virial_mismatch,
    wave_mismatch,
)
from mlipgen.generalisation.bounds import residual_forces, weight_constant


@pytest.fixture(scope="module")
def tungsten():
    return Study("W", "vacancy", cells=(3, 4), degrees=(6, 8), test_cell=7).prepare()


@pytest.fixture(scope="module")
def weights(tungsten):
    return ForceWeights.of(tungsten.reference)


def dense(operator, shape):
    columns = [operator(e.reshape(shape)).ravel() for e in np.eye(int(np.prod(shape)))]
    return np.array(columns).T


def test_davidson_agrees_with_a_dense_solver():
    rng = np.random.default_rng(3)
    shape, n = (12, 3), 36
    M, B = (rng.standard_normal((n, n)) for _ in range(2))
    M, B = M + M.T, B @ B.T + n * np.eye(n)
    centre = np.eye(n) - np.kron(np.full((12, 12), 1 / 12), np.eye(3))
    basis = np.linalg.svd(centre)[0][:, :33]  # mean-free fields
    exact = eigh(basis.T @ M @ basis, basis.T @ B @ basis, eigvals_only=True)
    on = lambda X: lambda v: (X @ v.ravel()).reshape(shape)
    for end, value in (
        ("largest", exact[-1]),
        ("smallest", exact[0]),
        ("modulus", exact[np.argmax(np.abs(exact))]),
    ):
        found, x = extreme_eigenvalue(
            on(M), on(B), on(np.linalg.inv(B)), shape, end, tolerance=1e-9
        )
        assert found == pytest.approx(value, rel=1e-6)
        assert np.abs(x.mean(axis=0)).max() < 1e-10


def test_stability_constant_against_dense_matrices():
    potential = reference_potential("W")
    reference = Reference(
        potential, build_defect("vacancy", Supercell(Crystal.equilibrium(potential), 3))
    )
    shape = reference.equilibrium.u.shape
    H, S = (dense(op, shape) for op in (reference.hessian, reference.norm.gram))
    assert np.abs(S - S.T).max() < 1e-12
    basis = np.linalg.svd(
        np.eye(len(H)) - np.kron(np.full((shape[0],) * 2, 1 / shape[0]), np.eye(3))
    )[0][:, :-3]
    exact = eigh(basis.T @ H @ basis, basis.T @ S @ basis, eigvals_only=True)[0]
    assert reference.stability == pytest.approx(exact, rel=0.01)
    assert reference.stability >= exact * (1 - 1e-9)


def test_mismatch_of_an_interstitial_against_dense_matrices():
    """Its soft modes are where curvatures are most wrong, and what a search from a random field
    misses.
    """
    prepared = Study("Si", "dumbbell-110", cells=(2,), degrees=(8,), test_cell=2).prepare()
    reference, model = prepared.reference, prepared.fit(2, "EFV+FC", 8).model
    shape, n = reference.equilibrium.u.shape, reference.equilibrium.u.size
    learned = hessian_at(model, reference.equilibrium.positions, reference.defect.cell)
    H, L = (dense(op, shape) for op in (reference.hessian, learned))
    basis = np.linalg.svd(np.eye(n) - np.kron(np.full((shape[0],) * 2, 1 / shape[0]), np.eye(3)))[
        0
    ][:, :-3]
    exact = np.abs(eigh(basis.T @ (L - H) @ basis, basis.T @ H @ basis, eigvals_only=True)).max()
    found = mismatch(model, reference)
    assert 0.9 * exact < found <= exact * (1 + 1e-6)


def test_the_tungsten_dumbbell_111_is_a_saddle_and_110_is_not():
    potential = reference_potential("W")
    cell = Supercell(Crystal.equilibrium(potential), 5)
    with pytest.raises(Unstable, match="saddle"):
        Reference(potential, build_defect("dumbbell-111", cell))
    assert Reference(potential, build_defect("dumbbell-110", cell)).stability > 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    "kinds, degree", [("EF", 6), ("EF", 8), ("EFV", 8), ("EF+FC", 8), ("EFV+FC", 6)]
)
def test_bounds_hold_and_are_ordered(tungsten, weights, kinds, degree):
    model = tungsten.fit(4, kinds, degree).model
    error = defect_error(model, tungsten.reference)
    bound = geometry_bound(model, tungsten.reference, weights)
    at_end = mismatch(model, tungsten.reference, du=error.measurement.du)
    assert bound.delta < 0.2 and at_end < 1.2 * bound.delta + 1e-3
    measured = error.measurement.geometry
    assert measured < bound.dual < 2.5 * measured  # a bound, and a sharp one
    assert bound.dual < bound.hardy and bound.dual < bound.uniform


@pytest.mark.slow
def test_uniform_weight_costs_the_size_of_the_domain_and_hardy_does_not():
    potential = reference_potential("W")
    crystal = Crystal.equilibrium(potential)
    references = [
        Reference(potential, build_defect("vacancy", Supercell(crystal, n))) for n in (6, 12)
    ]
    uniform, hardy = (
        [weight_constant(r, w(r.defect.distance())) for r in references]
        for w in (np.ones_like, lambda r: 1.0 + r)
    )
    assert uniform[1] / uniform[0] == pytest.approx(2.0, rel=0.05)
    assert hardy[1] / hardy[0] < 1.4


@pytest.mark.slow
def test_terms_add_up_and_the_force_constants_bound_their_share(tungsten, weights):
    model = tungsten.fit(4, "EF", 8).model
    terms = residual_terms(model, tungsten.reference, 4 * tungsten.crystal.a, weights.gamma)
    assert terms.whole <= (terms.core + terms.harmonic + terms.anharmonic) * (1 + 1e-3)
    assert 0 < terms.harmonic <= terms.harmonic_limit and terms.anharmonic <= terms.anharmonic_limit
    args = model, tungsten.reference, 4 * tungsten.crystal.a, weights.gamma
    assert (
        terms_bound(*args, 0.0) > terms.bound(weights.gamma, 0.0)
        and terms.bound(1.0, 1.5) == terms_bound(*args, 1.5) == np.inf
    )
    whole = terms.core + terms.harmonic_limit + terms.anharmonic_limit
    assert terms_bound(*args, 0.5) == pytest.approx(
        whole / (0.5 * np.sqrt(weights.gamma)), rel=1e-9
    )
    delta = mismatch(model, tungsten.reference)
    measured = defect_error(model, tungsten.reference).measurement.geometry
    assert terms.bound(weights.gamma, delta) > measured


def test_a_perfect_model_has_no_residual(tungsten):
    exact = tungsten.potential
    assert np.abs(residual_forces(exact, tungsten.reference)).max() < 1e-9
    assert force_constant_mismatch(exact, exact, tungsten.crystal)[1].max() == 0
    assert wave_mismatch(exact, exact, tungsten.crystal, 4) == 0
    assert virial_mismatch(exact, exact, tungsten.crystal) == (0, 0, 0)
    for bad in ({"step": 0.0}, {"step": np.nan}, {"step": 3.0}, {"directions": 0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            virial_mismatch(exact, exact, tungsten.crystal, **bad)


def test_what_is_given_of_a_bound_is_checked(tungsten):
    args = tungsten.potential, tungsten.reference
    for name, bad in (("radius", 0.0), ("gamma", -1.0), ("delta", np.nan), ("cut", np.inf)):
        given = {"radius": 9.0, "gamma": 0.3, "delta": 0.1, "cut": 1.0, name: bad}
        with pytest.raises(ValueError, match=f"^{name}="):
            terms_bound(*args, **given)
        if name != "delta":
            with pytest.raises(ValueError, match=f"^{name}="):
                residual_terms(*args, **{k: v for k, v in given.items() if k != "delta"})
    with pytest.raises(ValueError, match="^delta="):
        geometry_bound(*args, weights=ForceWeights(1.0, 1.0, 1.0), delta=-0.5)


def test_crystal_weights_see_what_was_fitted(tungsten):
    with_fc, without = (tungsten.fit(4, k, 8).model for k in ("EF+FC", "EF"))
    args = tungsten.potential, tungsten.crystal
    assert (
        force_constant_mismatch(with_fc, *args)[1].sum()
        < 0.5 * force_constant_mismatch(without, *args)[1].sum()
    )
    virials = tungsten.fit(4, "EFV", 8).model
    assert virial_mismatch(virials, *args)[0] < 0.5 * virial_mismatch(without, *args)[0]


def test_wave_mismatch_is_sharper_than_the_sum_over_shells(tungsten):
    """|<(K_ML - K)u, u>| <= eps |Du|^2 for a random field on a finite crystal."""
    from mlipgen.equilibrium import EnergyNorm

    model, home = tungsten.fit(4, "EF", 8).model, tungsten.reference.defect.homogeneous
    eps = wave_mismatch(model, tungsten.potential, tungsten.crystal)
    rng, x = np.random.default_rng(0), home.positions
    H = [hessian_at(m, x, home.cell) for m in (model, tungsten.potential)]
    from mlipgen.crystals import Neighbours

    pairs = Neighbours(x, home.cell, home.crystal.norm_cutoff)
    for _ in range(5):
        u = tungsten.reference.green(rng.standard_normal(x.shape))
        energy = abs((u * (H[0](u) - H[1](u))).sum())
        assert energy <= 1.02 * eps * (pairs.differences(u) ** 2).sum()
    assert isinstance(tungsten.reference.norm, EnergyNorm)
