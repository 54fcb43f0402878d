"""Point defects: a list of atoms that remembers which site of the supercell each atom belongs to.

Everything is in angstrom; positions have shape (n_atoms, d), d = 2 or 3, and become ASE `Atoms` on
request.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from ..failures import require_number
from .cells import minimum_image
from .supercell import Supercell, as_atoms

if TYPE_CHECKING:
    from .lattice import Crystal


@dataclass(frozen=True)
class Defect:
    """Atoms of a supercell with a defect, before relaxation.

    positions : (n_atoms, d), A           the starting sites; displacements u are measured from here
    lattice_index : (n_atoms,)            site of the homogeneous supercell each atom belongs to (a
                                          dumbbell shares one)
    homogeneous : Supercell
    centre : (d,), A
    """

    name: str
    positions: np.ndarray = field(repr=False)
    lattice_index: np.ndarray = field(repr=False)
    homogeneous: Supercell
    centre: np.ndarray = field(repr=False)

    def __post_init__(self):
        x, index = np.asarray(self.positions), np.asarray(self.lattice_index)
        d, sites = self.crystal.dimension, len(self.homogeneous)
        if x.ndim != 2 or x.shape[1] != d or x.dtype.kind not in "fi" or not np.isfinite(x).all():
            raise ValueError(f"positions of shape {x.shape}: give {d} finite numbers for each atom")
        if index.shape != x.shape[:1] or index.dtype.kind not in "iu" or not len(x):
            raise ValueError(f"lattice_index of shape {index.shape}: give each atom its site")
        if index.min() < 0 or index.max() >= sites:
            raise ValueError(
                f"lattice_index from {index.min()} to {index.max()}: sites are 0 to {sites - 1}"
            )
        centre = np.asarray(self.centre)
        if centre.shape != (d,) or centre.dtype.kind not in "fi" or not np.isfinite(centre).all():
            raise ValueError(f"centre {self.centre!r}: give {d} finite numbers, A")

    def __len__(self):
        return len(self.positions)

    @property
    def cell(self) -> np.ndarray:
        return self.homogeneous.cell

    @property
    def crystal(self) -> Crystal:
        return self.homogeneous.crystal

    @property
    def occupation(self) -> np.ndarray:
        """Atoms on each site of the homogeneous supercell, shape (n_sites,): 0 vacant, 2 a
        dumbbell.
        """
        return np.bincount(self.lattice_index, minlength=len(self.homogeneous))

    def sum_on_sites(self, values: np.ndarray) -> np.ndarray:
        """Sums of atomic values (n_atoms, d) over the atoms of each site of the homogeneous
        supercell: (n_sites, d).
        """
        return np.stack(
            [np.bincount(self.lattice_index, column, len(self.homogeneous)) for column in values.T],
            axis=1,
        )

    def atoms(self, positions: np.ndarray | None = None) -> Atoms:
        """ASE Atoms at the starting sites or at `positions` (n_atoms, d)."""
        return as_atoms(
            self.crystal.symbol, self.positions if positions is None else positions, self.cell
        )

    def distance(self) -> np.ndarray:
        """Distance of every atom from the defect centre, shape (n_atoms,), A."""
        return np.linalg.norm(minimum_image(self.positions - self.centre, self.cell), axis=1)

    @classmethod
    def from_atoms(cls, atoms: Atoms, supercell: Supercell, name: str = "user") -> Defect:
        """Any ASE Atoms with a defect in the given homogeneous supercell (same cell vectors).

        Each atom is labelled by its nearest site; sites no atom claims are vacancies, sites claimed
        twice interstitials.
        """
        d = supercell.crystal.dimension
        if not np.allclose(np.asarray(atoms.cell)[:d, :d], supercell.cell, rtol=1e-6):
            raise ValueError(
                f"the cell of the atoms {np.asarray(atoms.cell)[:d, :d].tolist()} is not the "
                "supercell's "
                f"{supercell.cell.tolist()}; build the Supercell with the lattice constant of "
                "the atoms"
            )
        if set(atoms.symbols) != {supercell.crystal.symbol}:
            raise ValueError(
                f"atoms are {sorted(set(atoms.symbols))}, the crystal is {supercell.crystal.symbol}"
            )
        x = atoms.positions[:, :d]
        site = np.array(
            [
                np.argmin((minimum_image(supercell.positions - p, supercell.cell) ** 2).sum(1))
                for p in x
            ]
        )
        counts = np.bincount(site, minlength=len(supercell))
        odd = np.flatnonzero(counts != 1)
        if not len(odd):
            raise ValueError("every site of the supercell holds one atom: there is no defect")
        first = supercell.positions[odd[0]]
        centre = first + minimum_image(supercell.positions[odd] - first, supercell.cell).mean(
            axis=0
        )
        return cls(name, x.copy(), site, supercell, centre)


def _remove(supercell, sites, name):
    keep = np.setdiff1d(np.arange(len(supercell)), sites)
    centre = supercell.positions[sites].mean(axis=0)
    return Defect(name, supercell.positions[keep], keep, supercell, centre)


def vacancy(supercell: Supercell) -> Defect:
    """One atom missing in the middle of the supercell."""
    return _remove(supercell, [supercell.central_site()], "vacancy")


def divacancy(supercell: Supercell) -> Defect:
    """Two neighbouring atoms missing, along the same line whatever the size of the supercell and
    the sublattice of its middle: the divacancies of two sizes are the same defect.
    """
    first = supercell.central_site()
    r = minimum_image(supercell.positions - supercell.positions[first], supercell.cell)
    shell = np.isclose(np.linalg.norm(r, axis=1), supercell.crystal.shells[0])
    near = np.flatnonzero(shell)
    lines = [_line(r[site]) for site in near]
    return _remove(supercell, [first, int(near[lines.index(max(lines))])], "divacancy")


def _line(r):
    """The line of a vector, both directions alike, as a tuple that can be compared."""
    r = np.round(r, 6) + 0.0
    first = r[np.flatnonzero(r)[0]]
    return tuple((r * np.sign(first)).tolist())


def dumbbell(supercell: Supercell, direction: str = "111", separation: float = 0.75) -> Defect:
    """Two atoms share one site, displaced along +-direction (an interstitial).

    direction : str       Miller digits "100", "110" or "111" (2D: "10" or "11")
    separation : float    distance of the two atoms before relaxation, in nearest-neighbour
                          distances
    """
    d = supercell.crystal.dimension
    allowed = ("10", "01", "11") if d == 2 else ("100", "010", "001", "110", "101", "011", "111")
    if direction not in allowed:
        raise ValueError(
            f"dumbbell direction {direction!r} is unknown; choose one of {', '.join(allowed)}"
        )
    what = "a distance in nearest-neighbour distances"
    separation = require_number("separation", separation, 0.1, 1.9, what)
    axis = np.array([int(c) for c in direction], float)
    axis *= 0.5 * separation * supercell.crystal.shells[0] / np.linalg.norm(axis)
    site = supercell.central_site()
    positions = np.vstack([supercell.positions, supercell.positions[site] - axis])
    positions[site] += axis
    return Defect(
        f"dumbbell-{direction}",
        positions,
        np.append(np.arange(len(supercell)), site),
        supercell,
        supercell.positions[site],
    )


DEFECTS: dict[str, Callable[[Supercell], Defect]] = {
    "vacancy": vacancy,
    "divacancy": divacancy,
    **{f"dumbbell-{m}": partial(dumbbell, direction=m) for m in ("100", "110", "111")},
}


def in_words(text: str) -> str:
    """The names of dumbbells in a text as a reader knows them: dumbbell-110 is ⟨110⟩ dumbbell."""
    return re.sub(r"\bdumbbell-(\d{3})\b", r"⟨\1⟩ dumbbell", text)


def build_defect(name: str, supercell: Supercell) -> Defect:
    """Defect by name; see `DEFECTS`."""
    if not isinstance(name, str):
        raise ValueError(f"defect {name!r} is unknown; choose one of {', '.join(DEFECTS)}")
    if supercell.crystal.dimension == 2 and name.startswith("dumbbell-"):
        return dumbbell(supercell, name.split("-")[1])
    if name not in DEFECTS:
        raise ValueError(f"defect {name!r} is unknown; choose one of {', '.join(DEFECTS)}")
    return DEFECTS[name](supercell)
