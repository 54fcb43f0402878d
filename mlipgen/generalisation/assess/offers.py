"""Structures that might be labelled: what each shows, what it costs, how it is written.

Written as extended XYZ with the weights that these codes read from a structure's comment line:
MACE config_type, config_weight and config_{energy,forces,stress,virials}_weight (its
mace/data/utils.py), ace-jax config_type and weight (its fit/weights.py), GPUMD weight (train.xyz
of its nep).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...crystals import Supercell, as_atoms, thickness
from ...learning import (
    Configuration,
    Energy,
    ForceConstants,
    Forces,
    Virial,
    labelling_cost,
    strains,
)
from ...potentials.calculator_model import DEFAULT_THICKNESS
from ...potentials.finite_differences import displacements
from ..composite import restriction, same_defect
from .crystal import Pair
from .defect import Settings

#: Strains of the crystal, relative, that are offered.
STRAINS = (0.005, 0.02)
#: A, displacement of an atom for force constants.
STEP = 0.02
#: Rattled copies offered of each defect cell.
COPIES = 3


@dataclass(frozen=True, eq=False)
class Candidate:
    """An observation that could be bought: `count` structures of `atoms` atoms each.

    observations : of which a linear model's rows are made
    frames : list of (positions, cell)          to be written
    defect : its name, and `seen` (n,) bool     atoms of the domain that the structure shows
    """

    kinds: str
    structure: str
    cells: tuple
    atoms: int
    count: int
    cost: float
    observations: list = field(repr=False)
    frames: list = field(repr=False)
    symbol: str = ""
    defect: str = ""
    seen: np.ndarray | None = field(default=None, repr=False)

    @property
    def shows(self) -> bool:
        return self.seen is not None

    def structures(self, rank: int, gain: float) -> list:
        """As ASE Atoms, with what is to be observed in `info`."""
        out = []
        wanted = {"energy": "E", "forces": ("F", "FC"), "stress": "V", "virials": "V"}
        for x, cell in self.frames:
            atoms = as_atoms(self.symbol, x, cell)
            label = re.sub(
                r"[^a-z0-9.]+", "-", f"{self.structure} {'x'.join(map(str, self.cells))}"
            )
            atoms.info |= {"config_type": label, "config_weight": 1.0, "weight": 1.0}
            for name, kinds in wanted.items():
                weight = float(any(kind in self._letters() for kind in kinds))
                atoms.info[f"config_{name}_weight"] = weight
            atoms.info |= {"rank": rank, "gain": round(float(gain), 4)}
            out.append(atoms)
        return out

    def _letters(self):
        return ("FC",) if self.kinds == "FC" else tuple(self.kinds)


def defect_candidates(pair: Pair, cells: Sequence, found: Any, shop: Any) -> list[Candidate]:
    """Energy and forces of the defect in these cells, rattled."""
    out, large = [], found.equilibrium.defect
    rng = np.random.default_rng(shop.seed)
    for k in cells:
        small = same_defect(found.defect, pair.target, k)
        at = small.positions + restriction(large, small) @ found.equilibrium.u
        inside = large.distance() < 0.5 * thickness(small.cell).min()
        for copy in range(COPIES):
            sigma = shop.rattle * copy / (COPIES - 1)
            x = at + sigma * rng.standard_normal(at.shape)
            place = Configuration(x, small.cell, pair.target, small.centre)
            name = f"{small.name}" + (f", rattled by {sigma:g} Å" if sigma else "")
            out.append(
                Candidate(
                    kinds="EF",
                    structure=name,
                    cells=small.homogeneous.n,
                    atoms=len(small),
                    count=1,
                    cost=float(len(small)) ** shop.power,
                    observations=[Energy(place), Forces(place)],
                    frames=[(x, small.cell)],
                    symbol=pair.target.symbol,
                    defect=found.name,
                    seen=inside,
                )
            )
    return out


def sizes(pair: Pair, settings: Settings) -> list:
    """Sizes of the defect cells: from two cutoffs thick to the largest check cell."""
    largest, cutoff = settings.checks[-1], pair.candidate.cutoff
    if not isinstance(largest, int):
        return list(settings.checks)
    thick = lambda k: thickness(Supercell(pair.target, k).cell).min()
    return [k for k in range(2, largest + 1) if thick(k) >= 2 * cutoff]


def crystal_candidates(pair: Pair, power: float) -> list[Candidate]:
    """Virials of the strained crystal, and force constants from displaced atoms."""
    crystal = pair.target
    cutoff = max(pair.candidate.cutoff, pair.reference.cutoff)
    out = [_strained(crystal, cutoff, size, power) for size in STRAINS]
    return [*out, _displaced(crystal, cutoff, power)]


def _strained(crystal, cutoff, size, power):
    F = strains(crystal.dimension, (size,))[1:]
    if crystal.structure != "hcp":  # one stretch and one shear: symmetry gives the others
        one = lambda G, i, j: np.isclose(abs(G - np.eye(crystal.dimension))[i, j], size)
        F = [G for G in F if one(G, 0, 0) or one(G, 0, 1)]
    n = np.ceil(2 * cutoff / thickness(crystal.cell) - 1e-9).astype(int)
    cell = Supercell(crystal, tuple(np.maximum(n, 1).tolist()))
    return Candidate(
        kinds="V",
        structure=f"crystal strained by {100 * size:g} %",
        cells=cell.n,
        atoms=len(cell),
        count=len(F),
        cost=labelling_cost(crystal, cutoff, virials=len(F), power=power),
        observations=[Virial(crystal, G) for G in F],
        frames=[(cell.positions @ G.T, cell.cell @ G.T) for G in F],
        symbol=crystal.symbol,
    )


def _displaced(crystal, cutoff, power):
    thick = 4 * cutoff or DEFAULT_THICKNESS
    n = np.ceil(thick / thickness(crystal.cell) - 1e-9).astype(int)
    cell = Supercell(crystal, tuple(n.tolist()))
    frames = []
    for s, v, reversal in displacements(crystal):
        for sign in (1,) if reversal is not None else (1, -1):
            x = cell.positions.copy()
            x[crystal.primitive_atoms[s]] += sign * STEP * v
            frames.append((x, cell.cell))
    return Candidate(
        kinds="FC",
        structure=f"crystal, one atom displaced by {STEP:g} Å",
        cells=cell.n,
        atoms=len(cell),
        count=len(frames),
        cost=len(frames) * float(len(cell)) ** power,
        observations=[ForceConstants(crystal)],
        frames=frames,
        symbol=crystal.symbol,
    )
