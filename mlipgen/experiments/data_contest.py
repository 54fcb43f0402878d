"""The contest: every recipe of `data_design` at equal labelling cost, and a scan of the weights.

Each fit is judged by Newton's estimate of the defect error on a larger domain, which carries its
own error bar kappa, and is relaxed where the estimate does not apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..crystals import Crystal, Supercell, build_defect
from ..equilibrium import landscape
from ..equilibrium.farfield import lattice_displacement, ramp
from ..generalisation import measure, predict
from ..generalisation.bounds import dual_norm, residual_forces
from ..generalisation.crystal_error import wave_mismatch
from ..generalisation.reference import Reference
from ..learning.fitting import RIDGE, Block, assemble, fit_blocks
from ..learning.kinds import parse_kinds
from ..learning.training import crystal_observations
from ..potentials import ACEBasis
from ..potentials.derivatives import elastic_tensor
from .data_design import RECIPES, Calculation, Sources, crystal_cost
from .data_purse import ListPurse, Purse
from .grid_study import GridStudy, run_each
from .prepared import reference_potential
from .transfer import plain

BUDGETS = (1000, 2000, 4000, 8000)
SEEDS = (0, 1, 2, 3, 4)

#: The seed whose residuals are split into the terms of the bound, at the largest budget.
SPLIT_SEED = 0

#: Atom calls for the configurations of the scan, and its weights, one kind at a time.
SCAN_BUDGET = 4000
SCAN = {
    "E": ("EF", (0.1, 1.0, 3.0, 10.0, 30.0, 100.0)),
    "V": ("EFV", (0.01, 0.1, 1.0, 10.0, 100.0)),
    "FC": ("EF+FC", (1e-4, 1e-3, 0.01, 0.1, 1.0)),
    "V+FC": ("EFV+FC", (0.01, 0.1, 1.0, 10.0)),  # of V; a hundredth of it for FC
    "Fw": ("E+Fw", (0.1, 1.0, 10.0)),
    "Fd": ("E+Fd", (0.1, 1.0, 10.0)),
}


#: Columns of a row that a fit fills; None before.
_COLUMNS = ("kappa", "geometry", "energy", "measured", "elastic", "force_rmse", "split")


@dataclass(frozen=True)
class ContestStudy(GridStudy):
    """One crystal and defect.

    sizes : small, second and large training cells;  test_cell : the domain of the defect error
    budgets : atom calls
    """

    GRID = ("recipes", "budgets", "seeds")

    crystal: str
    defect: str
    sizes: tuple
    test_cell: int
    recipes: tuple = tuple(RECIPES)
    budgets: tuple = BUDGETS
    seeds: tuple = SEEDS
    degree: int = 8
    ridge: float = RIDGE

    @property
    def title(self) -> str:
        return f"{self.crystal} {self.defect}"

    def grid(self) -> list[tuple]:
        """(seed, recipe, budget)."""
        return [(s, r, b) for s in self.seeds for r in self.recipes for b in self.budgets]

    def prepare(self) -> PreparedContest:
        return PreparedContest(self)

    def compute(self, prepared: Any, *point: Any) -> dict:
        """The row of a point of the grid, or of (seed, "scan", 0)."""
        return prepared.scan(point[0]) if point[1] == "scan" else prepared.point(*point)

    def run(  # type: ignore[override]
        self, out: str | Path | None = None, executor: Any = None, progress: bool = False
    ) -> tuple[list[dict], list[dict]]:
        """Rows of all points, in grid order, and of the scans of weights, one for each seed."""
        grid, scans = self.grid(), [(seed, "scan", 0) for seed in self.seeds]
        rows = self.rows([*grid, *scans], out, executor, progress)
        return rows[: len(grid)], rows[len(grid) :]


class PreparedContest:
    """What all points of a study share: the reference on the domain, blocks of the crystal."""

    def __init__(self, study: ContestStudy):
        self.study = study
        self.potential = reference_potential(study.crystal)
        self.crystal = Crystal.equilibrium(self.potential)
        self.basis = ACEBasis(self.potential.cutoff, study.degree, r0=float(self.crystal.shells[0]))
        self.reference = Reference(
            self.potential, build_defect(study.defect, Supercell(self.crystal, study.test_cell))
        )
        self._seed: Any = None
        self._purses: dict = {}

    @cached_property
    def crystal_blocks(self) -> dict[str, Block]:
        return assemble(crystal_observations(self.crystal), self.basis, self.potential)

    @cached_property
    def crystal_cost(self) -> list[Calculation]:
        return crystal_cost(self.potential, self.crystal, self.crystal_blocks["V"].groups)

    def sources(self, seed: int) -> Sources:
        if self._seed is None or self._seed.seed != seed:
            s, last = self.study, self._seed
            self._seed = Sources(
                self.potential, self.crystal, self.basis, s.defect, s.sizes, seed, last
            )
            self._purses = {}
        return self._seed

    def purse(self, seed: int, source: str) -> Purse:
        sources = self.sources(seed)
        if source not in self._purses:
            if source == "list":
                purse: Purse = ListPurse(self, seed, RECIPES["theory, by the list"])
            else:
                purse = Purse(sources.stream(source), self.basis, self.potential)
            self._purses[source] = purse
        return self._purses[source]

    def fit(self, seed: int, recipe: str, budget: float) -> tuple[Any, list, list]:
        """The fit that the budget buys (None where it does not pay a single configuration), and
        the calculations that were paid for: the fixed ones, and the configurations."""
        r = RECIPES[recipe]
        paid = self.sources(seed).fixed(r.source) + (self.crystal_cost if r.crystal_data else [])
        purse = self.purse(seed, r.source)
        count = purse.count(budget - sum(c.cost for c in paid))
        if not count:
            return None, paid, []
        kinds = parse_kinds(r.kinds)
        blocks = purse.blocks(count, kinds)
        if r.crystal_data:
            blocks |= self.crystal_blocks
        kinds = tuple(k for k in kinds if k in blocks)
        return self._fitted(blocks, kinds, r.weights), paid, purse.bought[:count]

    def _fitted(self, blocks, kinds, weights):
        return fit_blocks(
            {k: blocks[k] for k in kinds}, self.basis, kinds, self.potential, self.crystal,
            weights={k: w for k, w in weights.items() if k in kinds}, ridge=self.study.ridge,
        )  # fmt: skip

    def point(self, seed: int, recipe: str, budget: float) -> dict:
        """One row: what was paid, and the defect error; A and eV, None where there is none.

        cost, cubic, fixed : atom calls, price of a cubic method, atom calls before the first
        configuration;  geometry, energy : predicted, or measured where the prediction does not
        apply (`measured`);  elastic : relative error of the elastic constants;  scale : |D ubar|
        purchases : of a recipe that shops, see `ListPurse.summary`
        """
        where = {"crystal": self.study.crystal, "defect": self.study.defect, "seed": seed}
        where |= {"recipe": recipe, "budget": budget}
        fit, fixed, bought = self.fit(seed, recipe, budget)
        row = where | dict.fromkeys(_COLUMNS) | {"configurations": len(bought)}
        paid = [*fixed, *bought]
        row |= {"cost": sum(c.cost for c in paid), "cubic": sum(c.cubic for c in paid)}
        row |= {"fixed": sum(c.cost for c in fixed), "scale": self.reference.scale}
        purse = self.purse(seed, RECIPES[recipe].source)
        if isinstance(purse, ListPurse):
            row["purchases"] = purse.summary(len(bought))
        if fit is None:
            return row | {"verdict": "not affordable"}
        p: Any = predict(fit.model, self.reference)
        row |= {"kappa": p.kappa, "elastic": self.elastic(fit.model)}
        row |= {"verdict": str(p.verdict.outcome), "measured": not p.applies}
        if not p.applies:
            p = measure(fit.model, self.reference)
            row["verdict"] = str(p.verdict.outcome)
        row |= {"geometry": p.geometry, "energy": p.energy, "force_rmse": _rmse(fit)}
        if (budget, seed) == (self.study.budgets[-1], SPLIT_SEED):
            row["split"] = self.split(fit.model)
        return {k: plain(v) for k, v in row.items()}

    def split(self, model: Any) -> dict:
        """The residual at the reference equilibrium, cut at the small training cell: dual norms of
        the core, the far harmonic and the far anharmonic part, eV^1/2, and eps_FC, eV/A^2."""
        r, home = self.reference, self.reference.defect.homogeneous
        radius = self.study.sizes[0] * self.crystal.a
        far = ramp(r.defect.distance(), radius / 2)[:, None]
        f, u = residual_forces(model, r), lattice_displacement(r)
        own, exact = (
            landscape(m, home.cell, home.positions).hessian()(u) for m in (model, self.potential)
        )
        harmonic = (exact - own)[r.defect.lattice_index]
        parts = {"core": (1 - far) * f, "harmonic": far * harmonic}
        parts["anharmonic"] = far * (f - harmonic)
        return {k: dual_norm(v, r) for k, v in parts.items()} | {
            "eps_FC": wave_mismatch(model, self.potential, self.crystal, 6)
        }

    def elastic(self, model: Any) -> float:
        """Relative error of the elastic constants."""
        exact, own = self._elastic, elastic_tensor(model, self.crystal)
        return float(np.linalg.norm(own - exact) / np.linalg.norm(exact))

    @cached_property
    def _elastic(self):
        return elastic_tensor(self.potential, self.crystal)

    @cached_property
    def _linear(self):
        """What the linear estimate needs: energies (K,), forces and displacements (n, d, K)."""
        r = self.reference
        V, F = landscape(self.basis, r.defect.cell, r.equilibrium.positions).evaluate()
        b = (V - self.crystal.energy_per_atom(self.basis)).sum(axis=0)
        F = F - F.mean(axis=0)
        du = np.stack([r.response(F[..., k], 1e-6) for k in range(F.shape[-1])], axis=-1)
        return b, F, du

    def linear(self, theta: np.ndarray) -> tuple[float, float]:
        """The linear estimate of the errors of geometry, A, and energy, eV."""
        b, F, du = self._linear
        f, u = F @ theta, du @ theta
        energy = b @ theta - self.reference.formation_energy - 0.5 * (f * u).sum()
        return self.reference.norm(u), float(energy)

    def scan(self, seed: int) -> dict:
        """Linear estimates over the weights of `SCAN`: a list for each kind, of geometry, A,
        energy, eV, and the relative error of the elastic constants; first the default fit to EF.
        """
        purse = self.purse(seed, "two")
        blocks = purse.blocks(purse.count(SCAN_BUDGET), ("E", "F", "Fw", "Fd"))
        blocks |= self.crystal_blocks
        out: dict = {"crystal": self.study.crystal, "defect": self.study.defect, "seed": seed}
        for name, (kinds, values) in {"default": ("EF", (1.0,)), **SCAN}.items():
            out[name] = []
            for w in values:
                weights = {name: w} if name != "V+FC" else {"V": w, "FC": w / 100}
                model = self._fitted(blocks, parse_kinds(kinds), weights).model
                out[name].append([*self.linear(model.theta), self.elastic(model)])
        return out


def _rmse(fit):
    """Root mean square force error of the fit, eV/A, of whatever kind of force it has seen."""
    return next(fit.rmse[k] for k in ("F", "Fw", "Fd") if k in fit.rmse)


#: The systems of chapter 14.
STUDIES = (
    ContestStudy("W", "vacancy", (3, 4, 5), 6),
    ContestStudy("W", "dumbbell-110", (3, 4, 5), 6),
    ContestStudy("Si", "vacancy", (2, 3, 3), 4),
    ContestStudy("Si", "dumbbell-110", (2, 3, 3), 4),
    ContestStudy("Cu", "vacancy", (4, 5, 5), 6, budgets=(4000, 8500, 12000)),
    ContestStudy("Cu", "dumbbell-100", (4, 5, 5), 6, budgets=(4000, 8500, 12000)),
)


def run(
    studies: Sequence[ContestStudy] = STUDIES,
    out: str | Path | None = None,
    executor: Any = None,
    progress: bool = False,
) -> tuple[list[dict], list[dict]]:
    """Rows and scans of several studies, one after the other."""
    names = [f"{s.crystal}-{s.defect}" for s in studies]
    parts = run_each(studies, names, out, executor, progress)
    return [r for rows, _ in parts for r in rows], [r for _, scans in parts for r in scans]
