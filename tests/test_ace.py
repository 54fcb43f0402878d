"""The ACE basis against independent mathematics: couplings, rank, nestedness, invariance,
derivatives.
"""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scratch import any_number_of_neighbours, plain_and_poisoned

from mlipgen.potentials import ACEBasis, LinearACE, _ace_kernels, _ace_linear_kernels
from mlipgen.potentials._couplings import coupling

CUTOFF, R0 = 5.5, 2.74
BASIS = ACEBasis(CUTOFF, 8, 3, R0)


def environments(seed, n_sites, n_neighbours, near=2.0, far=6.0):
    """Random neighbourhoods, some pairs beyond the cutoff."""
    rng = np.random.default_rng(seed)
    R = rng.normal(size=(n_sites * n_neighbours, 3))
    R *= (rng.uniform(near, far, len(R)) / np.linalg.norm(R, axis=1))[:, None]
    return R, np.arange(n_sites + 1) * n_neighbours


def model(basis=BASIS, seed=1):
    return LinearACE(basis, np.random.default_rng(seed).normal(size=len(basis)), "W", offset=-0.7)


def close(a, b, tolerance):
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


@pytest.mark.parametrize("degree, size", [(6, 30), (8, 73), (10, 165), (12, 347)])
def test_number_of_functions(degree, size):
    assert len(ACEBasis(CUTOFF, degree, 3, R0)) == size
    assert len(ACEBasis(CUTOFF, degree, 3, R0, pair=2)) == size + degree


@pytest.mark.parametrize(
    "l", [(0, 0, 0), (0, 1, 1), (1, 1, 2), (0, 2, 2), (2, 2, 2), (1, 2, 3), (2, 3, 3), (2, 2, 4)]
)
def test_couplings_are_sympys_real_gaunt_coefficients_up_to_one_factor(l):
    from sympy.physics.wigner import real_gaunt

    gaunt = np.array(
        [
            [
                [float(real_gaunt(*l, a, b, c)) for c in range(-l[2], l[2] + 1)]
                for b in range(-l[1], l[1] + 1)
            ]
            for a in range(-l[0], l[0] + 1)
        ]
    )
    C = coupling(*l)
    assert abs((C**2).sum() - 1) < 1e-13
    factor = (gaunt * C).sum()
    assert abs(factor) > 1e-3
    close(factor * C, gaunt, 1e-13)


@pytest.mark.parametrize("pair", [1, 2])
def test_no_function_is_redundant(pair):
    basis = ACEBasis(CUTOFF, 12, 3, R0, pair=pair)
    B, _ = basis.sites(*environments(0, 900, 12))
    values = np.linalg.svd(B / np.linalg.norm(B, axis=0), compute_uv=False)
    assert values[-1] > 1e-4 * values[0]


def test_order_limits_the_bodies():
    R, offsets = environments(3, 1, 3, far=5.0)

    def interaction(order):
        """The part of B that needs three neighbours at once: inclusion-exclusion over subsets."""
        total = 0.0
        for mask in range(1, 8):
            keep = [p for p in range(3) if mask >> p & 1]
            B, _ = ACEBasis(CUTOFF, 6, order, R0).sites(R[keep], np.array([0, len(keep)]))
            total = total + (-1) ** (3 - len(keep)) * B[0]
        return np.abs(total).max()

    assert interaction(1) < 1e-12 and interaction(2) < 1e-12 < 1e-3 < interaction(3)


@pytest.mark.parametrize("pair", [1, 2, 3])
@pytest.mark.parametrize("degree", [2, 6, 8])
def test_smaller_bases_are_column_subsets_exactly(degree, pair):
    R, offsets = environments(4, 5, 9)
    large = ACEBasis(CUTOFF, 10, 3, R0, pair=pair)
    small = large.nested(degree)
    assert (small.degree, small.pair) == (degree, pair)
    columns = large.subset(degree)
    assert np.array_equal(columns, np.arange(len(small)))
    assert [large.functions[k] for k in columns] == small.functions
    assert np.array_equal(large.prior[columns], small.prior)
    for a, b in zip(large.sites(R, offsets), small.sites(R, offsets)):
        close(a[..., columns], b, 1e-14)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_gradient_is_the_derivative(order):
    basis = ACEBasis(CUTOFF, 8, order, R0)
    potential = model(basis)
    R, offsets = environments(5, 4, 14)
    direction = np.random.default_rng(6).normal(size=R.shape)
    V, G = potential.sites(R, offsets)
    slope = np.add.reduceat((G * direction).sum(axis=1), offsets[:-1])
    step = 1e-30
    Vc, Gc = potential.sites(R + 1j * step * direction, offsets)
    close(Vc.imag / step, slope, 1e-12)
    close(Vc.real, V, 1e-13)
    h = 1e-3
    weights = [(1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280)]
    differences = [
        sum(
            w
            * (
                potential.sites(R + k * h * direction, offsets)[m]
                - potential.sites(R - k * h * direction, offsets)[m]
            )
            for k, w in weights
        )
        / h
        for m in (0, 1)
    ]
    close(differences[0], slope, 1e-9)
    # second derivatives: complex step against finite differences
    close(Gc.imag / step, differences[1], 1e-9)


def test_design_gradient_is_the_derivative():
    R, offsets = environments(7, 3, 10)
    direction = np.random.default_rng(8).normal(size=R.shape)
    B, dB = BASIS.sites(R, offsets)
    Bc, dBc = BASIS.sites(R + 1e-30j * direction, offsets)
    slope = np.add.reduceat(np.einsum("pdk,pd->pk", dB, direction), offsets[:-1], axis=0)
    close(Bc.imag / 1e-30, slope, 1e-12)
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


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), mirrored=st.booleans())
def test_rotations_reflections_and_permutations(seed, mirrored):
    rng = np.random.default_rng(seed)
    R, offsets = environments(seed, 1, 11)
    Q = Rotation.random(random_state=seed % 2**31).as_matrix() * (-1 if mirrored else 1)
    shuffled = rng.permutation(len(R))
    V, G = model().sites(R, offsets)
    V2, G2 = model().sites((R @ Q.T)[shuffled], offsets)
    scale = np.abs(BASIS.sites(R, offsets)[0] * model().theta).sum()
    assert abs(V2 - V)[0] < 1e-12 * scale
    close(G2, (G @ Q.T)[shuffled], 1e-10)


def test_c3_at_the_cutoff():
    """Energy falls as the fourth power of the distance to the cutoff, beyond it the pair is not
    there.
    """
    potential = model()
    fixed = np.array([[2.5, 0.3, 0.1], [-0.4, 2.8, 0.9]])

    def energy(gap):
        R = np.vstack([fixed, (CUTOFF - gap) * np.array([[0.6, 0.0, 0.8]])])
        V, G = potential.sites(R, np.array([0, 3]))
        return V[0] - potential.sites(fixed, np.array([0, 2]))[0][0], np.abs(G[2]).max()

    gaps = np.array([0.08, 0.04])
    values, slopes = np.array([energy(g) for g in gaps]).T
    assert abs(np.log2(values[0] / values[1]) - 4) < 0.25
    assert abs(np.log2(slopes[0] / slopes[1]) - 3) < 0.25
    assert energy(-0.1) == (0.0, 0.0)


def test_isolated_sites_and_empty_input():
    potential = model()
    V, G = potential.sites(np.array([[9.0, 0, 0]]), np.array([0, 0, 1]))
    assert np.array_equal(V, [potential.offset] * 2) and not G.any()
    B, dB = BASIS.sites(np.zeros((0, 3)), np.array([0]))
    assert B.shape == (0, len(BASIS)) and dB.shape == (0, 3, len(BASIS))


def test_columns_are_normalised_for_evenly_spread_neighbours():
    """Poisson neighbours of close-packed density beyond 0.7 r0: each A_n00 has variance one, by
    construction.
    """
    rng = np.random.default_rng(11)
    near, n_sites = 0.7 * R0, 4000
    expected = np.sqrt(2) / R0**3 * 4 / 3 * np.pi * (CUTOFF**3 - near**3)
    offsets = np.concatenate([[0], np.cumsum(rng.poisson(expected, n_sites))])
    R = rng.normal(size=(offsets[-1], 3))
    R *= (rng.uniform(near**3, CUTOFF**3, len(R)) ** (1 / 3) / np.linalg.norm(R, axis=1))[:, None]
    B, _ = ACEBasis(CUTOFF, 6, 1, R0).sites(R, offsets)
    # sampling error of a variance: sqrt(2 / 4000) = 0.02
    assert np.abs(B.var(axis=0) - 1).max() < 0.1
    B, _ = BASIS.sites(R[: offsets[1000]], offsets[:1001])
    # products with A_100, whose mean is about 6, are the largest
    assert 0.3 < B.std(axis=0).min() and B.std(axis=0).max() < 300


def test_saved_and_loaded_model_is_the_same_bits():
    potential = model(ACEBasis(CUTOFF, 6, 3, R0, pair=2))
    copy = LinearACE.from_dict(json.loads(json.dumps(potential.to_dict())))
    R, offsets = environments(12, 3, 12)
    for a, b in zip(copy.sites(R, offsets), potential.sites(R, offsets)):
        assert np.array_equal(a, b)
    assert (copy.symbol, copy.cutoff, copy.offset) == ("W", CUTOFF, -0.7)
    assert ACEBasis.from_dict(BASIS.to_dict()).functions == BASIS.functions


@pytest.mark.parametrize(
    "arguments, words",
    [
        (dict(order=4), "order=4"),
        (dict(degree=1), "degree=1"),
        (dict(degree=7.5), "degree=7.5"),
        (dict(cutoff=-1.0), "cutoff=-1.0"),
        (dict(r0=None), "r0=None"),
        (dict(r0=9.0), "r0=9.0"),
        (dict(dimension=4), "dimension=4"),
        (dict(pair=0), "pair=0"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        ACEBasis(**{**dict(cutoff=CUTOFF, degree=6, order=3, r0=R0), **arguments})


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="73 coefficients"):
        LinearACE(BASIS, np.zeros(5), "W")
    with pytest.raises(ValueError, match=r"\(n_pairs, 3\)"):
        model().sites(np.zeros((4, 2)), np.array([0, 4]))
    with pytest.raises(ValueError, match="offsets"):
        BASIS.sites(np.zeros((4, 3)), np.array([0, 3]))
    with pytest.raises(ValueError, match="from 2 to 8"):
        BASIS.subset(9)
    with pytest.raises(ValueError, match="mlipgen-ace/1"):
        ACEBasis.from_dict({"format": "other"})


@pytest.mark.parametrize("most", [1, 2, 5, 70])
def test_sites_with_any_number_of_neighbours(most):
    any_number_of_neighbours(model(), environments, most)


@pytest.mark.parametrize(
    "kernels, name", [(_ace_kernels, "basis_sites"), (_ace_linear_kernels, "linear_sites")]
)
def test_scratch_memory_is_never_read_before_it_is_written(monkeypatch, kernels, name):
    """Run the outer loop as plain Python with every scratch array full of nan: none may reach the
    results.
    """

    environment = environments(13, 17, 12)  # two blocks, the second with one site
    for got, want in plain_and_poisoned(monkeypatch, kernels, name, model(), environment):
        close(got, want, 1e-14)
