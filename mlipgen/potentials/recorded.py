"""Labels that somebody has computed already, in a file, as a calculator."""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.io import iread

PROPERTIES = ("energy", "free_energy", "energies", "forces", "stress")
#: Keys of a structure's comment line that name its level of theory.
LEVELS = ("level", "level_of_theory")


def read_labelled(path: str | Path, level: str | None = None) -> list[Atoms]:
    """All structures of a file (extended XYZ, or what else ASE reads) that have energy and forces.

    Parameters
    ----------
    path : str or Path      the file; `level="PBE"` (or `level_of_theory=`) in a structure's comment
                            line names its level of theory
    level : str             take the structures of this level alone; default all, which must not
                            name two levels.  One that names none is taken to be of the others'

    Raises
    ------
    ValueError      if the file cannot be read, has no such structure, or mixes levels of theory:
                    their energies differ by more than physics
    """
    try:
        frames = list(iread(path, index=":"))
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    except Exception as error:  # ASE's readers raise what comes
        raise ValueError(f"{path} cannot be read: {type(error).__name__}: {error}") from None
    good = [a for a in frames if {"energy", "forces"} <= set(getattr(a.calc, "results", {}))]
    if not good:
        raise ValueError(
            f"none of the {len(frames)} structures of {path} has both energy and forces: extended "
            "XYZ names them energy=... and Properties=...:forces:R:3"
        )
    return _of_one_level(good, path, level)


def level_of(frames: list[Atoms]) -> str | None:
    """The first level of theory that the structures name; None if none does."""
    return next(filter(None, map(_level, frames)), None)


def _level(atoms):
    return next((str(atoms.info[key]) for key in LEVELS if key in atoms.info), None)


def _of_one_level(frames, path, wanted):
    """The structures of the level that is wanted, or all of them if they are of one."""
    first: dict[str, int] = {}
    for k, atoms in enumerate(frames):
        if (name := _level(atoms)) is not None:
            first.setdefault(name, k)
    if wanted is not None:
        if wanted not in first:
            known = ", ".join(map(repr, first)) or "no level at all"
            raise ValueError(f"no structure of {path} is of level {wanted!r}; they name {known}")
        return [atoms for atoms in frames if _level(atoms) == wanted]
    if len(first) > 1:
        (one, i), (other, j), *_ = first.items()
        raise ValueError(
            f"{path} mixes levels of theory: structure {i} is of {one!r}, structure {j} of "
            f"{other!r}, and their energies have different zeros. Take one of them (level={one!r}, "
            "or a file for each); to mix them on purpose, give all of them one name"
        )
    return frames


class RecordedCalculator(Calculator):
    """An ASE calculator that knows the structures of a labelled file, and no others.

    Parameters
    ----------
    path : str or Path          extended XYZ with energies and forces (`read_labelled`)
    tolerance : float, A        structures are taken for the same if no atom and no corner of the
                                cell differs by more; formats keep eight decimals
    level : str                 the level of theory to take of a file that holds several

    Attributes
    ----------
    level_of_theory : str or None       what the structures name

    Raises
    ------
    ValueError      for a file that mixes levels of theory, and when it is asked for a structure
                    that is not in the file
    """

    def __init__(self, path: str | Path, tolerance: float = 1e-6, level: str | None = None):
        super().__init__()
        self.path, self.tolerance = path, tolerance
        self._by_size: dict[tuple[int, str], list[Atoms]] = {}
        frames = read_labelled(path, level)
        self.level_of_theory = level_of(frames)
        for atoms in frames:
            key = (len(atoms), atoms.get_chemical_formula())
            self._by_size.setdefault(key, []).append(atoms)
        # what all have, so that nothing is promised that one lacks
        common = set.intersection(*(set(a.calc.results) for a in frames))
        self.implemented_properties = [p for p in PROPERTIES if p in common]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        key = (len(self.atoms), self.atoms.get_chemical_formula())
        candidates = self._by_size.get(key, [])
        near = np.inf
        for frame in candidates:
            off = self._distance(frame)
            if off <= self.tolerance:
                known = frame.calc.results
                self.results = {p: known[p] for p in self.implemented_properties}
                return
            near = min(near, off)
        nearest = f"; the nearest differs by {near:.2g} A" if candidates else ""
        raise ValueError(
            f"{self.path} has no label of this structure of {len(self.atoms)} atoms "
            f"({len(candidates)} of that size{nearest})"
        )

    def _distance(self, frame):
        """A, the largest difference of positions and cell vectors."""
        if not np.array_equal(frame.numbers, self.atoms.numbers):
            return np.inf
        cell = np.abs(frame.cell.array - self.atoms.cell.array).max()
        return max(cell, np.abs(frame.positions - self.atoms.positions).max())
