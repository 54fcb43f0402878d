"""Preflight: good calculators pass, and each way to be wrong is found, named and told apart."""

import numpy as np
import pytest
from ase import units
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones

from mlipgen.crystals import Crystal, Supercell, vacancy
from mlipgen.generalisation._checks import jump
from mlipgen.generalisation.preflight import preflight
from mlipgen.generalisation.units import BULK_MODULI, FORCE, STRESS, named_by_scale
from mlipgen.potentials import EAM, CalculatorModel, SitePotential, StillingerWeber, Toy2D

W, CRYSTAL = EAM("W"), Crystal.equilibrium(EAM("W"))
CELL = vacancy(Supercell(CRYSTAL, 3))


class Spoilt(Calculator):
    """The calculator of tungsten's potential, its results changed by `spoil(atoms, results)`."""

    def __init__(self, spoil, offers=("energy", "forces", "stress")):
        super().__init__()
        self.inner, self.spoil, self.implemented_properties = W.calculator(), spoil, list(offers)

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        self.inner.calculate(self.atoms.copy())
        results = {k: np.copy(self.inner.results[k]) for k in self.implemented_properties}
        self.spoil(self.atoms, results)
        self.results = results


def fly(spoil=lambda atoms, results: None, scan=0, **options):
    model = CalculatorModel(Spoilt(spoil, **options), "W", cutoff=W.cutoff, supercell=3)
    return preflight(model, CRYSTAL, CELL, scan=scan)


def times(**factors):
    def spoil(atoms, results):
        for name, factor in factors.items():
            results[name] = results[name] * factor

    return spoil


def failures(report):
    return {check.name: check.hint for check in report.failed}


@pytest.mark.parametrize(
    "model",
    [W, EAM("Mg"), StillingerWeber("Si"), Toy2D()],
    ids=lambda m: m.symbol,
)
def test_good_potentials_pass(model):
    report = preflight(model, Crystal.equilibrium(model))
    assert report.passed, str(report)
    assert report.floor.energy < 1e-10 and report.floor.force < 1e-11
    assert len(report.checks) == 17 and all(
        "FAILED" not in line for line in str(report).split("\n")
    )


def test_a_calculator_without_stress_is_not_asked_for_it():
    report = fly(offers=("energy", "forces"))
    assert report.passed
    assert [c.name for c in report if not c.asked] == [
        "stress = dE/dF", "jumps of the force", "jumps of the energy",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "factors, hint",
    [
        ({"forces": units.Bohr / units.Ry}, "as if forces in Ry/bohr"),
        ({"forces": units.Bohr / units.Ha}, "as if forces in Ha/bohr"),
        ({"forces": 1 / units.kcal * units.mol}, "as if forces in kcal/mol/A"),
        ({"energy": 1 / units.Ry, "stress": 1 / units.Ry}, "forces in eV/A but the energy in Ry"),
        ({"forces": -1.0}, "the sign"),
        ({"forces": 1.7}, "the ratio is 1.7"),
    ],
)
def test_forces_of_other_units_are_named(factors, hint):
    assert hint in failures(fly(times(**factors)))["forces = -dE/dx"]


@pytest.mark.parametrize(
    "factor, hint",
    [(1 / units.GPa, "as if stress in GPa"), (-1.0, "the sign"),
     (-10 / units.GPa, "stress in kbar, of the wrong sign")],
)  # fmt: skip
def test_stress_of_other_units_is_named(factor, hint):
    assert failures(fly(times(stress=factor))).keys() == {"stress = dE/dF"}
    assert hint in failures(fly(times(stress=factor)))["stress = dE/dF"]


def test_the_virial_in_the_place_of_stress_is_named():
    def spoil(atoms, results):
        results["stress"] = -results["stress"] * atoms.get_volume()

    hint = failures(fly(spoil))["stress = dE/dF"]
    assert "the virial with the opposite sign, not divided by the volume" in hint


@pytest.mark.parametrize("factor, unit", [(23.06, "kcal/mol"), (1 / 27.2, "Ha"), (96.5, "kJ/mol")])
def test_energies_of_other_units_are_known_by_the_bulk_modulus(factor, unit):
    report = fly(times(energy=factor, forces=factor, stress=factor))
    assert failures(report)["scale of energies"] == f"as if energies were in {unit}"
    assert "forces = -dE/dx" not in failures(report)


def test_lengths_in_bohr_or_another_crystal_are_no_equilibrium():
    wide = Crystal("W", "bcc", CRYSTAL.a / units.Bohr)
    model = CalculatorModel(W.calculator(), "W", cutoff=W.cutoff, supercell=2)
    assert "1 bohr" in failures(preflight(model, wide, scan=0))["forces = -dE/dx"]
    stretched = Crystal("W", "bcc", 1.2 * CRYSTAL.a)
    assert "1 bohr" in failures(preflight(model, stretched, scan=0))["lattice constant"]
    thick = CalculatorModel(W.calculator(), "W", cutoff=W.cutoff, supercell=5)
    squeezed = preflight(thick, Crystal("W", "bcc", 0.95 * CRYSTAL.a), scan=0)
    assert failures(squeezed).keys() == {"lattice constant"}


def test_forces_that_are_no_gradient():
    def curl(atoms, results):
        x = atoms.get_scaled_positions(wrap=True) * 2 * np.pi
        results["forces"] += 0.05 * np.stack([np.sin(x[:, 1]), -np.sin(x[:, 0]), 0 * x[:, 0]], 1)

    assert "forces = -dE/dx" in failures(fly(curl))


def test_a_net_force():
    def spoil(atoms, results):
        results["forces"] += [0.01, 0.0, 0.0]

    failed = failures(fly(spoil))
    assert {"net force", "forces on the perfect crystal"} <= failed.keys()


def test_an_energy_that_does_not_grow_with_the_cell():
    def spoil(atoms, results):
        results["energy"] += 0.5

    assert failures(fly(spoil)).keys() == {"size consistency"}


def single(atoms, results):
    for name in results:
        results[name] = results[name].astype(np.float32)


def printed(atoms, results):
    results["energy"] = results["energy"].round(5)
    results["forces"] = results["forces"].round(6)


@pytest.mark.parametrize(
    "spoil, energy, force",
    # 53 x 8.76 eV in single precision are 2^-15 eV apart
    [(single, 53 * 8.76 * 2.0**-23 / 12**0.5, 1e-8), (printed, 1e-5 / 12**0.5, 1e-6 / 12**0.5)],
)
def test_rounded_numbers_are_a_noise_floor(spoil, energy, force):
    """Rounding hides from repeats: translations change nothing if all of it is the last digit."""
    report = fly(spoil)
    assert 0.9 * energy < report.floor.energy < 20 * energy
    assert 0.9 * force < report.floor.force < 20 * force
    assert report.passed, str(report)


def test_an_egg_box_is_seen_when_the_atoms_move_together():
    def spoil(atoms, results):
        phase = 2 * np.pi * atoms.positions[:, 0] / 0.2
        results["energy"] += 1e-2 * np.sin(phase).sum()
        results["forces"][:, 0] -= 1e-2 * 2 * np.pi / 0.2 * np.cos(phase)

    assert {"translation: energy", "translation: forces"} <= failures(fly(spoil)).keys()


def test_the_order_of_the_atoms_must_not_matter():
    def spoil(atoms, results):
        results["energy"] += 0.1 * atoms.get_distance(0, 1, mic=True)

    assert "permutation: energy" in failures(fly(spoil))


class Skewed(SitePotential):
    """Tungsten with a pair energy that prefers the x axis."""

    symbol, structure, a0_guess, cutoff = "W", "bcc", W.a0_guess, W.cutoff

    def sites(self, R, offsets):
        V, G = W.sites(R, offsets)
        r2 = (R**2).sum(axis=1)
        w = np.where(r2.real < self.cutoff**2, 1 - r2 / self.cutoff**2, 0)
        pair = 1e-2 * R[:, 0] ** 4 * w**4
        V = V + np.add.reduceat(pair, offsets[:-1])
        G = G - 8e-2 * (R[:, 0] ** 4 * w**3 / self.cutoff**2)[:, None] * R
        G[:, 0] += 4e-2 * R[:, 0] ** 3 * w**4
        return V, G


def test_the_axes_must_not_matter():
    failed = failures(preflight(Skewed(), CRYSTAL, CELL, scan=0))
    assert {"rotation: energy", "rotation: forces"} <= failed.keys() and len(failed) == 2


@pytest.mark.slow
def test_an_abrupt_cutoff_is_a_jump_of_its_size():
    """Lennard-Jones as ASE has it: the energy is shifted to zero at the cutoff, the force jumps."""
    sigma, epsilon, cutoff = 3.4, 0.4, 4.6
    model = CalculatorModel(
        LennardJones(sigma=sigma, epsilon=epsilon, rc=cutoff), "Ar", "fcc", 5.3, cutoff, supercell=2
    )
    crystal = Crystal.equilibrium(model)
    report = preflight(model, crystal)
    jump = {c.name: c for c in report}["jumps of the force"]
    r6 = (sigma / cutoff) ** 6
    expected = 24 * epsilon / cutoff * (r6 - 2 * r6**2)
    # as many neighbours as enter and leave within one step, each at its angle to the path
    assert not jump.passed and 0.2 * expected < jump.value < 3 * expected
    smooth = CalculatorModel(
        LennardJones(sigma=sigma, epsilon=epsilon, rc=5.6, ro=4.4, smooth=True), "Ar", "fcc",
        crystal.a, 5.2, supercell=2,
    )  # fmt: skip
    assert {c.name: c for c in preflight(smooth, crystal)}["jumps of the force"].passed


def test_jumps_are_told_from_what_is_smooth():
    x = np.linspace(0, 2, 41)
    smooth = np.exp(3 * x) / 20
    assert jump(smooth) < 1e-3 < np.abs(np.diff(smooth, 3)).max()
    for size in (0.01, 1.0):
        assert jump(smooth + size * (x > 1.1)) == pytest.approx(size, rel=0.1, abs=1e-3)


def test_force_constants_that_reach_the_boundary_of_their_cell():
    model = CalculatorModel(W.calculator(), "W", supercell=1)
    assert "reach of the force constants" in failures(preflight(model, CRYSTAL, CELL, scan=0))


def test_missing_forces_and_nan_end_it_with_one_failure():
    class Energies(Spoilt):
        implemented_properties = ["energy"]

    model = CalculatorModel(Spoilt(lambda a, r: None, offers=("energy",)), "W", name="mine")
    (check,) = preflight(model, CRYSTAL, CELL)
    assert not check.passed and "mine offers no forces" in check.hint

    def nan(atoms, results):
        results["forces"][3] = np.nan

    (check,) = fly(nan)
    assert "3 forces that are not finite" in check.hint


def test_a_calculator_that_fails_on_one_question_fails_that_check_alone():
    def spoil(atoms, results):
        if not np.allclose(atoms.cell, np.diag(np.diag(atoms.cell))):
            raise ValueError("only orthogonal cells")

    failed = failures(fly(spoil))
    assert failed.keys() == {"stress = dE/dF", "rotation"}
    assert failed["rotation"] == "only orthogonal cells"


def test_progress_and_calculations_are_told():
    told = []
    model = CalculatorModel(W.calculator(), "W", cutoff=W.cutoff, supercell=3)
    report = preflight(model, CRYSTAL, CELL, scan=0, progress=told.append)
    assert told[0] == "energy and forces" and "rotation" in told and len(told) == 10
    assert report.calls == model.calls < 45


def test_a_scan_too_short_to_tell_is_refused():
    with pytest.raises(ValueError, match="scan = 3: a jump needs 8 steps"):
        fly(scan=3)


def test_units_are_told_apart():
    factors = sorted(abs(f) for table in (FORCE, STRESS) for f in set(map(abs, table.values())))
    for table in (FORCE, STRESS):
        for name, factor in table.items():
            assert named_by_scale(1.002 * factor, table) == name
    assert named_by_scale(1.0, FORCE) is None and factors
    assert all(1 < b < 500 for b in BULK_MODULI.values())
