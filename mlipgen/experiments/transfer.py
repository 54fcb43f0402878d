"""Transfer: potentials fitted to one kind of defect, tested on others.

A training set is named by what its cells hold: "vacancy", "dumbbell-110", "crystal" (rattled cells
without a defect), or several joined by "+", which share the configurations evenly.  Every fit is
predicted, relaxed and compared on every tested defect; two numbers stand beside the errors that
need the tested defect's equilibrium only: the forces that the fit leaves there, and the `grade`,
how far its neighbourhoods lie outside the training set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import qr, solve_triangular

from ..crystals import Crystal, Neighbours, Supercell, build_defect
from ..generalisation.bounds import residual_forces
from ..generalisation.defect_error import defect_error
from ..generalisation.reference import Reference
from ..learning.fitting import RIDGE, assemble, fit_blocks
from ..learning.kinds import parse_kinds
from ..learning.observations import Configuration, Energy, Forces
from ..learning.training import crystal_observations, defect_configurations
from ..potentials import ACEBasis
from .grid_study import GridStudy, run_each
from .prepared import reference_potential

if TYPE_CHECKING:
    from ..contracts import Size
    from ..learning.fitting import Fit

#: Largest rattle of training atoms, A, as in `training.defect_configurations`.
RATTLE = 0.03


@dataclass(frozen=True)
class TransferStudy(GridStudy):
    """Fits to some defects of a crystal, tested on others.

    trained : training sets, see the module's docstring;  tested : names of `crystals.DEFECTS`
    cell, test_cell : sizes in unit cells;  count : configurations of every training set
    saddle : "follow" or "ignore" where a defect relaxes to a saddle point in the training cell
    """

    GRID = ("trained", "tested", "observations", "seeds")

    crystal: str
    trained: tuple
    tested: tuple
    cell: Size
    test_cell: Size
    observations: tuple = ("EF", "EFV+FC")
    degree: int = 8
    seeds: tuple = (0, 1)
    count: int = 12
    ridge: float = RIDGE
    saddle: str = "follow"

    def __post_init__(self):
        for kinds in self.observations:
            parse_kinds(kinds)
        for name in self.trained:
            if self.count % len(name.split("+")):
                raise ValueError(
                    f"count = {self.count} configurations cannot be shared evenly by {name!r}"
                )

    @property
    def title(self) -> str:
        return f"{self.crystal} transfer"

    def grid(self) -> list[tuple]:
        """(trained, observations, seed, tested), the tested defect last: a fit serves them all."""
        return [
            (name, kinds, seed, test)
            for name in self.trained
            for seed in self.seeds
            for kinds in self.observations
            for test in self.tested
        ]

    def prepare(self) -> PreparedTransfer:
        return PreparedTransfer(self)


class PreparedTransfer:
    """What all points of a study share.

    potential, crystal, basis;  references, blocks and fits are made when they are first needed
    """

    def __init__(self, study: TransferStudy):
        self.study = study
        self.potential = reference_potential(study.crystal)
        self.crystal = Crystal.equilibrium(self.potential)
        self.basis = ACEBasis(
            self.potential.cutoff, study.degree, r0=float(self.crystal.shells[0]),
            dimension=self.crystal.dimension,
        )  # fmt: skip
        self._references: dict = {}
        self._trained: dict = {}
        self._fits: dict = {}

    @cached_property
    def crystal_blocks(self) -> dict:
        """Virials and force constants of the perfect crystal: the same for every training set."""
        return assemble(crystal_observations(self.crystal), self.basis, self.potential)

    def reference(self, tested: str) -> Reference:
        """The tested defect, relaxed with the reference; saddle points are left."""
        if tested not in self._references:
            domain = Supercell(self.crystal, self.study.test_cell)
            self._references[tested] = Reference(
                self.potential, build_defect(tested, domain), saddle="follow"
            )
        return self._references[tested]

    def configurations(self, trained: str, seed: int) -> list[Configuration]:
        """The cells of a training set."""
        names, s = trained.split("+"), self.study
        count = s.count // len(names)
        return [
            c
            for name in names
            for c in (
                crystal_configurations(self.crystal, s.cell, count, seed)
                if name == "crystal"
                else defect_configurations(
                    self.potential, self.crystal, name, s.cell, count, seed, rattle=RATTLE,
                    saddle=s.saddle,
                )
            )
        ]  # fmt: skip

    def training(self, trained: str, seed: int) -> tuple[dict, np.ndarray]:
        """Blocks of observations, and the R-factor of the basis functions of all training sites."""
        if (trained, seed) not in self._trained:
            cells = self.configurations(trained, seed)
            data = [kind(c) for c in cells for kind in (Energy, Forces)]
            blocks = assemble(data, self.basis, self.potential) | self.crystal_blocks
            seen = np.concatenate([self._functions(c.positions, c.cell) for c in cells])
            self._trained[trained, seed] = blocks, qr(seen, mode="r")[0][: len(self.basis)]
        return self._trained[trained, seed]

    def fit(self, trained: str, kinds: str, seed: int = 0) -> Fit:
        if (trained, kinds, seed) not in self._fits:
            self._fits[trained, kinds, seed] = fit_blocks(
                self.training(trained, seed)[0], self.basis, kinds, self.potential, self.crystal,
                ridge=self.study.ridge,
            )  # fmt: skip
        return self._fits[trained, kinds, seed]

    def _functions(self, positions, cell):
        """Basis functions of every site relative to the perfect crystal's, (n, K)."""
        pairs = Neighbours(positions, cell, self.basis.cutoff)
        own = self.basis.sites(pairs.vectors(positions), pairs.offsets)[0]
        return own - self.crystal.energy_per_atom(self.basis)

    def grade(self, trained: str, seed: int, tested: str) -> float:
        """Largest leverage of a site of the tested defect: b' (sum b b' + ridge^2 Gamma^2)^-1 b.

        b : a site's basis functions less the crystal's; the sum is over all training sites, so a
        site that the training set holds has at most 1.  A relative of the extrapolation grade of
        Podryabinkin and Shapeev, Comput. Mater. Sci. 140, 171 (2017).
        """
        R = self.training(trained, seed)[1]
        ridge = self.study.ridge * np.diag(self.basis.prior)
        R = qr(np.concatenate([R, ridge]), mode="r")[0][: len(self.basis)]
        equilibrium = self.reference(tested).equilibrium
        b = self._functions(equilibrium.positions, equilibrium.defect.cell)
        return float((solve_triangular(R, b.T, trans="T") ** 2).sum(axis=0).max())

    def point(self, trained: str, kinds: str, seed: int, tested: str) -> dict:
        """Fit, predict, relax: one row of plain numbers, None where there is none; A and eV."""
        fit, reference = self.fit(trained, kinds, seed), self.reference(tested)
        error = defect_error(fit.model, reference)
        p, m = error.prediction, error.measurement
        row = {
            "crystal": self.study.crystal,
            "trained": trained,
            "observations": kinds,
            "seed": seed,
            "tested": tested,
            "atoms": len(reference.defect),
            "scale": reference.scale,
            "formation_energy": reference.formation_energy,
            "fit_force": fit.rmse["F"],
            "residual_force": float(np.linalg.norm(residual_forces(fit.model, reference))),
            "grade": self.grade(trained, seed, tested),
            "predicted_geometry": p.geometry if p.applies else None,
            "kappa": p.kappa,
            "measured_geometry": m.geometry,
            "relative_error": reference.relative(m.geometry),
            "predicted_energy": p.energy if p.applies else None,
            "measured_energy": m.energy,
            "effectivity": error.effectivity if p.applies else None,
            "distance": error.distance if p.applies else None,
            "curvature": p.curvature,
            "followed": m.followed,
            "verdict": str(p.verdict.outcome),
            "outcome": str(m.verdict.outcome),
        }
        return {k: plain(v) for k, v in row.items()}


def crystal_configurations(
    crystal: Crystal, cells: Size, count: int, seed: int, rattle: float = RATTLE
) -> list[Configuration]:
    """Perfect cells, atoms rattled by 0 ... `rattle` A."""
    cell = Supercell(crystal, cells)
    rng, centre = np.random.default_rng(seed), cell.positions[cell.central_site()]
    return [
        Configuration(
            cell.positions + sigma * rng.standard_normal(cell.positions.shape), cell.cell, crystal,
            centre,
        )
        for sigma in np.linspace(0.0, rattle, count)
    ]  # fmt: skip


def plain(value: Any) -> Any:
    """What JSON knows."""
    number = isinstance(value, (float, np.floating))
    return (float(value) if np.isfinite(value) else None) if number else value


def _study(crystal, interstitial, cell, test_cell, also=()):
    own = ("vacancy", "divacancy", interstitial)
    sets = ("crystal", *own, "+".join(own))
    return TransferStudy(crystal, sets, (*own, *also), cell, test_cell)


#: The studies that chapter 15 shows: bcc, fcc, diamond and hcp.
STUDIES = (
    _study("W", "dumbbell-110", 4, 8),
    _study("Cu", "dumbbell-100", 4, 6, ("dumbbell-110",)),
    _study("Si", "dumbbell-110", 3, 5, ("dumbbell-100", "dumbbell-111")),
    _study("Ti", "dumbbell-111", (6, 6, 3), (9, 9, 6)),
)


def run(
    studies: Sequence[TransferStudy] = STUDIES,
    out: str | Path | None = None,
    executor: Any = None,
    progress: bool = False,
) -> list[dict]:
    """The rows of several studies, one after the other."""
    names = [s.crystal for s in studies]
    return [row for rows in run_each(studies, names, out, executor, progress) for row in rows]
