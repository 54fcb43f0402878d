"""The explorer with nglview's viewer on a page without a kernel: NGL is asked which colour it gives
to each atom.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from explorer_real import prepared, real_data
from explorer_synthetic import synthetic
from javascript import script
from test_explorer import drawn

from mlipgen.crystals import minimum_image
from mlipgen.generalisation import measure
from mlipgen.widgets import Explorer, Setting
from mlipgen.widgets.explorer.fits import model_of

STATIC = Path(__file__).parents[1] / "book/_static"
PAGE = """<!doctype html><html lang="en">
<head><meta charset="utf-8"><title>Viewer</title>
<meta name="viewport" content="width=device-width">
<script src="{static}/js/require.js"></script>
<script src="{static}/widgets-local.js"></script>
<script src="{static}/js/embed-amd.js"></script></head>
<body><main><h1>Viewer</h1>
<script type="application/vnd.jupyter.widget-state+json">{state}</script>
{views}</main></body></html>"""
READ = script("viewer_state")


@pytest.fixture
def show(browser, tmp_path):
    """Function opening a page with the widgets as the book embeds them; errors and outside requests
    fail the test.
    """
    if not (STATIC / "js/embed-amd.js").exists():
        pytest.fail("book/_static/js is empty: run `make javascript` first", pytrace=False)
    contexts, wrong = [], []

    def open(*widgets, script=None, ready=True, **options):
        from ipywidgets.embed import dependency_state, embed_data

        data = embed_data(
            views=widgets, state=dependency_state(widgets, drop_defaults=False), drop_defaults=False
        )
        views = "".join(
            "<div><script "
            f'type="application/vnd.jupyter.widget-view+json">{json.dumps(v)}</script></div>'
            for v in data["view_specs"]
        )
        (tmp_path / "page.html").write_text(
            PAGE.format(
                static=STATIC.as_uri(), state=json.dumps(data["manager_state"]), views=views
            ),
            encoding="utf-8",
        )
        context = browser.new_context(**{"viewport": {"width": 1000, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.on(
            "request",
            lambda r: (
                wrong.append(r.url) if not r.url.startswith(("file:", "blob:", "data:")) else None
            ),
        )
        if script:
            page.add_init_script(script)
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_function(
            "n => document.querySelectorAll('[data-testid=explorer][data-state=ready]').length "
            "=== n",
            arg=len(widgets),
        )
        if ready:
            page.wait_for_function(
                "n => document.querySelectorAll('[data-testid=viewer][data-state=ready]').length "
                "=== n",
                arg=len(widgets),
            )
        return page

    yield open
    for context in contexts:
        context.close()
    assert wrong == []


def expected(data, **change):
    """log10 of the length of each atom's displacement error, within the range of the colours, and
    its colour.
    """
    from matplotlib import colormaps

    theta = data.theta(Setting(**{**data.meta["default"], **change}))
    lengths = np.linalg.norm(data.near(theta), axis=1)
    assert np.unique(lengths).size > 10
    high = 10 ** np.ceil(np.log10(lengths.max()))  # three decades, the largest error in the last
    low = high / 1e3
    logs = np.log10(np.clip(lengths, low, high))
    return logs, colormaps["viridis"]((logs - np.log10(low)) / np.log10(high / low))[:, :3]


def agrees(page, data, number=0, **change):
    drawn(page)
    found, (logs, colours) = page.evaluate(READ, [number]), expected(data, **change)
    # NGL keeps them in single precision
    np.testing.assert_allclose(found["bfactors"], logs, rtol=0, atol=1e-5)
    # nine anchors against 256
    np.testing.assert_allclose(found["colours"], colours, rtol=0, atol=0.03)
    assert found["components"] == 1
    # the frame is the training cell
    size = change.get("cell", data.meta["default"]["cell"])
    half = 0.5 * size * np.array(data.meta["cell"]).reshape(3, 3).diagonal()
    np.testing.assert_allclose(np.abs(found["corners"]), [half] * 8, rtol=1e-6)
    return found


def test_colours_follow_the_controls(show):
    """Two explorers on one page, one with two crystals: each atom's colour is that of the predicted
    error in Python.
    """
    first, second, other = synthetic(), synthetic(seed=3, n_near=17), synthetic(seed=4)
    page = show(
        Explorer([first, second], atoms="nglview", unfolded=True),
        Explorer(other, atoms="nglview", unfolded=True, name="other"),
    )
    agrees(page, first)
    agrees(page, other, number=1)
    page.get_by_label("Training cell size", exact=True).first.press("ArrowRight")
    moved = agrees(page, first, cell=5)
    assert moved["bfactors"] != page.evaluate(READ, [1])["bfactors"]
    # the other one stays
    agrees(page, other, number=1)
    page.get_by_label("Crystal and defect").first.select_option("1")
    page.wait_for_function(
        "document.querySelector('[data-testid=viewer]').stage.compList.at(-1).structure.atomCount "
        "=== 17 + 1 + 8"
    )
    agrees(page, second, cell=5)  # choices are kept
    assert page.locator("canvas.mx-space:visible").count() == 0


def test_atoms_move_when_the_page_has_relaxed(show):
    """All atoms around the defect, by the enlarged displacements that the library measures."""
    study, data = prepared("tungsten vacancy"), real_data("tungsten vacancy")
    page = show(Explorer(data, atoms="nglview", unfolded=True))
    page.wait_for_selector("[data-relaxation=settled]")
    label = page.get_by_test_id("viewer").get_attribute("aria-label")
    enlarged = float(re.search(r"displacements ([\d.]+) times enlarged", label)[1])
    places = np.array(page.evaluate(READ, [0])["places"])
    assert len(places) > len(data.arrays["near/positions"])
    reference, model = study.reference, model_of(data, Setting(**data.meta["default"]), study)
    du = measure(model, reference).du
    sites = minimum_image(
        reference.equilibrium.positions - reference.defect.centre, reference.defect.cell
    )
    gap = np.linalg.norm(places[:, None] - sites - enlarged * du, axis=2)
    assert gap.min(axis=1).max() < 1e-4 * enlarged * np.abs(du).max() + 1e-5  # single precision
    assert enlarged * np.linalg.norm(du, axis=1).max() > 0.1, "to be seen"


def test_grey_where_the_prediction_does_not_apply_and_names(show):
    data = synthetic()
    page = show(Explorer(data, atoms="nglview", unfolded=True))
    viewer = page.get_by_test_id("viewer")
    assert viewer.get_attribute("aria-label").startswith(
        f"The {len(data.arrays['near/positions'])} atoms nearest the defect, coloured by"
    )
    for name in ("Energies", "Forces"):
        page.get_by_label(name, exact=True).uncheck()
    drawn(page)
    colours = np.array(page.evaluate(READ, [0])["colours"])
    # all atoms alike, no hue
    assert np.ptp(colours, axis=0).max() == 0 and np.ptp(colours[0]) < 0.1
    assert "grey because the prediction does not apply" in viewer.get_attribute("aria-label")


@pytest.mark.parametrize("width", [360, 1000])
def test_dark_background_size_keys_and_wheel(show, width):
    page = show(
        Explorer(synthetic(), atoms="nglview", unfolded=True),
        viewport={"width": width, "height": 800},
        has_touch=width == 360,
    )
    light = page.evaluate(READ, [0])["background"]
    page.evaluate("""() => new Promise((resolve) => {  // the widget's observer was there first
        const heard = { attributes: true, attributeFilter: ["data-theme"] };
        new MutationObserver(resolve).observe(document.documentElement, heard);
        document.documentElement.dataset.theme = "dark";
    })""")
    dark = page.evaluate(READ, [0])["background"]
    assert (light, dark) == ("#ffffff", "#15191f")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    viewer = page.get_by_test_id("viewer")
    box, inner = viewer.bounding_box(), viewer.locator("canvas").bounding_box()
    assert abs(box["width"] - inner["width"]) <= 1 and abs(box["height"] - inner["height"]) <= 1
    orientation = """() => {
        const { stage } = document.querySelector("[data-testid=viewer]");
        return Array.from(stage.viewerControls.rotation.toArray());
    }"""
    seen = [page.evaluate(orientation)]
    for key in ("ArrowLeft", "ArrowDown"):
        viewer.press(key)
        seen.append(page.evaluate(orientation))
    assert seen[0] != seen[1] != seen[2]
    viewer.scroll_into_view_if_needed()
    box, begin = viewer.bounding_box(), page.evaluate("scrollY")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    page.mouse.wheel(0, -60)
    # the page's, not the zoom's
    page.wait_for_function("begin => scrollY < begin", arg=begin)


def test_pointing_at_an_atom_reads_its_error(show):
    data = synthetic()
    page = show(Explorer(data, atoms="nglview", unfolded=True))
    # drawn when the controls rest, and with it the words below the atoms
    page.wait_for_selector(".mx-plot .mx-floor", state="attached")
    page.evaluate("""() => { const { stage } = document.querySelector("[data-testid=viewer]");
        stage.signals.hovered.dispatch({ atom: { index: 3 } }); }""")
    shown, length = (
        page.locator(".mx-scale p").inner_text(),
        np.linalg.norm(data.near(data.theta(Setting(**data.meta["default"])))[3]),
    )
    mantissa = f"{length:.2e}".split("e")[0] if length < 0.01 else f"{length:.3g}"
    assert (
        f"{np.linalg.norm(data.arrays['near/positions'][3]):.2f}"[:3] in shown and mantissa in shown
    )


def test_canvas_without_webgl_and_without_nglview(show):
    """A browser without WebGL keeps the canvas; so does an explorer that carries no viewer."""
    no_webgl = """{ const get = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
            return kind.startsWith("webgl") ? null : get.call(this, kind, ...rest);
        }; }"""
    for widget, before in (
        (Explorer(synthetic(), atoms="nglview", unfolded=True), no_webgl),
        (Explorer(synthetic(), unfolded=True), None),
    ):
        page = show(widget, script=before, ready=False)
        page.locator("canvas.mx-space").wait_for()
        assert not page.get_by_test_id("viewer").is_visible()
        assert page.locator("canvas.mx-space").get_attribute("aria-label").startswith("The ")
    assert (
        Explorer(synthetic(), atoms="nglview", unfolded=True).viewer is not None
        and widget.viewer is None
    )
    with pytest.raises(ValueError, match="atoms="):
        Explorer(synthetic(), atoms="ngl")
