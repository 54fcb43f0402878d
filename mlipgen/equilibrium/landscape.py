"""A model's energy landscape in one periodic cell: all that anything above asks of a model.

    E(x),    f(x) = -dE/dx,    H(x) v = d2E/dx2 v

A model is a site potential (or a basis of them: every array then has one more axis), or it brings a
landscape of its own, as a calculator of ASE does (`potentials.calculators.CalculatorModel`): then
energies are totals, and Hessian products are central differences.  Site energies themselves are
asked for only by what the theory defines through them: the perfect crystal's energy density and
its derivatives (`potentials.derivatives`, `learning.observations`) and the explorer's factors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..crystals import Crystal, Neighbours
from ..potentials.calculator_model import CalculatorModel
from ..potentials.derivatives import (
    energies_and_forces,
    hessian_vector,
    in_pieces,
    stencil_hessian_vector,
)

if TYPE_CHECKING:
    from ..contracts import Model


class Landscape(Protocol):
    """What every landscape offers; positions (n, d) in A, energies in eV."""

    positions: np.ndarray

    @property
    def energy_noise(self) -> float:
        """eV; smaller differences of energies mean nothing."""

    def evaluate(self, x: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Energies (m, ...) and forces (n, d, ...), eV/A, at x (default: `positions`).

        Energies come in m parts, as many as the model resolves (sites, or the whole cell): sum
        *differences* of parts, for totals of 10^5 atoms lose 1e-10 eV.
        """

    def displaced(self, du: np.ndarray) -> np.ndarray:
        """Forces (n, d) at `positions` + du, to the last digit of a small du."""

    def hessian(self, x: np.ndarray | None = None) -> Hessian:
        """The second derivative at x (default: `positions`), an operator."""

    def quick_hessian(self, x: np.ndarray, forces: np.ndarray) -> Hessian:
        """The second derivative at x, where the forces are known, at the least cost: good to a
        thousandth, enough for the sign of a curvature.
        """

    def above_crystal(self, energies: np.ndarray, crystal: Crystal) -> float:
        """Energy of the parts relative to as many atoms of the model's own perfect crystal, eV."""


class Hessian:
    """Second derivative of an energy at fixed positions: an operator (n, d) -> (n, d), eV/A^2."""

    def __init__(self, product, shape):
        self._product, self.shape = product, shape

    def __call__(self, v: np.ndarray) -> np.ndarray:
        return self._product(v)

    def __sub__(self, other):
        return Hessian(lambda v: self(v) - other(v), self.shape)

    def __add__(self, other):
        return Hessian(lambda v: self(v) + other(v), self.shape)


class SiteLandscape:
    """Landscape of a site potential or basis: exact derivatives through the neighbour vectors.

    Parameters
    ----------
    model : SitePotential, or a basis
    cell : (d, d), A;  positions : (n, d), A
    skin : float, A      extra reach of the neighbour list, for positions that move
    """

    energy_noise = 1e-10

    def __init__(self, model, cell, positions, skin=0.0):
        self.model, self.positions = model, np.asarray(positions, float)
        self.neighbours = Neighbours(self.positions, cell, model.cutoff, skin)

    def evaluate(self, x: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        return energies_and_forces(self.model, self.neighbours, self._at(x))

    def displaced(self, du: np.ndarray) -> np.ndarray:
        # Differences of du, not of positions: absolute positions would cost three digits.
        near = self.neighbours
        near.check(self.positions)

        def vectors(sites):
            R, offsets, pairs = near.piece(self.positions, sites)
            return R + near.differences(du, pairs), offsets, pairs

        forces: Any = None
        for piece in in_pieces(self.model, near, vectors):
            forces = near.divergence(piece.G, piece.pairs, forces)
        return forces

    def hessian(self, x: np.ndarray | None = None) -> Hessian:
        x = self._at(x)
        near = self.neighbours
        near.check(x)
        return Hessian(lambda v: hessian_vector(self.model, near, x, v), x.shape)

    def quick_hessian(self, x: np.ndarray, forces: np.ndarray) -> Hessian:
        # one real evaluation a product, where the exact complex step costs three
        def product(v):
            h = 1e-4 / np.abs(v).max()
            return (forces - self.evaluate(x + h * v)[1]) / h

        return Hessian(product, x.shape)

    def displaced_hessian(self, du: np.ndarray) -> Hessian:
        """The Hessian at `positions` + du, differences taken as in `displaced`."""
        near = self.neighbours
        R = near.vectors(self.positions) + near.differences(du)
        return Hessian(lambda v: stencil_hessian_vector(self.model, near, R, v), du.shape)

    def above_crystal(self, energies: np.ndarray, crystal: Crystal) -> Any:
        return (energies - crystal.energy_per_atom(self.model)).sum(axis=0)

    def _at(self, x):
        return self.positions if x is None else x


def landscape(
    model: Model, cell: np.ndarray, positions: np.ndarray, skin: float = 0.0
) -> Landscape:
    """The landscape of any model: a site potential's, or the one that the model brings."""
    if hasattr(model, "landscape"):
        return model.landscape(cell, positions)
    if isinstance(model, CalculatorModel):
        from .calculator_landscape import CalculatorLandscape  # it needs this module

        return CalculatorLandscape(model, cell, positions)
    return SiteLandscape(model, cell, positions, skin)
