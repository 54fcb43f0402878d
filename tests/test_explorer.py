"""The explorer's JavaScript against its Python twin, in a real browser, and its controls."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from explorer_synthetic import random_setting, synthetic
from javascript import script

from mlipgen.generalisation import defect_error
from mlipgen.widgets import Explorer, ExplorerData, Setting

HERE = Path(__file__).parent
CASES = {
    "73 functions": {},
    "multilattice": {"multilattice": True, "seed": 1},
    "165 functions": {"degrees": (6, 8, 10), "n_shells": 3, "seed": 2},
}


@pytest.fixture
def page(browser):
    """The harness in a fresh context; any console error, uncaught error or request beyond the disk
    fails the test.
    """
    context = browser.new_context(viewport={"width": 920, "height": 1200})
    page, wrong = context.new_page(), []
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on(
        "request",
        lambda r: wrong.append(r.url) if not r.url.startswith(("file:", "blob:")) else None,
    )
    page.goto((HERE / "js/harness.html").as_uri())
    yield page
    context.close()
    assert wrong == []


def mount(page, widget, unfolded=True):
    """The widget in the harness, with everything shown unless a test looks at how it unfolds."""
    traits = {k: getattr(widget, k) for k in ("payloads", "options", "name")}
    traits["options"] = {**traits["options"], "unfolded": unfolded}
    page.evaluate(
        "([source, css, traits]) => mount(source, css, traits)", [widget._esm, widget._css, traits]
    )
    page.wait_for_selector("[data-testid=explorer][data-state=ready]")


def drawn(page):
    """Wait until every explorer has drawn what its controls say."""
    page.wait_for_function("""() => [...document.querySelectorAll("[data-testid=explorer]")]
        .every((e) => e.dataset.state === "ready")""")


def value(page, testid):
    return page.get_by_test_id(testid).get_attribute("data-value")


def in_page(page, data, settings):
    return page.evaluate(
        """async ([source, payload, settings]) => {
        const module = await load(source), data = await module.unpackData(payload);
        return settings.map((setting) => {
            const begin = performance.now(), r = module.solve(data, setting);
            return { ...r, theta: Array.from(r.theta), ms: performance.now() - begin };
        });
    }""",
        [Explorer._esm, data.pack(), [asdict(s) for s in settings]],
    )


def close(a, b, scale=0.0):
    return abs(a - b) <= 1e-6 * abs(b) + 1e-9 * scale


@pytest.mark.parametrize("case", CASES)
def test_browser_agrees_with_python(page, case):
    data, rng = synthetic(**CASES[case]), np.random.default_rng(5)
    settings = [random_setting(data, rng) for _ in range(200)]
    verdicts = set()
    for setting, js in zip(settings, in_page(page, data, settings)):
        py = data.solve(setting)
        for name in ("geometry", "energy", "relaxation", "mismatch"):
            assert close(js[name], py[name]), (name, setting)
        assert all(close(a, b, data.meta["norm"]) for a, b in zip(js["shells"], py["shells"]))
        for a, b in zip(js["stiffness"], py["stiffness"]):
            assert close(a["low"], b["low"], 1.0) and close(a["high"], b["high"], 1.0)
        for entry in data.meta["errors"]:
            for role in ("train", "held"):
                block = data.block(role, entry["block"], setting.cell)
                target = data.meta["factors"][block] * np.linalg.norm(data.arrays[block][:, -2])
                assert close(
                    js["errors"][entry["id"]][role], py["errors"][entry["id"]][role], target
                ), (entry, setting)
        assert (js["applies"], [r[0] for r in js["reasons"]]) == (
            py["applies"],
            [r[0] for r in py["reasons"]],
        )
        verdicts.add(py["applies"])
    assert verdicts == {True, False}, "the settings must reach both verdicts"


@pytest.mark.parametrize("case", ["73 functions", "165 functions"])
def test_every_slider_event_solves(page, case):
    """Each move of a weight is solved and drawn within its event (how fast:
    benchmarks/bench_explorer.py).
    """
    mount(page, Explorer(synthetic(**CASES[case])))
    times, shown = page.evaluate("""async () => {
        const slider = document.querySelector("[aria-label='Forces weight']");
        const root = document.querySelector(".mx"), out = [], shown = [];
        for (let i = 0; i < 20; i++) {
            slider.value = -30 + 2 * i;
            slider.dispatchEvent(new Event("input"));
            await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));
            out.push(Number(root.dataset.updateMs));
            shown.push(document.querySelector("[data-testid='fit-error-force']").dataset.value);
        }
        return [out, shown];
    }""")
    assert all(t > 0 for t in times)
    assert len(set(shown)) > 15, shown


def test_pack_returns_every_bit():
    data = synthetic(degrees=(6,), cells=(3, 4))
    again = ExplorerData.unpack(data.pack())
    assert again.meta == data.meta and again.arrays.keys() == data.arrays.keys()
    for name, a in data.arrays.items():
        np.testing.assert_array_equal(
            again.arrays[name], np.triu(a) if name.startswith("R/") else a
        )


def test_twin_minimises_the_stated_function():
    """Against scipy's least squares by singular values, and by perturbing the solution."""
    from scipy.linalg import lstsq

    data = synthetic(degrees=(6,), cells=(3,))
    s = Setting(3, 6, 1e-3, {"E": 2.0, "F": 1.0, "FC": 0.5}, noise=0.01)
    rows, target = [s.ridge * np.diag(data.arrays["prior"])], [np.zeros(30)]
    for kind, w in s.weights.items():
        R = data.arrays[data.block("train", kind, 3)]
        rows.append(w * R[:, :-2]), target.append(w * (R[:, -2] + s.noise * R[:, -1]))
    A, y = np.vstack(rows), np.concatenate(target)
    theta = data.theta(s)
    np.testing.assert_allclose(theta, lstsq(A, y)[0], rtol=1e-8, atol=1e-12)
    best = np.linalg.norm(A @ theta - y)
    for step in np.random.default_rng(0).normal(size=(20, 30)) * 1e-3:
        assert np.linalg.norm(A @ (theta + step) - y) > best


def test_controls_change_the_numbers(page):
    """Mouse-free: every control by its accessible name; the shown numbers are those of the twin."""
    data = synthetic()
    mount(page, Explorer(data))
    default = data.meta["default"]

    def expect(**change):
        drawn(page)
        r = data.solve(Setting(**{**default, **change}))
        shown = value(page, "predicted-geometry-error"), value(page, "predicted-energy-error")
        if r["applies"]:
            assert close(float(shown[0]), r["geometry"]) and close(float(shown[1]), r["energy"])
        else:
            assert shown == ("", "")
        for e in data.meta["errors"]:
            assert close(
                float(value(page, f"fit-error-{e['id']}")), r["errors"][e["id"]]["train"], 1.0
            )
        return shown

    seen = [expect()]
    assert value(page, "measured-geometry-error") == str(
        data.meta["measured"][
            [(m["cell"], m["degree"], list(m["weights"])) for m in data.meta["measured"]].index(
                (4, 8, ["E", "F"])
            )
        ]["geometry"]
    )
    page.get_by_label("Training cell size", exact=True).press("ArrowRight")
    seen.append(expect(cell=5))
    page.get_by_label("Virials", exact=True).press("Space")
    seen.append(expect(cell=5, weights={"E": 1, "F": 1, "V": 1}))
    page.get_by_label("Force constants", exact=True).press("Space")
    seen.append(expect(cell=5, weights={"E": 1, "F": 1, "V": 1, "FC": 1}))
    page.get_by_label("Force constants weight").press("ArrowRight")
    seen.append(expect(cell=5, weights={"E": 1, "F": 1, "V": 1, "FC": 10**0.1}))
    assert value(page, "measured-geometry-error") == ""
    page.get_by_label("Basis degree", exact=True).press("ArrowLeft")
    weights = {"E": 1, "F": 1, "V": 1, "FC": 10**0.1}
    seen.append(expect(cell=5, degree=6, weights=weights))
    page.get_by_label("Ridge", exact=True).press("ArrowRight")
    seen.append(expect(cell=5, degree=6, weights=weights, ridge=10**-5.75))
    page.get_by_label("Noise", exact=True).press("End")
    seen.append(expect(cell=5, degree=6, weights=weights, ridge=10**-5.75, noise=0.1))
    page.get_by_label("Force weighting").select_option("distance")
    seen.append(
        expect(cell=5, degree=6, weights=weights, ridge=10**-5.75, noise=0.1, forces="distance")
    )
    page.get_by_label("Force weighting").select_option("dual")
    seen.append(
        expect(cell=5, degree=6, weights=weights, ridge=10**-5.75, noise=0.1, forces="dual")
    )
    assert len(set(seen)) == len(seen)
    page.get_by_role("button", name="Reset").click()
    assert expect() == seen[0]


def test_the_address_holds_the_setting(page):
    data = synthetic()
    mount(page, Explorer(data))
    page.get_by_label("Training cell size", exact=True).press("End")
    page.get_by_label("Energies", exact=True).press("Space")
    page.get_by_label("Force weighting").select_option("dual")
    # it is written with a delay
    page.wait_for_function("/_L6_Ex_.*_g_/.test(location.hash)")
    address, shown = page.url, value(page, "predicted-geometry-error")
    # a harmless selector for the theme's scripts
    assert page.evaluate("document.querySelector(location.hash)") is None
    page.goto("about:blank")
    page.goto(address)
    mount(page, Explorer(data))
    assert value(page, "predicted-geometry-error") == shown
    assert page.get_by_label("Training cell size", exact=True).input_value() == "6"
    assert page.get_by_label("Force weighting").input_value() == "dual"


def test_nothing_fitted_and_verdict(page):
    mount(page, Explorer(synthetic()))
    assert page.get_by_test_id("verdict").get_attribute("data-verdict") == "applies"
    for name in ("Energies", "Forces"):
        page.get_by_label(name, exact=True).uncheck()
    drawn(page)
    assert "Nothing is fitted" in page.get_by_test_id("verdict").inner_text()
    assert {
        value(page, f"{a}-{b}-error")
        for a in ("predicted", "measured")
        for b in ("geometry", "energy")
    } == {""}
    assert value(page, "verdict") == ""


def test_kernel_conversation(page):
    """The button appears when a kernel answers; progress, the new mark, and cancelling."""
    mount(page, Explorer(synthetic()))
    button = page.get_by_role("button", name="Refit and relax for real")
    assert not button.is_visible()
    assert page.evaluate("model.sent") == [{"type": "ping"}]
    page.evaluate("model.receive({type: 'pong', relax: true})")
    page.get_by_label("Noise", exact=True).press("End")
    button.click()
    request = page.evaluate("model.sent.at(-1)")
    assert request["type"] == "relax" and request["setting"]["noise"] == pytest.approx(0.1)
    page.evaluate(
        "id => model.receive({type: 'progress', id, value: null, text: '3 force evaluations'})",
        request["id"],
    )
    page.get_by_text("3 force evaluations").wait_for()
    page.get_by_role("button", name="Cancel").click()
    assert page.evaluate("model.sent.at(-1)") == {"type": "cancel", "id": request["id"]}
    point = {**request["setting"], "geometry": 0.0123, "energy": 0.5, "note": ""}
    page.evaluate(
        "([id, point]) => model.receive({type: 'measured', id, point, text: 'Relaxed.'})",
        [request["id"], point],
    )
    assert value(page, "measured-geometry-error") == "0.0123"


def test_python_side_answers_and_tells_of_failures():
    data = synthetic(degrees=(6,), cells=(3, 4))
    chosen = {"question": "How far?", "controls": ["cell"], "setting": {"cell": 4}}
    widget, sent = Explorer(data, **chosen), []
    assert {k: widget.options[k] for k in chosen} == chosen
    widget.send = sent.append
    widget._receive(widget, {"type": "ping"}, [])
    request = {"id": "a", "dataset": 0, "setting": asdict(Setting(3, 6, 1e-6, {"F": 1.0}))}
    widget._cancel["a"] = None
    widget._relax(request)
    assert sent == [
        {"type": "pong", "relax": False},
        {
            "type": "failed",
            "id": "a",
            "text": "ValueError: this data set has no relaxation behind it",
        },
    ]
    default = Setting(**data.meta["default"])
    assert data.residual("train", "X", default, data.theta(default)) is None


def test_python_side_relaxes_in_a_thread_and_cancels():
    import threading

    gate, sent = threading.Event(), []

    def slow(data, setting, progress, cancelled):
        progress(0.5, "half")
        gate.wait(10)
        progress(0.9, "late")  # raises when cancelled
        return {"geometry": 0.25, "energy": -0.5}

    data = synthetic(degrees=(6,), cells=(3, 4))
    widget = Explorer(data, on_relax=slow)
    widget.send = sent.append
    setting = asdict(Setting(3, 6, 1e-6, {"F": 1.0}))
    for job in ("one", "two"):
        gate.clear()
        widget._receive(widget, {"type": "relax", "id": job, "dataset": 0, "setting": setting}, [])
        thread = [
            t for t in threading.enumerate() if t is not threading.main_thread() and t.daemon
        ][-1]
        if job == "two":
            widget._receive(widget, {"type": "cancel", "id": job}, [])
        gate.set()
        thread.join(10)
    assert [m["type"] for m in sent if m["id"] == "one"] == ["progress", "progress", "measured"]
    # "half" may or may not have come before it
    assert (sent[-1]["id"], sent[-1]["text"]) == ("two", "Cancelled.")
    assert [m["geometry"] for m in widget.measured] == [0.25]


@pytest.mark.parametrize("width", [360, 480, 640, 760, 820, 920])
def test_fits_the_width(page, width):
    """No scrolling sideways, and no number cut short: the longest that there are, with a sign and a
    negative exponent.
    """
    page.set_viewport_size({"width": width, "height": 900})
    mount(page, Explorer(synthetic()))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = page.evaluate("""() => [...document.querySelectorAll('.mx-card dd')].filter((e) => {
        e.textContent = e.textContent.replace(/.*\\u202f/, '−8.88 × 10⁻⁵\\u202f');
        return e.scrollWidth > e.clientWidth; }).map((e) => e.textContent)""")
    assert cut == []


def test_observation_sets_compared(page):
    """The chart over observations compares every set that the data hold, whether or not it is
    switched on now.
    """
    mount(page, Explorer(synthetic(), chart=("geometry", "observations")))
    labels = page.locator(".mx-plot svg").first.locator("text").all_text_contents()
    assert [t for t in labels if t and set(t) <= set("EFVC+")] == [
        "E",
        "EF",
        "EFV",
        "EF+FC",
        "EFV+FC",
    ]
    points = (
        page.locator(".mx-plot svg")
        .first.locator(".mx-dot.predicted, .mx-lost:not(.measured)")
        .count()
    )
    assert points == 5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_of_all_text(page, theme):
    """WCAG AA: 4.5 to 1 for every text, against the nearest opaque background."""
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    mount(page, Explorer(synthetic()))
    low = page.evaluate(script("colour", "explorer_text_contrast"))
    assert low == []


def test_bad_arguments_are_named():
    data = synthetic(degrees=(6,), cells=(3,))
    wrongs = ({"controls": ["size"]}, {"chart": ("force", "cell")}, {"name": "a b"}, {"atoms": 3})
    for wrong in wrongs:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Explorer(data, **wrong)
    with pytest.raises(ValueError, match="ridge"):
        Setting(3, 6, 0.0)
    with pytest.raises(ValueError, match="degree=9"):
        data.theta(Setting(3, 9, 1.0, {"F": 1.0}))


@pytest.fixture(scope="module")
def small_study():
    """A real, small study: tungsten vacancy, training cells of 3, tested in 5 x 5 x 5 cells."""
    from mlipgen.experiments.study import Study
    from mlipgen.widgets.explorer.builder import explorer_data

    prepared = Study(
        "W", "vacancy", cells=(3, 4), observations=("EF",), degrees=(5, 6), test_cell=5, count=4
    ).prepare()
    options = dict(grid=[(3, "EF", 6)], shells=4, near=20, modes=8, by_dual=True, seeds=1)
    return prepared, explorer_data(prepared, **options)


@pytest.mark.slow
@pytest.mark.parametrize("kinds", ["EF", "EFV+FC", "E+Fw"])
@pytest.mark.parametrize("degree", [5, 6])
def test_page_numbers_are_the_librarys(small_study, kinds, degree):
    """The factors give what a fit and a linear response of the library, made without them, give."""
    from mlipgen.crystals import Neighbours
    from mlipgen.equilibrium import linear_response
    from mlipgen.generalisation import predict
    from mlipgen.potentials import energies_and_forces
    from mlipgen.widgets.explorer.builder import _grid_setting

    prepared, data = small_study
    fit = prepared.fit(4, kinds, degree)
    ours = data.solve(_grid_setting(prepared.study, 4, kinds, degree))
    block = {
        "E": "energy",
        "F": "force",
        "Fw": "force-weighted",
        "V": "virial",
        "FC": "force-constants",
    }
    for kind, name in block.items():
        target = prepared.blocks(4)[kind].target_norm
        assert close(ours["errors"][name]["train"], fit.errors[kind], target), kind
    for kind in ("E", "F", "Fw"):
        assert close(
            ours["errors"][block[kind]]["held"],
            fit.held_out[kind],
            prepared.held_out[kind].target_norm,
        ), kind
    reference, x = prepared.reference, prepared.reference.equilibrium.positions
    V, f = energies_and_forces(fit.model, Neighbours(x, reference.defect.cell, fit.model.cutoff), x)
    du = linear_response(reference.hessian, f, reference.preconditioner, rtol=1e-11)
    assert ours["geometry"] == pytest.approx(reference.norm(du), rel=1e-6)
    # the report's tolerance
    assert ours["geometry"] == pytest.approx(
        predict(fit.model, reference).linear_geometry, rel=1e-3
    )
    assert ours["relaxation"] == pytest.approx(-0.5 * np.sum(f * du), rel=1e-6)
    gap = (V - prepared.crystal.energy_per_atom(fit.model)).sum() - reference.formation_energy
    assert ours["energy"] - ours["relaxation"] == pytest.approx(gap, rel=1e-6, abs=1e-8)
    shells = reference.norm.shells(du, [s["edges"][0] for s in data.meta["shells"]] + [np.inf])
    np.testing.assert_allclose(ours["shells"], shells, rtol=1e-5)


def test_dual_norm_is_the_librarys_observation(small_study):
    """Its blocks are those of `DualForces`, and a setting is the library's fit to E, Fd and FC."""
    from mlipgen.crystals import Supercell, build_defect
    from mlipgen.equilibrium import LatticeGreen
    from mlipgen.experiments.data_cells import DualForces, dual_root
    from mlipgen.learning import defect_observations, fit_blocks
    from mlipgen.learning.fitting import Block
    from mlipgen.widgets.explorer.builder import _grid_setting
    from mlipgen.widgets.explorer.fits import fit_setting, model_of

    prepared, data = small_study
    study, crystal, potential = prepared.study, prepared.crystal, prepared.potential
    start = build_defect("vacancy", Supercell(crystal, 4))
    root = dual_root(LatticeGreen(potential, start.homogeneous), start)
    cells = defect_observations(potential, crystal, "vacancy", 4, study.count, study.seed)
    rows = [
        DualForces(o.configuration, root).rows(prepared.basis, potential)
        for o in cells
        if o.kind == "F"
    ]
    A, R = np.concatenate(rows), data.arrays["R/train/Fd/4"]
    order = [*data.meta["order"], len(prepared.basis)]
    gram, own = A[:, order].T @ A[:, order], R[:, :-1].T @ R[:, :-1]
    np.testing.assert_allclose(own, gram, atol=1e-10 * np.abs(gram).max())
    blocks = {**prepared.blocks(4), "Fd": Block("Fd", A, len(A), len(rows))}
    fit = fit_blocks(blocks, prepared.basis, "E+Fd+FC", potential, crystal, ridge=study.ridge)
    setting = _grid_setting(study, 4, "E+Fd+FC", 6)
    assert setting.forces == "dual"
    np.testing.assert_allclose(
        model_of(data, setting, prepared).theta, fit.model.theta, atol=1e-7 * max(fit.model.theta)
    )
    loud = Setting(4, 5, 1e-5, {"F": 1.0, "E": 3.0}, "dual", 0.02)
    np.testing.assert_allclose(
        fit_setting(prepared, loud).theta, model_of(data, loud, prepared).theta, rtol=1e-6
    )


@pytest.mark.slow
def test_stiffness_is_that_of_the_hessians(small_study):
    """The reference is 1 in every tested direction; a fit's values come from its own Hessian."""
    from mlipgen.crystals import Neighbours
    from mlipgen.potentials import force_constants, hessian_vector
    from mlipgen.widgets.explorer.builder import _grid_setting
    from mlipgen.widgets.explorer.factors import soft_modes, wave_vectors

    prepared, data = small_study
    reference = prepared.reference
    W = soft_modes(reference, 8)
    gram = np.array([[np.sum(w * reference.hessian(v)) for v in W] for w in W])
    np.testing.assert_allclose(gram, np.eye(8), atol=1e-6)
    fit, ours = prepared.fit(4, "EF", 6), data.solve(_grid_setting(prepared.study, 4, "EF", 6))
    x = reference.equilibrium.positions
    neighbours = Neighbours(x, reference.defect.cell, fit.model.cutoff)
    M = np.array([[np.sum(w * hessian_vector(fit.model, neighbours, x, v)) for v in W] for w in W])
    values = np.linalg.eigvalsh(0.5 * (M + M.T))
    assert ours["stiffness"][0]["low"] == pytest.approx(values[0], abs=1e-6)
    assert ours["stiffness"][0]["high"] == pytest.approx(values[-1], abs=1e-6)
    from scipy.linalg import eigvalsh

    model, own = (
        force_constants(fit.model, prepared.crystal),
        force_constants(prepared.potential, prepared.crystal),
    )
    values = np.concatenate(
        [
            eigvalsh(model.dynamical_matrix(k), own.dynamical_matrix(k))
            for k in wave_vectors(prepared.crystal)
        ]
    )
    assert ours["stiffness"][1]["low"] == pytest.approx(values.min(), abs=1e-8)
    assert ours["stiffness"][1]["high"] == pytest.approx(values.max(), abs=1e-8)


def test_measured_points_and_relaxing_on_request(small_study):
    """The grid's mark is the library's own measurement, and so is what a kernel answers."""
    from mlipgen.generalisation import measure

    prepared, data = small_study
    m = measure(prepared.fit(3, "EF", 6).model, prepared.reference)
    point = data.meta["measured"][0]
    assert point["geometry"] == pytest.approx(m.geometry, rel=1e-4)
    assert np.linalg.norm(point["shells"]) == pytest.approx(point["geometry"], rel=1e-9)
    assert point["energy"] == pytest.approx(m.energy, abs=1e-7)
    seen = []
    found = data.relax(
        data,
        Setting(4, 6, 1e-5, {"F": 1.0}, noise=0.01),
        lambda fraction, text: seen.append(text),
        lambda: False,
    )
    assert seen and found["geometry"] > 0


def test_copied_python_gives_the_shown_number(small_study, page, capsys):
    """What the button copies runs and gives the page's numbers: noise, Newton, energies and all."""
    prepared, data = small_study
    mount(page, Explorer(data))
    page.get_by_label("Force constants", exact=True).check()
    page.get_by_label("Virials", exact=True).check()
    page.get_by_label("Force weighting").select_option("distance")
    page.get_by_label("Noise", exact=True).press("End")
    page.wait_for_selector("[data-relaxation=settled]")
    page.get_by_role("button", name="Copy as Python").click()
    code = page.get_by_label("Python call").inner_text()
    exec(compile(code, "copied", "exec"), {})
    printed = capsys.readouterr().out.replace("\n", " ").split()
    names = ("linear", "Newton", "relaxed")
    found = [float(printed[i + 1]) for i, word in enumerate(printed) if word in names]
    shown = [
        float(value(page, f"{id}-{key}-error"))
        for key, ids in (
            ("geometry", ("predicted", "newton", "measured")),
            ("energy", ("newton", "measured")),
        )
        for id in ids
    ]
    # the library's conjugate gradients stop at 1e-4, its relaxation at 1e-7 eV/A
    assert found == pytest.approx(shown, rel=1e-3)
    setting = Setting(
        4, 6, 1e-6, {"E": 10.0, "F": 1.0, "V": 10.0, "FC": 0.1}, "distance", data.meta["noise_max"]
    )
    assert found[0] == pytest.approx(data.solve(setting)["geometry"], rel=1e-3)
    quiet = {**asdict(setting), "noise": 0.0}
    assert abs(found[0] / data.solve(Setting(**quiet))["geometry"] - 1) > 0.1


def test_still_figure_has_a_caption(small_study):
    html = Explorer(small_study[1]).fallback_figure().data
    assert (
        html.startswith("<noscript>")
        and "<svg" in html
        and ">W (bcc), vacancy." in html.partition("<figcaption")[2]
    )


@pytest.mark.slow
def test_without_distance_weights_and_within_size(small_study):
    """A page's data stays small; a crystal without the weighted forces offers no such control."""
    from mlipgen.widgets.explorer.builder import explorer_data

    prepared, data = small_study
    small = explorer_data(prepared, grid=False, shells=3, near=20, modes=8, by_distance=False)
    shown = small.solve(Setting(3, 6, 1e-6, {"F": 1.0}))["errors"]
    assert not any(b in name for name in small.arrays for b in ("/Fw/", "/Fd/"))
    assert not {"force-weighted", "force-dual"} & shown.keys() and {"force", "energy"} <= set(shown)
    with pytest.raises(ValueError, match="no training block Fd.*by_dual=True"):
        small.solve(Setting(3, 6, 1e-6, {"F": 1.0}, "dual"))
    assert len(small.pack()) < len(data.pack()) < 1.5e6


@pytest.mark.slow
def test_other_rattles_are_fits_of_studies_with_other_seeds(small_study):
    prepared, data = small_study
    other = replace(prepared.study, seed=1).prepare()
    found = defect_error(other.fit(3, "EF", 6).model, other.reference).measurement
    ((geometry, energy),) = data.meta["measured"][0]["others"]
    assert geometry == pytest.approx(found.geometry, rel=1e-5)
    assert energy == pytest.approx(found.energy, rel=1e-4)
    assert abs(geometry / data.meta["measured"][0]["geometry"] - 1) > 1e-3  # not the same rattles


def test_the_chart_shows_the_band_of_other_rattles(page):
    """From the smallest to the largest of all seeds, on the axis' logarithmic scale."""
    data = synthetic()
    for m in data.meta["measured"]:
        if m["geometry"] is not None:
            m["others"] = [[2 * m["geometry"], 0.0], [m["geometry"] / 4, 0.0], [None, None]]
    mount(page, Explorer(data, chart=("geometry", "cell")))
    drawn(page)
    chart = page.locator(".mx-figure", has_text="with other rattles")
    band, marks, grid = chart.evaluate(
        """(chart) => [".mx-band[d]", ".mx-mark[d^=M]:not(li *)", ".mx-grid"].map((what) =>
        [...chart.querySelectorAll(`.mx-plot > svg ${what}`)].map((x) => {
          const box = x.getBBox();
          return [box.x, box.y, box.x + box.width, box.y + box.height];
        }))"""
    )
    decade = abs(grid[0][1] - grid[1][1])
    assert len(band) == 1 and len(marks) >= 2
    middle = [(y0 + y1) / 2 for _, y0, _, y1 in marks]
    assert band[0][1] == pytest.approx(min(middle) - decade * np.log10(2), abs=0.5)
    assert band[0][3] == pytest.approx(max(middle) + decade * np.log10(4), abs=0.5)


@pytest.mark.slow
def test_cache_is_read_and_rebuilt(small_study, tmp_path, monkeypatch):
    """The same study comes from the file, bit for bit and without preparing; changed sources are
    computed anew.
    """
    from mlipgen.experiments.study import Study
    from mlipgen.widgets.explorer import builder

    prepared, _ = small_study
    options = dict(grid=False, shells=4, near=20, modes=8, cache=tmp_path / "data.txt")
    first = builder.explorer_data(prepared, **options)
    monkeypatch.setattr(
        Study, "prepare", lambda self: pytest.fail("prepared although the cache was there")
    )
    again = builder.explorer_data(prepared.study, **options)
    setting = Setting(3, 6, 1e-6, {"F": 1.0})
    assert again.solve(setting)["geometry"] == first.solve(setting)["geometry"]
    monkeypatch.setattr(builder, "_sources", lambda: "other")
    said = []
    builder.explorer_data(prepared, **options, progress=said.append)
    assert "linear response" in said
