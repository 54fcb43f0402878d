"""Homogeneous crystals (the book's chapter 2).

A homogeneous crystal is a periodic cell with a basis.  Lengths in angstrom; positions have shape
(n_sites, d), d = 2 or 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize_scalar, root

from ..failures import require_number
from .cells import thickness

STRUCTURES = ("bcc", "fcc", "hcp", "diamond", "triangular")

#: Volume (2D: area) per atom in units of a^d; hcp at the ideal axial ratio.
_VOLUME = {
    "bcc": 1 / 2,
    "fcc": 1 / 4,
    "hcp": np.sqrt(1 / 2),
    "diamond": 1 / 8,
    "triangular": np.sqrt(3) / 2,
}


@dataclass(frozen=True)
class Crystal:
    """A homogeneous crystal: conventional unit cell and basis.

    Parameters
    ----------
    symbol : str              chemical symbol
    structure : str           one of `STRUCTURES`
    a : float                 lattice constant, A (triangular: the nearest-neighbour distance)
    c : float or None         hcp only, A; default a * sqrt(8/3)
    """

    symbol: str
    structure: str
    a: float
    c: float | None = None

    def __post_init__(self):
        if self.structure not in STRUCTURES:
            raise ValueError(
                f"structure {self.structure!r} is unknown; choose one of {', '.join(STRUCTURES)}"
            )
        if not isinstance(self.symbol, str) or self.symbol not in atomic_numbers:
            raise ValueError(
                f"symbol {self.symbol!r} is no chemical symbol; write W, Si, Cu ... or X for a toy"
            )
        for name in ("a", "c"):
            value = getattr(self, name)
            if name == "a" or value is not None:
                try:
                    fine = 0.1 < value < 20.0
                except (TypeError, ValueError):
                    fine = False
                if not fine:
                    raise ValueError(
                        f"lattice constant {name} = {value} A is outside 0.1 ... 20 A; lengths are "
                        "in angstrom"
                    )
        if self.structure == "hcp" and self.c is None:
            object.__setattr__(self, "c", self.a * np.sqrt(8 / 3))

    @cached_property
    def unit(self) -> Atoms:
        """The conventional unit cell as ASE Atoms (2D: in the plane z = 0)."""
        if self.structure == "triangular":
            cell = [[self.a, 0, 0], [self.a / 2, self.a * np.sqrt(3) / 2, 0], [0, 0, 1]]
            return Atoms(self.symbol, positions=[[0, 0, 0]], cell=cell, pbc=(True, True, False))
        if self.structure == "hcp":
            return bulk(self.symbol, "hcp", a=self.a, c=self.c)
        return bulk(self.symbol, self.structure, a=self.a, cubic=True)

    @property
    def dimension(self) -> int:
        return 2 if self.structure == "triangular" else 3

    @cached_property
    def cell(self) -> np.ndarray:
        """Rows are the lattice vectors, shape (d, d), A."""
        d = self.dimension
        return np.asarray(self.unit.cell)[:d, :d]

    @cached_property
    def basis(self) -> np.ndarray:
        """Positions of the basis atoms, shape (n_basis, d), A."""
        return self.unit.positions[:, : self.dimension]

    @cached_property
    def sublattice(self) -> np.ndarray:
        """Which atom of the *primitive* basis each basis atom is a copy of, shape (n_basis,)."""
        # fcc + (1/4, 1/4, 1/4): the two sublattices differ by that shift
        if self.structure == "diamond":
            return np.rint(4 * self.basis.sum(axis=1) / self.a).astype(int) % 2
        return np.arange(2) if self.structure == "hcp" else np.zeros(len(self.basis), int)

    @property
    def primitive_atoms(self) -> np.ndarray:
        """Indices of one basis atom of each sublattice: all that force constants need."""
        return np.unique(self.sublattice, return_index=True)[1]

    def stencil(
        self, cutoff: float, sites: ArrayLike | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Neighbour vectors of the infinite crystal.

        Returns R (n_pairs, d), offsets (n_sites + 1,), b (n_pairs,) basis index of the neighbour,
        n (n_pairs, d) the cell it is in; `sites` are basis indices (default: all).
        """
        of = np.arange(len(self.basis)) if sites is None else np.asarray(sites)
        if of.ndim != 1 or (of.size and (of.dtype.kind not in "iu" or not self._known(of))):
            raise ValueError(
                f"sites = {sites!r}: give indices of basis atoms, 0 to {len(self.basis) - 1}"
            )
        most = 100 * self.a  # some 10^7 neighbours
        cutoff = require_number("cutoff", cutoff, 0.0, most, "in angstrom")
        reach = np.ceil(cutoff / thickness(self.cell)).astype(int) + 1
        cells = np.array(list(product(*(range(-m, m + 1) for m in reach))))
        R, offsets, b, n = [], [0], [], []
        for i in of:
            vectors = (cells @ self.cell)[:, None] + self.basis - self.basis[i]
            r = np.linalg.norm(vectors, axis=2)
            c, k = np.nonzero((r < cutoff) & (r > 1e-8))
            R.append(vectors[c, k]), b.append(k), n.append(cells[c])
            offsets.append(offsets[-1] + len(k))
        if not len(of):
            d = self.dimension
            return np.zeros((0, d)), np.array([0]), np.zeros(0, int), np.zeros((0, d), int)
        return np.concatenate(R), np.array(offsets), np.concatenate(b), np.concatenate(n)

    def _known(self, sites):
        return sites.min() >= 0 and sites.max() < len(self.basis)

    def locate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which sites of the infinite crystal stand at the positions x (n, d), A: cells (n, d) int
        and basis indices (n,).

        Raises ValueError for a position that is no site.
        """
        if np.iscomplexobj(x):
            raise ValueError("positions are complex numbers: give real ones, A")
        inverse, x = np.linalg.inv(self.cell), np.asarray(x, float)
        if x.ndim != 2 or x.shape[1] != self.dimension or not np.isfinite(x).all():
            raise ValueError(
                f"positions of shape {x.shape}: give finite numbers (n, {self.dimension}), A"
            )
        if x.size and np.abs(x).max() > 1e8:
            raise ValueError(f"a position is {np.abs(x).max():.3g} A away: no longer exact")
        gap = (x @ inverse)[:, None] - self.basis @ inverse
        k = np.abs(gap - np.rint(gap)).sum(axis=2).argmin(axis=1)
        gap = gap[np.arange(len(k)), k]
        cells = np.rint(gap).astype(int)
        if len(gap) and np.abs(gap - cells).max() > 1e-6:
            off = np.abs(gap - cells).max(axis=1).argmax()
            raise ValueError(
                f"{np.asarray(x[off]).tolist()} A is not a site of the {self.structure} lattice"
            )
        return cells, k

    @cached_property
    def shells(self) -> np.ndarray:
        """Distances of the first five neighbour shells, A."""
        R, _, _, _ = self.stencil(3.1 * self.a, self.primitive_atoms[:1])
        return np.unique(np.round(np.linalg.norm(R, axis=1), 6))[:5]

    @property
    def norm_cutoff(self) -> float:
        """Pairs of the energy norm: within 1.2 x the second-neighbour distance, A."""
        return 1.2 * self.shells[1]

    def energy_per_atom(self, model: Any) -> Any:
        """V^h(0): site energy of the infinite crystal (mean over sublattices), eV; a basis gives
        one number a function, (K,).

        At this crystal's lattice constant, whichever model is asked: learned models are compared at
        the *reference's*.
        """
        if hasattr(model, "energy_per_atom"):  # a calculator: no site energies
            return model.energy_per_atom(self)
        R, offsets, _, _ = self.stencil(model.cutoff, self.primitive_atoms)
        return model.sites(R, offsets)[0].mean(axis=0)

    def pressure_work(self, potential: Any) -> np.ndarray:
        """dE/d(log strain) per atom along each axis, eV: zero for all axes at equilibrium."""
        if hasattr(potential, "pressure_work"):
            return potential.pressure_work(self)
        R, offsets, _, _ = self.stencil(potential.cutoff, self.primitive_atoms)
        return (potential.sites(R, offsets)[1] * R).sum(axis=0) / len(self.primitive_atoms)

    @classmethod
    def equilibrium(
        cls,
        potential: Any,
        structure: str | None = None,
        a: float | None = None,
        around: float = 0.06,
    ) -> Crystal:
        """The crystal at the potential's own lattice constant (hcp: a and c), to machine precision.

        Parameters
        ----------
        potential : SitePotential     carries symbol, structure and a first guess of the lattice
                                      constant
        structure : str               another lattice than the potential's own: its guess is kept at
                                      the same volume per atom
        a : float, A                  another first guess of the lattice constant
        around : float                relative width of the search around that guess

        The energy is least in a (hcp: the stress is zero); other strains and displacements may
        still lower it, as for bcc copper.

        Raises
        ------
        ValueError     if the energy has no minimum within that window, or there is no guess
        """
        natural: Any = getattr(potential, "structure", None)
        structure = structure or natural
        around = require_number("around", around, 1e-6, 0.5, "0.06 is a good width")
        if a is not None:
            a = require_number("a", a, 0.1, 20.0, "a lattice constant in angstrom")
        guess, ratio = (
            _first_guess(potential, structure, natural) if a is None else a,
            np.sqrt(8 / 3),
        )
        make = lambda a, c=None: cls(potential.symbol, structure, a, c)
        if structure == "hcp":
            work = lambda s: make(guess * s[0], guess * ratio * s[1]).pressure_work(potential)
            scale = minimize_scalar(
                lambda s: make(guess * s).energy_per_atom(potential),
                bounds=(1 - around, 1 + around),
                method="bounded",
            ).x
            # a calculator's stress has noise: differences of it need a step that outgrows it
            noise = potential.work_noise(make(guess)) if hasattr(potential, "work_noise") else 0.0
            options = {"eps": np.sqrt(noise / 100)} if noise > 1e-12 else {}
            both = lambda s: [work(s)[:2].sum(), work(s)[2]]
            found = root(both, [scale, scale], tol=1e-13, options=options)
            # no minimum at the window's end: beyond the cutoff there is no pressure anywhere
            outside = abs(scale - 1) > 0.98 * around or abs(found.x[0] - 1) > around
            if outside or np.abs(found.fun).max() > max(1e-8, 10 * noise):
                raise ValueError(
                    f"no hcp equilibrium of {potential.symbol} near a = {guess:.3f} A; "
                    "give another structure, or a better first guess a=..."
                )
            return make(guess * found.x[0], guess * ratio * found.x[1])
        scan = guess * np.linspace(1 - around, 1 + around, 25)
        k = int(np.argmin([make(a).energy_per_atom(potential) for a in scan]))
        if k in (0, len(scan) - 1):
            raise ValueError(
                f"no equilibrium of {structure} {potential.symbol} between {scan[0]:.3f} and "
                f"{scan[-1]:.3f} A; "
                "give another structure, or a better first guess a=..."
            )
        work = lambda a: make(a).pressure_work(potential).sum()
        return make(float(brentq(work, scan[k - 1], scan[k + 1], xtol=1e-14, rtol=1e-14)))


def _first_guess(potential, structure, natural):
    """The potential's guess of the lattice constant, at the same volume per atom when its own
    lattice is another.
    """
    guess = getattr(potential, "a0_guess", None)
    if structure not in STRUCTURES or guess is None:
        raise ValueError(
            f"{type(potential).__name__} of {potential.symbol} has structure {structure!r} and "
            f"first guess {guess} of its "
            f"lattice constant: give structure= (one of {', '.join(STRUCTURES)}) and a= (A)"
        )
    if natural in (None, structure):
        return guess
    if (natural == "triangular") != (structure == "triangular"):
        raise ValueError(
            f"{potential.symbol} is {natural}: no {structure} crystal of it, the dimensions differ"
        )
    return guess * (_VOLUME[natural] / _VOLUME[structure]) ** (1 / 3)
