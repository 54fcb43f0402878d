"""Force constants that phonopy has computed: its `phonopy.yaml` and `FORCE_CONSTANTS`.

Formats: phonopy's documentation (Togo, J. Phys. Soc. Jpn. 92, 012001 (2023)).  The positions of the
supercell are in the YAML file; the force constants there too, or in `FORCE_CONSTANTS` beside it.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from ase.geometry import minkowski_reduce

from ..crystals import Crystal, thickness
from .derivatives import ForceConstantTable, _pair_keys
from .finite_differences import nearest_images, symmetrised

_UNITS = {"length": "angstrom", "force_constants": "eV/angstrom^2"}


def read_phonopy(path: str | Path, crystal: Crystal) -> ForceConstantTable:
    """Force constants of the perfect crystal from a calculation with phonopy.

    Parameters
    ----------
    path : str or Path      phonopy.yaml (phonopy_params.yaml, ...) or the folder that holds it
    crystal : Crystal       the same crystal in the same orientation; its lattice constant must be
                            that of the file to 1e-4

    Returns
    -------
    ForceConstantTable      each pair at its nearest images, shared equally among several, with
                            permutation symmetry and the acoustic sum rule imposed

    Raises
    ------
    ValueError      if the file is something else, of other units or of another crystal
    """
    path = Path(path)
    if path.is_dir():
        path = path / "phonopy.yaml"
    cell, positions, first, constants = _read(path, crystal.symbol)
    position_of = _onto_sites(positions, cell, crystal, path)
    reduced, _ = minkowski_reduce(cell)
    parts = []
    sublattice = crystal.sublattice[crystal.locate(position_of)[1]]
    for row, atom in enumerate(first):
        site, vector, share = nearest_images(position_of - position_of[atom], reduced)
        K = constants[row, site] * share[:, None, None]
        parts.append((np.full(len(site), sublattice[atom]), sublattice[site], vector, K))
    missing = set(range(len(crystal.primitive_atoms))) - {int(s[0]) for s, *_ in parts}
    if missing:
        raise ValueError(f"{path} has no force constants of sublattice {sorted(missing)}")
    table = ForceConstantTable(*(np.concatenate(column) for column in zip(*parts)))
    table = symmetrised(_averaged(table, crystal), crystal)
    return replace(table, edge=0.5 * float(thickness(cell).min()))


def _averaged(table, crystal):
    """One block for each pair: the mean over the atoms that translations make equal."""
    key = _pair_keys(table.s, table.t, table.xi, crystal)
    _, first, group, count = np.unique(
        key, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    total = np.zeros((len(first), *table.K.shape[1:]))
    np.add.at(total, group.ravel(), table.K)
    mean = total / count[:, None, None]
    return ForceConstantTable(table.s[first], table.t[first], table.xi[first], mean)


def _read(path, symbol):
    """Supercell (3, 3), positions (n, 3), atoms that have rows (m,), and the rows (m, n, 3, 3)."""
    with open(path, encoding="utf-8") as text:
        try:
            data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as error:
            raise ValueError(f"{path} is not YAML: {error}") from None
    if not isinstance(data, dict) or "supercell" not in data:
        raise ValueError(f"{path} is not a file of phonopy's: it has no entry 'supercell'")
    units = data.get("physical_unit", {})
    for kind, ours in _UNITS.items():
        if units.get(kind, ours).lower() != ours.lower():
            raise ValueError(f"{path} has {kind} in {units[kind]}; convert it to {ours}")
    lattice = np.array(data["supercell"]["lattice"], float)
    points = data["supercell"]["points"]
    strange = {p["symbol"] for p in points} - {symbol}
    if strange:
        raise ValueError(f"{path} holds {', '.join(sorted(strange))}; the crystal is of {symbol}")
    positions = np.array([p["coordinates"] for p in points], float) @ lattice
    if "force_constants" in data:
        first, constants = _rows_in_yaml(data, len(points))
    else:
        first, constants = _rows_in_text(path.parent / "FORCE_CONSTANTS", len(points))
    return lattice, positions, first, constants


def _rows_in_yaml(data, n):
    entry = data["force_constants"]
    constants = np.array(entry["elements"], float).reshape(*entry["shape"], 3, 3)
    if entry["format"] == "full":
        return np.arange(n), constants
    # compact: the atoms of the primitive cell, in the order of their first images
    images = [p["reduced_to"] - 1 for p in data["supercell"]["points"]]
    return np.array(list(dict.fromkeys(images))), constants


def _rows_in_text(path, n):
    """A header of one or two counts; then for every pair its indices and three rows."""
    if not path.exists():
        raise ValueError(f"no force constants in the YAML file, and no {path}")
    lines = path.read_text(encoding="utf-8").split("\n")
    shape = [int(v) for v in lines[0].split()]
    numbers = np.array(" ".join(lines[1:]).split(), float)
    rows, columns = shape if len(shape) == 2 else (shape[0], shape[0])
    if columns != n or len(numbers) != 11 * rows * n:
        raise ValueError(
            f"{path} holds {len(numbers)} numbers; {rows} x {columns} pairs of a supercell of {n} "
            f"atoms take {11 * rows * n}"
        )
    blocks = numbers.reshape(rows, n, 11)
    return blocks[:, 0, 0].astype(int) - 1, blocks[:, :, 2:].reshape(rows, n, 3, 3)


def _onto_sites(positions, cell, crystal, path):
    """The positions, shifted so that they are sites of the crystal (n, 3), and exactly so."""
    A = np.linalg.inv(crystal.cell)
    for atom in crystal.primitive_atoms:
        fractional = (positions - positions[0] + crystal.basis[atom]) @ A
        x = np.array([_nearest_site(f, crystal) for f in fractional])
        off = np.linalg.norm(x - fractional @ crystal.cell, axis=1)
        # at a lattice constant that differs a little the error grows with the distance
        if (off < 1e-4 * (1 + np.linalg.norm(fractional @ crystal.cell, axis=1))).all():
            stretch = cell @ A
            if np.abs(stretch - np.rint(stretch)).max() < 1e-3:
                return x
    raise ValueError(
        f"the supercell of {path} is no repetition of the {crystal.structure} cell of "
        f"{crystal.symbol} with a = {crystal.a:.5f} A, in this orientation"
    )


def _nearest_site(fractional, crystal):
    gap = fractional - crystal.basis @ np.linalg.inv(crystal.cell)
    k = np.abs(gap - np.rint(gap)).sum(axis=1).argmin()
    return np.rint(gap[k]) @ crystal.cell + crystal.basis[k]
