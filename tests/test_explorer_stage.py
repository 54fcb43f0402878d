"""What a reader meets: one question, two controls, one picture; how it unfolds, and what the page
says while it relaxes.
"""

import numpy as np
import pytest
from explorer_real import prepared, real_data
from explorer_synthetic import synthetic
from test_explorer import close, drawn, mount, page, value  # noqa: F401  (a fixture)

from mlipgen.generalisation import measure, predict
from mlipgen.widgets import Explorer, Setting
from mlipgen.widgets.explorer.fits import model_of

CONTROLS = ".mx :is(input, select, button)"
SIZES = [(1280, 800), (360, 740)]


def visible(page, selector):
    return [e for e in page.locator(selector).all() if e.is_visible()]


def on_screen(page, selector):
    """Wait until an element is wholly inside the window, below whatever sticks to the top: the page
    may still be scrolling, or drawing for another width.
    """
    page.wait_for_function(
        """(selector) => {
            const e = document.querySelector(selector), box = e.getBoundingClientRect();
            const x = box.x + box.width / 2, y = box.y + box.height / 2;
            const hit = document.elementFromPoint(x, y);
            return box.top >= 0 && box.bottom <= innerHeight && e.closest(".mx").contains(hit)
                && (e.contains(hit) || hit.contains(e) || e.closest("label, div").contains(hit));
        }""",
        arg=selector,
    )
    return True


def test_begins_with_one_question_two_controls_one_picture(page):
    page.set_viewport_size({"width": 1280, "height": 800})
    mount(page, Explorer(synthetic()), unfolded=False)
    assert page.locator(".mx-question").inner_text().endswith("?")
    labels = [e.evaluate("e => e.labels[0].textContent") for e in visible(page, CONTROLS)]
    assert labels == ["Training cell size", "Fitted to"]
    assert len(visible(page, ".mx-plot svg")) == 1 and not visible(page, ".mx-table")
    box = page.locator(".mx").bounding_box()
    assert box["y"] + box["height"] <= 800, "all of it fits one screen"
    page.get_by_text("More controls").click()
    assert page.get_by_label("Ridge", exact=True).is_visible()
    page.locator(".mx-details > summary").click()
    assert len(visible(page, ".mx-plot svg")) == 2 and visible(page, ".mx-table")
    drawn = page.locator(".mx-plot svg").nth(1).evaluate("e => e.clientWidth")
    assert drawn > 300, "drawn at the width that it has on the page"


@pytest.mark.parametrize("controls", [["degree", "noise"], ["observations", "cell", "ridge"]])
def test_the_first_two_controls_stand_beside_the_picture(page, controls):
    mount(page, Explorer(synthetic(), controls=controls, question="Why?"), unfolded=False)
    names = {"degree": "Basis degree", "noise": "Noise", "observations": "Fitted to"}
    names |= {"cell": "Training cell size", "ridge": "Ridge"}
    labels = [e.evaluate("e => e.labels[0].textContent") for e in visible(page, CONTROLS)]
    assert labels == [names[c] for c in controls[:2]]
    assert page.locator(".mx-question").inner_text() == "Why?"
    page.get_by_text("More controls").click()
    for control, name in names.items():
        shown = page.get_by_label(name, exact=True)
        assert (shown.count() and shown.is_visible()) == (control in controls)


@pytest.mark.parametrize("size", SIZES)
def test_every_control_is_seen_together_with_the_curve(page, size):
    """Also the last of the unfolded ones, when the reader has scrolled to it."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    mount(page, Explorer(synthetic()), unfolded=False)
    assert on_screen(page, ".mx-bar") and on_screen(page, ".mx-picture svg")
    page.get_by_text("More controls").click()
    for name in ("Energies weight", "Basis degree", "Noise"):
        slider = page.get_by_label(name, exact=True)
        slider.scroll_into_view_if_needed()
        slider.evaluate("e => e.scrollIntoView({ block: 'center' })")
        slider.evaluate("e => e.setAttribute('data-here', '')")
        assert on_screen(page, "[data-here]") and on_screen(page, ".mx-picture svg"), name
        slider.evaluate("e => e.removeAttribute('data-here')")


def test_sets_of_observations_are_chosen_by_name(page):
    data = synthetic()
    mount(page, Explorer(data))
    default, choose = data.meta["default"], page.get_by_label("Fitted to", exact=True)
    assert choose.input_value() == "E,F"
    assert choose.locator("option:not([hidden])").count() == 5
    choose.select_option("E,F,V,FC")
    drawn(page)
    all_four = data.solve(
        Setting(**{**default, "weights": dict.fromkeys(("E", "F", "V", "FC"), 1)})
    )
    assert close(float(value(page, "predicted-geometry-error")), all_four["geometry"])
    assert page.get_by_label("Virials", exact=True).is_checked()
    page.get_by_label("Energies", exact=True).uncheck()  # no usual set any more
    assert choose.locator("option:checked").inner_text() == "own choice"


def test_the_address_outlives_reset_and_a_change_of_crystal(page):
    mount(page, Explorer([synthetic(), synthetic(seed=2)]))
    page.get_by_label("Training cell size", exact=True).press("End")
    page.get_by_label("Virials", exact=True).check()
    page.get_by_label("Crystal and defect").select_option("1")
    page.wait_for_function("location.hash.endsWith('_s1')")
    assert "_L6_" in page.url and "_V0_" in page.url  # and so do the choices
    assert page.get_by_label("Training cell size", exact=True).input_value() == "6"
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("location.hash.includes('_L4_')")
    assert "#explorer_" in page.url and page.url.endswith("_s1") and "_Vx_" in page.url


def test_a_link_lands_at_the_explorer(page):
    widget = Explorer(synthetic())
    page.evaluate("document.getElementById('host').style.padding = '3000px 0'")
    mount(page, widget, unfolded=False)
    assert page.evaluate("scrollY") == 0, "without an address the page stays where it is"
    assert not page.get_by_label("Ridge", exact=True).is_visible()
    page.evaluate("location.hash = '#explorer_L5_E0_F0_Vx_FCx_u_d8_r-12_n0'")
    page.wait_for_function("scrollY > 2000")
    assert page.get_by_label("Training cell size", exact=True).input_value() == "5"
    assert page.get_by_label("Ridge", exact=True).is_visible(), "a hidden control was moved"
    top = page.locator(".mx").evaluate("e => e.getBoundingClientRect().top")
    assert abs(top) < 5


def test_slope_guide_and_floor(page):
    """The slope is the theory's, from Python's table; the floor is the fit to all cells at once."""
    data = synthetic()
    data.meta["rates"]["F"] = [1.25, 2.75]  # a slope that no other code knows
    mount(page, Explorer(data))
    page.wait_for_selector(".mx-picture .mx-plot .mx-floor", state="attached")
    labels = page.locator(".mx-picture svg").locator("text").all_text_contents()
    assert "L⁻¹·²⁵" in labels and "≈ floor of degree 8" in labels
    assert "slope guide" in page.locator(".mx-picture .mx-legend").inner_text()
    setting = Setting(**data.meta["default"])
    theta = data.theta(setting, cells=[3, 4, 5, 6])
    floor = np.sqrt(
        sum(
            np.sum((R[:, : len(theta)] @ theta + R[:, -1]) ** 2)
            for name, R in data.arrays.items()
            if name.startswith("R/S/")
        )
    )
    shown = float(page.locator(".mx-picture .mx-plot .mx-floor").get_attribute("data-value"))
    assert close(shown, floor) and not close(shown, data.solve(setting)["geometry"])
    page.get_by_label("Compared over").select_option("degree")
    assert page.locator(".mx-picture .mx-plot :is(.mx-floor, .mx-slope)").count() == 0


def test_atoms_with_the_training_cell_and_a_scale_that_fits(page):
    data = synthetic()
    mount(page, Explorer(data))
    canvas = page.locator("canvas.mx-space")
    assert "The frame is the training cell of size 4" in canvas.get_attribute("aria-label")
    page.get_by_label("Training cell size", exact=True).press("ArrowRight")
    drawn(page)
    assert "The frame is the training cell of size 5" in canvas.get_attribute("aria-label")
    theta = data.theta(Setting(**{**data.meta["default"], "cell": 5}))
    largest = np.linalg.norm(data.near(theta), axis=1).max()
    last = page.locator(".mx-scale div span").all_text_contents()[-1]
    exponent = int(
        last.split("10")[1].split()[0].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    )
    assert 10.0 ** (exponent - 1) < largest <= 10.0**exponent


# --- relaxing in the page -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def tungsten():
    return prepared("tungsten vacancy"), real_data("tungsten vacancy")


def settled(page):
    page.wait_for_selector("[data-relaxation=settled]")


def library(tungsten, **change):
    study, data = tungsten
    model = model_of(data, Setting(**{**data.meta["default"], **change}), study)
    return predict(model, study.reference, rtol=1e-9), measure(model, study.reference)


def agree(page, p, m):
    for name, expected in (("geometry", m.geometry), ("energy", m.energy)):
        shown = float(value(page, f"measured-{name}-error"))
        assert shown == pytest.approx(expected, rel=1e-6, abs=1e-9)
        shown = float(value(page, f"newton-{name}-error"))
        assert shown == pytest.approx(getattr(p, name), rel=1e-6, abs=1e-9)


def test_estimate_at_once_and_the_truth_a_moment_later(page, tungsten):
    _, data = tungsten
    mount(page, Explorer(data))
    linear = data.solve(Setting(**data.meta["default"]))
    assert close(float(value(page, "predicted-geometry-error")), linear["geometry"])
    settled(page)
    p, m = library(tungsten)
    agree(page, p, m)
    verdict = page.get_by_test_id("verdict")
    assert verdict.get_attribute("data-verdict") == "applies"
    assert "is a minimum" in verdict.inner_text()
    assert "κ\u00a0=\u00a0" in verdict.inner_text()
    marks = page.locator(".mx-picture .mx-plot .mx-mark").count()
    assert marks >= 1
    label = page.locator("canvas.mx-space").get_attribute("aria-label")
    assert "after relaxing, displacements" in label, "the atoms moved with it"
    # a setting off the grid brings a mark of its own; the worker has to wait until this has looked
    page.evaluate("""() => {
        const post = Worker.prototype.postMessage;
        Worker.prototype.postMessage = function (message) {
            if (message.start) window.go = () => post.call(this, message);
            else post.call(this, message);
        };
    }""")
    page.get_by_label("Forces weight", exact=True).press("ArrowRight")
    drawn(page)
    assert page.locator(".mx").get_attribute("data-relaxation") == "none"
    assert value(page, "measured-geometry-error") == "" == value(page, "newton-geometry-error")
    page.wait_for_function("window.go !== undefined")
    page.evaluate("window.go()")
    settled(page)
    agree(page, *library(tungsten, weights={"E": 10.0, "F": 10**0.1}))


def test_the_next_move_cancels(page, tungsten):
    """Whatever was under way is dropped: only numbers of the last setting ever appear."""
    mount(page, Explorer(tungsten[1]))
    page.evaluate("""() => {
        const shown = (window.shown = []);
        const node = document.querySelector("[data-testid=newton-geometry-error]");
        new MutationObserver(() => node.dataset.value && shown.push(Number(node.dataset.value)))
            .observe(node, { attributes: true, attributeFilter: ["data-value"] });
        window.workers = 0;
        const post = Worker.prototype.postMessage;
        Worker.prototype.postMessage = function (message) {
            if (message.start) window.workers += 1;
            return post.call(this, message);
        };
    }""")
    slider = page.get_by_label("Training cell size", exact=True)
    # a move right after each start of the worker: it never gets to its first result
    for key in ("ArrowLeft", "ArrowRight", "ArrowLeft"):
        started = page.evaluate("window.workers")
        slider.press(key)
        page.wait_for_function("n => window.workers > n", arg=started)
    settled(page)
    p, m = library(tungsten, cell=3)
    agree(page, p, m)
    last = page.evaluate("window.shown.at(-1)")
    assert last == pytest.approx(p.geometry, rel=1e-6)


def test_progress_is_shown_and_spoken_results_wait_for_the_end(page, tungsten):
    mount(page, Explorer(tungsten[1]), unfolded=False)
    seen = page.evaluate("""() => new Promise((resolve) => {
        const root = document.querySelector(".mx"), live = root.querySelector("[aria-live]");
        const bar = root.querySelector(".mx-verdict progress"), values = [];
        const look = () => {
            if (!bar.hidden) values.push(bar.value);
            if (root.dataset.relaxation === "settled") return resolve([values, live.textContent]);
            requestAnimationFrame(look);
        };
        look();
    })""")
    assert len(set(seen[0])) > 2 and seen[0] == sorted(seen[0]) and seen[1] == ""
    page.wait_for_function(
        "document.querySelector('.mx [aria-live]').textContent.includes('relaxed')"
    )


def test_a_saddle_is_called_one(page):
    """A setting whose state with the reference's symmetry is no minimum of the fit."""
    data = real_data("tungsten dumbbell")
    setting = {"degree": 5, "ridge": 1e-3, "weights": {"E": 1.0, "F": 1.0, "V": 1000.0, "FC": 10.0}}
    mount(page, Explorer(data, setting=setting))
    settled(page)
    verdict = page.get_by_test_id("verdict")
    assert verdict.get_attribute("data-verdict") == "does not apply"
    assert "is a saddle point of this fit (lowest curvature −" in verdict.inner_text()
    assert "eV lower" in verdict.inner_text() or "another defect" in verdict.inner_text()


def test_without_workers_the_linear_estimate_stays(page, tungsten):
    page.evaluate("() => { window.Worker = function () { throw new Error('forbidden here'); }; }")
    mount(page, Explorer(tungsten[1]))
    page.get_by_text("could not relax by itself (forbidden here)").wait_for()
    assert page.get_by_test_id("verdict").get_attribute("data-verdict") == "applies"
    assert not page.get_by_test_id("newton-geometry-error").is_visible()


def test_nothing_is_relaxed_that_nobody_sees(page, tungsten):
    page.evaluate("""() => {
        window.workers = 0;
        const Own = Worker;
        window.Worker = function (...a) { window.workers += 1; return new Own(...a); };
        document.getElementById("host").style.paddingTop = "5000px";
    }""")
    mount(page, Explorer(tungsten[1]))
    page.wait_for_timeout(600)
    assert page.evaluate("window.workers") == 0
    page.locator(".mx").scroll_into_view_if_needed()
    settled(page)
    assert page.evaluate("window.workers") == 1
