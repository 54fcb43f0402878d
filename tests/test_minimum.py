"""A state that keeps its start's symmetry may be a saddle point: it is said, followed, refused."""

import json
from functools import lru_cache

import numpy as np
import pytest

from mlipgen import cli
from mlipgen.crystals import Crystal, Supercell, build_defect
from mlipgen.equilibrium import SaddleWarning, curvature_at, relax, stability_constant
from mlipgen.experiments.study import Study
from mlipgen.failures import NotFinite
from mlipgen.generalisation import Outcome, Reference, defect_error, measure, predict
from mlipgen.learning import training_set
from mlipgen.potentials import EAM


@lru_cache
def tantalum():
    """The <100> dumbbell is a minimum of the reference in six cells, a saddle point in three."""
    study = Study("Ta", "dumbbell-100", (3,), ("EF",), (8,), test_cell=6, saddle="ignore").prepare()
    return study.reference, study.fit(3, "EF", 8).model


@lru_cache
def molybdenum():
    potential = EAM("Mo")
    return potential, Supercell(Crystal.equilibrium(potential), 4)


@pytest.mark.slow
def test_a_learned_saddle_is_refused_and_its_own_minimum_found():
    reference, model = tantalum()
    error = defect_error(model, reference)
    assert error.prediction.curvature < 0
    assert error.verdict.outcome == Outcome.SADDLE and not error.verdict
    # Newton's estimate finds the symmetric state well; the relaxation leaves it
    assert error.prediction.kappa < 0.02
    assert error.measurement.followed < -1e-3 and error.measurement.curvature > 0
    assert error.measurement.geometry > 10 * error.prediction.geometry


def test_curvature_from_forces_is_that_of_the_exact_hessian():
    reference, model = tantalum()
    for potential in (reference.potential, model):
        found = relax(potential, reference.defect, start=reference.equilibrium.positions,
                      green=reference.green, saddle="ignore")  # fmt: skip
        value, mode = curvature_at(potential, found, reference.green)
        exact = stability_constant(potential, found, reference.green)
        assert value == pytest.approx(exact, rel=0.1) and np.sign(value) == np.sign(exact)
        assert reference.norm(mode) == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("degree", [8, 4])
def test_what_the_prediction_knows_saves_the_measurement_work(degree):
    """Same state, same curvature, and at least six evaluations fewer; also where the state is a
    saddle (degree 8).
    """
    reference, model = tantalum()
    if degree == 4:
        study = Study("W", test_cell=6, degrees=(4,)).prepare()
        reference, model = study.reference, study.fit(4, "EF", 4).model
    counted = Counted(model)
    alone = measure(counted, reference)
    used, counted.calls = counted.calls, 0
    prediction = predict(counted, reference)
    spent = counted.calls
    both = measure(counted, reference, prediction=prediction)
    assert counted.calls - spent <= used - 6
    assert both.geometry == pytest.approx(alone.geometry, rel=1e-4)
    assert both.curvature == pytest.approx(alone.curvature, rel=0.05)
    assert both.force_evaluations == alone.force_evaluations or alone.followed


def test_relax_warns_of_a_saddle_and_follows_it():
    potential, cell = molybdenum()
    defect = build_defect("dumbbell-100", cell)
    with pytest.warns(SaddleWarning, match="dumbbell-100 is a saddle point.*follow"):
        saddle = relax(potential, defect)
    assert saddle.curvature < 0 and saddle.followed == 0
    found = relax(potential, defect, saddle="follow")
    assert found.curvature > 0 and found.max_force < 1e-8
    fell = (found.site_energies - saddle.site_energies).sum()
    assert found.followed == pytest.approx(fell, abs=1e-8) and fell < -1
    assert relax(potential, defect, saddle="ignore").curvature is None
    with pytest.raises(ValueError, match="saddle='jump'.*'warn', 'follow'"):
        relax(potential, defect, saddle="jump")


def test_training_sets_say_that_they_are_of_a_saddle():
    potential, cell = molybdenum()
    with pytest.warns(SaddleWarning, match="dumbbell-100"):
        training_set(potential, cell.crystal, "dumbbell-100", 3, count=1)


def test_the_command_line_says_so_and_follows(capsys):
    arguments = ["relax", "--crystal", "Mo", "--defect", "dumbbell-100", "--cell", "4"]
    assert cli.main(arguments) == 0
    said = capsys.readouterr()
    assert "a SADDLE POINT" in said.out and "--follow" in said.err
    assert cli.main([*arguments, "--follow", "--json"]) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert report["minimum"] and report["followed"] < -1 and not said.err


class Changed:
    """A model that is made of another one's energies and gradients."""

    def __init__(self, potential, change):
        self.potential, self.change = potential, change
        self.cutoff, self.symbol = potential.cutoff, potential.symbol

    def sites(self, R, offsets):
        return self.change(*self.potential.sites(R, offsets))


class Counted(Changed):
    """Counts its evaluations."""

    def __init__(self, potential):
        super().__init__(potential, lambda V, G: (V, G))
        self.calls = 0

    def sites(self, R, offsets):
        self.calls += 1
        return super().sites(R, offsets)


@pytest.fixture(scope="module")
def tungsten():
    potential = EAM("W")
    return Reference(
        potential, build_defect("vacancy", Supercell(Crystal.equilibrium(potential), 4))
    )


def test_degenerate_models_are_failures(tungsten):
    nan = Changed(tungsten.potential, lambda V, G: (V * np.nan, G * np.nan))
    error = defect_error(nan, tungsten)
    assert error.verdict.outcome == error.measurement.verdict.outcome == Outcome.BROKEN
    assert np.isnan(error.measurement.geometry) and np.isnan(error.effectivity)
    with pytest.raises(NotFinite, match="not finite"):
        relax(nan, tungsten.defect, green=tungsten.green)
    zero = predict(Changed(tungsten.potential, lambda V, G: (0 * V, 0 * G)), tungsten)
    assert not zero.applies and zero.verdict.why
    maximum = predict(Changed(tungsten.potential, lambda V, G: (-V, -G)), tungsten)
    assert not maximum.applies


def test_an_exact_model_applies_with_no_error_and_no_division_by_it(tungsten):
    error = defect_error(tungsten.potential, tungsten)
    assert error.verdict and error.prediction.kappa == 0
    assert error.prediction.geometry < 1e-8 and error.measurement.geometry < 1e-8
    assert np.isnan(error.effectivity) and np.isnan(error.distance)


def test_the_measurement_resolves_small_errors(tungsten):
    """The relaxation's tolerance follows the residual it starts from."""
    tiny = Changed(tungsten.potential, lambda V, G: (V * (1 + 1e-7), G * (1 + 1e-7)))
    assert measure(tiny, tungsten).geometry < 1e-7

    class Stiffer(Changed):
        def sites(self, R, offsets):
            V, G = self.potential.sites(R, offsets)
            r2 = (R**2).sum(axis=1)
            s = np.where(r2.real < self.cutoff**2, 1 - r2 / self.cutoff**2, 0)
            site = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
            extra = np.zeros(len(V), R.dtype)
            np.add.at(extra, site, s**4)
            return V + 1e-6 * extra, G - 8e-6 / self.cutoff**2 * (s**3)[:, None] * R

    error = defect_error(Stiffer(tungsten.potential, None), tungsten)
    assert error.effectivity == pytest.approx(1, abs=1e-3)
    assert 1e-8 < error.measurement.geometry < 1e-5


def test_a_start_of_displacements_is_told_from_positions():
    potential, cell = molybdenum()
    defect = build_defect("vacancy", cell)
    u = 0.02 * np.random.default_rng(0).standard_normal(defect.positions.shape)
    with pytest.raises(ValueError, match=r"within 0\.\d\d A.*defect\.positions \+ u"):
        relax(potential, defect, start=u)
    found = relax(potential, defect, start=defect.positions + u, saddle="ignore")
    assert len(repr(found)) < 400 and "max_force" in repr(found)  # without its arrays
