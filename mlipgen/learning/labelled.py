"""Training sets from files of labelled structures."""

from pathlib import Path

import numpy as np

from ..crystals import Crystal
from ..potentials.calculator_model import CalculatorModel
from ..potentials.noise import Noise, rounding
from ..potentials.recorded import RecordedCalculator, read_labelled
from .observations import Configuration, Energy, Forces, WeightedForces


def labelled_set(
    path: str | Path,
    crystal: Crystal,
    energy_per_atom: float | None = None,
    level: str | None = None,
) -> tuple[list, CalculatorModel]:
    """Observations of the structures in a labelled file, and the source of their labels.

    Parameters
    ----------
    path : str or Path          extended XYZ with energies and forces, eV and A; `centre="x y z"` in
                                a structure's comment line gives distance-weighted forces, too;
                                `level="PBE"` there names its level of theory
    crystal : Crystal           the perfect crystal that energies are relative to
    energy_per_atom : float     eV, of that crystal; default: from a structure of the file that is a
                                perfect crystal at this lattice constant
    level : str                 the level of theory to take of a file that holds several

    Returns
    -------
    observations : list         energies and forces; fit them with `fit(observations, basis, source,
                                crystal, "EF")`
    source : CalculatorModel    knows the labels of these structures, and no others

    Raises
    ------
    ValueError      for structures of other elements or without a cell, for two levels of theory in
                    one file, and if the perfect crystal's energy is not known
    """
    frames = read_labelled(path, level)
    for k, atoms in enumerate(frames):
        if set(atoms.symbols) != {crystal.symbol}:
            other = ", ".join(sorted(set(atoms.symbols)))
            raise ValueError(f"structure {k} of {path} is of {other}, not of {crystal.symbol}")
        if not atoms.pbc[: crystal.dimension].all():
            raise ValueError(f"structure {k} of {path} is not periodic")
    bulk = [atoms for atoms in frames if _is_perfect(atoms, crystal)]
    if energy_per_atom is None:
        if not bulk:
            raise ValueError(
                f"{path} holds no perfect {crystal.structure} crystal with a = {crystal.a:.5f} A: "
                "give energy_per_atom (eV), which the energies of defects are relative to"
            )
        energy_per_atom = bulk[0].get_potential_energy() / len(bulk[0])
    numbers = np.concatenate([atoms.get_forces().ravel() for atoms in frames])
    energies = np.array([atoms.get_potential_energy() for atoms in frames])
    recorded = RecordedCalculator(path, level=level)
    source = CalculatorModel(
        recorded,
        crystal.symbol,
        crystal.structure,
        crystal.a,
        name=Path(path).name,
        noise=Noise(0.0, rounding(numbers), rounding(energies) / max(map(len, frames))),
        level_of_theory=recorded.level_of_theory,
    )
    source.adopt_energy_per_atom(crystal, energy_per_atom)
    d, observations = crystal.dimension, []
    for atoms in frames:
        centre = atoms.info.get("centre")
        place = Configuration(
            atoms.positions[:, :d].copy(),
            atoms.cell.array[:d, :d].copy(),
            crystal,
            None if centre is None else np.asarray(centre, float)[:d],
        )
        observations += [Energy(place), Forces(place)]
        if centre is not None:
            observations.append(WeightedForces(place))
    return observations, source


def _is_perfect(atoms, crystal):
    """Does every site of the crystal in this cell hold one atom?"""
    d = crystal.dimension
    repeats = atoms.cell.array[:d, :d] @ np.linalg.inv(crystal.cell)
    if np.abs(repeats - np.rint(repeats)).max() > 1e-5:
        return False
    if len(atoms) != round(abs(np.linalg.det(repeats))) * len(crystal.basis):
        return False
    x = atoms.positions[:, :d]
    try:
        crystal.locate(x - x[0] + crystal.basis[0])
    except ValueError:
        return False
    return True
