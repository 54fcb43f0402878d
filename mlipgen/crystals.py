"""Crystals, supercells and point defects: the domain on which everything else lives.

A homogeneous crystal is a periodic cell with a basis (THEORY of the book, chapter 2).  A supercell repeats it
n1 x n2 (x n3) times; its sites are numbered cell by cell, so that a Fourier transform over cells is a reshape.
A defect is a list of atoms that remembers which site of the supercell each atom belongs to.
Everything is in angstrom; positions have shape (n_sites, d), d = 2 or 3, and become ASE `Atoms` on request.
"""
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import numpy as np
from ase import Atoms
from ase.build import bulk
from scipy.optimize import brentq, minimize_scalar, root

STRUCTURES = ("bcc", "fcc", "hcp", "diamond", "triangular")


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
            raise ValueError(f"structure {self.structure!r} is unknown; choose one of {', '.join(STRUCTURES)}")
        if not 0.1 < self.a < 20.0:
            raise ValueError(f"lattice constant a = {self.a} A is outside 0.1 ... 20 A; lengths are in angstrom")
        if self.structure == "hcp" and self.c is None:
            object.__setattr__(self, "c", self.a * np.sqrt(8 / 3))

    @cached_property
    def unit(self):
        """The conventional unit cell as ASE Atoms (2D: in the plane z = 0)."""
        if self.structure == "triangular":
            cell = [[self.a, 0, 0], [self.a / 2, self.a * np.sqrt(3) / 2, 0], [0, 0, 1]]
            return Atoms(self.symbol, positions=[[0, 0, 0]], cell=cell, pbc=(True, True, False))
        if self.structure == "hcp":
            return bulk(self.symbol, "hcp", a=self.a, c=self.c)
        return bulk(self.symbol, self.structure, a=self.a, cubic=True)

    @property
    def dimension(self):
        return 2 if self.structure == "triangular" else 3

    @cached_property
    def cell(self):
        """Rows are the lattice vectors, shape (d, d), A."""
        d = self.dimension
        return np.asarray(self.unit.cell)[:d, :d]

    @cached_property
    def basis(self):
        """Positions of the basis atoms, shape (n_basis, d), A."""
        return self.unit.positions[:, : self.dimension]

    @cached_property
    def sublattice(self):
        """Which atom of the *primitive* basis each basis atom is a translate of, shape (n_basis,)."""
        if self.structure == "diamond":  # fcc + (1/4, 1/4, 1/4): the two sublattices differ by that shift
            return np.rint(4 * self.basis.sum(axis=1) / self.a).astype(int) % 2
        return np.arange(2) if self.structure == "hcp" else np.zeros(len(self.basis), int)

    @property
    def primitive_atoms(self):
        """Indices of one basis atom of each sublattice: all that force constants need."""
        return np.unique(self.sublattice, return_index=True)[1]

    def stencil(self, cutoff, sites=None):
        """Neighbour vectors of the infinite crystal.

        Returns R (n_pairs, d), offsets (n_sites + 1,), b (n_pairs,) basis index of the neighbour,
        n (n_pairs, d) the cell it is in; `sites` are basis indices (default: all).
        """
        sites = np.arange(len(self.basis)) if sites is None else np.asarray(sites)
        reach = np.ceil(cutoff / thickness(self.cell)).astype(int) + 1
        cells = np.array(list(product(*(range(-m, m + 1) for m in reach))))
        R, offsets, b, n = [], [0], [], []
        for i in sites:
            vectors = (cells @ self.cell)[:, None] + self.basis - self.basis[i]
            r = np.linalg.norm(vectors, axis=2)
            c, k = np.nonzero((r < cutoff) & (r > 1e-8))
            R.append(vectors[c, k]), b.append(k), n.append(cells[c])
            offsets.append(offsets[-1] + len(k))
        return np.concatenate(R), np.array(offsets), np.concatenate(b), np.concatenate(n)

    def locate(self, x):
        """Which sites of the infinite crystal stand at the positions x (n, d), A: cells (n, d) int and basis indices (n,).

        Raises ValueError for a position that is no site.
        """
        inverse = np.linalg.inv(self.cell)
        gap = (x @ inverse)[:, None] - self.basis @ inverse
        k = np.abs(gap - np.rint(gap)).sum(axis=2).argmin(axis=1)
        gap = gap[np.arange(len(k)), k]
        cells = np.rint(gap).astype(int)
        if len(gap) and np.abs(gap - cells).max() > 1e-6:
            off = np.abs(gap - cells).max(axis=1).argmax()
            raise ValueError(f"{np.asarray(x[off]).tolist()} A is not a site of the {self.structure} lattice")
        return cells, k

    @cached_property
    def shells(self):
        """Distances of the first five neighbour shells, A."""
        R, _, _, _ = self.stencil(3.1 * self.a, self.primitive_atoms[:1])
        return np.unique(np.round(np.linalg.norm(R, axis=1), 6))[:5]

    @property
    def norm_cutoff(self):
        """Pairs of the energy norm: within 1.2 x the second-neighbour distance, A."""
        return 1.2 * self.shells[1]

    def energy_per_atom(self, potential):
        """Energy per atom of the infinite crystal, eV."""
        R, offsets, _, _ = self.stencil(potential.cutoff, self.primitive_atoms)
        return potential.sites(R, offsets)[0].mean()

    def pressure_work(self, potential):
        """dE/d(log strain) per atom along each axis, eV: zero for all axes at equilibrium."""
        R, offsets, _, _ = self.stencil(potential.cutoff, self.primitive_atoms)
        return (potential.sites(R, offsets)[1] * R).sum(axis=0) / len(self.primitive_atoms)

    @classmethod
    def equilibrium(cls, potential, structure=None, around=0.06):
        """The crystal at the potential's own lattice constant (hcp: a and c), to machine precision.

        Parameters
        ----------
        potential : SitePotential     carries symbol, structure and a first guess of the lattice constant
        around : float                relative width of the search around that guess

        Raises
        ------
        ValueError     if the energy has no minimum within that window
        """
        structure = structure or potential.structure
        guess, ratio = potential.a0_guess, np.sqrt(8 / 3)
        make = lambda a, c=None: cls(potential.symbol, structure, a, c)  # noqa: E731
        if structure == "hcp":
            work = lambda s: make(guess * s[0], guess * ratio * s[1]).pressure_work(potential)  # noqa: E731
            scale = minimize_scalar(lambda s: make(guess * s).energy_per_atom(potential),
                                    bounds=(1 - around, 1 + around), method="bounded").x
            found = root(lambda s: [work(s)[:2].sum(), work(s)[2]], [scale, scale], tol=1e-13)
            if np.abs(found.fun).max() > 1e-8:
                raise ValueError(f"no hcp equilibrium of {potential.symbol} near a = {guess:.3f} A: {found.message}")
            return make(guess * found.x[0], guess * ratio * found.x[1])
        scan = guess * np.linspace(1 - around, 1 + around, 25)
        k = int(np.argmin([make(a).energy_per_atom(potential) for a in scan]))
        if k in (0, len(scan) - 1):
            raise ValueError(f"no equilibrium of {structure} {potential.symbol} between {scan[0]:.3f} and {scan[-1]:.3f} A; "
                             "give another structure, or a potential with a better a0_guess")
        work = lambda a: make(a).pressure_work(potential).sum()  # noqa: E731
        return make(float(brentq(work, scan[k - 1], scan[k + 1], xtol=1e-14, rtol=1e-14)))


def thickness(cell):
    """Distances between opposite faces of a cell (rows are lattice vectors), shape (d,), A."""
    return 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)


def require_thickness(cell, cutoff, factor=2.0, what="cell"):
    """Refuse a cell thinner than `factor` cutoffs: an atom would see two images of the same neighbour."""
    thin = thickness(cell).min()
    if thin < factor * cutoff:
        raise ValueError(f"{what} is {thin:.2f} A thick, thinner than {factor:g} x the cutoff {cutoff:.2f} A; "
                         "repeat the unit cell more often or use a shorter cutoff")


def minimum_image(vectors, cell):
    """The shortest periodic image of each vector, shape (n, d)."""
    near = vectors - np.rint(vectors @ np.linalg.inv(cell)) @ cell
    if np.allclose(cell, np.diag(np.diag(cell))):
        return near
    images = np.array(list(product((-1, 0, 1), repeat=len(cell)))) @ cell  # skew cells: look at the next images too
    best = near.copy()
    for shift in images:
        closer = ((near + shift) ** 2).sum(-1) < (best**2).sum(-1) - 1e-12
        best[closer] = (near + shift)[closer]
    return best


@dataclass(frozen=True)
class Supercell:
    """n1 x n2 (x n3) conventional cells of a crystal with periodic boundaries; site = cell * n_basis + basis atom."""

    crystal: Crystal
    n: tuple

    def __post_init__(self):
        n = (self.n,) * self.crystal.dimension if np.isscalar(self.n) else tuple(self.n)
        if len(n) != self.crystal.dimension or any(int(m) != m or m < 1 for m in n):
            raise ValueError(f"supercell size {self.n!r}: give a positive integer or {self.crystal.dimension} of them")
        object.__setattr__(self, "n", tuple(int(m) for m in n))

    @property
    def cell(self):
        return np.array(self.n)[:, None] * self.crystal.cell

    @cached_property
    def positions(self):
        grid = np.stack(np.meshgrid(*(np.arange(m) for m in self.n), indexing="ij"), -1).reshape(-1, len(self.n))
        return ((grid @ self.crystal.cell)[:, None] + self.crystal.basis).reshape(-1, len(self.n))

    def __len__(self):
        return int(np.prod(self.n)) * len(self.crystal.basis)

    def central_site(self):
        """A site near the middle of the cell: where point defects go, so that pictures look right."""
        middle = self.cell.sum(axis=0) / 2
        return int(np.argmin(((self.positions - middle) ** 2).sum(axis=1).round(6)))


@dataclass(frozen=True)
class Defect:
    """Atoms of a supercell with a defect, before relaxation.

    positions : (n_atoms, d), A           the starting sites; displacements u are measured from here
    lattice_index : (n_atoms,)            site of the homogeneous supercell each atom belongs to (a dumbbell shares one)
    homogeneous : Supercell
    centre : (d,), A
    """

    name: str
    positions: np.ndarray
    lattice_index: np.ndarray
    homogeneous: Supercell
    centre: np.ndarray = field(repr=False)

    def __len__(self):
        return len(self.positions)

    @property
    def cell(self):
        return self.homogeneous.cell

    @property
    def crystal(self):
        return self.homogeneous.crystal

    @property
    def occupation(self):
        """Atoms on each site of the homogeneous supercell, shape (n_sites,): 0 vacant, 2 a dumbbell."""
        return np.bincount(self.lattice_index, minlength=len(self.homogeneous))

    def sum_on_sites(self, values):
        """Sums of atomic values (n_atoms, d) over the atoms of each site of the homogeneous supercell: (n_sites, d)."""
        return np.stack([np.bincount(self.lattice_index, column, len(self.homogeneous)) for column in values.T], axis=1)

    def atoms(self, positions=None):
        """ASE Atoms at the starting sites or at `positions` (n_atoms, d)."""
        return as_atoms(self.crystal.symbol, self.positions if positions is None else positions, self.cell)

    def distance(self):
        """Distance of every atom from the defect centre, shape (n_atoms,), A."""
        return np.linalg.norm(minimum_image(self.positions - self.centre, self.cell), axis=1)

    @classmethod
    def from_atoms(cls, atoms, supercell, name="user"):
        """Any ASE Atoms with a defect in the given homogeneous supercell (same cell vectors).

        Each atom is labelled by its nearest site; sites no atom claims are vacancies, sites claimed twice interstitials.
        """
        d = supercell.crystal.dimension
        if not np.allclose(np.asarray(atoms.cell)[:d, :d], supercell.cell, rtol=1e-6):
            raise ValueError(f"the cell of the atoms {np.asarray(atoms.cell)[:d, :d].tolist()} is not the supercell's "
                             f"{supercell.cell.tolist()}; build the Supercell with the lattice constant of the atoms")
        if set(atoms.symbols) != {supercell.crystal.symbol}:
            raise ValueError(f"atoms are {sorted(set(atoms.symbols))}, the crystal is {supercell.crystal.symbol}")
        x = atoms.positions[:, :d]
        site = np.array([np.argmin((minimum_image(supercell.positions - p, supercell.cell) ** 2).sum(1)) for p in x])
        counts = np.bincount(site, minlength=len(supercell))
        odd = np.flatnonzero(counts != 1)
        if not len(odd):
            raise ValueError("every site of the supercell holds one atom: there is no defect")
        first = supercell.positions[odd[0]]
        centre = first + minimum_image(supercell.positions[odd] - first, supercell.cell).mean(axis=0)
        return cls(name, x.copy(), site, supercell, centre)


def as_atoms(symbol, positions, cell):
    """ASE Atoms from (n, d) positions and a (d, d) cell; two-dimensional ones lie in the plane z = 0."""
    d = positions.shape[1]
    full, box = np.zeros((len(positions), 3)), np.diag([1.0, 1.0, 10.0])
    full[:, :d], box[:d, :d] = positions, cell
    return Atoms([symbol] * len(full), positions=full, cell=box, pbc=[True] * d + [False] * (3 - d))


def _remove(supercell, sites, name):
    keep = np.setdiff1d(np.arange(len(supercell)), sites)
    centre = supercell.positions[sites].mean(axis=0)
    return Defect(name, supercell.positions[keep], keep, supercell, centre)


def vacancy(supercell):
    """One atom missing in the middle of the supercell."""
    return _remove(supercell, [supercell.central_site()], "vacancy")


def divacancy(supercell):
    """Two neighbouring atoms missing."""
    first = supercell.central_site()
    r = np.linalg.norm(minimum_image(supercell.positions - supercell.positions[first], supercell.cell), axis=1)
    return _remove(supercell, [first, int(np.flatnonzero(np.isclose(r, supercell.crystal.shells[0]))[0])], "divacancy")


def dumbbell(supercell, direction="111", separation=0.75):
    """Two atoms share one site, displaced along +-direction (an interstitial).

    direction : str       Miller digits "100", "110" or "111" (2D: "10" or "11")
    separation : float    distance of the two atoms before relaxation, in nearest-neighbour distances
    """
    d = supercell.crystal.dimension
    allowed = ("10", "01", "11") if d == 2 else ("100", "010", "001", "110", "101", "011", "111")
    if direction not in allowed:
        raise ValueError(f"dumbbell direction {direction!r} is unknown; choose one of {', '.join(allowed)}")
    axis = np.array([int(c) for c in direction], float)
    axis *= 0.5 * separation * supercell.crystal.shells[0] / np.linalg.norm(axis)
    site = supercell.central_site()
    positions = np.vstack([supercell.positions, supercell.positions[site] - axis])
    positions[site] += axis
    return Defect(f"dumbbell-{direction}", positions, np.append(np.arange(len(supercell)), site), supercell,
                  supercell.positions[site])


DEFECTS = {"vacancy": vacancy, "divacancy": divacancy,
           **{f"dumbbell-{m}": (lambda cell, m=m: dumbbell(cell, m)) for m in ("100", "110", "111")}}


def build_defect(name, supercell):
    """Defect by name; see `DEFECTS`."""
    if supercell.crystal.dimension == 2 and name.startswith("dumbbell-"):
        return dumbbell(supercell, name.split("-")[1])
    if name not in DEFECTS:
        raise ValueError(f"defect {name!r} is unknown; choose one of {', '.join(DEFECTS)}")
    return DEFECTS[name](supercell)
