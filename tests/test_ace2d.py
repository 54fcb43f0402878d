"""The two-dimensional ACE basis against independent mathematics, and what takes a basis with it."""

import itertools
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scratch import any_number_of_neighbours, plain_and_poisoned

from mlipgen.crystals import Crystal, Supercell, build_defect
from mlipgen.generalisation import Reference, defect_error
from mlipgen.learning import assemble, fit_blocks, nested_basis, training_set
from mlipgen.potentials import (
    ACEBasis,
    LinearACE,
    Toy2D,
    _ace_kernels,
    _ace_linear_kernels,
    load_model,
    save_model,
)
from mlipgen.potentials._couplings import circular

CUTOFF, R0 = 2.3, 0.94
BASIS = ACEBasis(CUTOFF, 9, 3, R0, dimension=2)


def environments(seed, n_sites, n_neighbours, near=0.7, far=2.5):
    """Random neighbourhoods in the plane, some pairs beyond the cutoff."""
    rng = np.random.default_rng(seed)
    r, phi = (
        rng.uniform(near, far, n_sites * n_neighbours),
        rng.uniform(0, 2 * np.pi, n_sites * n_neighbours),
    )
    return (r * [np.cos(phi), np.sin(phi)]).T, np.arange(n_sites + 1) * n_neighbours


def model(basis=BASIS, seed=1):
    theta = np.random.default_rng(seed).normal(size=len(basis)) / basis.prior
    return LinearACE(basis, theta, "X", offset=-0.7, structure="triangular", a0_guess=0.94)


def close(a, b, tolerance):
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


def brute_force(basis, R):
    """The functions of one site from angles and complex exponentials, over all signs of m."""
    R = R[np.linalg.norm(R, axis=1) < basis.cutoff]
    phi = np.arctan2(R[:, 1], R[:, 0])
    one_n = ACEBasis(
        basis.cutoff,
        max(2, max(n for f in basis.functions for n, _ in f)),
        1,
        basis.r0,
        dimension=2,
    )
    P = one_n.sites(R, np.arange(len(R) + 1))[0]  # a site for each neighbour: B is P_n(r) then
    A = lambda n, m: (P[:, n - 1] * np.exp(1j * m * phi)).sum()
    out = []
    for f in basis.functions:
        signs = [
            s
            for s in itertools.product((1, -1), repeat=len(f))
            if sum(s_ * m for s_, (_, m) in zip(s, f)) == 0
        ]
        out.append(
            sum(np.prod([A(n, s_ * m) for s_, (n, m) in zip(s, f)]) for s in signs) / len(signs)
        )
    return np.array(out)


def test_functions_are_sums_over_neighbours_and_signs():
    R, offsets = environments(0, 3, 8)
    B, _ = BASIS.sites(R, offsets)
    assert np.ptp(BASIS.degrees) == 8 and max(map(len, BASIS.functions)) == 3
    for i in range(3):
        expected = brute_force(BASIS, R[8 * i : 8 * i + 8])
        assert np.abs(expected.imag).max() < 1e-12 * np.abs(expected).max()
        ratio = B[i] / expected.real
        if i == 0:
            constants = ratio
        np.testing.assert_allclose(ratio, constants, rtol=1e-9)
    # Mean square one for each harmonic, sum of squares one for each coupling.
    turns = [any(m for _, m in f) for f in BASIS.functions]
    np.testing.assert_allclose(constants, np.where(turns, np.sqrt(2), 1.0), rtol=1e-9)


@pytest.mark.parametrize(
    "m",
    [
        (0,),
        (0, 0),
        (2, 2),
        (0, 0, 0),
        (0, 3, 3),
        (3, 0, 3),
        (1, 1, 2),
        (2, 1, 1),
        (1, 3, 2),
        (4, 1, 3),
    ],
)
def test_couplings_are_invariant(m):
    C, angle = circular(*m), np.random.default_rng(2).uniform(0, 2 * np.pi, len(m))
    assert C.shape == tuple(2 if k else 1 for k in m) and abs((C**2).sum() - 1) < 1e-14

    def value(phi):
        out = C
        for k, p in zip(m, phi):
            out = np.tensordot([np.cos(k * p), np.sin(k * p)] if k else [1.0], out, axes=1)
        return out

    assert abs(value(angle)) > 1e-3
    assert value(angle + 0.7) == pytest.approx(value(angle), abs=1e-14)
    assert value(-angle) == pytest.approx(value(angle), abs=1e-14)


@pytest.mark.parametrize("degree", [4, 6, 8])
def test_every_choice_of_base_functions_with_an_invariant_is_there_once(degree):
    """Counted again from signed m: classes under exchange of factors and change of all signs."""
    labels = [(n, m) for n in range(1, degree + 1) for m in range(-degree, degree + 1)]
    count = 0
    for size in (1, 2, 3):
        classes = set()
        for t in itertools.combinations_with_replacement(labels, size):
            if sum(m for _, m in t) == 0 and sum(n + abs(m) for n, m in t) <= degree:
                classes.add(min(tuple(sorted(t)), tuple(sorted((n, -m) for n, m in t))))
        count += len(classes)
    assert len(ACEBasis(CUTOFF, degree, 3, R0, dimension=2)) == count


@pytest.mark.parametrize("pair", [1, 2])
def test_no_function_is_redundant(pair):
    basis = ACEBasis(CUTOFF, 10, 3, R0, dimension=2, pair=pair)
    B, _ = basis.sites(*environments(0, 900, 12))
    values = np.linalg.svd(B / np.linalg.norm(B, axis=0), compute_uv=False)
    assert values[-1] > 1e-5 * values[0]


def test_order_limits_the_bodies():
    R, _ = environments(3, 1, 3, far=2.0)

    def interaction(order):
        """The part of B that needs three neighbours at once: inclusion-exclusion over subsets."""
        basis, total = ACEBasis(CUTOFF, 6, order, R0, dimension=2), 0.0
        for mask in range(1, 8):
            keep = [p for p in range(3) if mask >> p & 1]
            total = (
                total
                + (-1) ** (3 - len(keep)) * basis.sites(R[keep], np.array([0, len(keep)]))[0][0]
            )
        return np.abs(total).max()

    assert interaction(1) < 1e-12 and interaction(2) < 1e-12 < 1e-3 < interaction(3)


@pytest.mark.parametrize("pair", [1, 3])
@pytest.mark.parametrize("degree", [2, 5, 9])
def test_smaller_bases_are_leading_columns_exactly(degree, pair):
    R, offsets = environments(4, 5, 9)
    large = ACEBasis(CUTOFF, 11, 3, R0, dimension=2, pair=pair)
    small, columns = large.nested(degree), large.subset(degree)
    assert (small.degree, small.pair, small.dimension, small.order) == (degree, pair, 2, 3)
    assert np.array_equal(columns, np.arange(len(small)))
    assert large.functions[: len(small)] == small.functions
    assert np.array_equal(large.prior[columns], small.prior)
    for a, b in zip(large.sites(R, offsets), small.sites(R, offsets), strict=True):
        close(a[..., columns], b, 1e-14)


def test_nested_bases_are_built_once():
    for basis in (BASIS, ACEBasis(5.5, 8, 3, 2.74, pair=2)):
        assert basis.nested(basis.degree) is basis is nested_basis(basis, None)
        assert basis.nested(6) is basis.nested(6) is nested_basis(basis, 6)
        assert (basis.nested(6).dimension, basis.nested(6).pair) == (basis.dimension, basis.pair)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_gradient_is_the_derivative(order):
    basis = ACEBasis(CUTOFF, 9, order, R0, dimension=2)
    potential = model(basis)
    R, offsets = environments(5, 4, 14)
    direction = np.random.default_rng(6).normal(size=R.shape)
    V, G = potential.sites(R, offsets)
    slope = np.add.reduceat((G * direction).sum(axis=1), offsets[:-1])
    Vc, Gc = potential.sites(R + 1e-30j * direction, offsets)
    close(Vc.imag / 1e-30, slope, 1e-12)
    close(Vc.real, V, 1e-13)
    h, weights = 3e-4, [(1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280)]

    def difference(which):
        f = lambda t: potential.sites(R + t * direction, offsets)[which]
        return sum(w * (f(k * h) - f(-k * h)) for k, w in weights) / h

    close(difference(0), slope, 1e-8)
    close(
        Gc.imag / 1e-30, difference(1), 1e-8
    )  # second derivatives: complex step against finite differences


def test_design_gradient_is_the_derivative():
    R, offsets = environments(7, 3, 10)
    direction = np.random.default_rng(8).normal(size=R.shape)
    B, dB = BASIS.sites(R, offsets)
    Bc, dBc = BASIS.sites(R + 1e-30j * direction, offsets)
    assert dB.shape == (30, 2, len(BASIS))
    close(
        Bc.imag / 1e-30,
        np.add.reduceat(np.einsum("pdk,pd->pk", dB, direction), offsets[:-1], axis=0),
        1e-12,
    )
    close(dBc.real, dB, 1e-13)


@pytest.mark.parametrize("complex_step", [False, True])
def test_contracted_evaluator_equals_the_basis(complex_step):
    potential = model()
    R, offsets = environments(9, 40, 17)
    if complex_step:
        R = R + 1e-3j * np.random.default_rng(10).normal(size=R.shape)
    B, dB = BASIS.sites(R, offsets)
    V, G = potential.sites(R, offsets)
    close(V, B @ potential.theta + potential.offset, 1e-12)
    close(G, dB @ potential.theta, 1e-12)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    angle=st.floats(-np.pi, np.pi),
    mirrored=st.booleans(),
    scale=st.floats(0.9, 1.3),
)
def test_rotations_reflections_and_permutations(seed, angle, mirrored, scale):
    R, offsets = environments(seed, 1, 11)
    R = scale * R
    c, s = np.cos(angle), np.sin(angle)
    Q = np.array([[c, -s], [s, c]]) @ np.diag([1.0, -1.0 if mirrored else 1.0])
    shuffled = np.random.default_rng(seed).permutation(len(R))
    B, dB = BASIS.sites(R, offsets)
    B2, dB2 = BASIS.sites((R @ Q.T)[shuffled], offsets)
    size = BASIS.sites(
        np.abs(R[:, :1]) * 0 + np.linalg.norm(R, axis=1)[:, None] * [1.0, 0.0], offsets
    )[0]  # nothing cancels
    assert (np.abs(B2 - B) <= 1e-11 * np.abs(size).max()).all()
    close(dB2, np.einsum("ij,pjk->pik", Q, dB)[shuffled], 1e-10)


def test_what_is_no_symmetry_changes_the_functions():
    """Moving or turning one neighbour changes the functions: invariance is not blindness."""
    R, offsets = environments(11, 1, 3, far=2.0)
    moved = R.copy()
    moved[0] = 1.01 * R[0]
    turned = R.copy()
    turned[0] = R[0] @ np.array([[np.cos(0.05), np.sin(0.05)], [-np.sin(0.05), np.cos(0.05)]])
    B = BASIS.sites(R, offsets)[0]
    for other in (moved, turned):
        assert np.abs(BASIS.sites(other, offsets)[0] - B).max() > 1e-3 * np.abs(B).max()


def test_c3_at_the_cutoff():
    potential = model()
    fixed = np.array([[0.9, 0.1], [-0.2, 1.0]])

    def energy(gap):
        R = np.vstack([fixed, (CUTOFF - gap) * np.array([[0.6, 0.8]])])
        V, G = potential.sites(R, np.array([0, 3]))
        return V[0] - potential.sites(fixed, np.array([0, 2]))[0][0], np.abs(G[2]).max()

    values, slopes = np.array([energy(g) for g in (0.04, 0.02)]).T
    assert abs(np.log2(values[0] / values[1]) - 4) < 0.3
    assert abs(np.log2(slopes[0] / slopes[1]) - 3) < 0.3
    assert energy(-0.1) == (0.0, 0.0)


def test_columns_are_normalised_for_evenly_spread_neighbours():
    """Poisson neighbours of close-packed density beyond 0.7 r0: each A_n0 has variance one."""
    rng, near, n_sites = np.random.default_rng(11), 0.7 * R0, 4000
    expected = np.sqrt(4 / 3) / R0**2 * np.pi * (CUTOFF**2 - near**2)
    offsets = np.concatenate([[0], np.cumsum(rng.poisson(expected, n_sites))])
    r, phi = (
        rng.uniform(near**2, CUTOFF**2, offsets[-1]) ** 0.5,
        rng.uniform(0, 2 * np.pi, offsets[-1]),
    )
    B, _ = ACEBasis(CUTOFF, 6, 1, R0, dimension=2).sites(
        (r * [np.cos(phi), np.sin(phi)]).T, offsets
    )
    assert (
        np.abs(B.var(axis=0) - 1).max() < 0.1
    )  # sampling error of a variance: sqrt(2 / 4000) = 0.02


@pytest.mark.parametrize("most", [1, 2, 5, 70])
def test_sites_with_any_number_of_neighbours(most):
    any_number_of_neighbours(model(), environments, most)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="dimension=1"):
        ACEBasis(CUTOFF, 6, 3, R0, dimension=1)
    with pytest.raises(ValueError, match=r"\(n_pairs, 2\)"):
        BASIS.sites(np.zeros((4, 3)), np.array([0, 4]))
    with pytest.raises(ValueError, match=r"\(n_pairs, 2\)"):
        model().sites(np.zeros((4, 3)), np.array([0, 4]))
    with pytest.raises(ValueError, match="from 2 to 9"):
        BASIS.subset(10)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kernels, name", [(_ace_kernels, "basis_sites"), (_ace_linear_kernels, "linear_sites")]
)
def test_scratch_memory_is_never_read_before_it_is_written(monkeypatch, kernels, name):
    environment = environments(13, 17, 12)  # two blocks, the second with one site
    for got, want in plain_and_poisoned(monkeypatch, kernels, name, model(), environment):
        close(got, want, 1e-14)


# --- what takes a basis ---


@lru_cache
def crystal_setting():
    potential = Toy2D()
    crystal = Crystal.equilibrium(potential)
    basis = ACEBasis(potential.cutoff, 8, 3, float(crystal.shells[0]), dimension=2)
    return potential, crystal, basis


@lru_cache
def fitted(defect, kinds="EFV+FC", degree=None):
    potential, crystal, basis = crystal_setting()
    blocks = assemble(training_set(potential, crystal, defect, 8), basis, potential)
    return fit_blocks(blocks, basis, kinds, potential, crystal, degree=degree)


@pytest.mark.parametrize("defect", ["vacancy", "divacancy"])  # the toy's dumbbells are saddles
def test_a_fit_simulates_the_defect(defect):
    potential, crystal, basis = crystal_setting()
    reference = Reference(potential, build_defect(defect, Supercell(crystal, 16)))
    small, large = (defect_error(fitted(defect, degree=d).model, reference) for d in (5, 8))
    assert large.measurement.geometry < 0.02 * reference.scale
    assert large.measurement.geometry < 0.5 * small.measurement.geometry
    assert large.prediction.applies and large.effectivity == pytest.approx(1.0, abs=0.05)
    assert abs(large.measurement.energy) < 0.05 * abs(reference.formation_energy)


def test_fitted_crystal_has_the_references_lattice_and_stiffness():
    from mlipgen.potentials import elastic_tensor

    potential, crystal, _ = crystal_setting()
    learned = fitted("divacancy").model
    assert (learned.structure, learned.dimension) == ("triangular", 2)
    assert Crystal.equilibrium(learned).a == pytest.approx(crystal.a, rel=1e-3)
    np.testing.assert_allclose(
        elastic_tensor(learned, crystal), elastic_tensor(potential, crystal), atol=0.02
    )


def test_files_keep_the_model_bit_by_bit(tmp_path):
    potential = model(ACEBasis(CUTOFF, 6, 3, R0, dimension=2, pair=2))
    save_model(potential, tmp_path / "model.json")
    copy = load_model(tmp_path / "model.json")
    R, offsets = environments(12, 3, 12)
    for a, b in zip(copy.sites(R, offsets), potential.sites(R, offsets), strict=True):
        assert np.array_equal(a, b)
    assert (copy.dimension, copy.symbol, copy.structure) == (2, "X", "triangular")
    assert ACEBasis.from_dict(BASIS.to_dict()).functions == BASIS.functions


def test_files_without_a_dimension_are_three_dimensional():
    data = ACEBasis(5.5, 6, 3, 2.74).to_dict()
    del data["dimension"]  # as older versions wrote them
    assert ACEBasis.from_dict(data).dimension == 3


def test_the_calculator_differentiates_its_energy():
    potential, crystal, _ = crystal_setting()
    atoms = build_defect("vacancy", Supercell(crystal, 8)).atoms()
    atoms.calc = fitted("divacancy").model.calculator()
    atoms.positions[:, :2] += 0.02 * np.random.default_rng(0).normal(size=(len(atoms), 2))
    forces, i, h = atoms.get_forces(), 5, 1e-5
    energies = []
    for sign in (1, -1):
        atoms.positions[i, 1] += sign * h
        energies.append(atoms.get_potential_energy())
        atoms.positions[i, 1] -= sign * h
    assert forces[i, 1] == pytest.approx((energies[1] - energies[0]) / (2 * h), rel=1e-6, abs=1e-9)
    assert np.abs(forces[:, 2]).max() == 0


def test_a_study_runs_in_two_dimensions():
    from mlipgen.experiments.study import Study

    study = Study("X", "divacancy", cells=(6, 8), observations=("EF",), degrees=(6,), test_cell=14)
    rows = study.run(progress=False)
    assert max(row["relative_error"] for row in rows) < 0.1
