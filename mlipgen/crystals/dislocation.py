"""Straight screw dislocations of bcc crystals: a cylinder about the line, and a periodic dipole.

Axes are x = [11-2], y = [-110] and z = [111], the line; one period along it is the Burgers vector
b = a sqrt(3) / 2.  Lengths in A.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .lattice import Crystal

#: Rows are the unit vectors of the axes.
AXES = np.array([[1.0, 1, -2], [-1, 1, 0], [1, 1, 1]])
AXES /= np.linalg.norm(AXES, axis=1)[:, None]


def slab(crystal: Crystal, low: tuple, high: tuple, periods: int = 1) -> np.ndarray:
    """Atoms of the perfect crystal with low <= (x, y) < high and 0 <= z < periods b, (n, 3), A;
    one of them at the origin."""
    if crystal.structure != "bcc":
        raise ValueError(f"a <111> screw dislocation needs a bcc crystal, not {crystal.structure}")
    a, b = crystal.a, burgers_length(crystal)
    # the orthogonal cell of six atoms: (a sqrt 6, a sqrt 2, b)
    edge = np.array([a * np.sqrt(6), a * np.sqrt(2), b])
    grid = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3, indexing="ij"), -1).reshape(-1, 3)
    lattice = a / 2 * (2 * grid[:, None] + np.array([[0, 0, 0], [1, 1, 1]])).reshape(-1, 3)
    s = lattice @ AXES.T / edge
    s = s[((s > -1e-9) & (s < 1 - 1e-9)).all(axis=1)]
    first = np.floor(np.array([*low, 0.0]) / edge).astype(int) - 1
    last = np.ceil(np.array([*high, 0.0]) / edge).astype(int) + 1
    first[2], last[2] = 0, periods
    cells = np.stack(
        np.meshgrid(*[np.arange(m, n) for m, n in zip(first, last)], indexing="ij"), -1
    ).reshape(-1, 1, 3)
    x = ((cells + s) * edge).reshape(-1, 3)
    inside = (x[:, :2] >= np.array(low) - 1e-9) & (x[:, :2] < np.array(high) - 1e-9)
    return x[inside.all(axis=1)]


def burgers_length(crystal: Crystal) -> float:
    """|b| of a/2 [111], A."""
    return crystal.a * np.sqrt(3) / 2


def core_position(crystal: Crystal) -> np.ndarray:
    """Where the line is, (2,), A: the middle of a triangle of [111] columns (the easy core)."""
    return crystal.a * np.array([np.sqrt(6), np.sqrt(2)]) / 6


@dataclass(frozen=True)
class Cylinder:
    """Perfect crystal about the line of a screw dislocation, one period thick.

    Atoms nearer to the line than `radius` are free; those of a rim of thickness `rim` are held.
    Use a rim of two cutoffs: then every atom within one cutoff of the free ones has all its
    neighbours, and the vacuum outside is not felt.

    positions : (n, 3), A;  free, counted : (n,) of bool, within the radius, and half a rim further
    cell : (3, 3), A, wide enough that images across the vacuum do not meet
    """

    crystal: Crystal
    radius: float
    rim: float
    positions: np.ndarray = field(init=False, repr=False)

    def __post_init__(self):
        if not (self.radius > self.crystal.a and self.rim > 0):
            raise ValueError(
                f"radius = {self.radius} A and rim = {self.rim} A: give a radius beyond a lattice "
                "constant and a positive rim"
            )
        out, core = self.radius + self.rim, core_position(self.crystal)
        x = slab(self.crystal, tuple(core - out), tuple(core + out))
        x[:, :2] -= core
        object.__setattr__(self, "positions", x[np.hypot(*x[:, :2].T) < out])

    def __len__(self):
        return len(self.positions)

    @cached_property
    def distance(self) -> np.ndarray:
        """Of each atom from the line, in the perfect crystal, (n,), A."""
        return np.hypot(*self.positions[:, :2].T)

    @property
    def free(self) -> np.ndarray:
        return self.distance < self.radius

    @property
    def counted(self) -> np.ndarray:
        return self.distance < self.radius + self.rim / 2

    @property
    def core(self) -> np.ndarray:
        """The atoms of the three columns about the line, (n,) of bool."""
        return self.distance < 1.1 * self.crystal.a * np.sqrt(2) / 3

    @property
    def cell(self) -> np.ndarray:
        wide = 2 * (self.radius + 2 * self.rim)
        return np.diag([wide, wide, burgers_length(self.crystal)])

    @property
    def burgers(self) -> np.ndarray:
        """b along the line, (3,), A."""
        return np.array([0.0, 0.0, burgers_length(self.crystal)])


def screw_dipole(
    crystal: Crystal, n: tuple[int, int], periods: int = 4, images: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """A periodic cell of n[0] x n[1] x `periods` orthogonal cells (a sqrt 6, a sqrt 2, b), n[0]
    even, with two screw dislocations of opposite sign about half a cell apart along x: positions
    (n, 3) and cell (3, 3), A.

    Both are easy cores: inversion through an atom takes one to the other.  The field of the
    isotropic continuum, b angle / 2 pi, is summed over periodic images.  The sum depends on its
    order by a linear field; that field is chosen, and the cell tilted along the line, so that the
    mean strain is that of the slip between the two, b dx / Lx and b dy / Ly, and no mean stress
    drives them.
    """
    if n[0] % 2:
        raise ValueError(f"n = {n}: the number of cells along x must be even")
    a, b = crystal.a, burgers_length(crystal)
    Lx, Ly = n[0] * a * np.sqrt(6), n[1] * a * np.sqrt(2)
    x = slab(crystal, (0.0, 0.0), (Lx, Ly), periods)
    first = core_position(crystal) + [(n[0] // 4) * a * np.sqrt(6), (n[1] // 2) * a * np.sqrt(2)]
    second = first - 2 * core_position(crystal) + [Lx / 2, 0.0]
    dx, dy = second - first
    slip = b * dy / Ly, -b * dx / Lx
    many = range(-images, images + 1)
    shifts = [(i * Lx, j * Ly) for i in many for j in many]

    def angles(points):
        out = np.zeros(len(points))
        for sign, core in ((1, first), (-1, second)):
            for shift in shifts:
                out += sign * b / (2 * np.pi) * np.arctan2(*(points - core - shift).T[::-1])
        return out

    # What a period along x or y adds, up to jumps of b along the cuts, and what it should add.
    probe = np.array([[0.123 * a, 0.217 * a]])
    gains = [angles(probe + step) - angles(probe) for step in ((Lx, 0.0), (0.0, Ly))]
    off = [float(g[0] - s - b * np.rint((g[0] - s) / b)) for g, s in zip(gains, slip)]
    u = np.zeros_like(x)
    u[:, 2] = angles(x[:, :2]) - off[0] * x[:, 0] / Lx - off[1] * x[:, 1] / Ly
    return x + u, np.array([[Lx, 0, slip[0]], [0, Ly, slip[1]], [0, 0, periods * b]])
