"""ASE calculators for every potential and fitted model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from ..crystals import Neighbours


class SiteCalculator(Calculator):
    """ASE calculator of a `SitePotential`: energy, energies (per atom), forces, stress.

    Any cell and any periodicity; the neighbour list has a skin and rebuilds itself.  Energies in
    eV, lengths in A.
    Raises ValueError for elements the potential does not know.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]

    def __init__(self, potential, skin=0.3, **kwargs):
        super().__init__(**kwargs)
        self.potential, self.skin, self._neighbours, self._frame = potential, skin, None, None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        strange = sorted(set(self.atoms.symbols) - {self.potential.symbol})
        if strange:
            raise ValueError(
                f"this potential is for {self.potential.symbol}; the atoms contain "
                f"{', '.join(strange)}"
            )
        d = self.potential.dimension
        x, cell = self.atoms.positions[:, :d], np.asarray(self.atoms.cell)
        if d == 2 and np.ptp(self.atoms.positions[:, 2]) > 1e-8:
            raise ValueError(
                f"{self.potential.symbol} is two-dimensional: all atoms must lie in one plane z "
                "= constant"
            )
        frame = (len(x), cell.tobytes(), self.atoms.pbc.tobytes())
        if frame != self._frame:
            # open directions need no cell vector, but one must stand there
            box = np.asarray(self.atoms.cell.complete())[:d, :d]
            self._neighbours, self._frame = (
                Neighbours(x, box, self.potential.cutoff, self.skin, self.atoms.pbc[:d]),
                frame,
            )
        R = self._neighbours.vectors(x)
        V, G = self.potential.sites(R, self._neighbours.offsets)
        forces = np.zeros((len(x), 3))
        forces[:, :d] = self._neighbours.divergence(G)
        self.results = {"energy": V.sum(), "free_energy": V.sum(), "energies": V, "forces": forces}
        if self.atoms.cell.rank == 3:
            W = np.zeros((3, 3))
            W[:d, :d] = np.einsum("pi,pj->ij", G, R)
            self.results["stress"] = full_3x3_to_voigt_6_stress(
                0.5 * (W + W.T) / self.atoms.get_volume()
            )
        elif "stress" in properties:
            raise PropertyNotImplementedError("stress needs a cell with three vectors")
