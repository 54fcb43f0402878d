"""An assessment as one HTML page that asks no server for anything."""

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from ..crystals.defects import in_words
from ..generalisation.assess.assessment import Assessment
from ..generalisation.assess.numbers import cells, energy, length, short
from . import figures
from .plot import swatch
from .scene import scene_data, scene_svg
from .tables import (
    FORECAST,
    OFFERS,
    TRUTH,
    asked_rows,
    check_rows,
    crystal_rows,
    elastic_rows,
    forecast_rows,
    offer_rows,
    ranking_rows,
    truth_rows,
)

_CAPTIONS = {
    "geometry": "The forecast geometry error from growing check cells: what counts stands still.",
    "energy": "The forecast error of the formation energy, candidate minus reference.",
    "distance": "What the reference still pulls at, and how far it would move the atoms.",
    "budget": "Where the geometry error comes from.",
}
_LATTICES = {
    "own": "each model in its own lattice",
    "reference": "both in the reference's lattice",
}


def report_page(assessment: Assessment, limits: Sequence = ()) -> str:
    """The page as text; `limits` are results of `thresholds.check`."""
    a = assessment
    main, *others = a.question.lattices
    atoms = sorted({s.atoms for d in a.defects for s in d.main.steps})
    return _template().render(
        a=a,
        title=f"{a.question.symbol}: {a.candidate.name} against {a.reference.name}",
        css=_safe("report.css"),
        js=_safe("report.js"),
        cells=cells,
        swatch=swatch,
        limits=limits,
        check_atoms=f"{atoms[0]} to {atoms[-1]}" if atoms else "few",
        forecast=_forecast(a, main),
        other=_forecast(a, others[0]) if others else {"rows": []},
        ranking=ranking_rows(a.ranking),
        defects=[_defect(d) for d in a.defects],
        crystal={
            "rows": crystal_rows(a),
            "elastic": elastic_rows(a.crystal),
            "phonons": figures.phonons(a.crystal.bands),
            "shells": figures.force_constants(a.crystal),
        },
        shopping=a.shopping and {"header": OFFERS, "rows": offer_rows(a.shopping)},
        checks=[(facts, check_rows(facts)) for facts in (a.candidate, a.reference)],
        asked=asked_rows(a.asked),
    )


def write_page(assessment: Assessment, path: str | Path, limits: Sequence = ()) -> None:
    Path(path).write_text(report_page(assessment, limits), encoding="utf-8")


def _forecast(a, which):
    return {
        "header": FORECAST,
        "rows": forecast_rows(a, which),
        "lattices": _LATTICES[which],
    }


def _defect(section):
    main, basin, name = section.main, section.basin, in_words(section.name)
    drawn = figures.of_defect(section)
    out = {
        "section": section,
        "name": name,
        "figures": [(f, _CAPTIONS[_kind(f)]) for f in drawn],
        "basin": _basin(name, basin),
        "budget": _energy_budget(main),
        "truth": {"header": TRUTH, "rows": truth_rows(section)},
        "scene": "",
    }
    if section.scene is not None and section.scene.positions:
        text = json.dumps(scene_data(section.scene)).replace("<", "\\u003c")
        out |= {
            "scene": scene_svg(name, section.scene)[0],
            "data": text,
            "scale": length(max(section.scene.error)),
        }
    return out


def _kind(figure):
    return next(kind for kind in _CAPTIONS if f'-{kind}"' in figure.svg)


def _basin(name, basin):
    if basin is None:
        return "Whether the reference has the same defect was not asked."
    start = (
        f"The reference's own {name} in {cells(basin.cells)} cells costs {energy(basin.energy)}. "
    )
    if basin.followed < 0:
        start += f"(Its symmetric state is a saddle point, {energy(-basin.followed)} higher.) "
    if basin.kept and basin.same:
        return (
            start + "The candidate keeps that state, and finds it from the unrelaxed defect, too."
        )
    return start + basin.why[:1].upper() + basin.why[1:] + "."


def _energy_budget(main):
    if main.budget is None:
        return {"rows": []}
    parts = main.budget.energy
    rows = [[name, energy(value)] for name, value in parts.items()]
    rows.append(["E(candidate) − E(reference)", energy(sum(parts.values()))])
    return {"header": ["part", "energy"], "rows": rows}


def _safe(name):
    from markupsafe import Markup

    return Markup((files(__package__) / "page" / name).read_text(encoding="utf-8"))


@cache
def _template():
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mlipgen.report", "page"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["short"] = short
    return environment.get_template("report.html")
