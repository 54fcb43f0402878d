"""What is observed.  Each kind of observation is a linear functional of a site-energy model.

`observe(model)` returns shape (count, ...) for anything with `sites`: numbers for a potential (the
targets), one more axis for a basis (the rows of the design matrix), so targets, rows and residuals
come from the same
code.  A new kind
is one new class with `kind`, `label` and `observe`.
"""

from dataclasses import dataclass, field

import numpy as np

from ..crystals import Crystal, Neighbours, as_atoms, minimum_image, require_thickness
from ..potentials.derivatives import energies_and_forces, force_constants


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

    def evaluate(self, model):
        """Site energies (n, ...) and forces (n, d, ...); the last model's are kept, so energies and
        forces share one call.
        """
        if self._last[0] is not model:
            require_thickness(self.cell, model.cutoff, what="a training cell")
            neighbours = Neighbours(self.positions, self.cell, model.cutoff)
            self._last = (model, energies_and_forces(model, neighbours, self.positions))
        return self._last[1]

    def distances(self):
        """Distance of each atom from the defect, (n,), A."""
        return np.linalg.norm(minimum_image(self.positions - self.centre, self.cell), axis=1)

    def atoms(self):
        return as_atoms(self.crystal.symbol, self.positions, self.cell)


@dataclass
class Energy:
    """Energy of a cell relative to as many atoms of the perfect crystal, eV (never per atom)."""

    configuration: Configuration
    kind, label = "E", "Energies"

    def observe(self, model):
        V, _ = self.configuration.evaluate(model)
        # Site by site against the crystal: the difference of totals would lose the digits that
        # matter in large cells.
        return (V - self.configuration.crystal.energy_per_atom(model)).sum(axis=0)[None]


@dataclass
class Forces:
    """Force components, eV/A; with `by_distance` each is multiplied by 1 + distance from the defect
    in A (Hardy's weight).
    """

    configuration: Configuration
    by_distance: bool = False
    label = "Forces"

    @property
    def kind(self):
        return "Fw" if self.by_distance else "F"

    def observe(self, model):
        _, f = self.configuration.evaluate(model)
        if self.by_distance:
            f = f * (1.0 + self.configuration.distances()).reshape((-1,) + (1,) * (f.ndim - 1))
        return f.reshape((-1,) + f.shape[2:])


@dataclass
class Virial:
    """First derivative of the energy per atom in the deformation gradient at the homogeneous strain
    F, (d, d), eV, and the forces on the basis atoms of a multilattice, eV/A; `internal`
    (n_sublattices, d), A, displaces the basis.

    At F = 1 this is the stress (eps_V0); small strains give the elastic constants (eps_V1), larger
    ones third order.
    """

    crystal: Crystal
    F: np.ndarray
    internal: np.ndarray | None = None
    kind, label = "V", "Virials"

    def observe(self, model):
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
class ForceConstants:
    """Force constants of the infinite perfect crystal times (1 + |xi|)^2, eV/A^2: the weight of
    eps_FC.

    They come from site Hessians, so no cell is needed and no images are summed.  Give `supercell`
    when the labels will be computed there by displacing atoms: a cell thinner than four cutoffs
    would return image sums and is refused.
    """

    crystal: Crystal
    supercell: object = None
    kind, label = "FC", "Force constants"

    def observe(self, model):
        if self.supercell is not None:
            require_thickness(
                self.supercell.cell, model.cutoff, factor=4.0, what="the cell for force constants"
            )
        table = force_constants(model, self.crystal)
        half = _one_of_each_pair(table)  # K(xi) and K(-xi)^T are one number
        weight = (1.0 + np.linalg.norm(table.xi[half], axis=1)) ** 2
        K = table.K[half]
        K = K * weight.reshape((-1,) + (1,) * (K.ndim - 1))
        return K.reshape((-1,) + K.shape[3:])


def _one_of_each_pair(table):
    key = np.column_stack([table.s, table.t, np.rint(table.xi * 1e5).astype(int)])
    other = np.column_stack([table.t, table.s, -np.rint(table.xi * 1e5).astype(int)])
    return np.array([tuple(a) >= tuple(b) for a, b in zip(key, other)])


KINDS = {
    "E": "Energies",
    "F": "Forces",
    "Fw": "Forces, by distance",
    "V": "Virials",
    "FC": "Force constants",
}
