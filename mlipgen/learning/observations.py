"""What is observed.  Each kind of observation is a linear functional of a site-energy model.

`observe(model)` returns shape (count, ...) for anything with `sites`: numbers for a potential (the
targets), one more axis for a basis (the rows of the design matrix), so targets, rows and residuals
come from the same code.  A new kind is one new class, a subclass of `kinds.Observation`.

Energies and forces need a model's landscape only.  Virials and force constants of the perfect
crystal are derivatives of its site energies; a calculator gives them through methods of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from ..crystals import Crystal, as_atoms, minimum_image, require_thickness
from ..equilibrium.landscape import landscape
from ..potentials.derivatives import aligned, force_constants
from .kinds import Observation, default_weights

if TYPE_CHECKING:
    from ..contracts import Model
    from ..equilibrium.landscape import Landscape
    from ..potentials.ace import ACEBasis


@dataclass
class Configuration:
    """A periodic cell of atoms to label.

    positions : (n, d), A;  cell : (d, d), A;  crystal : Crystal, the reference for energies
    centre : (d,), A or None     of the defect, for distance weights
    """

    positions: np.ndarray
    cell: np.ndarray
    crystal: Crystal
    centre: np.ndarray | None = None
    _last: tuple = field(default=(None, None), repr=False, compare=False)

    def evaluate(self, model: Model) -> tuple[np.ndarray, np.ndarray]:
        """Site energies (n, ...) and forces (n, d, ...); the last model's are kept, so energies and
        forces share one call.
        """
        last = self._last  # looked at once: another thread may put its own there
        if last[0] is not model:
            require_thickness(self.cell, model.cutoff, what="a training cell")
            self._last = last = (model, self.landscape(model).evaluate())
        return last[1]

    def landscape(self, model: Model) -> Landscape:
        """The model's energy landscape in this cell."""
        return landscape(model, self.cell, self.positions)

    def distances(self) -> np.ndarray:
        """Distance of each atom from the defect, (n,), A."""
        if self.centre is None or np.shape(self.centre) != np.shape(self.cell)[:1]:
            raise ValueError(
                f"centre={self.centre!r}: distances from the defect need its place, "
                "Configuration(positions, cell, crystal, centre)"
            )
        return np.linalg.norm(minimum_image(self.positions - self.centre, self.cell), axis=1)

    def atoms(self) -> Atoms:
        return as_atoms(self.crystal.symbol, self.positions, self.cell)


@dataclass
class Energy(Observation):
    """Energy of a cell relative to as many atoms of the perfect crystal, eV (never per atom)."""

    configuration: Configuration
    # an energy counts as ten force components
    kind, label, unit, weight = "E", "Energies", "eV", 10.0

    def observe(self, model: Model) -> np.ndarray:
        V, _ = self.configuration.evaluate(model)
        surface = self.configuration.landscape(model)
        return np.asarray(surface.above_crystal(V, self.configuration.crystal))[None]


@dataclass
class Forces(Observation):
    """Force components, eV/A."""

    configuration: Configuration
    kind, label, unit, weight = "F", "Forces", "eV/A", 1.0

    def observe(self, model: Model) -> np.ndarray:
        _, f = self.configuration.evaluate(model)
        return f.reshape((-1,) + f.shape[2:])


@dataclass
class WeightedForces(Forces):
    """Force components, each times 1 + its distance from the defect in A (Hardy's weight), eV/A."""

    kind, label = "Fw", "Forces, by distance"

    def observe(self, model: Model) -> np.ndarray:
        weight = np.repeat(1.0 + self.configuration.distances(), self.configuration.cell.shape[0])
        f = super().observe(model)
        return f * weight.reshape((-1,) + (1,) * (f.ndim - 1))


@dataclass
class Virial(Observation):
    """First derivative of the energy per atom in the deformation gradient at the homogeneous strain
    F, (d, d), eV, and the forces on the basis atoms of a multilattice, eV/A; `internal`
    (n_sublattices, d), A, displaces the basis.

    At F = 1 this is the stress (eps_V0); small strains give the elastic constants (eps_V1), larger
    ones third order.
    """

    crystal: Crystal
    F: np.ndarray
    internal: np.ndarray | None = None
    kind, label, unit, weight = "V", "Virials", "eV", 10.0

    def observe(self, model: Any) -> np.ndarray:
        if hasattr(model, "virial"):  # a calculator: from its stress
            return model.virial(self.crystal, self.F, self.internal)
        c, d = self.crystal, self.crystal.dimension
        # Collect neighbours in the undeformed crystal far enough out that the deformed ones are all
        # there.
        stretch = 1.0 / np.linalg.svd(self.F, compute_uv=False).min()
        n = len(c.primitive_atoms)
        p = np.zeros((n, d)) if self.internal is None else self.internal
        margin = 2.0 * np.abs(p).max()
        R, offsets, b, _ = c.stencil(stretch * (model.cutoff + margin) + 1e-6, c.primitive_atoms)
        site = np.repeat(np.arange(n), np.diff(offsets))
        R = R @ self.F.T + p[c.sublattice[b]] - p[site]
        G = model.sites(R, offsets)[1]
        W = np.einsum("pi...,pj->ij...", G, R) / n
        rows = [W.reshape((d * d,) + W.shape[2:])]
        if n > 1:
            force = np.zeros((n,) + G.shape[1:])
            np.add.at(force, site, G)
            np.subtract.at(force, c.sublattice[b], G)
            rows.append(force.reshape((n * d,) + G.shape[2:]))
        return np.concatenate(rows)


@dataclass
class ForceConstants(Observation):
    """Force constants of the infinite perfect crystal times (1 + |xi|)^2, eV/A^2: the weight of
    eps_FC.

    They come from site Hessians, so no cell is needed and no images are summed.  Give `supercell`
    when the labels will be computed there by displacing atoms: a cell thinner than four cutoffs
    would return image sums and is refused.
    """

    crystal: Crystal
    supercell: Any = None
    # the distance weights make the rows large already
    kind, label, unit, weight = "FC", "Force constants", "eV/A^2", 0.1

    def tables(self, *models: Any) -> tuple[list[np.ndarray], np.ndarray]:
        """The models' force constants on one list of pairs, K(xi) and K(-xi)^T once, and the
        weights (1 + |xi|)^2 of those pairs; where a model does not reach, its constants are zero.
        """
        if self.supercell is not None:
            cutoff = max(m.cutoff for m in models)
            require_thickness(
                self.supercell.cell, cutoff, factor=4.0, what="the cell for force constants"
            )
        tables = aligned([force_constants(m, self.crystal) for m in models], self.crystal)
        half = _one_of_each_pair(tables[0])
        weight = (1.0 + np.linalg.norm(tables[0].xi[half], axis=1)) ** 2
        return [t.K[half] for t in tables], weight

    def observe(self, model: Model) -> np.ndarray:
        (K,), weight = self.tables(model)
        return self._flat(K, weight)

    def rows(self, basis: ACEBasis, potential: Model) -> np.ndarray:
        (A, y), weight = self.tables(basis, potential)
        return np.column_stack([self._flat(A, weight), self._flat(y, weight)])

    @staticmethod
    def _flat(K, weight):
        K = K * weight.reshape((-1,) + (1,) * (K.ndim - 1))
        return K.reshape((-1,) + K.shape[3:])


def _one_of_each_pair(table):
    key = np.column_stack([table.s, table.t, np.rint(table.xi * 1e5).astype(int)])
    other = np.column_stack([table.t, table.s, -np.rint(table.xi * 1e5).astype(int)])
    return np.array([tuple(a) >= tuple(b) for a, b in zip(key, other)])


#: The built-in kinds' default weights.
WEIGHTS = default_weights()
