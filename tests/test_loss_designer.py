"""The loss-weight designer: page against twin, what an optimum is, what other codes are told."""

import numpy as np
import pytest
from explorer_synthetic import synthetic
from javascript import script
from test_explorer import page  # noqa: F401  (a fixture)

from mlipgen.experiments.data_design import loss_settings
from mlipgen.widgets import LossDesigner
from mlipgen.widgets.loss_designer.design import (
    BOX,
    FLAT,
    GAIN,
    OBJECTIVES,
    STEP,
    Evaluator,
    Problem,
    affordable,
    design,
    facts,
    price,
)

PROBLEMS = (
    Problem(3, 6),
    Problem(5, 6, ("E", "F", "FC"), "dual", "geometry"),
    Problem(4, 6, ("F", "V"), "distance", "energy"),
    Problem(4, 6, ("E", "V"), objective="geometry"),
)


@pytest.fixture(scope="module")
def two():
    """Two defects of one crystal."""
    sets = [synthetic(degrees=(6,), cells=(3, 4, 5), seed=seed) for seed in (0, 3)]
    for data in sets:  # weights as of a real study, and real labels
        data.meta["weights"] = {"E": 10.0, "F": 1.0, "V": 10.0, "FC": 0.1}
    sets[1].meta.update(title="Synthetic dumbbell", defect="dumbbell")
    return sets


@pytest.fixture(scope="module")
def designs(two):
    return [design(two[0], problem) for problem in PROBLEMS]


def in_page(page, data, problems):
    """Designs of the page: positions, values and the profiles' ranges."""
    return page.evaluate(
        """async ([source, payload, problems]) => {
        const m = await load(source), data = await m.unpackData(payload);
        return problems.map((problem) => {
            const { profiles, evaluator, ...found } = m.finished(m.designOf(data, problem));
            const ranges = Object.entries(profiles).map(([k, p]) => [k, p.range]);
            return { ...found, fits: evaluator.seen.size, ranges: Object.fromEntries(ranges) };
        });
    }""",
        [LossDesigner._esm, data.pack(), [{**vars(p), "kinds": list(p.kinds)} for p in problems]],
    )


def test_page_finds_the_weights_of_the_twin(page, two, designs):
    for ours, found in zip(designs, in_page(page, two[0], PROBLEMS)):
        assert found["x"] == ours.x
        assert found["value"] == pytest.approx(ours.value, rel=1e-6)
        assert found["usualValue"] == pytest.approx(ours.usual_value, rel=1e-6)
        assert found["ranges"] == {k: list(p[2]) for k, p in ours.profiles.items()}
        assert found["fits"] >= len(ours.tried)  # the page also leaves kinds out


def test_an_optimum_is_one(two, designs):
    """Better than the usual weights and every fit tried; its flat stretch is flat, and ends."""
    for found in designs:
        assert found.value < 0.9 * found.usual_value
        assert found.value * (1 - GAIN) <= min(v for v, _, _ in found.tried.values())
        assert found.value == Evaluator(two[0], found.problem)(found.x)
        for key, (positions, ratio, (low, high)) in found.profiles.items():
            inside = (positions >= low) & (positions <= high)
            assert (ratio[inside] <= FLAT).all() and ratio[positions == found.x[key]] == 1
            edges = BOX["ridge" if key == "ridge" else "weight"]
            for end, beyond in ((low, positions < low), (high, positions > high)):
                if beyond.any():
                    next_ = positions[beyond][np.abs(positions[beyond] - end).argmin()]
                    assert ratio[positions == next_] > FLAT
                else:
                    assert min(abs(end - e) for e in edges) < 2


def test_only_ratios_matter(two, designs):
    """All weights and the ridge times ten are the same fit: one weight may be held."""
    problem, x = PROBLEMS[0], designs[0].x
    louder = {k: p + (4 if k == "ridge" else 10) for k, p in x.items()}
    fits = [two[0].theta(problem.setting(y)) for y in (x, louder)]
    np.testing.assert_allclose(*fits, rtol=1e-6, atol=1e-9 * np.abs(fits[0]).max())


def test_the_energy_cannot_be_tuned_to_its_zero(two, designs):
    """The predicted error alone passes through zero; with the held-out energies added it cannot."""
    for found in designs:
        setting = found.setting
        s = two[0].solve(setting)
        held = two[0].residual("held", "E", setting, s["theta"])
        _, geometry, energy = found.tried[tuple(sorted(found.x.items()))]
        assert energy == pytest.approx(np.hypot(s["energy"], held)) and energy >= held
        assert geometry == s["geometry"]


@pytest.fixture
def known(two, monkeypatch):
    """Cells of 53, 127 and 249 atoms, virials of 42 strained cells for 84, force constants for
    864.
    """
    known = {**facts(two[0]), "primitive": 2, "supercell": {"size": 6, "atoms": 432}}
    monkeypatch.setitem(price.__globals__, "facts", lambda data: known)
    return known


def test_what_a_budget_pays_for(two, known):
    """By hand."""
    every = Problem(3, 6)
    assert price(two[0], 3, every.kinds) == 10 * 53 + 42 * 2 + 864
    bought = lambda budget: [(p.cell, "".join(p.kinds)) for p in affordable(two[0], every, budget)]
    assert bought(529) == [] and bought(530) == [(3, "EF")] and bought(614) == [(3, "EFV")]
    assert bought(1400) == [(3, "EFFC"), (3, "EFV"), (4, "EFV")]
    assert bought(10**6) == [(n, "EFVFC") for n in (3, 4, 5)]


def test_the_page_buys_the_same(page, two, known):
    every = Problem(3, 6)
    problems = (every, Problem(4, 6, ("F", "V")), Problem(5, 6, ("V", "FC"), "dual", "energy"))
    cases = [(p, b) for p in problems for b in (530, 1400, 2170, 10**6)]
    theirs = page.evaluate(
        """async ([source, payload, facts, cases]) => {
        const m = await load(source), data = await m.unpackData(payload);
        return cases.map(([p, budget]) => m.affordable(data, facts, p, budget));
    }""",
        [LossDesigner._esm, two[0].pack(), known, [[vars(p), b] for p, b in cases]],
    )
    for (problem, budget), found in zip(cases, theirs):
        ours = [{**vars(p), "kinds": list(p.kinds)} for p in affordable(two[0], problem, budget)]
        assert found == ours


def test_facts_of_a_data_set_that_knows_its_crystal():
    """A cell of 10 A is 4 cutoffs of 4.4 A thick when it is repeated twice."""
    data = synthetic(degrees=(6,), cells=(3,))
    data.meta["relax"] = {
        "cell": (10.0 * np.eye(3)).ravel().tolist(), "cutoff": 4.4, "sublattice": [0, 1] * 4,
        "core": 3.2,
    }  # fmt: skip
    found = facts(data)
    assert (found["primitive"], found["shell"]) == (2, 2.0)
    assert found["supercell"] == {"size": 2, "atoms": 64}
    assert price(data, 3, ("E", "V", "FC")) == 10 * 53 + 42 * 2 + 2 * 64


@pytest.mark.slow
def test_without_scripts_a_figure_says_the_weights(monkeypatch):
    found = []
    noted = lambda *given: found.append(design(*given)) or found[-1]
    monkeypatch.setattr("mlipgen.widgets.loss_designer.still.design", noted)
    data = synthetic(degrees=(6,), cells=(3,))
    data.meta["weights"] = {"E": 10.0, "F": 1.0, "V": 10.0, "FC": 0.1}
    widget = LossDesigner(data, question="Which weights?", objective="geometry")
    assert widget.options["question"] == "Which weights?"
    assert widget.options["start"] == {"cell": 3, "objective": "geometry", "forces": "uniform"}
    html = widget.fallback_figure().data
    (one,) = found
    ridge = 10.0 ** (one.x["ridge"] / 4)
    assert html.startswith("<noscript><figure") and html.count("<svg") == 2
    assert "Best weights: energies " in html and f"ridge {float(f'{ridge:.2g}'):g}" in html


@pytest.mark.parametrize(
    "wrong", [{"kinds": ()}, {"kinds": ("X",)}, {"forces": "x"}, {"objective": "x"}]
)
def test_what_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Problem(3, 6, **wrong)


def test_settings_of_other_codes(page, two):
    """The page's numbers are those of `loss_settings`, and MACE's form of the loss with displaced
    cells is ours.
    """
    own = {**facts(two[0]), "supercell": {"size": 6, "atoms": 432}, "shell": 2.7, "primitive": 2}
    assert (own["count"], own["strained"]) == (10, 42)
    weights = {"E": 30.0, "F": 2.0, "V": 1.0}
    run = """async ([source, settings, facts]) => {
        const m = await load(source);
        return settings.map((weights) => m.translated({ weights }, facts, 53));
    }"""
    plain, more = page.evaluate(run, [LossDesigner._esm, [weights, {**weights, "FC": 0.1}], own])
    theirs = loss_settings(weights, [53] * 10, strained=42, size=2)
    assert plain["energy"] == pytest.approx(theirs["energy"])
    assert plain["virials"] == pytest.approx(theirs["virials"])
    assert plain["share"] == pytest.approx(theirs["kappa"])
    n, A = 10 + 42 + 2, 530 + 84 + 864
    assert (more["configurations"], more["atoms"]) == (n, A)
    rng, proportion = np.random.default_rng(0), []
    for _ in range(3):
        dE, dF, dV, dD = (
            rng.standard_normal(s) * 10.0 ** rng.uniform(-3, 0)
            for s in (10, (530, 3), (42, 9), (864, 3))
        )
        ours = sum(w**2 * (r**2).sum() for w, r in zip((30.0, 2.0, 1.0), (dE, dF, dV)))
        ours += more["displaced"] * (dD**2).sum()
        squares = (dF**2).sum() + more["displaced"] / 2.0**2 * (dD**2).sum()
        mean = more["energy"] * ((dE / 53) ** 2).sum() / n + squares / (3 * A)
        proportion.append((mean + more["virials"] * (dV**2).sum() / (9 * n)) / ours)
    np.testing.assert_allclose(proportion, proportion[0], rtol=1e-12)


def test_displaced_supercells_stand_for_force_constants():
    """0.75 n (w / h)^2 (1 + r)^4 on the squared forces of one atom moved both ways, n atoms in a
    primitive cell of a cubic crystal, is what the force constants weigh.
    """
    from mlipgen.crystals import Crystal, Neighbours, Supercell, minimum_image
    from mlipgen.learning import ForceConstants
    from mlipgen.potentials import EAM, StillingerWeber, energies_and_forces

    for potential, n, size in ((EAM("W"), 1, 6), (StillingerWeber(), 2, 3)):
        crystal = Crystal.equilibrium(potential)
        cell, total = Supercell(crystal, size), 0.0
        r = np.linalg.norm(minimum_image(cell.positions - cell.positions[0], cell.cell), axis=1)
        for sign in (-1, 1):
            x = cell.positions.copy()
            x[0, 0] += sign * STEP
            f = energies_and_forces(potential, Neighbours(x, cell.cell, potential.cutoff), x)[1]
            total += 0.75 * n / STEP**2 * ((1 + r[:, None]) ** 4 * f**2).sum()
        own = (ForceConstants(crystal).observe(potential) ** 2).sum()
        assert total == pytest.approx(own, rel=0.03), potential


def open_designer(page, widget):
    traits = {k: getattr(widget, k) for k in ("payloads", "options")}
    page.evaluate("([s, c, t]) => mount(s, c, t)", [widget._esm, widget._css, traits])
    page.wait_for_selector("[data-testid=loss-designer][data-state=ready]")


def shown(page, testid):
    return float(page.get_by_test_id(testid).get_attribute("data-value"))


def test_the_page_shows_what_was_found(page, two, designs):
    """Numbers of both defects, a move that drops a search, exports, nothing allowed, a phone."""
    page.set_viewport_size({"width": 360, "height": 800})
    open_designer(page, LossDesigner(two, unfolded=True))
    first, setting = designs[0], designs[0].setting
    usual = two[0].solve(first.problem.setting(first.usual))
    best, other = (data.solve(setting) for data in two)
    for key in ("geometry", "energy"):
        assert shown(page, f"usual-{key}") == pytest.approx(usual[key], rel=1e-5)
        assert shown(page, f"best-{key}") == pytest.approx(best[key], rel=1e-5)
        there = page.get_by_test_id(f"best-other-{key}").get_attribute("data-value")
        assert (there == "") != other["applies"]
        assert not there or float(there) == pytest.approx(other[key], rel=1e-5)
    for key, position in first.x.items():
        row = page.get_by_test_id(f"weight-{key}")
        assert row.get_attribute("data-position") == str(position)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate(script("colour", "explorer_text_contrast")) == []
    # each code has its own text, with the weights in it
    texts = set()
    for tool in ("ace-jax", "pacemaker", "mace", "python"):
        page.get_by_label("Settings for").select_option(tool)
        texts.add(page.get_by_test_id("export").inner_text())
    assert len(texts) == 4 and "--loss=virials" in "".join(texts)
    # a budget chooses among the cells that it pays for; one that pays for none says so
    budget = page.get_by_label("Budget (atom calls)")
    budget.fill("1400")
    budget.press("Enter")
    told = page.get_by_test_id("found")
    told.get_by_text("For at most 1,400 atom calls").wait_for()
    page.wait_for_selector("[data-testid=loss-designer][data-state=ready]")
    paid = [design(two[0], p) for p in affordable(two[0], first.problem, 1400)]
    chosen = min(paid, key=lambda d: d.value)
    assert [d.problem.cell for d in paid] == [3, 4] and chosen.value < 0.9 * first.value
    cell = page.get_by_role("slider", name="Training cell")
    assert cell.get_attribute("aria-valuetext").startswith(f"{chosen.problem.cell} (")
    assert shown(page, "best-geometry") == pytest.approx(
        two[0].solve(chosen.setting)["geometry"], rel=1e-5
    )
    budget.fill("529")
    budget.press("Enter")
    told.get_by_text("The cheapest set here costs 530 atom calls.").wait_for()
    # the cell chosen by hand takes the budget away
    cell.press("Home")
    page.wait_for_selector("[data-testid=loss-designer][data-state=ready]")
    assert budget.input_value() == ""
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    # two moves at once: the second one is what is found
    page.get_by_role("slider", name="Training cell").press("ArrowRight")
    page.get_by_label("Force constants", exact=True).press("Space")
    page.get_by_label("Force weighting").select_option("dual")
    page.wait_for_selector("[data-testid=loss-designer][data-state=ready]")
    moved = design(two[0], Problem(4, 6, ("E", "F", "V"), "dual"))
    assert shown(page, "best-geometry") == pytest.approx(
        two[0].solve(moved.setting)["geometry"], rel=1e-5
    )
    page.get_by_label("Settings for").select_option("mace")
    assert "no place for the dual norm" in page.locator(".ld-notes").inner_text()
    for name in ("Energies", "Forces", "Virials"):
        page.get_by_label(name, exact=True).uncheck()
    told.get_by_text("Nothing may be fitted.").wait_for()
    assert page.locator("[data-testid=export]:visible").count() == 0


@pytest.mark.slow
def test_still_figure_and_refusals(two):
    small = synthetic(degrees=(6,), cells=(4,))
    widget = LossDesigner(small, cell=4, objective="geometry")
    html = widget.fallback_figure().data
    assert html.startswith("<noscript>") and html.count("<svg") == 2
    assert "training cell of size 4" in html and OBJECTIVES[0] == "both"
    with pytest.raises(ValueError, match="cell=9"):
        LossDesigner(two, cell=9)


def test_paper_shows_what_was_not_searched_yet(page, two, designs):
    """A page is printed from the top, before the designer was on the screen."""
    page.evaluate("document.body.style.paddingTop = '4000px'")
    widget = LossDesigner(two)
    traits = {k: getattr(widget, k) for k in ("payloads", "options")}
    page.evaluate("([s, c, t]) => mount(s, c, t)", [widget._esm, widget._css, traits])
    page.wait_for_selector("[data-testid=loss-designer][data-state=waiting]")
    page.evaluate("""() => {
        for (const folded of document.querySelectorAll("details")) folded.open = true;
        window.dispatchEvent(new Event("beforeprint"));
        }""")
    charts = page.locator("[data-testid=loss-designer] .mx-plot > svg")
    drawn = charts.evaluate_all("(all) => all.map((svg) => svg.querySelector('.mx-line') !== null)")
    assert len(drawn) == 3 and all(drawn[1:]), "the fits tried have no line"
    row = page.get_by_test_id("weight-E")
    assert row.get_attribute("data-position") == str(designs[0].x["E"])
    page.emulate_media(media="print")
    assert "best weights found: energies" in page.locator(".mx-print").inner_text()


@pytest.mark.slow
def test_relaxed_errors_are_the_librarys(page):
    """Of the weights found and of the usual ones, by the page's own relaxation."""
    from explorer_real import prepared, real_data

    from mlipgen.generalisation import measure
    from mlipgen.widgets.explorer.fits import model_of

    data, study = real_data("tungsten vacancy"), prepared("tungsten vacancy")
    open_designer(page, LossDesigner(data))
    page.wait_for_selector("[data-relaxed='best,usual']")
    found = design(data, Problem(3, 6))
    for which, x in (("usual", found.usual), ("best", found.x)):
        m = measure(model_of(data, found.problem.setting(x), study), study.reference)
        assert shown(page, f"{which}-relaxed-geometry") == pytest.approx(m.geometry, rel=1e-3)
        assert shown(page, f"{which}-relaxed-energy") == pytest.approx(m.energy, abs=1e-6)
