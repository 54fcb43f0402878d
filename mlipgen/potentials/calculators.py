"""ASE calculators for every potential and fitted model."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from ..crystals import Neighbours
from ..failures import NotFinite
from .derivatives import in_pieces


class SiteCalculator(Calculator):
    """ASE calculator of a `SitePotential`: energy, energies (per atom), forces, stress.

    Any cell and any periodicity; the neighbour list has a skin and rebuilds itself.  Several Atoms
    and several threads may share one: they wait for each other.  Energies in eV, lengths in A.

    Raises
    ------
    ValueError      for elements the potential does not know, flat cells, atoms at one place
    NotFinite       where energies or forces are not numbers
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]

    def __init__(self, potential, skin=0.3, **kwargs):
        self._turn = threading.RLock()
        super().__init__(**kwargs)
        self.potential, self.skin, self._neighbours, self._frame = potential, skin, None, None

    def __getstate__(self) -> dict[str, Any]:
        """Locks stay in their process, and lists are made again."""
        return {**vars(self), "_turn": None, "_neighbours": None, "_frame": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _turn=threading.RLock())

    def reset(self) -> None:
        """Forget the last answer."""
        with self._turn:
            super().reset()

    def get_property(
        self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True
    ) -> Any:
        """As ASE's; another thread can not put its own atoms between calculation and answer."""
        with self._turn:
            return super().get_property(name, atoms, allow_calculation)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        self.results = {}  # whatever fails below, no answer of other atoms is left
        super().calculate(atoms, properties, system_changes)
        if self.atoms is None:
            raise ValueError("there are no atoms: ask atoms with atoms.calc = this calculator")
        strange = sorted(set(self.atoms.symbols) - {self.potential.symbol})
        if strange:
            raise ValueError(
                f"this potential is for {self.potential.symbol}; the atoms contain "
                f"{', '.join(strange)}"
            )
        if (self.atoms.pbc & (self.atoms.cell.lengths() == 0)).any():
            raise ValueError(
                f"pbc is {self.atoms.pbc.tolist()}, but the cell {self.atoms.cell.tolist()} has no "
                "vector there: set the cell, or pbc=False"
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
        near = self._neighbours
        near.check(x)
        energies, out, W = [], None, np.zeros((3, 3))
        for piece in in_pieces(self.potential, near, lambda sites: near.piece(x, sites)):
            energies.append(piece.V)
            out = near.divergence(piece.G, piece.pairs, out)
            W[:d, :d] += np.einsum("pi,pj->ij", piece.G, piece.R)
        V, forces = np.concatenate(energies), np.zeros((len(x), 3))
        forces[:, :d] = out
        if not (np.isfinite(forces).all() and np.isfinite(V).all()):
            raise NotFinite(
                "an energy or a force is not a finite number: two atoms are too near, or "
                "the potential cannot be evaluated there"
            )
        self.results = {"energy": V.sum(), "free_energy": V.sum(), "energies": V, "forces": forces}
        if self.atoms.cell.rank == 3:
            self.results["stress"] = full_3x3_to_voigt_6_stress(
                0.5 * (W + W.T) / self.atoms.get_volume()
            )
        elif "stress" in properties:
            raise PropertyNotImplementedError("stress needs a cell with three vectors")
