"""What an assessment says against itself: noise in its error bars, two levels of theory."""

from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.calculator import Calculator
from assess_examples import CRYSTAL, W, fitted

from mlipgen.generalisation.assess import assess
from mlipgen.generalisation.assess.numbers import energy
from mlipgen.generalisation.assess.words import verdict_in_words
from mlipgen.potentials import CalculatorModel
from mlipgen.report.terminal import as_text

pytestmark = pytest.mark.slow

SMALL = {"domain": 6, "checks": (4, 5), "lattices": ("own",), "basin": False, "scan": 0}


class Single(Calculator):
    """Tungsten's potential in single precision: positions, total energy, forces."""

    implemented_properties = ["energy", "forces"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        inner, coarse = W.calculator(), self.atoms.copy()
        coarse.positions = np.float32(coarse.positions)
        inner.calculate(coarse)
        found = (np.float32(inner.results[name]) for name in self.implemented_properties)
        self.results = dict(zip(("energy", "forces"), (v.astype(float) for v in found)))


def single():
    return CalculatorModel(Single(), "W", cutoff=W.cutoff, name="W in single precision")


@pytest.fixture(scope="module")
def noisy():
    return assess(fitted(), single(), lattice_constant=CRYSTAL.a, **SMALL)


def test_the_noise_of_a_reference_enters_the_bars_that_are_printed(noisy):
    exact, main = assess(fitted(), W, **SMALL).defects[0].main, noisy.defects[0].main
    assert exact.energy.noise == exact.geometry.noise == 0
    # rounding of the cell's energy, and of the crystal's as often as there are atoms
    total = np.float32(249 * CRYSTAL.energy_per_atom(W))
    expected = np.sqrt(2) * abs(np.spacing(total)) / np.sqrt(12)
    assert main.energy.noise == pytest.approx(expected, rel=0.2)
    # and it bounds what single precision has done to the forecast
    assert abs(main.energy.value - exact.energy.value) < 3 * main.energy.noise
    assert abs(main.geometry.value - exact.geometry.value) < 3 * main.geometry.noise < 1e-3
    for found in (main.energy, main.geometry):
        assert found.noise > 0 and found.bar == found.newton + found.cell + found.noise
    value, bar, noise = abs(main.energy.value), main.energy.bar, main.energy.noise
    told, without = energy(value, bar), energy(value, bar - noise)
    for text in (noisy.verdict[0], as_text(noisy)):
        assert told in text and without not in text


def test_a_calculator_that_is_not_checked_has_its_noise_all_the_same(noisy):
    found = assess(fitted(), single(), lattice_constant=CRYSTAL.a, check_calculators=False, **SMALL)
    main, checked = found.defects[0].main, noisy.defects[0].main
    assert not found.reference.checks
    assert main.energy.noise == pytest.approx(checked.energy.noise, rel=0.2)
    assert main.geometry.noise > 0.1 * checked.geometry.noise


def test_two_levels_of_theory_are_named(noisy):
    def told(candidate, reference):
        levels = (("candidate", candidate), ("reference", reference))
        facts = {who: replace(getattr(noisy, who), level=level) for who, level in levels}
        return [s for s in verdict_in_words(replace(noisy, **facts)) if "levels of theory" in s]

    assert told("PBE", "r2SCAN") == [
        "The levels of theory differ (PBE; r2SCAN): what is measured here is that difference as "
        "well."
    ]
    assert told("PBE", "PBE") == told("", "PBE") == told("PBE", "") == []
