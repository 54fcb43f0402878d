"""What data sets for a defect observe beyond the library's own kinds: forces in the dual norm,
columns of a Hessian, and cells of any thickness with their virials.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.linalg import eigh

from ..crystals import Neighbours
from ..crystals.defects import Defect
from ..equilibrium import LatticeGreen
from ..learning.kinds import Observation
from ..learning.observations import Configuration, Energy, Forces, Virial


@dataclass
class DualForces(Forces):
    """Forces in the dual norm: root f with root^2 = k G, G the lattice Green's function of the cell
    and k the crystal's mean on-site spring, so |root f|^2 = k <f, G f>, in eV/A like f.

    root : (n d, n d), see `dual_root`
    """

    root: np.ndarray | None = field(default=None, repr=False)
    kind, label = "Fd", "Forces, dual norm"

    def observe(self, model: Any) -> np.ndarray:
        if self.root is None:
            raise ValueError("forces in the dual norm need the cell's `dual_root`")
        return np.tensordot(self.root, super().observe(model), axes=1)


def dual_root(green: LatticeGreen, defect: Defect) -> np.ndarray:
    """Symmetric square root (n d, n d) of k G on the atoms of a small defect cell, see
    `DualForces`; it gives nothing to a net force.
    """
    n, d = defect.positions.shape
    apply = green.for_defect(defect)
    unit = np.eye(n * d).reshape(-1, n, d)
    G = np.stack([apply(f - f.mean(axis=0)) for f in unit]).reshape(n * d, n * d)
    s, U = eigh((G + G.T) / 2)
    return (U * np.sqrt(green.stiffness * np.clip(s, 0, None))) @ U.T


@dataclass
class HessianColumn(Observation):
    """One column of the Hessian, by central differences: (f(x - h e) - f(x + h e)) / 2h, eV/A^2.

    axis : int      which of the n d coordinates is displaced
    Source: random columns as in Koker et al. (2026), arXiv:2601.07742.
    """

    configuration: Configuration
    axis: int
    step: float = 0.01
    kind, label, unit, weight = "HC", "Hessian columns", "eV/A^2", 0.1

    def observe(self, model: Any) -> np.ndarray:
        c, forces = self.configuration, []
        for sign in (-1, 1):
            x = c.positions.copy()
            x.flat[self.axis] += sign * self.step
            forces.append(Configuration(x, c.cell, c.crystal).evaluate(model)[1])
        f = (forces[0] - forces[1]) / (2 * self.step)
        return f.reshape((-1,) + f.shape[2:])


@dataclass
class AnyCell(Configuration):
    """A periodic cell as thin as one likes, with its virial; for cells far thinner than the cutoff
    an atom's own images are among its neighbours.

    zeros : dict      energies per atom of the perfect crystal by model, shared between cells
    """

    zeros: dict = field(default_factory=dict, repr=False)

    def evaluate(self, model: Any) -> tuple[np.ndarray, np.ndarray]:
        return self.all(model)[:2]

    def all(self, model: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Site energies (n, ...), forces (n, d, ...) and dE/dF / n (d, d, ...), eV per atom."""
        if self._last[0] is not model:
            near = Neighbours(self.positions, self.cell, model.cutoff)
            R = near.vectors(self.positions)
            V, G = model.sites(R, near.offsets)
            W = np.tensordot(R.T, G, axes=1).swapaxes(0, 1) / len(self.positions)
            self._last = (model, (V, near.divergence(G), W))
        return self._last[1]


class CellEnergy(Energy):
    """`Energy` of an `AnyCell`."""

    def observe(self, model: Any) -> np.ndarray:
        c: Any = self.configuration  # an AnyCell
        if model not in c.zeros:
            c.zeros[model] = c.crystal.energy_per_atom(model)
        return np.asarray((c.evaluate(model)[0] - c.zeros[model]).sum(axis=0))[None]


class CellVirial(Virial):
    """Virial of an `AnyCell`: dE/dF at its own strain, eV per atom, (d^2, ...)."""

    def __init__(self, configuration: AnyCell):
        self.configuration = configuration

    def observe(self, model: Any) -> np.ndarray:
        W = self.configuration.all(model)[2]
        return W.reshape((-1,) + W.shape[2:])
