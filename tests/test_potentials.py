"""Reference potentials: published functions, gradients, symmetries, smoothness, crystals."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from mlipgen.potentials import EAM, SitePotential, StillingerWeber, Toy2D, eam

STEP = 1e-30  # of complex steps: no cancellation, so no need for a moderate size

# (potential, nearest-neighbour distance)
CASES = [
    (EAM("W"), 2.74),
    (EAM("Cu"), 2.556),
    (EAM("Pt"), 2.77),
    (EAM("Mg"), 3.2),
    (EAM("W", fade=(4.5, 5.5)), 2.74),
    (StillingerWeber("Si"), 2.35),
    (StillingerWeber("X", epsilon=1.1, sigma=1.9, p=5, q=2, lam=30.0, gamma=1.1), 2.1),
    (Toy2D(), 0.94),
]
potential_cases = pytest.mark.parametrize(
    "potential, distance", CASES, ids=[repr(p) for p, _ in CASES]
)
seeds = st.integers(0, 2**32 - 1)
random_clusters = settings(max_examples=25, deadline=None, derandomize=True)


def cluster(potential, distance, seed, n_max=9):
    """Positions of a random cluster without close pairs (0.7 nearest-neighbour distances), so that
    numbers stay moderate.
    """
    rng = np.random.default_rng(seed)
    n, d = rng.integers(2, n_max + 1), potential.dimension
    box, points = distance * 1.1 * n ** (1 / d), []
    for _ in range(10000):
        if len(points) == n:
            break
        new = rng.uniform(0, box, d)
        if all(np.linalg.norm(new - x) > 0.7 * distance for x in points):
            points.append(new)
    return np.array(points)


def all_pairs(x):
    """R, offsets of an open cluster: every other atom is a neighbour, beyond the cutoff or not."""
    n = len(x)
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    return x[j] - x[i], np.arange(n + 1) * (n - 1), i, j


def energy(potential, x):
    R, offsets, _, _ = all_pairs(x)
    return potential.sites(R, offsets)[0].sum()


# --- gradients ---


@potential_cases
@given(seed=seeds)
@random_clusters
def test_gradient_is_the_complex_step_of_each_site_energy(potential, distance, seed):
    R, offsets, _, _ = all_pairs(cluster(potential, distance, seed))
    _, G = potential.sites(R, offsets)
    numerical = np.empty_like(G)
    site = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    for p, c in np.ndindex(R.shape):
        Z = R.astype(complex)
        Z[p, c] += 1j * STEP
        V = potential.sites(Z, offsets)[0]
        numerical[p, c] = V[site[p]].imag / STEP
        # no other site may depend on this pair
        assert not np.delete(V, site[p]).imag.any()
    # Both are exact but for rounding; sums run over at most 8 neighbours.
    np.testing.assert_allclose(G, numerical, rtol=0, atol=2e-14 * max(1, abs(G).max()))


@potential_cases
@given(seed=seeds)
@random_clusters
def test_forces_are_finite_differences_of_the_energy(potential, distance, seed):
    x = cluster(potential, distance, seed)
    R, offsets, i, j = all_pairs(x)
    _, G = potential.sites(R, offsets)
    gradient = np.zeros_like(x)
    np.add.at(gradient, j, G)
    np.add.at(gradient, i, -G)
    # Fourth-order differences.  The fourth derivative jumps where a fade or a blend begins, so the
    # step is small: what a jump leaves
    # falls as h^3 (to some 1e-10 here), rounding is about 1e-14 |E| / h = 1e-10.
    h, weights = 2e-4 * distance, {1: 2 / 3, 2: -1 / 12}
    numerical = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        for k, w in weights.items():
            for sign in (1, -1):
                moved = x.copy()
                moved[index] += sign * k * h
                numerical[index] += sign * w * energy(potential, moved) / h
    np.testing.assert_allclose(gradient, numerical, rtol=0, atol=1e-9 * max(1, abs(gradient).max()))


@potential_cases
def test_complex_steps_of_the_gradient_give_a_symmetric_hessian(potential, distance):
    R, offsets, _, _ = all_pairs(cluster(potential, distance, 3))
    R, offsets = R[: offsets[1]], offsets[:2]
    H = np.empty(R.shape + R.shape)
    for index in np.ndindex(R.shape):
        Z = R.astype(complex)
        Z[index] += 1j * STEP
        H[index] = potential.sites(Z, offsets)[1].imag / STEP
    H = H.reshape(R.size, R.size)
    assert abs(H).max() > 1e-3
    np.testing.assert_allclose(H, H.T, rtol=0, atol=1e-14 * abs(H).max())
    V, G = potential.sites(R.astype(complex), offsets)  # and without a step nothing changes
    np.testing.assert_allclose(
        V, potential.sites(R, offsets)[0], rtol=0, atol=1e-14 * max(1, abs(G).max())
    )
    np.testing.assert_allclose(
        G, potential.sites(R, offsets)[1], rtol=0, atol=1e-14 * max(1, abs(G).max())
    )


# --- symmetries ---


@potential_cases
@given(seed=seeds)
@random_clusters
def test_rotations_and_reflections(potential, distance, seed):
    R, offsets, _, _ = all_pairs(cluster(potential, distance, seed))
    d = potential.dimension
    Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))
    V, G = potential.sites(R, offsets)
    # one of them is proper, the other is not
    for matrix in (Q, Q @ np.diag([-1.0] + [1.0] * (d - 1))):
        W, H = potential.sites(R @ matrix.T, offsets)
        # Rounding of the rotated vectors, amplified by the gradients.
        np.testing.assert_allclose(W, V, rtol=0, atol=5e-14 * max(1, abs(V).max(), abs(G).max()))
        np.testing.assert_allclose(H, G @ matrix.T, rtol=0, atol=5e-13 * max(1, abs(G).max()))


@potential_cases
@given(seed=seeds)
@random_clusters
def test_permutations_and_translations(potential, distance, seed):
    x = cluster(potential, distance, seed)
    rng = np.random.default_rng(seed)
    R, offsets, _, _ = all_pairs(x)
    V, G = potential.sites(R, offsets)
    scale = max(1, abs(V).max(), abs(G).max())
    # of the sites, and with them of their neighbours
    order = rng.permutation(len(x))
    R2, _, _, _ = all_pairs(x[order] + rng.normal(size=x.shape[1]))
    # The translation rounds positions of some 10 A to 1e-15 A.
    np.testing.assert_allclose(
        potential.sites(R2, offsets)[0], V[order], rtol=0, atol=2e-13 * scale
    )
    shuffle = np.concatenate([offsets[i] + rng.permutation(len(x) - 1) for i in range(len(x))])
    W, H = potential.sites(R[shuffle], offsets)
    np.testing.assert_allclose(W, V, rtol=0, atol=2e-14 * scale)
    np.testing.assert_allclose(H, G[shuffle], rtol=0, atol=2e-13 * scale)


@potential_cases
def test_pairs_at_or_beyond_the_cutoff_contribute_exactly_nothing(potential, distance):
    R, offsets, _, _ = all_pairs(cluster(potential, distance, 5))
    R = R[: offsets[1]]
    R = R[np.linalg.norm(R, axis=1) < potential.cutoff]
    far = (
        np.eye(potential.dimension)
        * potential.cutoff
        * np.array([1.0, 1.0000001, 30.0])[: potential.dimension, None]
    )
    V, G = potential.sites(R, [0, len(R)])
    W, H = potential.sites(np.vstack([far, R]), [0, len(R) + len(far)])
    assert W[0] == V[0] and (H[len(far) :] == G).all() and not H[: len(far)].any()
    for dtype in (float, complex):  # an isolated atom is a legal site
        V, G = potential.sites(np.zeros((0, potential.dimension), dtype), [0, 0, 0])
        assert V.shape == (2,) and np.isfinite(V).all() and G.shape == (0, potential.dimension)


# --- smoothness ---


def second_derivative(gradient, x):
    return gradient(np.asarray(x) + 1j * STEP).imag / STEP


def test_a_subclass_that_reaches_further_adds_to_what_it_inherits():
    class Farther(Toy2D):
        def __init__(self):
            super().__init__()
            self.cutoff = 4.0

    R = np.array([[1.0, 0.0], [0.0, 1.7], [2.5, 0.1], [3.1, 0.0]])
    for own, plain in zip(Farther().sites(R, [0, 4]), Toy2D().sites(R, [0, 4])):
        np.testing.assert_array_equal(own, plain)


@pytest.mark.parametrize("symbol", EAM.symbols())
def test_eam_functions_have_continuous_third_derivatives(symbol):
    potential = EAM(symbol)
    rho_n, rho_h = potential._embedding[1:3]
    width = potential.blend * potential.rho_e
    edges = [rho + side * width for rho in (rho_n, rho_h) for side in (-1, 1)]
    for gradient, points, span in (
        (lambda x: potential.embedding(x)[1], edges, width),
        (lambda x: potential.pair(x)[1], potential.fade, potential.fade[1] - potential.fade[0]),
        (lambda x: potential.density(x)[1], potential.fade, potential.fade[1] - potential.fade[0]),
    ):
        h = 1e-5 * span
        for x in points:
            nearby = np.linspace(x - span, x + span, 201)
            third = (
                second_derivative(gradient, nearby + h) - second_derivative(gradient, nearby - h)
            ) / (2 * h)
            before, at, after = second_derivative(gradient, [x - h, x, x + h])
            # Second differences over h are the jump of the third derivative plus h times the
            # fourth: only the latter, some 1e-4 of
            # the third derivatives nearby, may be seen.  A C2 step leaves jumps of order one.
            assert abs(after - 2 * at + before) / h < 1e-3 * abs(third).max()


def published(symbol):
    row = eam._read_table()[symbol]
    return {k: float(v) for k, v in row.items() if k not in ("symbol", "structure")}


@pytest.mark.parametrize("symbol", EAM.symbols())
def test_eam_functions_are_the_published_ones_outside_fade_and_blends(symbol):
    p = published(symbol)
    potential = EAM(symbol)
    r = np.linspace(1.5, potential.fade[0], 50)
    x = r / p["r_e"]
    f = np.exp(-p["beta"] * (x - 1)) / (1 + (x - p["lambda"]) ** 20)
    phi = p["A"] * np.exp(-p["alpha"] * (x - 1)) / (1 + (x - p["kappa"]) ** 20) - p["B"] * f
    # The numbers cancel from tens of eV at the shortest distance: 1e-14 of those.
    np.testing.assert_allclose(potential.density(r)[0], p["f_e"] * f, rtol=1e-14)
    np.testing.assert_allclose(potential.pair(r)[0], phi, rtol=0, atol=1e-14 * abs(phi).max())

    rho_n, rho_h, w = (
        p["rho_low"] * p["rho_e"],
        p["rho_high"] * p["rho_e"],
        potential.blend * p["rho_e"],
    )
    low, middle, high = (
        np.linspace(0, rho_n - w, 20),
        np.linspace(rho_n + w, rho_h - w, 20),
        np.linspace(rho_h + w, 3 * rho_h, 20),
    )
    F_low = sum(p[f"Fn{i}"] * (low / rho_n - 1) ** i for i in range(4))
    F_middle = sum(p[f"F{i}"] * (middle / p["rho_e"] - 1) ** i for i in range(4))
    y = high / p["rho_s"]
    F_high = p["Fe"] * (1 - p["eta"] * np.log(y)) * y ** p["eta"]
    for rho, F in ((low, F_low), (middle, F_middle), (high, F_high)):
        np.testing.assert_allclose(
            potential.embedding(rho)[0], F, rtol=0, atol=2e-14 * abs(F).max()
        )


@pytest.mark.parametrize("symbol", EAM.symbols())
def test_blends_stay_between_the_branches(symbol):
    p, potential = published(symbol), EAM(symbol)
    rho_n, w = p["rho_low"] * p["rho_e"], potential.blend * p["rho_e"]
    rho = np.linspace(rho_n - w, rho_n + w, 101)
    low = sum(p[f"Fn{i}"] * (rho / rho_n - 1) ** i for i in range(4))
    middle = sum(p[f"F{i}"] * (rho / p["rho_e"] - 1) ** i for i in range(4))
    F = potential.embedding(rho)[0]
    assert (F >= np.minimum(low, middle) - 1e-13).all() and (
        F <= np.maximum(low, middle) + 1e-13
    ).all()


# --- crystals ---


def neighbours_of_one_site(structure, a, cutoff, c_over_a=None):
    """All neighbour vectors of the site at the origin, by brute force."""
    cell, basis = {
        "bcc": (np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]]),
        "fcc": (np.eye(3), [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
        "diamond": (
            np.eye(3),
            [
                [x + s, y + s, z + s]
                for x, y, z in ([0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5])
                for s in (0, 0.25)
            ],
        ),
        "hcp": (
            np.diag([1, 3**0.5, c_over_a or 1]),
            [[0, 0, 0], [0.5, 0.5, 0], [0.5, 5 / 6, 0.5], [0, 1 / 3, 0.5]],
        ),
        "triangular": (np.diag([1, 3**0.5]), [[0, 0], [0.5, 0.5]]),
    }[structure]
    d = len(cell)
    m = int(np.ceil(cutoff / a)) + 1
    shifts = np.stack(np.meshgrid(*[np.arange(-m, m + 1)] * d), -1).reshape(-1, 1, d)
    R = a * ((shifts + np.array(basis)) @ cell).reshape(-1, d)
    r = np.linalg.norm(R, axis=1)
    return R[(r > 1e-9) & (r < cutoff)]


def crystal_energy(potential, a, c_over_a=None):
    R = neighbours_of_one_site(potential.structure, a, potential.cutoff, c_over_a)
    return potential.sites(R, [0, len(R)])[0][0]


def equilibrium(potential):
    """(a, c/a or None, energy per atom)."""
    a = potential.a0_guess
    if potential.structure == "hcp":
        found = minimize(
            lambda x: crystal_energy(potential, *x),
            [a, potential.c_over_a],
            method="Nelder-Mead",
            options=dict(xatol=1e-6, fatol=1e-10),
        )
        return *found.x, found.fun
    found = minimize_scalar(
        lambda x: crystal_energy(potential, x),
        bounds=(0.95 * a, 1.05 * a),
        method="bounded",
        options=dict(xatol=1e-9),
    )
    return found.x, None, found.fun


@pytest.mark.parametrize(
    "fade, a0, cohesive", [(None, "3.165188", "-8.759033"), ((4.5, 5.5), "3.164853", "-8.759983")]
)
def test_tungsten(fade, a0, cohesive):
    """Lattice constant and cohesive energy computed independently, to all digits known."""
    a, _, E = equilibrium(EAM("W", fade=fade))
    assert (f"{a:.6f}", f"{E:.6f}") == (a0, cohesive)
    assert fade or EAM("W").fade == (3.5, 4.4)


def test_silicon():
    """1985: the diamond lattice has energy -2 epsilon, as the two-body minimum -1 is met by four
    bonds of ideal angle.
    """
    potential = StillingerWeber("Si")
    a, _, E = equilibrium(potential)
    assert a == pytest.approx(5.43095, abs=1e-5)
    assert E == pytest.approx(-2 * 2.1683, rel=1e-8)  # A and B are printed to ten digits


@pytest.mark.parametrize("symbol", EAM.symbols())
def test_default_fade_hardly_moves_the_lattice(symbol):
    potential = EAM(symbol)
    guess = potential.a0_guess
    a, ratio, E = equilibrium(potential)
    # phi and f are below 1e-10 there
    b, full_ratio, full = equilibrium(EAM(symbol, fade=(4.5 * guess, 5 * guess)))
    assert a == pytest.approx(b, rel=5e-3) and E == pytest.approx(full, rel=5e-3)
    assert a == pytest.approx(guess, rel=5e-3)
    if ratio:
        assert a * ratio == pytest.approx(b * full_ratio, rel=5e-3)
    assert potential.cutoff < 2.4 * guess


@pytest.mark.parametrize(
    "potential", [EAM(s) for s in EAM.symbols() if EAM(s).structure != "hcp"] + [Toy2D()], ids=repr
)
def test_phonons_of_the_bravais_lattices_are_stable(potential):
    """D(k) = sum_mn (e^{-ik.R_m} - 1) V_mn (e^{ik.R_n} - 1) is positive definite over the Brillouin
    zone.
    """
    a, _, _ = equilibrium(potential)
    R = neighbours_of_one_site(potential.structure, a, potential.cutoff)
    n, d = R.shape
    hessian = np.empty((n, d, n, d))
    for m, c in np.ndindex(n, d):
        Z = R.astype(complex)
        Z[m, c] += 1j * STEP
        hessian[m, c] = potential.sites(Z, [0, n])[1].imag / STEP
    primitive = (
        np.array(
            {
                "bcc": [[-1, 1, 1], [1, -1, 1], [1, 1, -1]],
                "fcc": [[0, 1, 1], [1, 0, 1], [1, 1, 0]],
                "triangular": [[2, 0], [1, 3**0.5]],
            }[potential.structure]
        )
        * a
        / 2
    )
    reciprocal = 2 * np.pi * np.linalg.inv(primitive).T
    grid = np.stack(np.meshgrid(*[np.arange(6) / 6] * d), -1).reshape(-1, d)[1:] @ reciprocal
    phase = np.exp(1j * grid @ R.T) - 1
    D = np.einsum("km,mcne,kn->kce", phase.conj(), hessian, phase, optimize=True)
    # The softest branch of the grid still has the size of a typical elastic constant times k^2.
    assert np.linalg.eigvalsh(D).min() > 0.02 * np.linalg.eigvalsh(D).max()


# --- the objects ---


@potential_cases
def test_attributes_and_pickling(potential, distance):
    assert isinstance(potential, SitePotential)
    copy = pickle.loads(pickle.dumps(potential))
    for name in ("symbol", "cutoff", "dimension", "structure", "a0_guess"):
        assert getattr(copy, name) == getattr(potential, name)
    R, offsets, _, _ = all_pairs(cluster(potential, distance, 1))
    assert (copy.sites(R, offsets)[0] == potential.sites(R, offsets)[0]).all()
    # Any layout and integer type of the arguments will do.
    strided = np.asfortranarray(np.repeat(R, 2, axis=0))[::2]
    assert (
        potential.sites(strided, offsets.astype(np.int32))[1] == potential.sites(R, offsets)[1]
    ).all()


def test_all_sixteen_metals():
    assert set(EAM.symbols()) == set("Cu Ag Au Ni Pd Pt Al Pb Fe Mo Ta W Mg Co Ti Zr".split())


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: EAM("Xx"), "'Xx'.*Cu, Ag, .*Zr"),
        (lambda: EAM("W", fade=(4.4, 3.5)), r"\(4.4, 3.5\).*r_on < r_off"),
        (lambda: EAM("W", fade=(4.4, 4.4)), "r_on < r_off"),
        (lambda: EAM("W", fade=(-1, 4.4)), r"\(-1, 4.4\).*0 < r_on"),
        (lambda: EAM("W", fade=(3.5, float("nan"))), "nan"),
        (lambda: EAM("W", fade=4.4), "fade=4.4.*two distances"),
        (lambda: EAM("W", fade=("a", "b")), "two distances"),
        (lambda: StillingerWeber("Ge"), "'Ge'.*'Si'.*epsilon and sigma"),
        (lambda: StillingerWeber(sigma=-2.0), "sigma=-2.0.*positive"),
        (lambda: StillingerWeber(p=2.5), "p=2.5.*integers"),
        (lambda: Toy2D(fade=(2, 1)), "r_on < r_off"),
        (lambda: Toy2D(rho_0=0.0), "rho_0=0.0"),
        (lambda: EAM("W").sites(np.zeros((4, 2)), [0, 4]), r"\(4, 2\).*\(n_pairs, 3\)"),
        (lambda: EAM("W").sites(np.ones((4, 3)), [0, 3]), "number of pairs, 4"),
        (lambda: EAM("W").sites(np.ones((4, 3)), [0, 5, 4]), "rise"),
        (lambda: EAM("W").tabulate("unused", n_rho=3), "n_rho=3"),
        (lambda: EAM("W").tabulate("unused", rho_max=-1), "rho_max=-1"),
    ],
)
def test_errors_name_the_value_and_the_fix(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_base_class_says_what_is_missing():
    class Half(SitePotential):
        pass

    with pytest.raises(NotImplementedError, match="Half must define sites"):
        Half().sites(np.zeros((0, 3)), [0])


def test_kernels_are_compiled_once_and_cached():
    """A second process loads every kernel from disk: numba counts hits, and no miss."""
    code = (
        "import numpy as np; from mlipgen.potentials import *; from mlipgen.potentials import "
        "_pair_kernels as k, _sw_kernels as s\n"
        "for p in (EAM('W'), Toy2D(), StillingerWeber()):\n"
        "    for t in (float, complex): p.sites(np.ones((1, p.dimension), t), [0, 1])\n"
        "for f in (k.eam_sites, s.stillinger_weber_sites):\n"
        "    print(sum(f.stats.cache_hits.values()), sum(f.stats.cache_misses.values()))\n"
    )
    for _ in range(2):
        out = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            encoding="utf-8",
        ).stdout
    assert out.split() == ["2", "0"] * 2


def test_importing_the_package_does_not_import_numba():
    code = "import sys, mlipgen; raise SystemExit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_exponential_of_the_kernels_is_exact_to_its_last_place():
    """Of real numbers; also where it ends, and of what is no number."""
    from mlipgen.potentials._complex import real_exp

    x = np.concatenate([np.linspace(-708, 708, 4001), [0.0, -0.0, 1e-300, -1e-17]])
    found = np.array([real_exp(v) for v in x])
    assert np.abs(found / np.exp(x) - 1).max() < 5e-16
    assert real_exp(-1e4) == real_exp(-np.inf) == 0.0 and real_exp(1e4) == np.inf
    assert np.isnan(real_exp(np.nan))
