"""How far a calculator's numbers can be trusted, and the steps of differences that follow."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..crystals import Supercell

if TYPE_CHECKING:
    from .calculator_model import CalculatorModel


class Noise(NamedTuple):
    """What repeats of one and the same calculation differ by.

    energy : eV, of an atom, independent of its neighbours';  force : eV/A, of a component
    rounding : eV for each atom, of the total energy of a cell
    """

    energy: float
    force: float
    rounding: float = 0.0

    def total(self, atoms: int) -> float:
        """eV, of the energy of a cell of so many atoms."""
        return float(np.sqrt(atoms) * self.energy + atoms * self.rounding)


def balanced_step(noise: float, third_derivative: float) -> float:
    """Step of a central difference: h^2/6 f''' = noise / (2 h), so h = (3 noise / f''')^(1/3)."""
    return float(np.clip((3.0 * noise / third_derivative) ** (1 / 3), 1e-6, 0.05))


def measured_noise(
    model: "CalculatorModel", cell: Supercell, draws: int = 3, seed: int = 0
) -> Noise:
    """Spread of energies and forces over translations of the whole, which change nothing, and the
    rounding of the numbers.

    Atoms of the perfect cell are displaced by about 0.02 A, so that forces do not vanish; then all
    move together by random vectors.  Costs `draws` + 1 calculations.
    """
    rng, n = np.random.default_rng(seed), len(cell)
    x = cell.positions + 0.02 * rng.standard_normal(cell.positions.shape)
    shifts = [np.zeros(model.dimension), *rng.uniform(-1, 1, (draws, model.dimension))]
    energies, forces = (
        np.array(a) for a in zip(*(model.evaluate(x + s, cell.cell) for s in shifts))
    )
    spread = lambda values: float(np.sqrt(np.mean((values - values.mean(axis=0)) ** 2)))
    quantum = rounding(energies)
    parts = energies.shape[1]
    return Noise(
        max(float(spread(energies.sum(axis=1)) / np.sqrt(n)), quantum if parts > 1 else 0.0),
        max(spread(forces), rounding(forces)),
        quantum / n if parts == 1 else 0.0,
    )


def rounding(values: np.ndarray) -> float:
    """Standard deviation of the rounding of numbers: to a decimal, single or double precision."""
    size = np.abs(values).max()
    if np.array_equal(values, np.float32(values)):
        return float(np.finfo(np.float32).eps * size / np.sqrt(12))
    for digits in range(1, 11):
        scaled = values * 10.0**digits
        if np.abs(scaled - np.rint(scaled)).max() < 1e-4:
            return 10.0**-digits / np.sqrt(12)
    return float(np.finfo(float).eps * size / np.sqrt(12))
