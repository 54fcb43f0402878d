"""How good is the prediction?  A census of fits, each predicted, relaxed and compared.

Newton's effectivity |D du_predicted| / |D du_measured| should be near one wherever first order
makes sense; the linear one strays with the Hessian mismatch delta.  Verdicts are checked against
what the relaxation really did.  Silicon is represented by interstitials: under Stillinger-Weber
every bond of the crystal is at its own minimum, so a vacancy exerts no force and |D ubar| = 0.
Tungsten's interstitial is the <110> dumbbell: under this potential the relaxed <111> dumbbell is a
saddle point (negative stability constant).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..failures import NotConverged
from ..generalisation.bounds import (
    ForceWeights,
    cut_constant,
    geometry_bound,
    mismatch,
    terms_bound,
)
from ..generalisation.verdict import Outcome
from .study import Prepared, Study, run_all

if TYPE_CHECKING:
    from ..contracts import Size
    from ..generalisation.defect_error import DefectError
    from ..learning.fitting import Fit

#: A geometry error below this fraction of |D ubar| is small.
SMALL = 0.10

#: Upper bounds on the geometry error (`bound.Bound`; "terms": put together from the fit errors),
#: columns `bound_...` of a row.
BOUNDS = ("dual", "terms", "hardy", "uniform")


@dataclass(frozen=True)
class CensusStudy(Study):
    """A study whose points also carry `mismatch`, delta = |H^-1/2 (H_ML - H) H^-1/2|, the four
    bounds on the geometry error, A (None when delta >= 1: there is no bound), `linear_distance`,
    and `newton_distance`, which is `prediction_distance` also where the prediction was refused."""

    def prepare(self) -> Prepared:
        return _Prepared(self)


class _Prepared(Prepared):
    def __init__(self, study):
        super().__init__(study)
        self._weights = ForceWeights.of(self.reference)
        self._cut = {n: cut_constant(self.reference, n * self.crystal.a) for n in study.cells}

    def more(self, fit: Fit, error: DefectError, cell: Size) -> dict:
        row = {
            "mismatch": None,
            "linear_distance": error.linear_distance,
            "newton_distance": error.distance,
            **{f"bound_{name}": None for name in BOUNDS},
        }
        try:
            row["mismatch"] = delta = mismatch(fit.model, self.reference, tolerance=0.02)
        except NotConverged:
            return row
        if delta < 1:
            bound = geometry_bound(fit.model, self.reference, self._weights, delta)
            terms = terms_bound(
                fit.model,
                self.reference,
                cell * self.crystal.a,
                bound.gamma,
                delta,
                self._cut[cell],
            )
            row.update(
                bound_dual=bound.dual,
                bound_terms=terms,
                bound_hardy=bound.hardy,
                bound_uniform=bound.uniform,
            )
        return row


def _system(crystal, defect, cells, test_cell, degrees=(6, 8), **more):
    return CensusStudy(crystal, defect, cells=cells, test_cell=test_cell, degrees=degrees, **more)


def _soft(crystal, defect, cells):
    sets = ("EF", "EFV", "EF+FC", "EFV+FC")
    return _system(crystal, defect, cells, 6, observations=sets, saddle="ignore")


#: The systems of the census; each is repeated with several seeds of the training rattles.
SYSTEMS = (
    _system("Cu", "dumbbell-100", (4, 5), 5),
    _system("Cu", "vacancy", (4, 5), 6),
    _system("Si", "dumbbell-110", (2, 3), 4, (6, 8, 10)),
    _system("W", "dumbbell-110", (3, 4), 6),
    _system("W", "vacancy", (3, 4), 6, (6, 8, 10)),
)
#: Dumbbells whose symmetric state is a minimum of the reference, but may be a saddle point of a
#: fit, as it is of the reference in some of the small training cells.
SOFT = (
    _soft("Ta", "dumbbell-100", (3, 4)),
    _soft("Al", "dumbbell-100", (4, 5)),
    _soft("Cu", "dumbbell-110", (4, 5)),
    _soft("Mo", "dumbbell-110", (3, 4)),
)


def run(
    systems: Sequence[CensusStudy] = SYSTEMS,
    seeds: Sequence[int] = (0, 1),
    out: str | Path | None = None,
    workers: int | None = None,
    executor: Any = None,
    progress: bool = False,
) -> list[dict]:
    """Every fit of every system and seed: a list of rows as of `Study.run`, with `mismatch`.

    systems : sequence of CensusStudy;  seeds : sequence of int
    out : str or Path        a folder; finished points found there are not computed again
    workers : int            processes; default one for each core
    executor : optional      anything with `submit`, in place of local processes
    """
    studies = [replace(s, seed=seed) for s in systems for seed in seeds]
    names = [f"{s.crystal}-{s.defect}-{s.seed}" for s in studies]
    return run_all(studies, names, out, workers, executor, progress)


def within(
    rows: list[dict], key: str = "effectivity", low: float = 0.95, high: float = 1.05
) -> tuple[int, int]:
    """(inside, all) over the rows whose measured geometry error is below 10 % of |D ubar|; a
    missing prediction is outside.
    """
    own = [r for r in rows if small_error(r)]
    return sum(r[key] is not None and low <= r[key] <= high for r in own), len(own)


def small_error(row: dict) -> bool:
    """Did the relaxation stay in the basin, with a measured error below 10 % of |D ubar|?"""
    return row["relative_error"] is not None and row["relative_error"] < SMALL


def energy_agrees(row: dict) -> bool | None:
    """|predicted - measured| <= max(5 % of |measured|, 1e-6 eV) for the total energy error; None
    without a prediction.
    """
    if row["predicted_energy"] is None or row["measured_energy"] is None:
        return None
    return abs(row["predicted_energy"] - row["measured_energy"]) <= max(
        0.05 * abs(row["measured_energy"]), 1e-6
    )


def sharpness(rows: list[dict], name: str) -> np.ndarray:
    """Bound `name` of `BOUNDS` over the measured geometry error, for the relaxed fits that have the
    bound: (n,).
    """
    return np.array(
        [
            r[f"bound_{name}"] / r["measured_geometry"]
            for r in rows
            if r[f"bound_{name}"] is not None and r["measured_geometry"] is not None
        ]
    )


def keeps_its_bar(row: dict) -> bool | None:
    """|effectivity - 1| <= 1.2 kappa, with 0.005 for what the solvers leave; None where either
    number is missing.
    """
    if row["effectivity"] is None or row["kappa"] is None:
        return None
    return abs(row["effectivity"] - 1) <= 1.2 * row["kappa"] + 0.005


def verdicts(rows: list[dict]) -> dict[str, int]:
    """Counts of what the prediction said against what the relaxation did.

    Returns dict: `applies_right`; `applies_false` (said "applies", but the model's minimum is
    another defect, or the measured geometry error lies outside three error bars);
    `refused_right`; `false_alarm` (refused, though the relaxation stayed, met no saddle point, and
    its error is small).
    """
    counts = dict.fromkeys(("applies_right", "applies_false", "refused_right", "false_alarm"), 0)
    for r in rows:
        stayed = r["outcome"] == Outcome.RELAXED and not r["followed"]
        if r["verdict"] == Outcome.APPLIES:
            good = stayed and abs(r["effectivity"] - 1) <= 3 * r["kappa"] + 0.005
            counts["applies_right" if good else "applies_false"] += 1
        else:
            counts["false_alarm" if stayed and small_error(r) else "refused_right"] += 1
    return counts


def spread(rows: list[dict], key: str) -> np.ndarray:
    """Smallest, 5 %, median, 95 % and largest value of a column over the fits with a small measured
    error.
    """
    values = [r[key] for r in rows if small_error(r) and r[key] is not None]
    return np.quantile(values, [0, 0.05, 0.5, 0.95, 1]) if values else np.full(5, np.nan)


def summary(rows: list[dict]) -> list[dict]:
    """One dict for each crystal and defect, and one for all: counts, shares and spreads."""
    groups: dict[str, list[dict]] = {}
    for r in rows:
        groups.setdefault(f"{r['crystal']} {r['defect']}", []).append(r)
    out = []
    for name, own in [*groups.items(), ("all", list(rows))]:
        inside, small = within(own)
        energies = [energy_agrees(r) for r in own if small_error(r)]
        ratio = [
            r["predicted_relaxation"] / r["measured_relaxation"]
            for r in own
            if small_error(r) and r["predicted_relaxation"] and r["measured_relaxation"]
        ]
        out.append(
            {
                "system": name,
                "fits": len(own),
                "small": small,
                "newton_within": inside,
                "newton": spread(own, "effectivity"),
                "linear_within": within(own, "linear_effectivity")[0],
                "linear": spread(own, "linear_effectivity"),
                "distance": spread(own, "prediction_distance"),
                "mismatch": spread(own, "mismatch"),
                "energy_agrees": sum(e is True for e in energies),
                "kappa": spread(own, "kappa"),
                "bar_kept": sum(keeps_its_bar(r) is True for r in own),
                "with_bar": sum(keeps_its_bar(r) is not None for r in own),
                "relaxation": np.quantile(ratio, [0, 0.5, 1]) if ratio else np.full(3, np.nan),
                **verdicts(own),
            }
        )
    return out
