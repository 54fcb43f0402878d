"""Assessments: every number against an independent one, every bad input with a word, and the
reference asked on small cells only.
"""

import json
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ase.calculators.calculator import Calculator
from ase.units import GPa
from assess_examples import CHECKS, CRYSTAL, DOMAIN, W, assessed, fitted, training

from mlipgen.crystals import Crystal, Defect, Supercell, build_defect, vacancy
from mlipgen.equilibrium import EnergyNorm, LatticeGreen, formation_energy, landscape, relax
from mlipgen.failures import LeftBasin, Unstable
from mlipgen.generalisation import (
    Outcome,
    Prediction,
    Reference,
    Verdict,
    defect_error,
    force_constant_mismatch,
)
from mlipgen.generalisation.assess import (
    VERSION,
    Assessment,
    assess,
    basin,
    published_schema,
    schema,
    truth,
)
from mlipgen.generalisation.assess.basin import (
    _from_bare_sites,
    starting_state,
    state_of_the_forecast,
)
from mlipgen.generalisation.assess.budget import residual_parts
from mlipgen.generalisation.assess.crystal import (
    Pair,
    crystal_section,
    elastic_constants,
    pressure,
)
from mlipgen.generalisation.assess.defect import Settings, assess_defect
from mlipgen.generalisation.assess.run import stages
from mlipgen.generalisation.assess.shopping import Shop
from mlipgen.generalisation.forecast import forecast
from mlipgen.learning import Energy, Forces, assemble, fit_blocks
from mlipgen.potentials import (
    EAM,
    CalculatorModel,
    SitePotential,
    StillingerWeber,
    cubic_constants,
)
from mlipgen.report.thresholds import check, parse_limits

pytestmark = pytest.mark.slow

OWN = Crystal.equilibrium(fitted())


class TotalsOnly(Calculator):
    """A potential's calculator without the energies of atoms."""

    implemented_properties = ["energy", "forces", "stress"]

    def __init__(self, potential):
        super().__init__()
        self.inner, self.asked = potential.calculator(), Counter()

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        self.asked[len(self.atoms)] += 1
        self.inner.calculate(self.atoms.copy())
        self.results = {k: self.inner.results[k] for k in self.implemented_properties}


def comparison(defect, lattices):
    section = next(d for d in assessed().defects if d.name == defect)
    return next(c for c in section.comparisons if c.lattices == lattices)


# The numbers


@pytest.mark.parametrize("defect", ["vacancy", "divacancy"])
def test_in_the_references_lattice_it_agrees_with_the_defect_error(defect):
    """Prediction and measurement are those of `defect_error`, and the forecast finds them."""
    error = defect_error(fitted(), Reference(W, build_defect(defect, Supercell(CRYSTAL, DOMAIN))))
    found = comparison(defect, "reference")
    truth = found.truth
    assert truth.geometry == pytest.approx(error.measurement.geometry, rel=1e-6)
    assert truth.energy == pytest.approx(error.measurement.energy, rel=1e-6)
    assert truth.predicted == pytest.approx(error.prediction.geometry, rel=1e-6)
    assert truth.predicted_kappa == pytest.approx(error.prediction.kappa, rel=1e-3)
    assert truth.effectivity == pytest.approx(1, abs=0.03)
    assert found.geometry.value == pytest.approx(error.measurement.geometry, rel=0.03)
    assert abs(found.energy.value - error.measurement.energy) < found.energy.bar


@pytest.mark.parametrize("defect", ["vacancy", "divacancy"])
def test_in_their_own_lattices_it_agrees_with_two_relaxations(defect):
    ours, theirs = (
        relax(m, build_defect(defect, Supercell(c, DOMAIN)), saddle="ignore")
        for m, c in ((fitted(), OWN), (W, CRYSTAL))
    )
    geometry = EnergyNorm(ours)(theirs.u - ours.u)
    energy = formation_energy(fitted(), ours) - formation_energy(W, theirs)
    found = comparison(defect, "own")
    assert found.truth.geometry == pytest.approx(geometry, rel=1e-5)
    assert found.truth.energy == pytest.approx(energy, rel=1e-5)
    assert found.geometry.value == pytest.approx(geometry, rel=0.03)
    assert abs(found.energy.value - energy) < found.energy.bar
    # the lattices differ, and so do the two questions
    assert abs(energy - comparison(defect, "reference").truth.energy) > 1e-3


def test_the_series_is_the_forecast_of_each_check_cell():
    found = comparison("vacancy", "reference")
    for step, k in zip(found.steps, CHECKS):
        alone = forecast(fitted(), W, CRYSTAL, "vacancy", DOMAIN, (k,)).steps[0]
        assert step.geometry == pytest.approx(alone.geometry, rel=1e-3)
        assert step.energy == pytest.approx(alone.energy, rel=1e-3)
        assert (step.cells, step.atoms) == ([k] * 3, 2 * k**3 - 1)
    g = found.geometry
    assert g.bar == g.newton + g.cell + g.noise and g.noise == 0
    both = forecast(fitted(), W, CRYSTAL, "vacancy", DOMAIN, CHECKS)
    assert g.cell == pytest.approx(both.moved * both.geometry, rel=1e-2)
    assert g.bar == pytest.approx(both.error_bar, rel=1e-2)
    assert found.energy.bar == pytest.approx(both.energy_bar, rel=1e-2)
    assert found.steps[1].rim == pytest.approx(both.steps[1].rim, rel=1e-2)


def test_a_single_check_cell_has_no_error_bar():
    a = assess(fitted(), W, domain=6, checks=(4,), lattices=("reference",), basin=False)
    main = a.defects[0].main
    assert main.geometry.bar is None and main.energy.bar is None
    assert "one check cell: no error bar" in a.verdict[0]
    assert Assessment.from_json(a.to_json()) == a


def test_the_budgets_parts_sum_to_the_whole():
    large = vacancy(Supercell(CRYSTAL, DOMAIN))
    there = relax(fitted(), large, saddle="ignore")
    step = forecast(fitted(), W, CRYSTAL, "vacancy", DOMAIN, CHECKS, equilibrium=there).steps[-1]
    parts = residual_parts(step, large)
    assert sum(parts.values()) == pytest.approx(step.residual, abs=1e-10)
    # inside the core's radius there is no far field
    near = large.distance() < CRYSTAL.norm_cutoff
    far = parts["harmonic far field"]
    assert np.ptp(far[near], axis=0) == pytest.approx(0, abs=1e-12)
    # far from the defect the harmonic part is -(K_ref - K_ML) u on the sites
    home = large.homogeneous
    u = np.zeros_like(home.positions)
    u[large.lattice_index] = there.u
    gap = large.positions - home.positions[home.central_site()]
    u[home.central_site()] = there.u[np.linalg.norm(gap, axis=1) < 1.01 * CRYSTAL.shells[0]].mean(0)
    u -= u.mean(axis=0)
    products = [landscape(m, home.cell, home.positions).hessian()(u) for m in (fitted(), W)]
    expected = (products[0] - products[1])[large.lattice_index]
    outside = large.distance() > 2.5 * CRYSTAL.norm_cutoff
    shift = (far - expected)[outside].mean(axis=0)
    assert (far - expected)[outside] == pytest.approx(shift + 0 * expected[outside], abs=1e-9)
    main = comparison("vacancy", "own")
    assert sum(main.budget.energy.values()) == pytest.approx(main.energy.value, abs=1e-12)
    total = sum(t.geometry for t in main.budget.terms)
    assert main.geometry.value <= total * 1.05
    assert all(t.dual > 0 and t.geometry > 0 for t in main.budget.terms)


def test_shells_hold_every_atom_and_the_whole_error():
    main = comparison("divacancy", "own")
    assert sum(s.atoms for s in main.shells) == main.atoms == 2 * DOMAIN**3 - 2
    total = np.sqrt(sum(s.error**2 for s in main.shells))
    assert total == pytest.approx(main.geometry.value, rel=1e-9)
    assert all(s.force_max >= s.force_rms for s in main.shells)
    assert main.shells[0].force_rms > 30 * main.shells[-1].force_rms
    scene = assessed().defects[1].scene
    assert max(scene.error) == pytest.approx(main.largest, rel=1e-9)


@pytest.mark.parametrize("model", [W, StillingerWeber("Si")], ids=lambda m: m.symbol)
def test_elastic_constants_of_cubic_crystals(model):
    crystal = Crystal.equilibrium(model)
    expected = [c / GPa for c in cubic_constants(model, crystal)]
    assert list(elastic_constants(model, crystal).values()) == pytest.approx(expected, rel=1e-6)


def test_elastic_constants_of_a_hexagonal_crystal():
    """The stiffness along c by stretching a cell of many atoms by hand, ions relaxed."""
    from scipy.optimize import minimize

    magnesium = EAM("Mg")
    crystal = Crystal.equilibrium(magnesium)
    cell = Supercell(crystal, (4, 4, 3))
    atoms = crystal.unit.repeat((4, 4, 3))

    def energy(strain):
        stretched = atoms.copy()
        F = np.diag([1, 1, 1 + strain])
        stretched.set_cell(atoms.cell.array @ F, scale_atoms=True)
        stretched.calc = magnesium.calculator()
        x0 = stretched.positions.copy()
        basis = np.arange(len(atoms)) % 2  # the two atoms of the cell move against each other

        def relaxed(p):
            stretched.positions = x0 + np.where(basis[:, None], p, -p)
            return stretched.get_potential_energy()

        return minimize(relaxed, np.zeros(3), method="BFGS", options={"gtol": 1e-6}).fun

    h = 2e-3
    second = (energy(h) + energy(-h) - 2 * energy(0)) / h**2
    constants = elastic_constants(magnesium, crystal)
    assert list(constants) == ["C11", "C12", "C13", "C33", "C44"]
    volume = np.linalg.det(cell.cell)
    assert constants["C33"] == pytest.approx(second / volume / GPa, rel=2e-3)


def test_pressure_is_minus_the_slope_of_the_energy_in_the_volume():
    squeezed = replace(CRYSTAL, a=3.1)
    assert pressure(W, CRYSTAL) == pytest.approx(0, abs=1e-8)
    h = 1e-4
    energies = [replace(squeezed, a=3.1 + s * h).energy_per_atom(W) for s in (1, -1)]
    volumes = [(3.1 + s * h) ** 3 / 2 for s in (1, -1)]
    slope = (energies[0] - energies[1]) / (volumes[0] - volumes[1])
    assert pressure(W, squeezed) == pytest.approx(-slope / GPa, rel=1e-5)
    facts = assessed().candidate
    assert facts.pressure == pytest.approx(pressure(fitted(), CRYSTAL), rel=1e-9)
    assert assessed().reference.lattice == [CRYSTAL.a] and facts.lattice == [OWN.a]


def test_force_constants_by_shell_are_those_of_the_theory():
    section = crystal_section(Pair(fitted(), W, CRYSTAL, CRYSTAL))
    distances, weighted = force_constant_mismatch(fitted(), W, CRYSTAL)
    assert [s.distance for s in section.shells] == pytest.approx(list(distances), abs=1e-4)
    assert [s.weighted for s in section.shells] == pytest.approx(list(weighted), rel=1e-9)
    assert section.fc_error == pytest.approx(weighted.sum(), rel=1e-9)
    # in lattices of their own the pairs are still paired
    own = assessed().crystal
    assert len(own.shells) == len(section.shells)
    assert 0.3 < own.fc_error / section.fc_error < 3 or own.fc_error > section.fc_error


def test_the_ranking_is_of_corrected_energies():
    ranks = assessed().ranking
    assert [r.defect for r in ranks] == ["vacancy", "divacancy"]
    for r in ranks:
        main = comparison(r.defect, "own")
        assert r.corrected == main.formation_energy - main.energy.value
        assert abs(r.corrected - r.reference) < r.bar < 2e-3 < abs(r.candidate - r.reference)


# The basin


def settings(**options):
    known = {"domain": 6, "checks": (4, 5), "lattices": ("own",)}
    return Settings(**{**known, **options})


def test_a_candidate_without_the_defect_gets_a_verdict():
    pair = Pair(fitted(), W, OWN, CRYSTAL)
    found = assess_defect(pair, "dumbbell-110", settings())
    main = found.section.main
    assert main.outcome == "left the basin" and "from the reference's atoms" in main.why
    assert not found.section.basin.kept and found.forecast is None
    a = assess(fitted(), W, defects=("dumbbell-110",), domain=6, checks=(4,))
    assert "no forecast (left the basin" in a.verdict[0]
    assert Assessment.from_json(a.to_json()) == a


def test_a_defect_that_annihilates_is_named():
    def pushed(supercell):
        """As many atoms as sites, one of them pushed aside: it falls back."""
        x = supercell.positions.copy()
        site = supercell.central_site()
        x[site] += [0.5, 0, 0]
        return Defect("pushed atom", x, np.arange(len(x)), supercell, supercell.positions[site])

    pair = Pair(fitted(), W, OWN, CRYSTAL)
    for asked, who in ((True, "the reference, in 128 atoms"), (False, "the candidate")):
        main = assess_defect(pair, pushed, settings(basin=asked)).section.main
        assert main.outcome == "left the basin"
        assert main.why.startswith(who) and "annihilates" in main.why


def test_another_state_from_the_unrelaxed_defect_is_found_out():
    """Tungsten's two dumbbells have the same atoms and are two states."""
    cell = Supercell(CRYSTAL, 4)
    large = build_defect("dumbbell-110", cell)
    states = [
        relax(W, build_defect(f"dumbbell-{m}", cell), saddle="ignore") for m in ("110", "111")
    ]
    assert _from_bare_sites(W, large, states[0], settings()) == (True, "")
    same, why = _from_bare_sites(W, large, states[1], settings())
    gap = formation_energy(W, states[0]) - formation_energy(W, states[1])
    assert not same and f"another state, {gap:+.3g} eV from that" in why
    same, why = _from_bare_sites(fitted(), large, None, settings())
    assert not same and "left its basin" in why


def test_what_is_no_truth_about_this_state_says_why(monkeypatch):
    pair, asked = Pair(fitted(), W, OWN, CRYSTAL), []

    def saddle(*given):
        asked.append(given)
        raise Unstable("a saddle point")

    monkeypatch.setattr(truth, "Reference", saddle)
    truths = truth.Truths(pair, "vacancy", settings())
    for which in ("own", "reference"):
        found = truths.of(which, SimpleNamespace(u=0.0), None)
        assert found.why == "the reference cannot be relaxed there: a saddle point"
    assert len(asked) == 1  # relaxed once, in vain

    mine = relax(W, vacancy(Supercell(CRYSTAL, 3)))
    hopped = mine.u.copy()
    hopped[0] += [1.4, 0, 0]
    theirs = SimpleNamespace(u=hopped, followed=-0.1)
    reference = SimpleNamespace(equilibrium=theirs, formation_energy=3.0, sparing=True)
    found = truth._measured(W, mine, reference, None)
    assert (found.why, found.reference_energy, found.followed, found.geometry) == (
        "relaxed by both, an atom is in another place", 3.0, -0.1, None,
    )  # fmt: skip
    wide = Prediction(Verdict(Outcome.WIDE, "κ = 1"))
    monkeypatch.setattr(truth, "predict", lambda *_, **options: wide)
    monkeypatch.setattr(
        truth, "measure", lambda *_, **options: SimpleNamespace(energy=1.0, geometry=0.1, du=None)
    )
    found = truth._with_prediction(truth.Truth(energy=0.5), W, reference)
    assert found.why == (
        "prediction does not apply: error bar too wide: κ = 1; relaxed from the reference's "
        "equilibrium the candidate finds another of its states"
    )
    assert found.predicted is None and found.energy == 0.5


def test_which_state_cannot_be_told_says_why(monkeypatch):
    cell = Supercell(CRYSTAL, 3)
    one, other = (relax(W, build_defect(d, cell), saddle="ignore") for d in ("vacancy", "vacancy"))
    assert basin._kept(one, other.positions, ("", "")) == (True, "")
    elsewhere = one.positions + np.eye(len(one.positions), 3)
    kept, why = basin._kept(one, elsewhere, ("", ""))
    assert not kept and why == "from the reference's atoms the candidate finds another state"
    same, why = _from_bare_sites(W, one.defect, None, settings())
    assert not same and why == "from the unrelaxed defect it finds a state of its own"

    def lost(*_, **__):
        raise LeftBasin("an atom moved")

    pair = Pair(W, W, CRYSTAL, CRYSTAL)
    start = basin.Start(
        one, basin.Basin(False, False, "", [3, 3, 3], 1, 3.0, 0.1, 0.0), ("", ""), one
    )
    found = SimpleNamespace(steps=[SimpleNamespace(du=0.0)])
    with monkeypatch.context() as patch:
        patch.setattr(basin, "_in_small_cell", lost)
        known, why = state_of_the_forecast(pair, found, start, settings())
    assert known is start.basin
    assert why == "relaxed from there in 3 × 3 × 3 cells the reference finds nothing: an atom moved"
    monkeypatch.setattr("mlipgen.generalisation.assess.defect._compare", lost)
    main = assess_defect(pair, "vacancy", settings(basin=False)).section.main
    assert (main.outcome, main.why) == ("left the basin", "the candidate: an atom moved")


class Mixed(SitePotential):
    """Tungsten with a share of tantalum's potential, in tungsten's lattice constant."""

    def __init__(self, share):
        Ta = EAM("Ta")
        stretch = Ta.a0_guess / W.a0_guess
        self.parts = ((1 - share, W, 1.0), (share, Ta, stretch))
        self.symbol, self.structure, self.a0_guess = W.symbol, W.structure, W.a0_guess
        self.cutoff = max(W.cutoff, Ta.cutoff / stretch)

    def sites(self, R, offsets):
        told = [(w, s, *potential.sites(s * R, offsets)) for w, potential, s in self.parts]
        return sum(w * V for w, _, V, _ in told), sum(w * s * G for w, s, _, G in told)


#: <111> dumbbells: a minimum of the first, next to a saddle point of the second.
SOFT, TILTED = Mixed(0.7), Mixed(0.5)


def test_a_forecast_of_a_saddle_point_of_the_reference_does_not_apply():
    """Right about that state, wrong about the minimum below it: kappa cannot know, the truth does,
    and so does the verdict from its first line to the exit status.
    """
    a = assess(
        SOFT, TILTED, defects=("dumbbell-111",), domain=6, checks=(4, 5), lattices=("own",),
        truth=True, basin=False,
    )  # fmt: skip
    main = a.defects[0].main
    crystal = Crystal.equilibrium(TILTED)
    saddle = relax(TILTED, build_defect("dumbbell-111", Supercell(crystal, 6)), saddle="ignore")
    corrected = main.formation_energy - main.energy.value
    assert main.steps[-1].kappa < 0.05
    assert corrected == pytest.approx(formation_energy(TILTED, saddle), abs=main.energy.bar)
    below = formation_energy(TILTED, saddle) - main.truth.reference_energy
    assert below > 0.3 and main.truth.followed == pytest.approx(-below, abs=1e-6)
    assert main.outcome == "not the reference's minimum" and not main.applies
    assert a.verdict[0].startswith("⟨111⟩ dumbbell: no forecast (not the reference's minimum:")
    assert f"{1e3 * below:.0f} meV below" in a.verdict[0]
    assert not check(a, parse_limits("9eV"))[0].passed and a.ranking[0].corrected is None
    assert Assessment.from_json(a.to_json()) == a


def test_the_small_cell_tells_which_state_of_the_reference_a_forecast_is_of():
    """The reference relaxed from the forecast is compared with its own minimum, in one cell."""
    pair = Pair(SOFT, TILTED, Crystal.equilibrium(SOFT), Crystal.equilibrium(TILTED))
    beside = assess_defect(pair, "dumbbell-111", settings())
    basin = beside.section.basin
    assert basin.followed < -0.3 and not basin.same
    assert beside.section.main.applies and abs(basin.above) < 1e-4  # of the minimum, and said so
    symmetric = assess_defect(pair, "dumbbell-111", settings(basin=False))
    assert symmetric.section.main.applies  # nobody looked
    start = starting_state(pair, "dumbbell-111", symmetric.equilibrium.defect, settings())
    start = replace(start, equilibrium=symmetric.equilibrium)
    basin, why = state_of_the_forecast(pair, symmetric.forecast, start, settings())
    assert basin.above == pytest.approx(-basin.followed, abs=1e-4)
    assert f"stays {1e3 * basin.above:.0f} meV above its minimum" in why


# Calculators that know totals only


def test_a_calculator_without_energies_of_atoms_has_the_same_truth():
    """Formation energies, prediction and measurement from totals, for few calls on the domain: the
    relaxation, the forces that it left, one for each product of one search for a saddle.
    """
    model = CalculatorModel(TotalsOnly(W), "W", cutoff=W.cutoff)
    options = {"domain": 5, "checks": (4,), "lattices": ("reference",), "truth": True}
    a, b = (
        assess(fitted(), m, check_calculators=False, lattice_constant=CRYSTAL.a, **options)
        for m in (model, W)
    )
    ours, theirs = a.defects[0], b.defects[0]
    assert ours.basin.energy == pytest.approx(theirs.basin.energy, abs=1e-7)
    for name in ("geometry", "energy", "reference_energy", "predicted_energy"):
        found, wanted = (getattr(d.main.truth, name) for d in (ours, theirs))
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-7)
    asked = model.calculator.asked
    assert 0 < asked[249] <= 20 and asked[127] <= 20
    assert asked.total() == model.calls


# The reference is asked on small cells only


class Spy:
    """A site potential that notes the cells it is evaluated in."""

    def __init__(self, model):
        self.model, self.sizes = model, []

    def __getattr__(self, name):
        if name in ("landscape", "model"):
            raise AttributeError(name)
        return getattr(self.model, name)

    def landscape(self, cell, positions):
        surface = landscape(self.model, cell, positions)
        self.sizes.append(len(positions))
        return surface


def spy(**options):
    watched = Spy(W)
    a = assess(fitted(), watched, domain=DOMAIN, checks=CHECKS, **options)
    return watched.sizes, a


def test_nothing_larger_than_the_check_cells_is_asked_of_the_reference():
    sizes, a = spy()
    assert sizes and max(sizes) == 2 * CHECKS[-1] ** 3 - 1
    # the same numbers as those with the truth
    with_truth = comparison("vacancy", "own").geometry
    assert a.defects[0].main.geometry.value == pytest.approx(with_truth.value, rel=1e-6)
    sizes, _ = spy(truth=True, lattices=("reference",))
    assert max(sizes) == 2 * DOMAIN**3 - 1


# Bad input


@pytest.mark.parametrize(
    "options, wanted",
    [
        ({"reference": EAM("Mo")}, ["candidate is for W", "reference for Mo"]),
        ({"checks": ()}, ["no check cells"]),
        ({"checks": (5, 4)}, ["(5, 4)", "growing"]),
        ({"checks": (4, 7)}, ["check cell 7", "domain 7", "larger domain"]),
        ({"checks": (2, 4)}, ["2x2x2", "4.40 A"]),
        ({"defects": ("hole",)}, ["'hole'", "vacancy"]),
        ({"lattice_constant": 3.3}, ["a = 3.3 A", "not relaxed", "GPa"]),
        ({"structure": "diamond"}, ["candidate", "no equilibrium of diamond W"]),
    ],
)
def test_bad_questions_are_answered_clearly(options, wanted):
    known = {"reference": W, "domain": DOMAIN, "checks": CHECKS, **options}
    with pytest.raises(ValueError) as error:
        assess(fitted(), **known)
    for text in wanted:
        assert text in str(error.value)


def test_a_crystal_that_is_unstable_is_named():
    copper = EAM("Cu")
    a = assess(copper, copper, structure="bcc", domain=6, checks=(5,))
    assert "The perfect crystal is unstable under EAM Cu" in a.verdict[0]
    main = a.defects[0].main
    assert main.outcome == "unstable" and "bcc Cu crystal" in main.why


def test_a_known_lattice_constant_spares_the_search():
    a = assess(fitted(), W, domain=6, checks=(4,), lattice_constant=CRYSTAL.a, basin=False)
    assert a.reference.lattice == [CRYSTAL.a]


# The file


def test_json_round_trip_and_the_published_schema():
    from jsonschema import Draft202012Validator

    a = assessed()
    text = a.to_json()
    assert Assessment.from_json(text) == a
    published = json.loads(published_schema())
    assert published == json.loads(json.dumps(schema())), "run benchmarks/publish_schema.py"
    Draft202012Validator.check_schema(published)
    data = json.loads(text)
    Draft202012Validator(published).validate(data)
    data["defects"][0]["name"] = 7
    assert not Draft202012Validator(published).is_valid(data)
    assert "NaN" not in text.decode() and "Infinity" not in text.decode()


def test_another_version_or_another_file_is_refused(tmp_path):
    data = json.loads(assessed().to_json())
    for changes, wanted in (
        ({"version": VERSION + 1, "library": "9.9"}, ["version 2", "9.9", "assess` again"]),
        ({"format": "something"}, ["no assessment", "something"]),
        ({"defects": 3}, ["damaged", "defects"]),
    ):
        path = tmp_path / "a.json"
        path.write_text(json.dumps(data | changes), encoding="utf-8")
        with pytest.raises(ValueError) as error:
            Assessment.load(path)
        for text in (str(path), *wanted):
            assert text in str(error.value)
    for text in ("{}", "[1]", "no json", ""):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="is no assessment"):
            Assessment.load(path)


def test_stages_are_told():
    told = []
    tell = lambda text, stage=False: told.append(text) if stage else None
    assess(fitted(), W, domain=6, checks=(4,), tell=tell)
    assert len(told) == stages(1) and told[-1] == "shopping list"


# What to label next


def labelled(frames, basis, weights_from):
    """Blocks with the reference's labels of an offer's structures added."""
    from mlipgen.learning import Block, Configuration

    more = []
    for atoms in frames:
        place = Configuration(atoms.positions, atoms.cell.array, CRYSTAL)
        more += [Energy(place), Forces(place)]
    added = assemble(more, basis, W)
    return {
        k: Block(k, np.concatenate([b.R, added[k].R]), b.rows + added[k].rows, b.groups)
        for k, b in weights_from.items()
    }


def test_the_shopping_list_mends_what_it_promises():
    """Degree 8 on 3-cells: the error is in the ring that those cells do not show.  The best offer
    takes most of the true error away, and another 3-cell, which the list leaves out, does not.
    """
    blocks, basis = training(8)
    shop = Shop(blocks)
    a = assess(fitted(8), W, domain=DOMAIN, checks=CHECKS, shopping=shop, lattices=("reference",))
    assert a.shopping.exact
    best = a.shopping.offers[0]
    assert best.kinds == "EF" and best.cells == [4, 4, 4] and best.gain > 0.5
    assert [o.cells for o in a.shopping.offers if o.structure.startswith("vac")] == [
        [4, 4, 4]
    ] * sum(o.structure.startswith("vac") for o in a.shopping.offers)
    reference = Reference(W, vacancy(Supercell(CRYSTAL, DOMAIN)))

    def error_with(frames):
        new = fit_blocks(labelled(frames, basis, blocks), basis, "EF", W, CRYSTAL).model
        return defect_error(new, reference).measurement.geometry

    before = defect_error(fitted(8), reference).measurement.geometry
    frames = [s for s in shop.structures if s.info["rank"] == 1]
    assert error_with(frames) < 0.2 * before
    small = relax(W, vacancy(Supercell(CRYSTAL, 3)), saddle="ignore")
    rng = np.random.default_rng(5)
    again = small.defect.atoms(small.positions + 0.02 * rng.standard_normal(small.positions.shape))
    assert error_with([again]) > 0.8 * before


def test_where_the_basis_is_the_limit_the_list_says_so():
    a = assessed()
    small = assess(
        fitted(6, 4), W, domain=7, checks=(5, 6), lattices=("reference",), basin=False,
        shopping=Shop(training(6, 4)[0]),
    )  # fmt: skip
    assert any("the limit is the basis" in s for s in small.verdict)
    assert not any("the limit is the basis" in s for s in a.verdict)


def test_a_black_box_gets_a_heuristic_and_weights_that_codes_read():
    shop = Shop()
    a = assess(fitted(), W, domain=DOMAIN, checks=CHECKS, shopping=shop, lattices=("own",))
    assert not a.shopping.exact and "heuristic" in a.shopping.basis
    gains = [o.gain for o in a.shopping.offers]
    assert all(g > 0 for g in gains) and sum(gains) <= 1 + 1e-9
    assert {tuple(o.cells) for o in a.shopping.offers if o.kinds == "EF"} <= {(4, 4, 4), (5, 5, 5)}
    info = shop.structures[0].info
    assert info["config_energy_weight"] == info["config_forces_weight"] == info["weight"] == 1
    assert info["config_stress_weight"] == info["config_virials_weight"] == 0
    displaced = next(s for s in shop.structures if "displaced" in s.info["config_type"])
    assert displaced.info["config_energy_weight"] == 0
    assert displaced.info["config_forces_weight"] == 1
    moved = np.linalg.norm(displaced.positions - Supercell(CRYSTAL, 6).positions, axis=1)
    assert np.count_nonzero(moved > 1e-9) == 1


def test_the_heuristic_measures_what_is_left_of_the_residual():
    """Taking every offer for granted leaves the residual that no structure shows."""
    pair = Pair(fitted(), W, OWN, CRYSTAL)
    found = assess_defect(pair, "vacancy", settings(domain=7, basin=False))
    shop = Shop(most=99)
    gains = [o.gain for o in shop(pair, settings(domain=7), [found]).offers]
    step, large = found.forecast.steps[-1], found.equilibrium.defect
    P = LatticeGreen(fitted(), large.homogeneous).for_defect(large)
    dual = lambda r: np.sqrt(((r - r.mean(0)) * P(r - r.mean(0))).sum())
    rest = step.residual - residual_parts(step, large)["harmonic far field"]
    half = 0.5 * np.linalg.norm(Supercell(CRYSTAL, 5).cell[0])
    outside = np.where(large.distance()[:, None] < half, 0, rest)
    left = dual(outside) / dual(step.residual)
    assert 1 - sum(gains) == pytest.approx(left, abs=len(gains) * 0.005 + 0.01)
