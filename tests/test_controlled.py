"""Controlled experiments: the known error is what it claims to be, and it does what the theory
says.
"""

import numpy as np
import pytest

from mlipgen.crystals import Crystal, Neighbours, Supercell, build_defect, translations
from mlipgen.equilibrium import ramp
from mlipgen.experiments.controlled import (
    ROWS,
    TERMS,
    Mismatch,
    measure_rates,
    predicted_rates,
    respond,
)
from mlipgen.generalisation import Reference
from mlipgen.potentials import StillingerWeber, Toy2D, energies_and_forces
from mlipgen.potentials.derivatives import STEP

each_term = pytest.mark.parametrize("term", TERMS)


@pytest.fixture(scope="module")
def toy():
    potential = Toy2D()
    return Reference(
        potential,
        build_defect("divacancy", Supercell(Crystal.equilibrium(potential), 90)),
        tolerance=1e-9,
    )


@pytest.fixture(scope="module")
def silicon():
    potential = StillingerWeber()
    return build_defect("vacancy", Supercell(Crystal.equilibrium(potential), 8))


def test_the_rate_table_is_that_of_the_theory():
    """Exponents as published on the theory page, for d = 2 and 3."""
    table = {
        "E,F": ((1, 1.5), (2, 3)),
        "E,F,V": ((3, 3.5), (4, 5)),
        "E,F,FC": ((3, 4.5), (4, 6)),
        "E,F,FC,V": ((5, 6.5), (6, 8)),
    }
    for row, (geometry, energy) in table.items():
        for k, d in enumerate((2, 3)):
            assert predicted_rates(ROWS[row], d) == (geometry[k], energy[k])


def test_ramp_is_smooth_to_third_order():
    h = 1e-2
    for L in (1.0, 7.0):
        assert ramp(np.array([0, L, 2 * L, 9 * L]), L).tolist() == [0, 0, 1, 1]
        for end in (L, 2 * L):  # w(end + hL) - w(end) is of order h^4: three derivatives vanish
            for s in (-1, 1):
                small, large = (abs(ramp(end + s * x * h * L, L) - ramp(end, L)) for x in (1, 2))
                assert large < 40 * h**4 * 2**4
                assert small == 0 or 13 < large / small < 17
    assert (np.diff(ramp(np.linspace(1, 2, 99), 1.0)) > 0).all()


@each_term
def test_terms_are_centrosymmetric_vanish_to_first_order_and_know_their_derivatives(term):
    t, (a, b) = TERMS[term], np.random.default_rng(0).normal(size=(2, 3, 50))
    # inversion exchanges a and b
    assert np.allclose(t.value(a, b), t.value(b, a), rtol=1e-13)
    A, B = t.slope(a, b)
    for m in range(3):  # the energy of a site sums over the directions
        step = np.zeros((3, 1))
        step[m] = STEP
        assert np.allclose(
            t.value(a + 1j * step, b).sum(axis=0).imag / STEP, A[m], rtol=1e-12, atol=1e-14
        )
        assert np.allclose(
            t.value(a, b + 1j * step).sum(axis=0).imag / STEP, B[m], rtol=1e-12, atol=1e-14
        )
    assert np.allclose(t.value(2 * a, 2 * b), 2**t.order * t.value(a, b)) and t.order >= 2


def test_each_term_isolates_one_order():
    """On a homogeneous strain a = b: only terms that change an elastic constant of some order
    respond.
    """
    a = np.linspace(-1, 1, 11)[[0, 2, 7]][None]
    strained = {name: np.abs(t.value(a, a)).max() for name, t in TERMS.items()}
    assert strained["harmonic"] == strained["gradient"] == 0
    assert min(strained["elastic"], strained["cubic"], strained["quartic"]) > 0


@each_term
@pytest.mark.parametrize("defect", ["toy", "silicon"])
def test_forces_are_the_gradient_and_have_no_resultant(term, defect, request, toy):
    defect = toy.defect if defect == "toy" else request.getfixturevalue("silicon")
    L = 3.5 * defect.crystal.shells[0] if defect.crystal.dimension == 2 else 7.0
    n = len(translations(defect.crystal))
    m = Mismatch(
        defect, L, {term: 0.3}, directions=np.ones(n) if term == "dilation" else np.arange(1, n + 1)
    )
    rng = np.random.default_rng(1)
    u, v = 0.05 * rng.normal(size=(2,) + defect.positions.shape)
    assert m.energy(0 * u) == 0 and not m.forces(0 * u).any()  # no ghost forces
    h, f = 1e-5, m.forces(u)
    assert (m.energy(u + h * v) - m.energy(u - h * v)) / (2 * h) == pytest.approx(
        -(f * v).sum(), rel=1e-6
    )
    assert np.abs(f.sum(axis=0)).max() < 1e-12 * np.abs(f).sum()
    reach = np.linalg.norm(translations(defect.crystal), axis=1).max()
    assert not f[defect.distance() < L - reach - 1e-6].any()
    Hv = (m.forces(u - h * v) - m.forces(u + h * v)) / (2 * h)
    assert np.allclose(m.hessian(u)(v), Hv, atol=1e-6 * np.abs(Hv).max())


@pytest.mark.slow
def test_nonlinear_response_is_an_equilibrium_and_its_energy_a_difference_of_energies(toy):
    """A large error, so that first order is visibly not enough; energies against plain totals."""
    m = Mismatch(toy.defect, 4.0, {"elastic": 0.5, "cubic": 20.0})
    run = respond(toy, m, rtol=1e-8)
    x = toy.equilibrium.positions + run.du
    near = Neighbours(x, toy.defect.cell, toy.potential.cutoff)
    V, f = energies_and_forces(toy.potential, near, x)
    left = f + m.forces(x - toy.defect.positions)
    # the reference's own tolerance, a dead load
    assert np.abs(left - left.mean(axis=0)).max() < 2e-9
    total = (V - toy.equilibrium.site_energies).sum() + m.energy(x - toy.defect.positions)
    assert run.energy == pytest.approx(total, abs=2e-10) and abs(total) > 1e-6
    assert abs(run.geometry / run.linear_geometry - 1) > 1e-3
    tiny = respond(toy, Mismatch(toy.defect, 4.0, {"elastic": 1e-5}))
    assert tiny.geometry == pytest.approx(tiny.linear_geometry, rel=1e-3)
    assert tiny.energy == pytest.approx(tiny.linear_energy, rel=1e-3)


@pytest.mark.slow
@each_term
def test_rates_of_geometry_and_energy_in_two_dimensions(toy, term):
    """Small cells, so the margin is wider than in the chapter's figure."""
    options = {"directions": np.ones(3)} if term == "dilation" else {}
    run = measure_rates(toy, term, np.geomspace(3.2, 6.4, 4), nonlinear=False, **options)
    for what, predicted in zip(("geometry", "energy"), run.predicted):
        slope, error = run.rate(what)
        assert abs(slope - predicted) < 0.4 and error < 0.25, (what, slope, predicted)


@pytest.mark.slow
def test_a_sharp_mask_costs_half_an_order(toy):
    smooth, sharp = (
        measure_rates(toy, "harmonic", np.geomspace(3.2, 6.4, 6), nonlinear=False, sharp=s).rate()[
            0
        ]
        for s in (False, True)
    )
    assert smooth - sharp > 0.3


@pytest.mark.slow
def test_the_slowest_term_of_a_row_decides(toy):
    run = measure_rates(toy, "E,F,V", (3.2, 4.5, 6.4), nonlinear=False)
    assert set(run.coefficients) == {"harmonic", "cubic"} and run.predicted == (3, 4)
    assert run.rate()[0] == pytest.approx(3, abs=0.4)
    assert len(run.local_rates()) == 2


def test_bad_requests_are_named(toy):
    with pytest.raises(ValueError, match="unknown terms \\['quintic'\\]"):
        Mismatch(toy.defect, 4.0, {"quintic": 1.0})
    with pytest.raises(ValueError, match="larger cell or a smaller L"):
        Mismatch(toy.defect, 14.0, {"elastic": 1.0})
    with pytest.raises(ValueError, match="equal weights"):
        Mismatch(toy.defect, 4.0, {"dilation": 1.0})
    with pytest.raises(ValueError, match="2 weights given, the lattice has 3"):
        Mismatch(toy.defect, 4.0, {"elastic": 1.0}, directions=[1, 0])
    with pytest.raises(ValueError, match="reaches into the defect"):
        Mismatch(toy.defect, 0.5, {"elastic": 1.0})
