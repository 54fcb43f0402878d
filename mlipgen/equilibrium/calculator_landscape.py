"""The energy landscape of an ASE calculator in one periodic cell.

    H(x) v = -[f(x + h v) - f(x - h v)] / (2 h),    h max_l |v_l| = step

The error is h^2/6 times the forces' third derivative plus their noise / h; the step that balances
them, (3 noise / f''')^(1/3), is the model's (`potentials.noise.balanced_step`).  Where the forces
at x are known, the sign of a curvature needs one call a product only:

    H(x) v = [f(x) - f(x + h v)] / h,    error h/2 f'' + 2 noise / h,    h = (4 noise / f'')^(1/2)
"""

import numpy as np

from ..crystals import Crystal
from ..potentials.calculator_model import CalculatorModel
from .landscape import Hessian

#: eV/A^3, second derivative of the forces along the displacement of one atom next to a vacancy: of
#: the library's potentials 2 (lead) to 23 (silicon), in each about the stiffness per angstrom.
SECOND_DERIVATIVE = 15.0


class CalculatorLandscape:
    """Landscape of a `CalculatorModel`: energies and forces by calls, all else by differences.

    Parameters
    ----------
    model : CalculatorModel
    cell : (d, d), A;  positions : (n, d), A
    """

    def __init__(self, model: CalculatorModel, cell: np.ndarray, positions: np.ndarray):
        self.model, self.cell = model, np.asarray(cell, float)
        self.positions = np.asarray(positions, float)

    @property
    def energy_noise(self) -> float:
        """eV, of the energy of the whole cell, ten times over."""
        return max(1e-10, 10.0 * self.model.noise.total(len(self.positions)))

    @property
    def force_noise(self) -> float:
        """eV/A, of a force component."""
        return self.model.noise.force

    def evaluate(self, x: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        return self.model.evaluate(self.positions if x is None else x, self.cell)

    def displaced(self, du: np.ndarray) -> np.ndarray:
        return self.evaluate(self.positions + du)[1]

    def hessian(self, x: np.ndarray | None = None) -> Hessian:
        x = self.positions if x is None else x
        return Hessian(lambda v: self._product(x, v), x.shape)

    def quick_hessian(self, x: np.ndarray, forces: np.ndarray) -> Hessian:
        """One call a product, from one side: good to a thousandth where forces are good to 1e-6."""
        h = np.clip(np.sqrt(4 * self.force_noise / SECOND_DERIVATIVE), 1e-4, 0.02)

        def product(v):
            size = np.sqrt((v**2).sum(axis=1).max())
            if size == 0:
                return np.zeros_like(v)
            return (forces - self.evaluate(x + h / size * v)[1]) * (size / h)

        return Hessian(product, x.shape)

    def displaced_hessian(self, du: np.ndarray) -> Hessian:
        """The Hessian at `positions` + du."""
        return self.hessian(self.positions + du)

    def above_crystal(self, energies: np.ndarray, crystal: Crystal) -> float:
        bulk = self.model.energy_per_atom(crystal)
        if len(energies) == len(self.positions):
            return float((energies - bulk).sum())
        return float(energies.sum() - len(self.positions) * bulk)

    def _product(self, x, v):
        size = np.sqrt((v**2).sum(axis=1).max())
        if size == 0:
            return np.zeros_like(v)
        h = self.model.step / size
        ahead, behind = (self.evaluate(x + s * h * v)[1] for s in (1, -1))
        return (behind - ahead) / (2 * h)
