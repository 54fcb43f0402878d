"""What all points of a study share, and the point itself: fitted, predicted, relaxed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..crystals import Crystal, Supercell, build_defect
from ..generalisation.defect_error import defect_error
from ..generalisation.reference import Reference
from ..learning.fitting import assemble, fit_blocks
from ..learning.training import crystal_observations, defect_observations, held_out_set
from ..potentials import EAM, ACEBasis, StillingerWeber, Toy2D
from .limits import check_study
from .results import point_row

if TYPE_CHECKING:
    from ..contracts import Size
    from ..generalisation.defect_error import DefectError
    from ..learning.fitting import Block, Fit
    from ..potentials.site import SitePotential


def reference_potential(symbol: str) -> SitePotential:
    """The reference potential of a crystal by symbol.

    Stillinger-Weber for Si, EAM for the 16 metals, the two-dimensional toy for X.
    """
    if symbol == "X":
        return Toy2D()
    return StillingerWeber("Si") if symbol == "Si" else EAM(symbol)


class Prepared:
    """What all points of a study share; blocks of observations are assembled once for each training
    cell.

    potential, crystal, basis;  reference : Reference on the test cell
    held_out : dict kind -> Block     of the largest training cell with other rattles, of virials at
                                      other strains and of force constants at other volumes: see
                                      `training.held_out_set`
    """

    def __init__(self, study):
        self.study = study
        self.potential = study.potential or reference_potential(study.crystal)
        self.crystal = Crystal.equilibrium(self.potential)
        self.basis = ACEBasis(
            study.cutoff or self.potential.cutoff,
            max(study.degrees),
            r0=float(self.crystal.shells[0]),
            dimension=self.crystal.dimension,
            pair=study.pair,
        )
        check_study(study, self.potential, self.crystal, len(self.basis))
        self.reference = Reference(
            self.potential, build_defect(study.defect, Supercell(self.crystal, study.test_cell))
        )
        # the same for every cell
        self._crystal_blocks = assemble(
            crystal_observations(self.crystal), self.basis, self.potential
        )
        self.held_out = assemble(
            held_out_set(
                self.potential,
                self.crystal,
                study.defect,
                study.largest,
                study.count,
                study.seed,
                saddle=study.saddle,
            ),
            self.basis,
            self.potential,
        )
        self._blocks = {}

    def blocks(self, cell: Size) -> dict[str, Block]:
        """The training blocks of one cell size: dict kind -> Block."""
        if cell not in self._blocks:
            s = self.study
            observations = defect_observations(
                self.potential, self.crystal, s.defect, cell, s.count, s.seed, saddle=s.saddle
            )
            self._blocks[cell] = {
                **assemble(observations, self.basis, self.potential),
                **self._crystal_blocks,
            }
        return self._blocks[cell]

    def fit(self, cell: Size, kinds: str, degree: int, **options: Any) -> Fit:
        """The fit of one grid point; `options` go to `fit_blocks` (weights, ridge)."""
        options = {"weights": self.study.weights, "ridge": self.study.ridge, **options}
        return fit_blocks(
            self.blocks(cell),
            self.basis,
            kinds,
            self.potential,
            self.crystal,
            degree=degree,
            held_out=self.held_out,
            **options,
        )

    def point(self, cell: Size, kinds: str, degree: int) -> dict:
        """Fit, predict, relax: one row of the table, see `results.point_row`."""
        start = time.perf_counter()
        fit = self.fit(cell, kinds, degree)
        error = defect_error(fit.model, self.reference)
        where = {
            "crystal": self.study.crystal,
            "defect": self.study.defect,
            "cell": cell,
            "observations": kinds,
            "degree": degree,
            "seed": self.study.seed,
        }
        more = self.more(fit, error, cell)
        return point_row(where, fit, error, time.perf_counter() - start, **more)

    def more(self, fit: Fit, error: DefectError, cell: Size) -> dict:
        """Further columns for a subclass to add, from the fit, its DefectError and the
        training-cell size.
        """
        return {}
