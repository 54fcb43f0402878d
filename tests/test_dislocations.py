"""Screw dislocations: elasticity beside matscipy and closed forms, cylinders beside elasticity, and
the errors of fits against first order.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from mlipgen.crystals import Crystal
from mlipgen.crystals.dislocation import (
    AXES,
    Cylinder,
    burgers_length,
    core_position,
    screw_dipole,
    slab,
)
from mlipgen.equilibrium.cylinder import (
    CylinderLandscape,
    CylinderReference,
    dislocation_error,
    screw_field,
)
from mlipgen.equilibrium.volterra import Volterra, rotated
from mlipgen.experiments import dislocations
from mlipgen.experiments.antiplane import RATES, ScrewLattice
from mlipgen.failures import NotConverged
from mlipgen.potentials import EAM
from mlipgen.potentials.derivatives import cubic_constants, elastic_tensor
from mlipgen.rates import observed_rate


@pytest.fixture(scope="module")
def iron():
    potential = EAM("Fe")
    return potential, Crystal.equilibrium(potential)


@pytest.fixture(scope="module")
def screw(iron):
    potential, crystal = iron
    return CylinderReference(potential, Cylinder(crystal, 14.0, 2 * potential.cutoff))


def isotropic(lame, shear):
    one = np.eye(3)
    return lame * np.einsum("ij,kl->ijkl", one, one) + shear * (
        np.einsum("ik,jl->ijkl", one, one) + np.einsum("il,jk->ijkl", one, one)
    )


def nearly(C, by=1e-6):
    """An isotropic medium with a little anisotropy: Stroh's problem is degenerate without."""
    C = C.copy()
    for i in range(3):
        C[i, i, i, i] *= 1 + by
    return C


def test_the_elastic_field_is_matscipys(iron):
    dislocation = pytest.importorskip("matscipy.dislocation")
    potential, crystal = iron
    constants = [160.21766 * c for c in cubic_constants(potential, crystal)]
    peer = dislocation.BCCScrew111Dislocation(crystal.a, *constants, symbol="Fe")
    x = np.column_stack([10 * np.random.default_rng(0).normal(size=(40, 2)), np.zeros(40)])
    with pytest.warns(UserWarning, match="atomman"):
        theirs = peer.displacements(x, np.zeros(3), self_consistent=False, verbose=False)
    cylinder = Cylinder(crystal, 14.0, 2 * potential.cutoff)
    ours = screw_field(potential, cylinder).displacement(x)
    assert np.abs(ours - theirs).max() < 1e-8


def test_the_elastic_field_and_the_energy_factor_are_atommans(screw):
    """Measured with atomman 1.5.4, tungsten and iron: 5e-14 A and 2e-14 of the energy factor.  Its
    Nye tensor, summed within 8 A of tungsten's relaxed core, was a Burgers vector of 2.76 A where
    2.74 A were put in, centred within 0.005 A of the line.
    """
    atomman = pytest.importorskip("atomman")
    crystal, b = screw.cylinder.crystal, burgers_length(screw.cylinder.crystal)
    c11, c12, c44 = cubic_constants(screw.potential, crystal)
    peer = atomman.defect.solve_volterra_dislocation(
        atomman.ElasticConstants(C11=c11, C12=c12, C44=c44),
        b / np.sqrt(3) * np.ones(3),
        axes=np.array([[1, 1, -2], [-1, 1, 0], [1, 1, 1]]),
        m="x",
        n="y",
        cart_axes=True,
    )
    assert np.abs(peer.burgers - screw.cylinder.burgers).max() < 1e-10
    x = screw.cylinder.positions
    off = screw.volterra.displacement(x) - peer.displacement(x)
    off[:, 2] -= b * np.rint((off[:, 2] - off[0, 2]) / b)  # the cut may lie elsewhere
    assert np.ptp(off, axis=0).max() < 1e-9
    assert peer.preln == pytest.approx(screw.volterra.energy_factor, rel=1e-9)


def test_isotropic_media_have_the_textbook_fields_and_energies():
    C, b = nearly(isotropic(1.2, 0.7)), 2.5
    angle = np.linspace(-3, 3, 25)
    x = 7 * np.column_stack([np.cos(angle), np.sin(angle)])
    screw = Volterra(C, np.array([0, 0, b]))
    assert np.abs(screw.displacement(x)[:, 2] - b * angle / (2 * np.pi)).max() < 1e-5
    assert screw.energy_factor == pytest.approx(0.7 * b**2 / (4 * np.pi), rel=1e-5)
    poisson = 1.2 / (2 * (1.2 + 0.7))
    edge = Volterra(C, np.array([b, 0, 0]))
    expected = 0.7 * b**2 / (4 * np.pi * (1 - poisson))
    assert edge.energy_factor == pytest.approx(expected, rel=1e-5)


def test_the_elastic_field_is_an_equilibrium_and_gains_b(iron):
    potential, crystal = iron
    C, b = rotated(elastic_tensor(potential, crystal), AXES), np.array([0.7, 0.3, 2.0])
    field = Volterra(C, b)
    x, h = np.array([[3.0, 4.0]]), 1e-3

    def u(dx, dy):
        return field.displacement(x + h * np.array([[dx, dy]]))[0]

    second = np.zeros((3, 2, 2))
    second[:, 0, 0] = (u(1, 0) - 2 * u(0, 0) + u(-1, 0)) / h**2
    second[:, 1, 1] = (u(0, 1) - 2 * u(0, 0) + u(0, -1)) / h**2
    second[:, 0, 1] = second[:, 1, 0] = (u(1, 1) - u(1, -1) - u(-1, 1) + u(-1, -1)) / (4 * h**2)
    residual = np.einsum("ijkl,klj->i", C[:, :2][:, :, :, :2], second)
    assert np.abs(residual).max() < 1e-5 * np.abs(second).max()
    ends = field.displacement(np.array([[-5.0, 1e-12], [-5.0, -1e-12]]))
    assert np.abs(ends[0] - ends[1] - b).max() < 1e-8
    scaled = Volterra(1.03 * C, b)
    assert scaled.energy_factor == pytest.approx(1.03 * field.energy_factor, rel=1e-10)


def test_the_slab_is_the_crystal(iron):
    _, crystal = iron
    x = slab(crystal, (-20.0, -20.0), (20.0, 20.0))
    b = burgers_length(crystal)
    assert len(x) / (1600 * b) == pytest.approx(2 / crystal.a**3, rel=0.03)
    lattice = x @ AXES / crystal.a * 2
    assert np.abs(lattice - np.rint(lattice)).max() < 1e-9
    parity = np.rint(lattice).astype(int) % 2
    assert (parity == parity[:, :1]).all()  # all even or all odd: bcc
    distance = np.hypot(*(x[:, :2] - core_position(crystal)).T)
    assert np.sort(distance)[:3] == pytest.approx(3 * [crystal.a * np.sqrt(2) / 3])
    with pytest.raises(ValueError, match="bcc"):
        slab(Crystal("Cu", "fcc", 3.6), (0, 0), (5, 5))


def test_a_cylinder_relaxes_and_its_energy_grows_as_elasticity_says(iron, screw):
    potential, crystal = iron
    larger = CylinderReference(potential, Cylinder(crystal, 30.0, 2 * potential.cutoff))
    growth = larger.equilibrium.energy - screw.equilibrium.energy
    outer = np.log((30 + potential.cutoff) / (14 + potential.cutoff))
    b = burgers_length(crystal)
    assert growth / outer == pytest.approx(screw.volterra.energy_factor * b, rel=0.02)
    assert screw.equilibrium.max_force < 1e-9
    rim = ~screw.cylinder.free
    assert np.array_equal(screw.equilibrium.positions[rim], screw.start[rim])


def test_forces_are_minus_the_gradient_of_the_counted_energy(iron, screw):
    potential, _ = iron
    rng = np.random.default_rng(0)
    x = screw.start + 0.05 * rng.normal(size=screw.start.shape) * screw.cylinder.free[:, None]
    v = rng.normal(size=x.shape) * screw.cylinder.free[:, None]
    surface = CylinderLandscape(potential, screw.cylinder, x)
    h = 1e-5
    up, down = (surface.evaluate(x + s * h * v)[0].sum() for s in (1, -1))
    assert (up - down) / (2 * h) == pytest.approx(-(surface.evaluate(x)[1] * v).sum(), rel=1e-6)
    fp, fm = (surface.evaluate(x + s * h * v)[1] for s in (1, -1))
    Hv = surface.hessian(x)(v)
    assert np.abs((fm - fp) / (2 * h) - Hv).max() < 1e-6 * np.abs(Hv).max()
    thin = Cylinder(screw.cylinder.crystal, 14.0, potential.cutoff)
    with pytest.raises(ValueError, match="two cutoffs"):
        CylinderLandscape(potential, thin, thin.positions)


def test_norms_are_adjoint_and_inverse(screw):
    rng = np.random.default_rng(0)
    free = screw.cylinder.free[:, None]
    v = rng.normal(size=screw.start.shape) * free
    assert screw.norm(v) ** 2 == pytest.approx((v * screw.gram(v)).sum())
    assert np.abs(screw.precondition(screw.gram(v)) - v).max() < 1e-10
    f = screw.gram(v)
    assert screw.dual_norm(f) == pytest.approx(screw.norm(v))


def test_a_fit_is_predicted_and_an_exact_one_has_no_error(iron, screw):
    potential, _ = iron
    study = dislocations.DislocationStudy("Fe", "vacancy", 3, degrees=(6,), radii=(14.0,), count=6)
    prepared = study.prepare()
    row = prepared.point("EFV", 6, 14.0)
    off = abs(row["predicted_geometry"] / row["measured_geometry"] - 1)
    assert off <= 1.5 * row["kappa"] + 0.005 and row["why"] == ""
    assert row["predicted_energy"] == pytest.approx(row["measured_energy"], rel=0.02)
    assert abs(row["stress_work"]) < 1e-3 * abs(row["measured_energy"])
    assert prepared.slope(potential) == pytest.approx(0, abs=1e-12)
    exact = dislocation_error(potential, screw)
    assert exact.measured < 1e-6 and abs(exact.energy) < 1e-8


def test_a_second_newton_step_and_what_goes_wrong_in_words(iron, screw):
    potential, _ = iron
    other = EAM("Fe", fade=(3.3, 4.0))
    once = dislocation_error(other, screw, second_step=np.inf)
    twice = dislocation_error(other, screw, second_step=0.0)
    assert twice.kappa < 0.5 * once.kappa and once.why == twice.why == ""
    off = [abs(e.effectivity - 1) for e in (once, twice)]
    assert off[1] < off[0] <= 1.5 * once.kappa + 0.005
    energies = [abs(e.predicted_energy / e.energy - 1) for e in (once, twice)]
    assert energies[1] < max(energies[0], 1e-3)

    class Scaled(EAM):
        factor = -1.0  # upside down: the same equilibrium, and no minimum

        def sites(self, R, offsets):
            V, G = super().sites(R, offsets)
            return self.factor * V, self.factor * G

    turned = dislocation_error(Scaled("Fe"), screw)
    assert np.isnan(turned.predicted) and turned.measured == 0 and "negative dir" in turned.why
    Scaled.factor = np.nan
    broken = dislocation_error(Scaled("Fe"), screw)
    assert np.isnan([broken.measured, broken.effectivity]).all() and "not finite" in broken.why
    rng = np.random.default_rng(0)
    start = screw.start + 0.05 * rng.normal(size=screw.start.shape) * screw.cylinder.free[:, None]
    with pytest.raises(NotConverged, match="after 2 steps"):
        screw.relax(potential, start, most=2)
    with pytest.raises(ValueError, match="beyond the radius"):
        ScrewLattice(12).respond(7.0, "quartic", 0.1)


def test_a_dipole_is_periodic_and_has_two_easy_cores(iron):
    potential, crystal = iron
    x, cell = screw_dipole(crystal, (2, 4))
    assert len(x) == 2 * 4 * 6 * 4
    from mlipgen.equilibrium.landscape import landscape

    V, f = landscape(potential, cell, x).evaluate()
    above = V - crystal.energy_per_atom(potential)
    # nothing is broken at the faces of the cell: only the two cores are excited
    assert np.sqrt((f**2).sum(axis=1)).max() < 2.0 and np.sort(above)[-1] < 1.0
    assert np.median(above) < 0.05
    with pytest.raises(ValueError, match="even"):
        screw_dipole(crystal, (3, 4))


@pytest.mark.slow
def test_the_scalar_lattice_has_the_rates_of_the_counting():
    disc = ScrewLattice(40)
    L = np.array([3.0, 4.5, 6.5])
    for term, size in (("harmonic", 0.05), ("gradient", 0.3), ("quartic", 0.3)):
        errors = [disc.respond(x, term, size).geometry for x in L]
        assert -observed_rate(L, errors)[0] == pytest.approx(RATES[term], abs=0.2)
    grown = [ScrewLattice(R).respond(3, "elastic", 0.05) for R in (10, 20, 40)]
    steps = np.diff([g.energy for g in grown])
    assert steps[1] == pytest.approx(steps[0], rel=0.2)  # the same for each doubling
    with pytest.raises(ValueError, match="beyond the radius"):
        disc.respond(30, "elastic", 0.05)


def test_the_scalar_lattices_error_is_the_gradient_of_its_energy():
    disc = ScrewLattice(12)
    rng = np.random.default_rng(0)
    u = disc.u + 0.01 * rng.normal(size=len(disc.u))
    v, h = rng.normal(size=len(u)), 1e-6
    for term in RATES:
        value = lambda s: disc._error(u + s * h * v, 3, term, 0.3)
        up, down = value(1), value(-1)
        _, g, H = value(0)
        assert (up[0].sum() - down[0].sum()) / (2 * h) == pytest.approx(g @ v, rel=1e-5, abs=1e-9)
        assert np.abs((up[1] - down[1]) / (2 * h) - H @ v).max() < 1e-6


def test_recorded_settings_are_todays():
    stored = json.loads(
        (Path(__file__).parents[1] / "book/data/dislocations.json").read_text(encoding="utf-8")
    )
    today = json.loads(json.dumps([s.to_dict() for s in dislocations.STUDIES]))
    assert stored["studies"] == today
    assert len(stored["rows"]) == sum(len(s.grid()) for s in dislocations.STUDIES)
