"""Preflight: is a calculator what the theory takes it for?  Asked before anything is concluded.

    f = -dE/dx,    stress = dE/dF F' / volume,    E(2 cells) = 2 E(1 cell),    E(x + c) = E(x), ...

Every check has its number, its limit, and what a failure would spoil; the noise floor enters every
error bar that follows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..crystals import Crystal, Supercell, vacancy
from ..failures import CalculatorFailed
from ..potentials.calculator_model import CalculatorModel
from ..potentials.noise import Noise
from . import _checks, _invariances

#: The questions in order, and their names while they are asked.
_NAMES = {
    _checks.force_is_slope: "forces = -dE/dx",
    _checks.stress_is_slope: "stress = dE/dF",
    _checks.scale: "lattice constant and scale of energies",
    _invariances.size_consistency: "size consistency",
    _checks.smoothness: "smoothness",
    _invariances.noise_floor: "noise floor",
    _invariances.permutation: "permutation",
    _invariances.rotation: "rotation",
    _checks.reach: "reach of the force constants",
}
#: The checks whose values are a noise floor.
_ENERGY_FLOOR = (
    "size consistency",
    "translation: energy",
    "permutation: energy",
    "rotation: energy",
)
_FORCE_FLOOR = ("translation: forces", "permutation: forces", "rotation: forces")


@dataclass(frozen=True)
class Check:
    """One question to a calculator and the answer.

    value, limit : numbers in `unit`; the check passes where value <= limit
    spoils : what a failure would make wrong;  hint : the likely cause, or why it was not asked
    asked : False where the calculator does not offer what the check is about
    """

    name: str
    value: float
    limit: float
    unit: str
    spoils: str
    hint: str = ""
    asked: bool = True

    @property
    def passed(self) -> bool:
        return not self.asked or bool(self.value <= self.limit)

    def __str__(self):
        if not self.asked:
            return f"{self.name}: not asked, {self.hint}"
        verdict = "ok" if self.passed else f"FAILED, spoils {self.spoils}"
        text = f"{self.name}: {self.value:.2g} (limit {self.limit:.2g}) {self.unit}: {verdict}"
        return f"{text}; {self.hint}" if self.hint else text


@dataclass(frozen=True)
class Preflight:
    """The checks, in order, and the noise floor.

    floor : Noise       energy: eV, of the energy of the defect cell;  force: eV/A, of a component
    calls : int         calculations that were made;  atoms : int, of the defect cell
    """

    checks: tuple[Check, ...]
    floor: Noise
    calls: int
    atoms: int

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.passed]

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def __str__(self):
        return "\n".join(str(check) for check in self.checks)


@dataclass(frozen=True)
class Bench:
    """What the checks are made on: the perfect crystal and a defect cell, both with atoms displaced
    at random, so that neither forces nor stress vanish.

    cell : Supercell;  x : (n, d), A, its atoms;  energies, forces : there
    defect : Defect;  y : (m, d), A, its atoms
    resolution : eV, the energy differences that matter;  scan : steps of the smoothness scan
    """

    model: CalculatorModel
    cell: Supercell
    x: np.ndarray
    energy: float
    forces: np.ndarray
    defect: object
    y: np.ndarray
    resolution: float
    scan: int
    rng: np.random.Generator


def preflight(
    model,
    crystal: Crystal,
    defect_cell=None,
    resolution: float = 0.01,
    scan: int = 40,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Preflight:
    """Check a calculator before its numbers are used.

    Parameters
    ----------
    model : CalculatorModel, or a SitePotential (its ASE calculator is checked)
    crystal : Crystal             the perfect crystal at the lattice constant that will be used
    defect_cell : Defect          of the size that will be asked for; default a vacancy in the cell
                                  of the force constants
    resolution : float, eV        energy differences of the defect cell that matter: sets the limits
    scan : int                    steps of the smoothness scan, each a calculation; 0: no scan
    progress : callable           called with the name of each check before it is made

    Returns
    -------
    Preflight       about 45 calculations, most of them of cells two cutoffs thick, and 5 of the
                    defect cell
    """
    if not isinstance(model, CalculatorModel):
        model = CalculatorModel(
            model.calculator(), model.symbol, crystal.structure, crystal.a, model.cutoff
        )
    if scan and scan < 8:
        raise ValueError(f"scan = {scan}: a jump needs 8 steps to be told from a slope, or scan=0")
    before, rng = model.calls, np.random.default_rng(seed)
    cell = model.perfect(crystal)
    defect = defect_cell or vacancy(model.force_constant_cell(crystal))
    x, y = (p + 0.03 * rng.standard_normal(p.shape) for p in (cell.positions, defect.positions))
    tell = progress or (lambda name: None)
    tell("energy and forces")
    try:
        energies, forces = model.evaluate(x, cell.cell)
        model.evaluate(y, defect.cell)
    except (ValueError, CalculatorFailed) as error:  # no forces, or not finite
        first = Check(
            "energy and forces", np.inf, 0.0, "not finite or missing", "everything", str(error)
        )
        return Preflight((first,), Noise(np.inf, np.inf), model.calls - before, len(y))
    bench = Bench(
        model, cell, x, energies.sum(), forces, defect, y, resolution, scan, rng
    )  # fmt: skip
    checks = [Check("energy and forces", 0.0, 0.0, "not finite or missing", "everything")]
    for question, name in _NAMES.items():
        tell(name)
        checks += _answers(question, bench)
    floor = _floor(checks, model, len(y))
    return Preflight(tuple(checks), floor, model.calls - before, len(y))


def _answers(question, bench):
    """The checks of one question; one that fails to run has failed."""
    try:
        return [Check(**answer) for answer in question(bench)]
    except (ValueError, CalculatorFailed) as error:
        name = _NAMES[question]
        return [Check(name, np.inf, 0.0, "", "everything after it", str(error))]


def _floor(checks, model, atoms):
    """The largest of what changed where nothing should."""
    by_name = {check.name: check.value for check in checks if check.asked}
    energy = max(by_name.get(name, 0.0) for name in _ENERGY_FLOOR)
    force = max(by_name.get(name, 0.0) for name in _FORCE_FLOOR)
    noise = model.noise
    return Noise(max(float(energy), noise.total(atoms)), max(float(force), noise.force))
