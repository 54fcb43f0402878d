"""The rows of a study: what is kept of each point, as a table, and as a figure."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__

if TYPE_CHECKING:
    from ..generalisation.defect_error import DefectError
    from ..learning.fitting import Fit


def point_row(where: dict, fit: Fit, error: DefectError, seconds: float, **more: Any) -> dict:
    """One row: a dict of plain numbers and text, None where there is no number.

    where : dict            crystal, defect, cell, observations, degree, seed
    fit : Fit;  error : DefectError;  more : further columns

    Lengths in A, energies in eV.  `verdict` and `why` are the prediction's, `outcome` and
    `outcome_why` the relaxation's.
    """
    p, m, applies = error.prediction, error.measurement, error.prediction.applies
    row = {
        **where,
        "n_basis": len(fit.model.basis),
        "rank": fit.rank,
        "fit_energy": fit.held_out["E"],
        "fit_force": fit.held_out["Fw"],
        "fit_virial": fit.held_out["V"],
        "fit_force_constants": fit.held_out["FC"],
        "predicted_geometry": p.geometry if applies else None,
        "kappa": p.kappa,
        "steps": p.steps,
        "linear_predicted_geometry": p.linear_geometry,
        "measured_geometry": m.geometry,
        "predicted_energy": p.energy if applies else None,
        "measured_energy": m.energy,
        "predicted_relaxation": p.relaxation if applies else None,
        "measured_relaxation": m.relaxation,
        "effectivity": error.effectivity if applies else None,
        "linear_effectivity": error.linear_effectivity,
        "prediction_distance": error.distance if applies else None,
        "relative_error": error.reference.relative(m.geometry),
        "curvature": p.curvature,
        "measured_curvature": m.curvature,
        "followed": m.followed,
        "verdict": str(p.verdict.outcome),
        "why": p.verdict.why,
        "outcome": str(m.verdict.outcome),
        "outcome_why": m.verdict.why,
        "force_evaluations": m.force_evaluations,
        "seconds": seconds,
        **more,
    }
    return {k: _plain(v) for k, v in row.items()}


def _plain(value):
    """What JSON knows."""
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def write_results(rows: list[dict], study: Any, out: Path) -> None:
    """study.csv, study.json and study.png in the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)  # removed while the last point was computed
    with open(out / "study.csv", "w", newline="", encoding="utf-8") as f:
        table = csv.DictWriter(f, list(rows[0]))
        table.writeheader()
        table.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)
    stored = {"version": __version__, "study": study.to_dict(), "rows": rows}
    (out / "study.json").write_text(json.dumps(stored, indent=1), encoding="utf-8")
    figure(rows).savefig(out / "study.png", dpi=150)


def figure(rows: list[dict]) -> Any:
    """Geometry and energy errors against training-cell size: measured (marks) and predicted
    (lines), a panel a degree.
    """
    from matplotlib.figure import Figure

    degrees = sorted({r["degree"] for r in rows})
    fig = Figure(figsize=(3.6 * len(degrees) + 1.2, 6), layout="constrained")
    axes = fig.subplots(2, len(degrees), sharex=True, sharey="row", squeeze=False)
    for column, degree in enumerate(degrees):
        for colour, kinds in enumerate(dict.fromkeys(r["observations"] for r in rows)):
            own = [r for r in rows if r["degree"] == degree and r["observations"] == kinds]
            for ax, name in zip(axes[:, column], ("geometry", "energy")):
                for prefix, style in (("measured", "o"), ("predicted", "-")):
                    points = [
                        (r["cell"], abs(r[f"{prefix}_{name}"]))
                        for r in own
                        if r[f"{prefix}_{name}"] is not None
                    ]
                    ax.plot(
                        *zip(*points) if points else ([], []),
                        style,
                        color=f"C{colour}",
                        label=kinds if prefix == "measured" else None,
                    )
        axes[0, column].set_title(f"degree {degree}")
        axes[1, column].set_xlabel("training cell size")
    for ax in axes.flat:
        values = np.concatenate([line.get_ydata() for line in ax.lines] + [[]]).astype(float)
        if (values > 0).any():  # nothing to show has no logarithm
            ax.set_yscale("log")
    axes[0, 0].set_ylabel("geometry error (Å)")
    axes[1, 0].set_ylabel("energy error (eV)")
    axes[0, -1].legend(
        title="marks: measured\nlines: predicted",
        fontsize="small",
        loc="upper left",
        bbox_to_anchor=(1, 1),
    )
    return fig
