"""Chapter 13's figure: forecasts behind four controls, in Python and on the built page without a
kernel.
"""

import pytest
from conftest import fits_a_phone

from mlipgen.widgets import ForecastFigure

PAGE = "book/13_without_the_answer.html"


def step(k, **more):
    own = {
        "k": k, "atoms": 2 * k**3, "geometry": 0.01 * k, "bar": 0.001 * k, "energy": -0.001 * k,
        "energy_bar": 1e-4 * k, "verdict": "applies", "kappa": 0.01,
    }  # fmt: skip
    return own | more


def fits():
    """Made up; two systems, training cells and fits."""
    return [
        {
            "system": system, "fit": fit, "cell": n, "train": 2 * n**3 - 1, "atoms": 1999,
            "scale": 1.25, "geometry": 0.051234567, "energy": -0.005,
            "steps": [step(n, bar=None, energy_bar=None), step(n + 1), step(n + 2)],
        }
        for system in ("W vacancy", "Cu vacancy")
        for n in (3, 4)
        for fit in ("degree 6, EF", "degree 8, EF")
    ]  # fmt: skip


def test_figure_carries_what_the_page_needs_and_nothing_more():
    figure = ForecastFigure(fits(), description="Forecasts.", start={"cell": 4, "k": 6})
    assert figure.point == {"system": "W vacancy", "cell": 4, "fit": "degree 6, EF", "k": 6}
    assert figure.truth is False and len(figure.fits) == 8
    first = figure.fits[0]
    assert first["geometry"] == 0.05123 and first["steps"][0]["bar"] is None
    assert "kappa" not in first["steps"][0] and set(first["steps"][1]) == {
        "k", "atoms", "geometry", "bar", "energy", "energy_bar", "verdict"
    }  # fmt: skip


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(fits=[]), "no fits given"),
        (dict(description=""), "give a description"),
        (dict(fits=fits() + fits()[:1]), "given twice"),
        (dict(fits=[fits()[0] | {"steps": []}]), "no check cells"),
        (dict(start={"cell": 7}), "none of the 8 fits"),
        (dict(start={"k": 9}), "none of the 8 fits"),
    ],
)
def test_what_cannot_be_shown_is_refused(change, message):
    arguments = {"fits": fits(), "description": "Forecasts."} | change
    with pytest.raises(ValueError, match=message):
        ForecastFigure(arguments.pop("fits"), **arguments)


def value(figure, name):
    return figure.get_by_test_id(name).get_attribute("data-value")


def test_page_forecasts_without_the_truth_and_shows_it_on_request(open_page):
    figure = open_page(PAGE).get_by_test_id("forecast-figure")
    assert value(figure, "truth-geometry") == "" == value(figure, "truth-energy")
    assert figure.get_by_test_id("truth-geometry").inner_text() == "hidden"
    assert "training cell" in figure.get_by_test_id("verdict").inner_text()
    hiding = float(value(figure, "forecast-geometry"))
    figure.get_by_label("Check cell", exact=True).select_option("5")
    told = float(value(figure, "forecast-geometry"))
    assert "±" in figure.get_by_test_id("forecast-geometry").inner_text()
    figure.get_by_label("Show the truth").check()
    truth = float(value(figure, "truth-geometry"))
    assert hiding < 0.3 * truth and abs(told / truth - 1) < 0.05
    assert figure.locator("svg[role=img] .truth").count() == 2


def test_page_answers_to_each_control(open_page):
    figure = open_page(PAGE).get_by_test_id("forecast-figure")
    read = lambda: (value(figure, "forecast-geometry"), value(figure, "forecast-energy"))
    seen = [read()]
    for label, choice in (
        ("Check cell", "4"),
        ("Training cells", "4"),
        ("Fit", "degree 6, EF"),
        ("Crystal and defect", "Cu vacancy"),
    ):
        figure.get_by_label(label, exact=True).select_option(choice)
        seen.append(read())
    assert len(set(seen)) == len(seen)
    # a check cell one beyond the training cell stays one beyond when that changes
    assert figure.get_by_label("Check cell", exact=True).input_value() == "5"


def test_figure_fits_a_phone_in_the_dark(open_page):
    page = open_page(PAGE, scheme="dark", width=360)
    fits_a_phone(page.get_by_test_id("forecast-figure"))
