"""Ways to spend a labelling budget: training sets for a defect, and what each calculation costs.

A `Recipe` names its data, its kinds of observation and their weights.  A calculation on n atoms
costs n atom calls, or n^3 where the price is that of a cubically scaling method.  Fixed parts are
paid first (relaxing a defect cell, force constants, virials); what is left buys configurations, one
after the other, so a larger budget holds the calculations of a smaller one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numpy as np
from scipy.linalg import qr

from ..crystals import Crystal, Supercell, build_defect, thickness
from ..crystals.defects import Defect
from ..equilibrium import LatticeGreen, relax
from ..learning.observations import Forces, WeightedForces
from .data_cells import AnyCell, CellEnergy, CellVirial, DualForces, HessianColumn, dual_root

#: Weights of virials and force constants, the small and the larger pair of chapter 9.
SMALL, USUAL = {"V": 1.0, "FC": 0.01}, {"V": 10.0, "FC": 0.1}

#: Rattles, A, are drawn from 0 to this: near a relaxed defect, and of cells without one.
NEAR, FAR = 0.03, 0.1

#: A defect cell counts as relaxed below this force, eV/A.
RELAXED = 1e-2


@dataclass(frozen=True)
class Calculation:
    """What is labelled at once: its atoms, the force calls it takes, what is observed."""

    atoms: int
    observations: tuple
    calls: int = 1

    @property
    def cost(self) -> int:
        """Atom calls."""
        return self.atoms * self.calls

    @property
    def cubic(self) -> int:
        """The price where a call costs the cube of its atoms."""
        return self.atoms**3 * self.calls


@dataclass(frozen=True)
class Recipe:
    """One entry of the contest.

    source : name of a method of `Sources`, or "list", see `data_purse`;  kinds : of observation
    crystal_data : force constants and virials of the perfect crystal are paid for and fitted
    """

    source: str
    kinds: str
    crystal_data: bool = False
    weights: dict = field(default_factory=dict)


#: The entries by name: what the theory suggests, its parts one by one, and current practice.
RECIPES = {
    "defect cells": Recipe("small", "EF"),
    "second size": Recipe("wide", "EF"),
    "two sizes": Recipe("two", "EF"),
    "theory, plain forces": Recipe("two", "EFV+FC", True, SMALL),
    "theory, weight 1 + r": Recipe("two", "EV+Fw+FC", True, SMALL),
    "theory, dual norm": Recipe("two", "EV+Fd+FC", True, SMALL),
    "theory, by the list": Recipe("list", "EFV+FC", weights=SMALL),
    "perfect cells": Recipe("perfect", "EF"),
    "perfect cells + virials": Recipe("perfect", "EFV"),
    "large defect cells": Recipe("unrelaxed", "EF"),
    "2 to 8 atoms": Recipe("tiny", "EFV"),
    "D-optimal": Recipe("pool", "EF"),
    "Hessian columns": Recipe("columns", "EF+HC"),
}


class Sources:
    """Streams of calculations for one crystal, defect and seed.

    potential, crystal, basis;  sizes : (small, second, large) cells;  everything is drawn in order
    from the seed, and labels are made by whoever reads the observations;  like : of another seed,
    whose relaxed cells are used again
    """

    def __init__(self, potential, crystal: Crystal, basis, defect: str, sizes, seed, like=None):
        self.potential, self.crystal, self.basis = potential, crystal, basis
        self.defect, self.sizes, self.seed = defect, sizes, seed
        self._relaxed: dict = like._relaxed if like else {}
        self._roots: dict = like._roots if like else {}
        self._zeros: dict = like._zeros if like else {}

    def relaxed(self, n: int) -> tuple[Defect, np.ndarray, int]:
        """The defect in a cell of size n, its displacements and the force calls they took."""
        if n not in self._relaxed:
            start = build_defect(self.defect, Supercell(self.crystal, n))
            found = relax(self.potential, start, tolerance=RELAXED, saddle="ignore")
            self._relaxed[n] = start, found.u, found.force_evaluations
        return self._relaxed[n]

    def root(self, n: int) -> np.ndarray:
        """`dual_root` of the cell of size n."""
        if n not in self._roots:
            start = self.relaxed(n)[0]
            self._roots[n] = dual_root(LatticeGreen(self.potential, start.homogeneous), start)
        return self._roots[n]

    def fixed(self, source: str) -> list[Calculation]:
        """What has to be paid before the first configuration."""
        used = {"two": self.sizes[:2], "small": self.sizes[:1], "columns": self.sizes[:1]}
        used |= {"wide": self.sizes[1:2], "list": self.sizes[:1]}
        out = []
        for n in used.get(source, ()):
            start, _, calls = self.relaxed(n)
            out.append(Calculation(len(start), (), calls))
        return out

    def stream(self, source: str) -> Iterator[Calculation]:
        """Endless configurations, with every kind of observation that a recipe may want of them."""
        rng = np.random.default_rng([self.seed, sorted(_DRAWN).index(source)])
        return _DRAWN[source](self, rng)

    def _near(self, n, rng, weighted=False):
        start, u, _ = self.relaxed(n)
        scale, sigma = 1.0, 0.0  # the relaxed cell first
        while True:
            x = start.positions + scale * u + sigma * rng.standard_normal(u.shape)
            c = AnyCell(x, start.cell, self.crystal, start.centre, zeros=self._zeros)
            more = (WeightedForces(c), DualForces(c, self.root(n))) if weighted else ()
            yield Calculation(len(x), (CellEnergy(c), Forces(c), *more))
            scale, sigma = rng.uniform(0.7, 1.2), rng.uniform(0, NEAR)

    def _small(self, rng):
        return self._near(self.sizes[0], rng)

    def _wide(self, rng):
        return self._near(self.sizes[1], rng)

    def _two(self, rng):
        """Equal atoms of both sizes: whichever has had fewer is next."""
        streams = [self._near(n, rng, weighted=True) for n in self.sizes[:2]]
        spent = [0, 0]
        while True:
            k = int(spent[1] < spent[0])
            calculation = next(streams[k])
            spent[k] += calculation.atoms
            yield calculation

    def _cell(self, x, cell):
        c = AnyCell(x, cell, self.crystal, zeros=self._zeros)
        return Calculation(len(x), (CellEnergy(c), Forces(c), CellVirial(c)))

    def _rattled(self, start, rng):
        while True:
            noise = rng.uniform(0, FAR) * rng.standard_normal(start.positions.shape)
            yield self._cell(start.positions + noise, start.cell)

    def _perfect(self, rng):
        return self._rattled(Supercell(self.crystal, self.sizes[2]), rng)

    def _unrelaxed(self, rng):
        large = Supercell(self.crystal, self.sizes[2])
        return self._rattled(build_defect(self.defect, large), rng)

    def _tiny(self, rng):
        """Conventional cells of up to eight atoms, strained by up to 8 % and rattled."""
        c = self.crystal
        shapes = [s for s in ((1, 1, 1), (2, 1, 1), (2, 2, 1)) if np.prod(s) * len(c.basis) <= 8]
        for shape in cycle(shapes):
            home = Supercell(c, shape)
            F = np.eye(3) + rng.uniform(0, 0.08) * rng.uniform(-1, 1, (3, 3))
            noise = rng.uniform(0, 2 * FAR) * rng.standard_normal((len(home), 3))
            yield self._cell((home.positions + noise) @ F.T, home.cell @ F.T)

    def _pool(self, rng, size=120):
        """D-optimal: of a pool of candidates, those whose sites pivot a QR factorisation of the
        descriptors, in the order of the pivots; then from a new pool."""
        perfect = Supercell(self.crystal, self.sizes[0])
        defect = build_defect(self.defect, perfect)
        tiny = self._tiny(rng)
        e0 = self.crystal.energy_per_atom(self.basis)
        while True:
            both = [self._rattled(s, rng) for s in (defect, perfect)]
            pool = [next(s) for _ in range(size // 3) for s in (*both, tiny)]
            B = [p.observations[0].configuration.evaluate(self.basis)[0] - e0 for p in pool]
            owner = np.repeat(np.arange(len(pool)), [len(b) for b in B])
            pivots = qr(np.concatenate(B).T / self.basis.prior[:, None], mode="r", pivoting=True)[1]
            chosen = dict.fromkeys(owner[pivots[: len(self.basis)]])
            yield from (pool[k] for k in chosen)

    def _columns(self, rng):
        """Rattled cells and columns of the relaxed cell's Hessian in turns, at equal cost."""
        start, u, _ = self.relaxed(self.sizes[0])
        c = AnyCell(start.positions + u, start.cell, self.crystal, start.centre)
        cells = self._near(self.sizes[0], rng)
        while True:
            for axis in rng.permutation(u.size):
                yield next(cells)
                yield next(cells)
                yield Calculation(len(u), (HessianColumn(c, int(axis)),), calls=2)


_DRAWN: dict[str, Callable] = {
    name: getattr(Sources, f"_{name}")
    for name in ("small", "two", "perfect", "unrelaxed", "tiny", "pool", "columns", "wide")
}


def crystal_cost(potential: Any, crystal: Crystal, strains: int) -> list[Calculation]:
    """What force constants and virials of the perfect crystal cost, without observations.

    One atom displaced both ways along one axis (cubic crystals: symmetry gives the rest) in the
    smallest cell four cutoffs thick, and one primitive cell for each strain.
    """
    n = int(np.ceil(4 * potential.cutoff / thickness(crystal.cell).min()))
    return [
        Calculation(len(Supercell(crystal, n)), (), calls=2),
        Calculation(len(crystal.primitive_atoms), (), calls=strains),
    ]


def loss_settings(weights: dict, atoms: Sequence[int], strained: int = 0, size: int = 1) -> dict:
    """The loss sum_k w_k^2 |residual|^2 in the terms of two common forms of a loss.

    weights : of E (totals), F and V (eV per atom);  atoms : of each defect cell;  strained : number
    of strained crystal cells of `size` atoms that show virials only

    Means of squares (as in MACE's code): energy and virial errors per atom, averaged over all n
    configurations and the nine components, force errors averaged over all 3 A components:
    "forces", "energy", "config_energy" (for each cell, of mean one), "virials".

    Normalised (as in Bochkarev et al. 2022): (1 - kappa) sum_c a_c (dE_c / N_c)^2 + kappa sum_i b_i
    |dF_i|^2 with sum a = sum b = 1, of the defect cells: "kappa", "a" for each cell.
    """
    N = np.asarray(atoms, float)
    w = {k: weights.get(k, 0.0) ** 2 for k in "EFV"}
    n, A = len(N) + strained, N.sum() + strained * size
    mean = (N**2).mean()
    energies, forces = w["E"] * (N**2).sum(), w["F"] * N.sum()
    return {
        "forces": 1.0,
        "energy": n * w["E"] * mean / (3 * A * w["F"]),
        "config_energy": N**2 / mean,
        "virials": 3 * n * w["V"] / (A * w["F"]),
        "kappa": forces / (energies + forces),
        "a": N**2 / (N**2).sum(),
    }
