"""How good is the forecast?  A census of fits: forecast from small cells, relaxed and compared.

A fit to n-cells is forecast with check cells of k = n, n + 1, ...: the candidate relaxes on the
large domain from the reference's own n-cell, embedded.  The truth is the reference, relaxed from
there; `elsewhere` is how far (A) this is from the state that it finds by itself.

Each interstitial is a true minimum of its reference.  Silicon's vacancy is left out: under
Stillinger-Weber it exerts no force.  Training cells are at least two cutoffs thick: three cells for
the bcc metals, four for the fcc ones, two for silicon.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..crystals import Supercell, minimum_image
from ..equilibrium import formation_energy, relax
from ..equilibrium.landscape import landscape
from ..failures import NoEquilibrium
from ..generalisation.composite import Tables, embed, same_defect
from ..generalisation.forecast import ForecastStep, forecast, judge
from ..generalisation.verdict import Outcome
from ..potentials.finite_differences import supercell_force_constants
from .study import Prepared, Study, run_all

if TYPE_CHECKING:
    from ..contracts import Size

#: The aims at k = n + 2: geometry within a tenth; energy within 15 % or 1 meV.
GEOMETRY, ENERGY, SMALLEST = 0.10, 0.15, 1e-3
#: Two relaxations of the reference that end closer than this, A, have found the same state.
SAME = 1e-4
#: What a row lacks where there is no equilibrium.
COLUMNS = (
    "outcome",
    "outcome_why",
    "measured_geometry",
    "measured_energy",
    "relative_error",
    "elsewhere",
    "followed",
    "verdict",
    "why",
    "predicted_geometry",
    "predicted_energy",
    "steps",
    "folded",
    "without",
)


@dataclass(frozen=True)
class ForecastStudy(Study):
    """A study whose points are forecast and measured.

    beyond : tuple of int       check cells of n + `beyond` cells, where they are smaller than the
                                domain; the candidate was fitted on n-cells
    variants : tuple of int     degrees at which k = n + 2 is repeated without force constants of
                                the reference, and with those of displaced atoms in that cell
    """

    beyond: tuple = (0, 1, 2, 3)
    variants: tuple = ()

    def prepare(self) -> Prepared:
        return ForecastPrepared(self)


_FITS: dict[str, Any] = {
    "observations": ("EF", "EFV+FC"),
    "degrees": (6, 8),
    "saddle": "ignore",
    "variants": (8,),
}
_BCC = {"cells": (3, 4, 5), "test_cell": 10, **_FITS}
_FCC = {"cells": (4, 5), "test_cell": 8, **_FITS}

#: Seeds of the training rattles.
SEEDS = (0, 1)
#: Domains of about 2,000 atoms; each is repeated with every seed.
SYSTEMS = (
    *(ForecastStudy(metal, "vacancy", **_BCC) for metal in ("W", "Ta", "Fe")),
    *(ForecastStudy(metal, "dumbbell-110", **_BCC) for metal in ("W", "Ta", "Fe")),
    *(ForecastStudy(metal, "vacancy", **_FCC) for metal in ("Cu", "Ni")),
    *(ForecastStudy(metal, "dumbbell-100", **_FCC) for metal in ("Cu", "Ni")),
    ForecastStudy("Si", "dumbbell-110", cells=(2, 3), test_cell=6, **_FITS),
)
_MANY: dict[str, Any] = {"observations": ("EF",), "degrees": (8,), "beyond": (1, 2)}
_MORE = _MANY | {"beyond": (1, 2, 3), "saddle": "ignore"}
_TWO = _MORE | {"observations": ("EF", "EFV+FC")}
#: Some of them in about 50,000 atoms.
LARGE = (
    ForecastStudy("W", "vacancy", cells=(3, 4), test_cell=29, **_MANY),
    ForecastStudy("W", "dumbbell-110", cells=(3, 4), test_cell=29, saddle="ignore", **_MANY),
    ForecastStudy("Cu", "vacancy", cells=(4,), test_cell=23, **_MANY),
    ForecastStudy("Si", "dumbbell-110", cells=(2,), test_cell=18, saddle="ignore", **_MANY),
    ForecastStudy("Ta", "vacancy", cells=(3, 4), test_cell=29, **_TWO),
    ForecastStudy("Ta", "dumbbell-110", cells=(3,), test_cell=29, **_TWO),
    ForecastStudy("Fe", "vacancy", cells=(3,), test_cell=29, **_MORE),
    ForecastStudy("Fe", "dumbbell-110", cells=(3,), test_cell=29, **_MORE),
    ForecastStudy("Ni", "vacancy", cells=(4,), test_cell=23, **_MORE),
    ForecastStudy("Cu", "dumbbell-100", cells=(4,), test_cell=23, **_MORE),
)


def run(
    systems: Sequence[ForecastStudy] = SYSTEMS,
    seeds: Sequence[int] = SEEDS,
    out: str | Path | None = None,
    workers: int | None = None,
    executor: Any = None,
    progress: bool = False,
) -> list[dict]:
    """Every fit of every system and seed, forecast and measured: a list of rows.

    out : a folder; finished points found there are not computed again
    workers : processes; default one for each core
    executor : anything with `submit`, in place of local processes
    """
    # the variants once
    studies = [
        replace(s, seed=seed, variants=s.variants if seed == seeds[0] else ())
        for s in systems
        for seed in seeds
    ]
    names = [f"{s.crystal}-{s.defect}-{s.test_cell}-{s.seed}" for s in studies]
    return run_all(studies, names, out, workers, executor, progress)


class ForecastPrepared(Prepared):
    def __init__(self, study):
        super().__init__(study)
        self._known = {}

    def known(self, cell: Size):
        """The reference's equilibrium in the training cell, on which the candidate is fitted."""
        if cell not in self._known:
            small = same_defect(self.study.defect, self.crystal, cell)
            self._known[cell] = relax(self.potential, small, saddle="ignore", max_evaluations=1000)
        return self._known[cell]

    def point(self, cell: Size, kinds: str, degree: int) -> dict:
        """Fit, relax, forecast, and relax the reference: one row."""
        start = time.process_time()
        s, model = self.study, self.fit(cell, kinds, degree).model
        row = {
            "crystal": s.crystal,
            "defect": s.defect,
            "cell": cell,
            "observations": kinds,
            "degree": degree,
            "seed": s.seed,
            "atoms": len(self.reference.defect),
            "scale": self.reference.scale,
            **self._relaxed(model, cell, degree in s.variants),
            "seconds": time.process_time() - start,
        }
        return _plain(row)

    def _relaxed(self, model, cell, variants):
        """The candidate from the reference's training cell, the reference from the candidate."""
        domain = self.reference.defect
        row = dict.fromkeys(COLUMNS) | {"steps": []}
        try:
            found = relax(
                model,
                domain,
                start=embed(self.known(cell), domain),
                saddle="follow",
                max_evaluations=1000,
            )
            answer = relax(
                self.potential,
                domain,
                start=found.positions,
                green=self.reference.green,
                tolerance=1e-9,
                saddle="follow",
                max_evaluations=1000,
            )
        except NoEquilibrium as error:
            return row | {"outcome": str(Outcome.LEFT), "outcome_why": str(error)}
        lacks = self._apart(answer.positions, found.positions)
        geometry = self.reference.norm(lacks)
        energy = formation_energy(model, found) - formation_energy(self.potential, answer)
        elsewhere = self._apart(answer.positions, self.reference.equilibrium.positions)
        row |= {
            "outcome": str(Outcome.RELAXED),
            "outcome_why": "",
            "measured_geometry": geometry,
            "measured_energy": energy,
            "relative_error": self.reference.relative(geometry),
            "elsewhere": self.reference.norm(elsewhere),
            "followed": answer.followed,
        }
        return row | self._forecast(model, cell, found, lacks, variants)

    def _apart(self, x, y):
        gap = minimum_image(x - y, self.reference.defect.cell)
        return gap - gap.mean(axis=0)

    def _forecast(self, model, cell, found, lacks, variants):
        """The forecast's part of a row."""
        s = self.study
        checks = [cell + b for b in s.beyond if cell + b < s.test_cell]
        ask = lambda sizes, tables=None: forecast(
            model, self.potential, self.crystal, s.defect, s.test_cell, sizes,
            equilibrium=found, tables=tables,
        )  # fmt: skip
        try:
            result = ask(checks)
        except NoEquilibrium as error:
            return {"verdict": str(Outcome.UNSTABLE), "why": str(error)}
        row = {
            "verdict": str(result.verdict.outcome),
            "why": result.verdict.why,
            "predicted_geometry": result.geometry,
            "predicted_energy": result.energy,
            "steps": [self._step(step, lacks) for step in result.steps],
        }
        if variants and (k := cell + 2) in checks:
            row |= {
                name: self._step(ask([k], tables(model, self, k)).steps[0], lacks)
                for name, tables in VARIANTS.items()
            }
        return row

    def _step(self, step: ForecastStep, lacks: np.ndarray) -> dict:
        """One check cell; `distance` is |D (du - e)|, A, with e what the candidate really lacks."""
        names = ("k", "atoms", "geometry", "energy", "unrelaxed_energy", "kappa", "moved", "rim")
        own = {name: getattr(step, name) for name in names}
        own["distance"] = self.reference.norm(step.du - lacks)
        return _plain(own | {"verdict": str(judge(step, self.crystal).outcome)})


def _folded(model, prepared, k):
    """Force constants of both from displaced atoms in the same k-cell."""
    cell = Supercell(prepared.crystal, k)

    def table(of):
        surface = landscape(of, cell.cell, cell.positions)
        return supercell_force_constants(lambda x: surface.evaluate(x)[1], cell, 1e-3)

    return Tables(table(model), table(prepared.potential))


#: What the force constants of the reference are worth: none asked for, or folded into a small cell.
VARIANTS: dict[str, Callable] = {
    "without": lambda model, prepared, k: Tables.without(model, prepared.crystal),
    "folded": _folded,
}


def _plain(row):
    """What JSON knows."""
    numbers = {k: float(v) for k, v in row.items() if isinstance(v, (float, np.floating))}
    return row | {k: v if np.isfinite(v) else None for k, v in numbers.items()}


def forecasts(rows: Sequence[dict], beyond: int | None = None) -> list[dict]:
    """One dict for each check cell of each fit for which there is a truth.

    Keys: those of the row and of the step, and, relative to the forecast |D du|: `off`, of its size
    from the measured one, and `distance`, of its field; `ratio`, forecast over measured size;
    `energy_off`, `energy_moved`, eV; `beyond`, k - n; `system`.

    beyond : only the check cells of n + `beyond`
    """
    out = []
    for row in rows:
        shared = {k: v for k, v in row.items() if not isinstance(v, (list, dict))}
        before = None
        for step in row["steps"]:
            own = {**shared, **step, "system": f"{row['crystal']} {row['defect']}"}
            own["beyond"] = step["k"] - row["cell"]
            own["ratio"] = step["geometry"] / row["measured_geometry"]
            own["off"] = abs(step["geometry"] - row["measured_geometry"]) / step["geometry"]
            own["distance"] = step["distance"] / step["geometry"]
            own["energy_off"] = abs(step["energy"] - row["measured_energy"])
            own["energy_moved"] = None if before is None else abs(step["energy"] - before)
            before = step["energy"]
            if beyond in (None, own["beyond"]):
                out.append(own)
    return out


def geometry_agrees(point: dict) -> bool:
    """Is the forecast geometry error within a tenth of the measured one?"""
    return abs(point["ratio"] - 1) <= GEOMETRY


def energy_agrees(point: dict) -> bool:
    """Is the forecast energy error within 15 % of the measured one, or 1 meV?"""
    return point["energy_off"] <= max(ENERGY * abs(point["measured_energy"]), SMALLEST)
