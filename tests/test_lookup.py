"""The figure with a slider: what it ships to the page, and what it refuses."""

import json

import numpy as np
import pytest
from test_explorer import page  # noqa: F401  (a fixture)

from mlipgen.widgets.lookup import LookupFigure, curve, frame


def figure(**options):
    x = np.array([1.0, 10.0, 100.0])
    frames = [frame(p, [curve("error", x, x**-p, "both")], note=f"slope {-p}") for p in (1, 2)]
    return LookupFigure(frames, **{"description": "an error", "slider": "p", **options})


def test_payload_is_strict_json_in_the_given_order():
    data = json.loads(figure(x_log=True, y_log=True).payload)
    assert [f["label"] for f in data["frames"]] == ["1", "2"]
    assert data["frames"][1]["curves"][0]["y"] == [1.0, 0.01, 1e-4]
    assert data["frames"][1]["note"] == "slope -2"


def test_axes_cover_all_frames_so_that_frames_compare():
    data = json.loads(figure(x_log=True, y_log=True).payload)
    assert 0 < data["y"]["low"] < 1e-4 and data["y"]["high"] > 1
    assert json.loads(figure(x_range=(0, 7)).payload)["x"]["high"] == 7


def test_gaps_and_values_that_a_logarithm_cannot_show():
    data = curve("a", [1, 2, 3], [np.nan, np.inf, 0.123456789])
    assert data["y"] == [None, None, 0.12346]
    shown = json.loads(
        LookupFigure(
            [frame("", [curve("a", [1, 2], [-1, 5])])], description="d", y_log=True
        ).payload
    )
    assert shown["y"]["low"] > 0


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda: LookupFigure([], description="d"), "at least one frame"),
        (lambda: figure(description=""), "description"),
        (lambda: figure(start=2), "start=2"),
        (lambda: curve("a", [1], [1, 2]), "1 values of x but 2"),
        (lambda: curve("a", [1], [1], "dotted"), "dotted"),
        (
            lambda: LookupFigure([frame("", [curve("a", [1], [-1])])], description="d", y_log=True),
            "no positive y",
        ),
    ],
)
def test_bad_input_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_python_can_move_the_slider():
    widget, seen = figure(start=1), []
    widget.observe(lambda change: seen.append(change["new"]), "index")
    widget.index = 0
    assert seen == [0]


@pytest.mark.parametrize(
    "labels, control",
    [(("3.10 Å", "3.17 Å"), "slider"), (("vacancy", "<111> dumbbell"), "combobox")],
)
def test_quantities_have_a_slider_and_things_a_select(page, labels, control):
    """Both are operated by keyboard, named alike, and move the same index."""
    frames = [frame(label, [curve(label, [1, 2], [1, k + 1])]) for k, label in enumerate(labels)]
    widget = LookupFigure(frames, slider="Of what", description="d")
    traits = {"payload": widget.payload, "index": 0}
    page.evaluate("([s, css, t]) => mount(s, css, t)", [widget._esm, str(widget._css), traits])
    chooser = page.get_by_role(control, name="Of what")
    assert page.get_by_role("combobox").count() == (control == "combobox")
    assert page.locator(".lk-legend").inner_text().strip() == labels[0]
    if control == "slider":
        assert chooser.get_attribute("aria-valuetext") == labels[0]
        chooser.press("ArrowRight")
    else:
        chooser.select_option(labels[1])
    assert page.locator(".lk-legend").inner_text().strip() == labels[1]
    assert page.evaluate("model.get('index')") == 1
    assert (
        json.loads(LookupFigure(frames, description="d", select=False).payload)["select"] is False
    )


def test_a_phone_shows_the_axes_names_whole(page):
    """The vertical axis is named above it; crowded names below stand in two rows; a line like its
    points has their colour and no entry of its own."""
    points = curve("E", [1, 2], [1, 2], "open")
    widget = LookupFigure(
        [frame("", [points, curve("", [1, 2], [1, 2], like="E")])],
        description="d",
        y="a name as long as axes of this book have them",
        x_ticks=[(1, "vacancy"), (1.2, "divacancy"), (1.4, "dumbbell")],
    )
    page.set_viewport_size({"width": 360, "height": 740})
    traits = {"payload": widget.payload, "index": 0}
    page.evaluate("([s, css, t]) => mount(s, css, t)", [widget._esm, str(widget._css), traits])
    name = page.locator(".lk-y")
    assert name.evaluate("e => e.scrollWidth <= e.clientWidth") and "axes" in name.inner_text()
    rows = page.locator(".lk-plot svg > text").filter(has_text="ancy")
    assert rows.first.get_attribute("y") != rows.last.get_attribute("y")
    assert page.locator(".lk-legend li").count() == 1
    assert page.locator(".lk-c0").count() == 4  # two points, their line, the legend's mark
