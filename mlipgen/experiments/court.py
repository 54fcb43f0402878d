"""Estimates of uncertainty on trial: what the training data say, and what a small cell says.

Each fit is used on a domain, relaxed there, and forecast (`forecast_census`).  Beside it stand
ensembles of parameters, carried to the domain by linear response at the candidate's equilibrium,

    f = F dtheta,      H_ML du = f,      dE = b dtheta - <f, du> / 2,

F and b the forces and energies of the basis functions there, and the extrapolation grade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..equilibrium import landscape, linear_response
from ..learning.kinds import parse_kinds
from ..learning.training import crystal_observations, defect_observations
from .ensembles import ENSEMBLES, ActiveSet, Rows
from .forecast_census import ForecastPrepared, ForecastStudy
from .study import run_all

#: What the training data give, one number or dict each.
TRAINING = (*ENSEMBLES, "grade")


@dataclass(frozen=True)
class CourtStudy(ForecastStudy):
    """A study whose fits are put on trial; members : of each ensemble."""

    members: int = 16

    def prepare(self) -> CourtPrepared:
        return CourtPrepared(self)


_FITS: dict[str, Any] = {
    "observations": ("EF", "EFV+FC"),
    "degrees": (6, 8),
    "saddle": "ignore",
    "beyond": (0, 1, 2),
}
_BCC = {"cells": (3, 4), "test_cell": 8, **_FITS}
_FCC = {"cells": (4,), "test_cell": 7, **_FITS}
SEEDS = (0, 1)
SYSTEMS = (
    *(CourtStudy(metal, "vacancy", **_BCC) for metal in ("W", "Ta")),
    *(CourtStudy(metal, "dumbbell-110", **_BCC) for metal in ("W", "Fe")),
    CourtStudy("Cu", "vacancy", **_FCC),
    CourtStudy("Ni", "dumbbell-100", **_FCC),
    CourtStudy("Si", "dumbbell-110", cells=(2,), test_cell=5, **_FITS),
)


def run(
    systems: Sequence[CourtStudy] = SYSTEMS,
    seeds: Sequence[int] = SEEDS,
    out: str | Path | None = None,
    executor: Any = None,
    progress: bool = False,
) -> list[dict]:
    """Every fit of every system and seed: a list of rows.  `out`: a folder; finished ones found
    there are not computed again.  executor : anything with `submit`.
    """
    studies = [replace(s, seed=seed) for s in systems for seed in seeds]
    names = [f"{s.crystal}-{s.defect}-{s.seed}" for s in studies]
    return run_all(studies, names, out, 1, executor, progress)


class CourtPrepared(ForecastPrepared):
    """A census's point, with the ensembles beside the forecast."""

    def __init__(self, study):
        super().__init__(study)
        self._observations = {}

    def observations(self, cell: Any) -> list:
        """(group, observation) of the training set: groups are its defect configurations."""
        if cell not in self._observations:
            s = self.study
            near = defect_observations(
                self.potential, self.crystal, s.defect, cell, s.count, s.seed, saddle=s.saddle
            )
            groups: dict = {}
            grouped: list = []
            for o in near:
                key = id(vars(o)["configuration"])
                grouped.append((groups.setdefault(key, len(groups)), o))
            self._observations[cell] = grouped + [
                (-1, o) for o in crystal_observations(self.crystal)
            ]
        return self._observations[cell]

    def rows(self, cell: Any, kinds: str, model: Any) -> Rows:
        """The weighted rows that `model` was fitted to."""
        wanted = parse_kinds(kinds)
        parts = [
            (o.weight, group, o.rows(model.basis, self.potential))
            for group, o in self.observations(cell)
            if o.kind in wanted
        ]
        return Rows.of(parts, model.basis.prior, self.study.ridge)

    def point(self, cell: Any, kinds: str, degree: int) -> dict:
        self._kinds = kinds
        row = super().point(cell, kinds, degree)
        return dict.fromkeys(TRAINING) | row

    def _forecast(self, model, cell, found, lacks, variants):
        row = super()._forecast(model, cell, found, lacks, variants)
        rows = self.rows(cell, self._kinds, model)
        return row | self.ensembles(rows, model, found) | {"grade": self.grade(cell, model, found)}

    def ensembles(self, rows: Rows, model: Any, found: Any) -> dict:
        """{ensemble: {geometry, energy: root mean square; geometry_max, energy_max}}, A and eV."""
        defect, x = self.reference.defect, found.positions
        V, F = landscape(model.basis, defect.cell, x).evaluate()
        b = (V - self.crystal.energy_per_atom(model.basis)).sum(axis=0)
        surface = landscape(model, defect.cell, x, skin=0.3)
        hessian = surface.quick_hessian(x, surface.evaluate(x)[1])
        out = {}
        for name, draw in ENSEMBLES.items():
            geometry, energy = [], []
            for dtheta in draw(rows, self.study.members, np.random.default_rng(self.study.seed)):
                f = F @ dtheta
                f = f - f.mean(axis=0)
                du = linear_response(hessian, f, self.reference.preconditioner, rtol=1e-2)
                geometry.append(self.reference.norm(du))
                energy.append(b @ dtheta - 0.5 * (f * du).sum())
            out[name] = {
                "geometry": _rms(geometry),
                "energy": _rms(energy),
                "geometry_max": max(geometry),
                "energy_max": float(np.abs(energy).max()),
            }
        return out

    def grade(self, cell: Any, model: Any, found: Any) -> float:
        """The largest extrapolation grade of a site of the domain."""
        shown: dict = {}
        for group, o in self.observations(cell):
            if group >= 0 and group not in shown:
                shown[group] = o.configuration.landscape(model.basis).evaluate()[0]
        active = ActiveSet(np.concatenate(list(shown.values())))
        V = landscape(model.basis, self.reference.defect.cell, found.positions).evaluate()[0]
        return float(active.grade(V).max())


def _rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


# --- what the record says


def upper(row: dict, what: str = "geometry") -> dict[str, float | None]:
    """What each method says the error is at most, A or eV; None where it says nothing.

    Twice the root mean square of the posterior and the committee, the largest member of the
    pointwise box, and the forecast from k = n + 2 plus its bar.
    """
    out: dict[str, float | None] = {
        name: 2 * row[name][what] for name in ("posterior", "committee")
    }
    out["pointwise"] = row["pointwise"][f"{what}_max"]
    out["forecast"] = None
    last = next((s for s in row["steps"] if s["k"] == row["cell"] + 2), None)
    if last and last["verdict"] == "applies":
        before = next(s for s in row["steps"] if s["k"] == row["cell"] + 1)
        if what == "geometry":
            out["forecast"] = last["geometry"] * (1 + last["kappa"] + last["moved"])
        else:
            work = abs(last["energy"] - last["unrelaxed_energy"])
            moved = abs(last["energy"] - before["energy"])
            out["forecast"] = abs(last["energy"]) + moved + last["kappa"] * work
    return out


def judged(rows: Sequence[dict]) -> list[dict]:
    """The rows that have a truth and all that is to be judged."""
    return [r for r in rows if r["steps"] and r["posterior"] is not None]
