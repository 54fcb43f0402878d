"""Accessibility: axe-core on the explorer (test_site.py: on every page), the keyboard, and the
contrast of graphics.
"""

import pytest
from explorer_synthetic import synthetic
from javascript import script
from test_explorer import drawn, mount, page  # noqa: F401  (the fixture)

from mlipgen.widgets import Explorer

# What remains on the pages, each with its reason; of the grades "serious" and "critical" nothing
# may remain.
TOLERATED = {
    "empty-table-header": "axe does not read MathJax's formulas; the header is one, and has "
    "assistive MathML",
}


def violations(page, within=None, contrast=True):
    """[(impact, rule, element)] found by axe-core, all of WCAG and its best practices; in elements
    inside `within` only, without contrast if it is not asked for.
    """
    from axe_playwright_python.sync_playwright import Axe

    found = (
        Axe()
        .run(
            page,
            # hidden boxes of glyphs; what counts is the MathML beside them
            context={"exclude": [["mjx-math"]]},
            options={
                "resultTypes": ["violations"],
                "preload": False,
                "rules": {"color-contrast": {"enabled": contrast}},
            },
        )
        .response["violations"]
    )
    nodes = [
        (v["impact"], v["id"], n["html"][:160], n["target"][0]) for v in found for n in v["nodes"]
    ]
    if within is None:
        return [node[:3] for node in nodes]
    inside = page.evaluate(
        "([targets, within]) => targets.map((t) => document.querySelector(t)?.closest(within) "
        "!== null)",
        [[n[3] for n in nodes], within],
    )
    return [node[:3] for node, here in zip(nodes, inside) if here]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 920])
def test_axe_finds_nothing_in_the_explorer(page, theme, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    mount(page, Explorer([synthetic(), synthetic(seed=2)]))
    # the kernel's button too
    page.evaluate("model.receive({type: 'pong', relax: true})")
    page.get_by_role("button", name="Copy as Python").click()
    assert violations(page, ".mx") == []
    # and the verdict's other face
    for name in ("Energies", "Forces"):
        page.get_by_label(name, exact=True).uncheck()
    drawn(page)
    assert violations(page, ".mx") == []


def test_axe_is_really_asked(page):
    mount(page, Explorer(synthetic()))
    page.evaluate("document.querySelector('.mx input[type=range]').id = ''")
    assert ("critical", "label") in [v[:2] for v in violations(page, ".mx")]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_keyboard_reaches_every_control_visibly(page, theme):
    """Tab stops at every control that is shown and enabled, in the order of the page, with a ring
    of contrast 3 around it.
    """
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    mount(page, Explorer([synthetic(), synthetic(seed=2)]))
    wanted = page.evaluate("""() => {
        const controls = 'input, select, button, summary, [tabindex="0"]';
        return [...document.querySelectorAll(`.mx :is(${controls})`)]
            .filter((e) => e.checkVisibility() && !e.disabled)
            .map((e, i) => { e.dataset.stop = i; return String(i); });
    }""")
    assert len(wanted) > 12
    reached = []
    for _ in wanted:
        page.keyboard.press("Tab")
        stop, style, width, ratio = page.evaluate(script("colour", "focus_ring"))
        reached.append(stop)
        assert style == "solid" and width >= 2 and ratio >= 3
    assert reached == wanted


def test_values_are_announced(page):
    """A slider says its value with its unit; the results follow politely, once the reader has
    stopped.
    """
    mount(page, Explorer(synthetic()))
    slider = page.get_by_label("Training cell size", exact=True)
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "5 (249 atoms)"
    for name in ("Energies weight", "Basis degree", "Ridge", "Noise"):
        assert page.get_by_label(name, exact=True).get_attribute("aria-valuetext")
    live = page.locator(".mx [aria-live=polite]")
    drawn(page)
    shown = page.get_by_test_id("predicted-geometry-error").inner_text().split("\u202f")[0]
    page.wait_for_function(
        "text => document.querySelector('.mx [aria-live=polite]').textContent.includes(text)",
        arg=shown,
    )
    assert "ångström" in live.inner_text() and "electronvolt" in live.inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_of_graphics(page, theme):
    """WCAG 1.4.11: 3 to 1 for every line, mark and border that carries meaning (grid lines and the
    band behind the current point do not).
    """
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    mount(page, Explorer(synthetic()))
    page.wait_for_selector(".mx-plot .mx-floor", state="attached")  # drawn when the controls rest
    found = page.evaluate(script("colour", "graphics_contrast"))
    assert len(found) > 40
    assert [f for f in found if f[0] < 3] == []


def test_series_differ_in_more_than_colour(page):
    """Predicted and measured differ in shape and fill, reference and slope in width and dashes: no
    series by hue alone.
    """
    mount(page, Explorer(synthetic()))
    page.wait_for_selector(".mx-plot .mx-floor", state="attached")
    looks = page.evaluate(script("series_looks"))
    assert len(set(looks)) == 5
