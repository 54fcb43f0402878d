"""Ranking of interstitials: do fitted potentials order the dumbbells as their reference does?

What users of a potential do is to relax each dumbbell from its symmetric start and to compare the
energies; the relaxed state keeps the start's symmetry, and may be a saddle point.  So states here
are stationary points, of the reference as of the fits, and the sign of the lowest curvature stands
beside each energy.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..crystals import Supercell, build_defect
from ..equilibrium import curvature_at, formation_energy, landscape, relax
from ..failures import NoEquilibrium, NotConverged, SaddleWarning
from ..generalisation.prediction import KAPPA_LIMIT, predict
from ..generalisation.reference import Reference
from .grid_study import run_each
from .transfer import PreparedTransfer, TransferStudy, plain

DUMBBELLS = ("dumbbell-100", "dumbbell-110", "dumbbell-111")


class SymmetricReference(Reference):
    """A relaxed state that keeps its start's symmetry, be it a minimum or not.

    lowest : float, eV/A^2      lowest <Hv, v> / |Dv|^2; nan if it did not settle (a flat mode)
    """

    def _require_minimum(self):
        try:
            self.lowest, mode = self.lowest_curvature(self.hessian)
            self._modes = [mode]
        except NotConverged:
            self.lowest = np.nan


@dataclass(frozen=True)
class RankingStudy(TransferStudy):
    """Fits whose dumbbells (`tested`) are ranked; training cells hold the symmetric states."""

    saddle: str = "ignore"

    def grid(self) -> list[tuple]:
        """(trained, observations, seed)."""
        return [
            (t, k, seed) for t in self.trained for seed in self.seeds for k in self.observations
        ]

    def prepare(self) -> PreparedRanking:
        return PreparedRanking(self)

    def compute(self, prepared: Any, *point: Any) -> dict:
        return prepared.rank(*point)


class PreparedRanking(PreparedTransfer):
    """The same for symmetric states."""

    def reference(self, tested: str) -> SymmetricReference:
        if tested not in self._references:
            domain = Supercell(self.crystal, self.study.test_cell)
            defect = build_defect(tested, domain)
            self._references[tested] = SymmetricReference(self.potential, defect)
        return self._references[tested]

    def rank(self, trained: str, kinds: str, seed: int) -> dict:
        """One row: `states` holds a dict for each dumbbell, see `state`."""
        model = self.fit(trained, kinds, seed).model
        return {
            "crystal": self.study.crystal,
            "trained": trained,
            "observations": kinds,
            "seed": seed,
            "states": [self.state(model, name) for name in self.study.tested],
        }

    def state(self, model: Any, name: str) -> dict:
        """Formation energies (eV) and lowest curvatures (eV/A^2) of one dumbbell, None where there
        is none: of the reference, of the model at the reference's state, predicted, and of the
        model relaxed from there.
        """
        reference = self.reference(name)
        p = predict(model, reference)
        # A negative curvature is no objection here: states are stationary points.
        known = np.isfinite(p.kappa) and p.kappa <= KAPPA_LIMIT
        row = {
            "name": name,
            "reference": reference.formation_energy,
            "reference_curvature": reference.lowest,
            "unrelaxed": _single_point(model, reference),
            "predicted": reference.formation_energy + p.energy if known else np.nan,
            "kappa": p.kappa,
            **self._relaxed(model, reference),
        }
        return {k: plain(v) for k, v in row.items()}

    def _relaxed(self, model, reference):
        row = {"learned": np.nan, "learned_curvature": np.nan}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SaddleWarning)
                found = relax(
                    model, reference.defect, reference.equilibrium.positions, reference.green,
                    max_evaluations=1000, saddle="ignore",
                )  # fmt: skip
            row["learned"] = formation_energy(model, found)
            row["learned_curvature"] = curvature_at(model, found, reference.green).value
        except NoEquilibrium:
            pass
        return row


def _single_point(model, reference):
    """Formation energy of the model at the reference's state, eV."""
    crystal = reference.defect.crystal
    at = landscape(model, reference.defect.cell, reference.equilibrium.positions)
    return float(at.above_crystal(at.evaluate()[0], crystal))


def _study(crystal, stable, cell, test_cell):
    sets = ("vacancy", stable, "+".join(DUMBBELLS))
    return RankingStudy(crystal, sets, DUMBBELLS, cell=cell, test_cell=test_cell)


#: Crystals whose three dumbbells are ranked; the second training set is the most stable dumbbell.
STUDIES = (
    _study("W", "dumbbell-110", 4, 6),
    _study("Mo", "dumbbell-110", 4, 6),
    _study("Ta", "dumbbell-110", 4, 6),
    _study("Fe", "dumbbell-110", 4, 6),
    _study("Cu", "dumbbell-100", 4, 6),
    _study("Al", "dumbbell-100", 4, 6),
    _study("Si", "dumbbell-110", 3, 5),
)


def run(
    studies: Sequence[RankingStudy] = STUDIES,
    out: str | Path | None = None,
    executor: Any = None,
    progress: bool = False,
) -> list[dict]:
    """The rows of several studies, one after the other."""
    names = [f"ranking-{s.crystal}" for s in studies]
    return [row for rows in run_each(studies, names, out, executor, progress) for row in rows]


def order(states: Sequence[dict], which: str) -> tuple[str, ...] | None:
    """Names by rising energy of the kind `which`; None if one is missing."""
    if any(s[which] is None for s in states):
        return None
    return tuple(s["name"] for s in sorted(states, key=lambda s: s[which]))
