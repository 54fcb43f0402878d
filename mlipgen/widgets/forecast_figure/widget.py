"""Forecasts from small cells behind four controls, with the truth on request.

Every fit was forecast, relaxed and compared beforehand; the page looks the numbers up and needs no
kernel.
"""

from pathlib import Path

import anywidget
import traitlets

from ..shared import joined

HERE = Path(__file__).parent
#: What the page shows of a check cell.
STEP = ("k", "atoms", "geometry", "bar", "energy", "energy_bar", "verdict")


class ForecastFigure(anywidget.AnyWidget):
    """Forecast, error bar and truth of every fit of a census.

    Parameters
    ----------
    fits : list of dict, each
        system, fit : str               e.g. "W vacancy", "degree 8, EF"
        cell, train : int               training cells in unit cells, and their atoms
        atoms : int                     of the domain
        scale : float, A                |D ubar|, to which the page relates the geometry error
        geometry, energy : float        measured, A and eV
        steps : list of dict            check cells, growing: k, atoms, geometry, bar (A), energy,
                                        energy_bar (eV), verdict; a bar is None where there is none
    start : dict        the point shown first: system, cell, fit, k
    description : str   what a reader who cannot see the figure should know

    Attributes
    ----------
    point : dict        the point shown;  truth : bool, is the truth shown?

    Raises
    ------
    ValueError          without fits or description, for a fit given twice, or a start that is none
    """

    _esm = joined("panels.js", HERE / "forecast_figure.js")
    _css = joined("colours.css", "panels.css", HERE / "forecast_figure.css")
    fits = traitlets.List(traitlets.Dict()).tag(sync=True)
    description = traitlets.Unicode().tag(sync=True)
    point = traitlets.Dict().tag(sync=True)
    truth = traitlets.Bool(False).tag(sync=True)

    def __init__(self, fits: list[dict], *, description: str, start: dict | None = None):
        if not fits:
            raise ValueError("no fits given: a list of dicts, one for each fit of a census")
        if not description:
            raise ValueError(
                "give a description: what a reader who cannot see the figure should know"
            )
        names = [(f["system"], f["cell"], f["fit"]) for f in fits]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"the fit {twice} is given twice: choose one seed")
        bare = next((f for f in fits if not f["steps"]), None)
        if bare:
            raise ValueError(f"the fit {bare['system']}, cell {bare['cell']} has no check cells")
        first = fits[0]
        point = {name: first[name] for name in ("system", "cell", "fit")} | dict(start or {})
        own = [f for f, name in zip(fits, names) if name == tuple(point[n] for n in KEYS)]
        point.setdefault("k", own[0]["steps"][0]["k"] if own else None)
        if not own or point["k"] not in [s["k"] for s in own[0]["steps"]]:
            raise ValueError(f"start={start} is none of the {len(fits)} fits and their check cells")
        super().__init__(fits=[_short(f) for f in fits], description=description, point=point)


KEYS = ("system", "cell", "fit")


def _short(fit):
    """What the page needs, four digits each."""
    shown = {k: fit[k] for k in (*KEYS, "train", "atoms")}
    shown |= {k: _number(fit[k]) for k in ("scale", "geometry", "energy")}
    steps = [{k: _number(step[k]) for k in STEP} for step in fit["steps"]]
    return shown | {"steps": steps}


def _number(value):
    return float(f"{value:.4g}") if isinstance(value, float) else value
