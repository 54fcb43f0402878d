"""A finished study as a figure with three controls: training-cell size, observation set and fit
accuracy.

Every point was fitted and relaxed beforehand; the page only looks it up, so it needs no kernel.
"""

from pathlib import Path

import anywidget
import traitlets

from ..shared import joined

HERE = Path(__file__).parent
SHOWN = (
    "cell",
    "observations",
    "degree",
    "n_basis",
    "predicted_geometry",
    "measured_geometry",
    "predicted_energy",
    "measured_energy",
    "verdict",
    "outcome",
)


class StudyFigure(anywidget.AnyWidget):
    """Predicted and measured defect errors of every point of a study.

    Parameters
    ----------
    rows : list of dict     as `Study.run` returns them; one crystal, one defect, a full grid
    atoms : dict            cell size -> number of atoms of the training cell, for the labels
    test_atoms : int        number of atoms of the domain on which the errors were measured
    scale : float, A        |D ubar|, to which the page relates the geometry error
    start : dict            first point shown, e.g. {"cell": 3, "observations": "E", "degree": 8}
    """

    _esm = joined("panels.js", HERE / "study_figure.js")
    _css = joined("colours.css", "panels.css", HERE / "study_figure.css")
    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    labels = traitlets.Dict().tag(sync=True)
    point = traitlets.Dict().tag(sync=True)

    def __init__(self, rows, *, atoms, test_atoms, scale, start=None):
        if not rows:
            raise ValueError("rows is empty: give the list that Study.run returns")
        axes = {
            name: list(dict.fromkeys(r[name] for r in rows))
            for name in ("cell", "observations", "degree")
        }
        grid = {(r["cell"], r["observations"], r["degree"]) for r in rows}
        size = len(axes["cell"]) * len(axes["observations"]) * len(axes["degree"])
        if len(grid) != size or len(rows) != size:
            raise ValueError(
                f"{len(rows)} rows do not fill the grid of {size} points once each: pass one "
                "whole study"
            )
        missing = sorted(set(axes["cell"]) - set(atoms))
        if missing:
            raise ValueError(f"atoms has no entry for the cell sizes {missing}")
        point = {name: values[0] for name, values in axes.items()} | dict(start or {})
        if tuple(point[n] for n in ("cell", "observations", "degree")) not in grid:
            raise ValueError(f"start={start} is not a point of this study")
        super().__init__(
            rows=[{k: r[k] for k in SHOWN} for r in rows],
            point=point,
            labels={
                "atoms": [[n, int(atoms[n])] for n in axes["cell"]],
                "test": int(test_atoms),
                "scale": float(scale),
                "crystal": rows[0]["crystal"],
                "defect": rows[0]["defect"],
            },
        )
