"""Screw dislocations of bcc metals: fits to small cells, tested in cylinders of growing radius.

Training cells hold a vacancy ("vacancy"), or two screw dislocations of opposite sign at unrelaxed
elastic positions ("dipole"), rattled.  By elasticity the energy error of a fit in a cylinder of
radius R grows like

    slope log R,      slope = |b| (b.K_ML.b - b.K.b) / (4 pi)

with the energy factors K of both models' elastic constants: `slope` of a row, eV a period.  A fit
without virials also has a stress, which works on the displacement in the plane of the outermost
counted sites: a boundary term, `stress_work`, which does not grow but fluctuates with R.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..crystals import Crystal, Neighbours
from ..crystals.dislocation import AXES, Cylinder, burgers_length, screw_dipole
from ..equilibrium.cylinder import CylinderReference, dislocation_error
from ..equilibrium.volterra import Volterra, rotated
from ..learning.fitting import RIDGE, Fit, assemble, fit_blocks
from ..learning.observations import Configuration, Energy, Forces, Virial
from ..learning.training import crystal_observations, defect_configurations
from ..potentials import ACEBasis
from ..potentials.derivatives import elastic_tensor
from .grid_study import GridStudy, run_each
from .prepared import reference_potential
from .transfer import RATTLE, plain


@dataclass(frozen=True)
class DislocationStudy(GridStudy):
    """Fits to one training set of a bcc metal, tested in cylinders.

    trained : "vacancy" or "dipole";  cell : conventional cells, or orthogonal ones of the dipole
    radii : A, of the free atoms;  count : configurations
    """

    GRID = ("observations", "degrees", "radii")

    crystal: str
    trained: str
    cell: int | tuple
    observations: tuple = ("E", "EF", "EFV", "EF+FC")
    degrees: tuple = (6, 8)
    radii: tuple = (12.0, 20.0, 33.0, 55.0, 90.0)
    count: int = 12
    seed: int = 0
    ridge: float = RIDGE

    @property
    def title(self) -> str:
        return f"{self.crystal} {self.trained}"

    def beyond(self) -> tuple:
        """The basis holds the largest degree's functions."""
        return (max(self.degrees),)

    def grid(self) -> list[tuple]:
        """(observations, degree, radius)."""
        return [(k, d, R) for d in self.degrees for k in self.observations for R in self.radii]

    def prepare(self) -> PreparedDislocation:
        return PreparedDislocation(self)


class PreparedDislocation:
    """What all points share.  potential, crystal, basis, blocks;  cylinders when first needed."""

    def __init__(self, study: DislocationStudy):
        self.study = study
        self.potential = reference_potential(study.crystal)
        self.crystal = Crystal.equilibrium(self.potential)
        degree = max(study.degrees)
        self.basis = ACEBasis(self.potential.cutoff, degree, r0=float(self.crystal.shells[0]))
        near = [kind(c) for c in self.configurations() for kind in (Energy, Forces)]
        data = [*near, *crystal_observations(self.crystal)]
        self.blocks = assemble(data, self.basis, self.potential)
        #: A^3 an atom
        self.volume = abs(np.linalg.det(self.crystal.cell)) / len(self.crystal.basis)
        self._references: dict = {}

    def configurations(self) -> list[Configuration]:
        s = self.study
        if s.trained == "dipole":
            x, cell = screw_dipole(self.crystal, tuple(s.cell))  # type: ignore[arg-type]
            rng = np.random.default_rng(s.seed)
            return [
                Configuration(x + sigma * rng.standard_normal(x.shape), cell, self.crystal, x[0])
                for sigma in np.linspace(0.0, RATTLE, s.count)
            ]
        return defect_configurations(
            self.potential, self.crystal, s.trained, s.cell, s.count, s.seed, rattle=RATTLE
        )

    def fit(self, kinds: str, degree: int) -> Fit:
        own = (self.potential, self.crystal)
        options: dict[str, Any] = {"degree": degree, "ridge": self.study.ridge}
        return fit_blocks(self.blocks, self.basis, kinds, *own, **options)

    def reference(self, radius: float) -> CylinderReference:
        if radius not in self._references:
            cylinder = Cylinder(self.crystal, radius, 2 * self.potential.cutoff)
            self._references[radius] = CylinderReference(self.potential, cylinder)
        return self._references[radius]

    def slope(self, model: Any) -> float:
        """Growth of the energy error with log R, eV a period, by elastic constants alone."""
        burgers = np.array([0.0, 0.0, burgers_length(self.crystal)])
        factor = [
            Volterra(rotated(elastic_tensor(m, self.crystal), AXES), burgers).energy_factor
            for m in (model, self.potential)
        ]
        return float((factor[0] - factor[1]) * burgers[2])

    def point(self, kinds: str, degree: int, radius: float) -> dict:
        """Fit, predict, relax in one cylinder: a row of plain numbers; A, eV a period."""
        model, reference = self.fit(kinds, degree).model, self.reference(radius)
        error = dislocation_error(model, reference)
        own, exact = (elastic_tensor(m, self.crystal) for m in (model, self.potential))
        row = {
            "crystal": self.study.crystal,
            "trained": self.study.trained,
            "cell": self.study.cell,
            "observations": kinds,
            "degree": degree,
            "radius": radius,
            # the sites whose energies count reach one cutoff further than the free atoms
            "outer": radius + reference.cylinder.rim / 2,
            "atoms": int(reference.cylinder.free.sum()),
            "reference_energy": reference.equilibrium.energy,
            "elastic_error": float(np.linalg.norm(own - exact) / np.linalg.norm(exact)),
            "stress": float(np.trace(Virial(self.crystal, np.eye(3)).observe(model).reshape(3, 3)))
            / (3 * self.volume),
            "slope": self.slope(model),
            "stress_work": stress_work(model, reference) - stress_work(self.potential, reference),
            "predicted_geometry": error.predicted,
            "kappa": error.kappa,
            "predicted_energy": error.predicted_energy,
            "measured_geometry": error.measured,
            "measured_energy": error.energy,
            "why": error.why,
        }
        return {k: plain(v) for k, v in row.items()}


def stress_work(model: Any, reference: CylinderReference) -> float:
    """First-order energy of the perfect crystal's counted sites under the in-plane part of the
    reference's displacement, eV a period; zero, up to round-off, for a model without stress.
    """
    cylinder = reference.cylinder
    x = cylinder.positions
    u = (reference.equilibrium.positions - x) * np.array([1.0, 1.0, 0.0])
    near = Neighbours(x, cylinder.cell, model.cutoff)
    _, G = model.sites(near.vectors(x), near.offsets)
    work = np.bincount(near.i, (G * near.differences(u)).sum(axis=1), len(x))
    return float(work[cylinder.counted].sum())


#: The studies that chapter 17 shows.
STUDIES = (
    DislocationStudy("W", "vacancy", 3),
    DislocationStudy("W", "vacancy", 4),
    DislocationStudy("W", "dipole", (2, 4)),
    DislocationStudy("Fe", "vacancy", 3),
    DislocationStudy("Fe", "dipole", (2, 4)),
)


def run(
    studies: Sequence[DislocationStudy] = STUDIES,
    out: str | Path | None = None,
    executor: Any = None,
    progress: bool = False,
) -> list[dict]:
    """The rows of several studies, one after the other."""
    names = [f"{s.crystal}-{s.trained}-{s.cell}".replace(" ", "") for s in studies]
    return [row for rows in run_each(studies, names, out, executor, progress) for row in rows]
