"""Chapter 1's figure: a study behind three controls, in Python and on the built page without a
kernel.
"""

import pytest
from conftest import fits_a_phone

from mlipgen.widgets.study_figure import SHOWN, StudyFigure

PAGE = "book/01_the_puzzle.html"
OUTPUTS = (
    "predicted-geometry-error",
    "measured-geometry-error",
    "predicted-energy-error",
    "measured-energy-error",
)


def rows(cells=(3, 4), observations=("E", "EF"), degrees=(6, 8)):
    """A made-up study with a different number in every place."""
    out = []
    for n in cells:
        for kinds in observations:
            for d in degrees:
                x = 1e-3 * (n + 10 * d + 100 * len(kinds))
                out.append(
                    {
                        "crystal": "W",
                        "defect": "vacancy",
                        "cell": n,
                        "observations": kinds,
                        "degree": d,
                        "n_basis": 5 * d,
                        "predicted_geometry": x if kinds == "EF" else None,
                        "measured_geometry": 1.01 * x,
                        "predicted_energy": -x,
                        "measured_energy": -1.02 * x,
                        "verdict": "applies" if kinds == "EF" else "does not apply: too large",
                        "outcome": "relaxed",
                        "seconds": 1.0,
                    }
                )
    return out


def test_figure_carries_the_rows_unchanged():
    study = rows()
    figure = StudyFigure(
        study, atoms={3: 53, 4: 127}, test_atoms=1999, scale=1.2, start={"observations": "EF"}
    )
    assert figure.rows == [{k: r[k] for k in SHOWN} for r in study]
    assert figure.point == {"cell": 3, "observations": "EF", "degree": 6}
    assert figure.labels["atoms"] == [[3, 53], [4, 127]]


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(rows=[]), "rows is empty"),
        (dict(rows=rows()[:-1]), "do not fill the grid"),
        (dict(rows=rows() + rows()[:1]), "do not fill the grid"),
        (dict(atoms={3: 53}), r"no entry for the cell sizes \[4\]"),
        (dict(start={"cell": 7}), "not a point of this study"),
    ],
)
def test_what_cannot_be_shown_is_refused(change, message):
    arguments = {
        "rows": rows(),
        "atoms": {3: 53, 4: 127},
        "test_atoms": 1999,
        "scale": 1.2,
        **change,
    }
    with pytest.raises(ValueError, match=message):
        StudyFigure(arguments.pop("rows"), **arguments)


def values(figure):
    return [figure.get_by_test_id(name).get_attribute("data-value") for name in OUTPUTS]


def test_page_answers_to_each_of_the_three_controls(open_page):
    page = open_page(PAGE)
    figure = page.get_by_test_id("study-figure")
    figure.get_by_label("Observation set").select_option("EF")
    seen = [values(figure)]
    assert all(float(v) == float(v) for v in seen[0])
    figure.get_by_label("Training cell size").press("ArrowRight")
    seen.append(values(figure))
    figure.get_by_label("Fit accuracy").press("ArrowRight")
    seen.append(values(figure))
    figure.get_by_label("Observation set").select_option("EF+FC")
    seen.append(values(figure))
    for before, after in zip(seen, seen[1:]):
        assert all(a != b for a, b in zip(before, after)), (before, after)
    geometry = [(float(v[0]), float(v[1])) for v in seen]
    assert all(0.98 < p / m < 1.02 for p, m in geometry)


def test_page_says_when_the_prediction_does_not_apply(open_page):
    """All settings: a prediction is shown exactly where the verdict says that it applies, which is
    where the chapter's table counts it.
    """
    page = open_page(PAGE)
    figure = page.get_by_test_id("study-figure")
    table = page.locator("article table", has_text="prediction applies")
    points, applies = (int(c) for c in table.locator("td").all_inner_texts()[:2])
    size, accuracy = figure.get_by_label("Training cell size"), figure.get_by_label("Fit accuracy")
    kinds = figure.get_by_label("Observation set")
    seen = refused = 0
    for name in kinds.locator("option").evaluate_all("o => o.map(e => e.value)"):
        kinds.select_option(name)
        size.press("Home")
        for _ in range(4):
            accuracy.press("Home")
            for _ in range(3):
                predicted = figure.get_by_test_id("predicted-geometry-error")
                told = figure.get_by_test_id("verdict").inner_text()
                shown = predicted.get_attribute("data-value")
                seen, refused = seen + 1, refused + ("does not apply" in told)
                assert ("does not apply" in told) == (shown == ""), (name, told, shown)
                assert ("does not apply" in told) == (predicted.inner_text() == "does not apply")
                accuracy.press("ArrowRight")
            size.press("ArrowRight")
    assert (seen, seen - refused) == (points, applies)


def test_figure_fits_a_phone_in_the_dark(open_page):
    page = open_page(PAGE, scheme="dark", width=360)
    fits_a_phone(page.get_by_test_id("study-figure"))


def test_a_refused_prediction_is_not_shown_as_a_number(browser):
    figure = StudyFigure(rows(), atoms={3: 53, 4: 127}, test_atoms=1999, scale=1.2)
    state = {name: getattr(figure, name) for name in ("rows", "labels", "point")}
    page = browser.new_page()
    page.evaluate(
        """async ([source, state]) => {
            const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            const widget = (await import(url)).default;
            const told = [];
            const model = {
                get: (k) => state[k],
                set: (k, v) => { state[k] = v; told.forEach((f) => f()); },
                on: (_, f) => told.push(f),
                save_changes() {},
            };
            widget.render({ model, el: document.body });
        }""",
        [figure._esm, state],
    )
    predicted = page.get_by_test_id("predicted-geometry-error")
    for kinds, refused in (("E", True), ("EF", False)):
        page.get_by_label("Observation set").select_option(kinds)
        assert ("does not apply" in page.get_by_test_id("verdict").inner_text()) == refused
        assert (predicted.inner_text() == "does not apply") == refused
        assert (predicted.get_attribute("data-value") == "") == refused
    page.close()
