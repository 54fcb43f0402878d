"""How good is the prediction?  A census of fits, each predicted, relaxed and compared.

Newton's effectivity |D du_predicted| / |D du_measured| should be near one wherever first order
makes sense; the linear
one strays with the Hessian mismatch delta.  Verdicts are checked against what the relaxation really
                                             did.
Silicon is represented by interstitials: under Stillinger-Weber every bond of the crystal is at its
own minimum, so a
vacancy exerts no force and |D ubar| = 0.  Tungsten's interstitial is the <110> dumbbell: under this
                                           potential the
relaxed <111> dumbbell is a saddle point (negative stability constant).
"""

import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ..failures import NotConverged
from ..generalisation.bounds import (
    ForceWeights,
    cut_constant,
    geometry_bound,
    mismatch,
    soft_fields,
    terms_bound,
)
from ..generalisation.defect_error import APPLIES, LARGEST_PREDICTION
from .study import Prepared, Study

#: Upper bounds on the geometry error (`bound.Bound`; "terms": put together from the fit errors),
#: columns `bound_...` of a row.
BOUNDS = ("dual", "terms", "hardy", "uniform")


@dataclass(frozen=True)
class CensusStudy(Study):
    """A study whose points also carry `mismatch`, delta = |H^-1/2 (H_ML - H) H^-1/2|, the four
    bounds on the geometry error, A
    (None when delta >= 1: there is no bound), and `linear_distance`."""

    def prepare(self):
        return _Prepared(self)


class _Prepared(Prepared):
    def __init__(self, study):
        super().__init__(study)
        self._weights, self._soft = ForceWeights.of(self.reference), soft_fields(self.reference)
        self._cut = {n: cut_constant(self.reference, n * self.crystal.a) for n in study.cells}

    def more(self, fit, error, cell):
        row = {
            "mismatch": None,
            "linear_distance": error.linear_distance,
            **{f"bound_{name}": None for name in BOUNDS},
        }
        try:
            row["mismatch"] = delta = mismatch(
                fit.model, self.reference, tolerance=0.02, start=self._soft
            )
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


_SMALL = dict(degrees=(6, 8), seed=0)

#: The systems of the census; each is repeated with several seeds of the training rattles.
SYSTEMS = (
    CensusStudy("Cu", "dumbbell-100", cells=(4, 5), test_cell=5, **_SMALL),
    CensusStudy("Cu", "vacancy", cells=(4, 5), test_cell=6, **_SMALL),
    CensusStudy("Si", "dumbbell-110", cells=(2, 3), degrees=(6, 8, 10), test_cell=4),
    CensusStudy("W", "dumbbell-110", cells=(3, 4), test_cell=6, **_SMALL),
    CensusStudy("W", "vacancy", cells=(3, 4), degrees=(6, 8, 10), test_cell=6),
)


def _run(study, out):
    return study.run(out, progress=False)


@contextmanager
def _one_thread_each():
    """Processes started inside use one thread: they share the cores, and threads of small matrices
    mostly wait for each other.
    """
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    before = {n: os.environ.get(n) for n in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def run(systems=SYSTEMS, seeds=(0, 1), out=None, workers=None):
    """Every fit of every system and seed: a list of rows as of `Study.run`, with `mismatch`.

    systems : sequence of CensusStudy;  seeds : sequence of int
    out : str or Path        a folder; finished points found there are not computed again
    workers : int            processes; default one for each core
    """
    studies = [replace(s, seed=seed) for s in systems for seed in seeds]
    folders = [
        None if out is None else Path(out) / f"{s.crystal}-{s.defect}-{s.seed}" for s in studies
    ]
    workers = min(workers or os.cpu_count() or 1, len(studies))
    if workers == 1:
        parts = map(_run, studies, folders)
    else:  # spawned, not forked: compiled kernels hold threads
        with (
            _one_thread_each(),
            ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
        ):
            parts = list(pool.map(_run, studies, folders))
    return [row for part in parts for row in part]


def within(rows, key="effectivity", low=0.95, high=1.05):
    """(inside, all) over the rows whose measured geometry error is below 10 % of |D ubar|; a
    missing prediction is outside.
    """
    own = [r for r in rows if small_error(r)]
    return sum(r[key] is not None and low <= r[key] <= high for r in own), len(own)


def small_error(row):
    """Did the relaxation stay in the basin, with a measured error below 10 % of |D ubar|?"""
    return row["relative_error"] is not None and row["relative_error"] < LARGEST_PREDICTION


def energy_agrees(row):
    """|predicted - measured| <= max(5 % of |measured|, 1e-6 eV) for the total energy error; None
    without a prediction.
    """
    if row["predicted_energy"] is None or row["measured_energy"] is None:
        return None
    return abs(row["predicted_energy"] - row["measured_energy"]) <= max(
        0.05 * abs(row["measured_energy"]), 1e-6
    )


def sharpness(rows, name):
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


def verdicts(rows):
    """Counts of what the prediction said against what the relaxation did.

    Returns dict: `applies_right`; `applies_false` (said "applies", but the model left the basin, or
    its geometry error is over 10 % of |D ubar|, or off the prediction by more than 10 %);
    `refused_right`; `false_alarm` (refused, though the error is below 10 %).
    """
    counts = dict.fromkeys(("applies_right", "applies_false", "refused_right", "false_alarm"), 0)
    for r in rows:
        if r["verdict"] == APPLIES:
            good = small_error(r) and abs(r["effectivity"] - 1) <= 0.1
            counts["applies_right" if good else "applies_false"] += 1
        else:
            counts["false_alarm" if small_error(r) else "refused_right"] += 1
    return counts


def spread(rows, key):
    """Smallest, 5 %, median, 95 % and largest value of a column over the fits with a small measured
    error.
    """
    values = [r[key] for r in rows if small_error(r) and r[key] is not None]
    return np.quantile(values, [0, 0.05, 0.5, 0.95, 1]) if values else np.full(5, np.nan)


def summary(rows):
    """One dict for each crystal and defect, and one for all: counts, shares and spreads."""
    groups = {}
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
                "relaxation": np.quantile(ratio, [0, 0.5, 1]) if ratio else np.full(3, np.nan),
                **verdicts(own),
            }
        )
    return out
