"""Any ASE calculator as a model: energies and forces are all it must offer.

    E(x, cell),    f = -dE/dx

Everything else that a site potential gives exactly is derived from these by central differences
(force constants, Hessian products, virials), or taken from the calculator where it offers more
(stress, energies of the atoms).
"""

import uuid
from typing import Any

import numpy as np
from ase.calculators.calculator import PropertyNotImplementedError
from ase.data import atomic_numbers, reference_states
from ase.stress import voigt_6_to_full_3x3_stress

from ..crystals import STRUCTURES, Crystal, Supercell, as_atoms, thickness
from ..failures import CalculatorFailed, NotFinite, WorkerDied
from . import strained
from .derivatives import ForceConstantTable
from .finite_differences import supercell_force_constants
from .noise import Noise, balanced_step, measured_noise

#: A, thickness of the supercell for force constants where the cutoff is not known.
DEFAULT_THICKNESS = 12.0
#: eV/A^4, third derivative of the forces of one displaced atom, what a step is balanced with: of
#: the library's potentials 220 for tungsten, 36 for copper, 22 for silicon, 6 for lead.  The step
#: goes with its cube root, so it is right to a factor of two.
THIRD_DERIVATIVE = 50.0


class CalculatorModel:
    """An ASE calculator in the place of a site potential.

    Parameters
    ----------
    calculator : ase.calculators.calculator.Calculator    energy and forces; stress and per-atom
                                    energies are used if offered
    symbol : str                    chemical symbol of the one element
    structure : str                 its lattice; default the element's
    a0_guess : float, A             first guess of the lattice constant; default the element's
    cutoff : float, A               range of its site energies; 0 if it is not known.  Cells are
                                    required to be twice as thick, force constants take four times
    name : str
    noise : Noise or (eV, eV/A)     of an atom's energy and a force component; default: measured
                                    when a step first depends on it (`measured_noise`)
    step : float, A                 of central differences of forces; default from the noise
    supercell : int or tuple        unit cells for force constants; default as many as make it four
                                    cutoffs thick, or `DEFAULT_THICKNESS`
    fingerprint : str               the same for the same calculator in every process; default: one
                                    that no other has, so that nothing stored is taken for its own
    level_of_theory : str           what it imitates, or computes

    Attributes
    ----------
    calls, atoms_calls : int        calculations so far, and the atoms in them, summed
    """

    dimension = 3
    make_calculator: Any = None  # a function that makes the calculator anew, where it was named

    def __init__(
        self,
        calculator,
        symbol: str,
        structure: str | None = None,
        a0_guess: float | None = None,
        cutoff: float = 0.0,
        name: str | None = None,
        step: float | None = None,
        noise: Noise | tuple[float, float] | None = None,
        supercell: int | tuple[int, ...] | None = None,
        fingerprint: str | None = None,
        level_of_theory: str | None = None,
    ):
        self.calculator, self.symbol, self.cutoff = calculator, symbol, float(cutoff)
        self.structure, self.a0_guess = _natural_lattice(symbol, structure, a0_guess)
        if self.structure == "triangular":
            self.dimension = 2
        self.name = name or type(calculator).__name__
        self._step, self._noise, self._supercell = step, Noise(*noise) if noise else None, supercell
        self.fingerprint = fingerprint or f"{self.name} {uuid.uuid4().hex[:16]}"
        self.level_of_theory = level_of_theory
        self.forget()

    def __repr__(self):
        return f"CalculatorModel({self.name}, {self.symbol!r})"

    # What the calculator is asked

    def evaluate(self, positions: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energies and forces (n, d), eV/A, at positions (n, d), A, in a periodic cell (d, d).

        Energies (m,), eV: of the atoms if the calculator offers them and they sum to its, else one.

        Raises
        ------
        ValueError    if the calculator has no forces
        NotFinite     if an energy or a force is not a number
        CalculatorFailed    for whatever else the calculator raises
        """
        atoms = self._moved(positions, cell)
        forces = np.asarray(_ask(atoms.get_forces, "forces", self.name), float)
        total = _energy(atoms, self.name)
        if forces.shape != (len(atoms), 3):
            raise ValueError(
                f"{self.name} gave forces of shape {forces.shape} for {len(atoms)} atoms"
            )
        if not (np.isfinite(total) and np.isfinite(forces).all()):
            raise NotFinite(
                f"{self.name} gave an energy of {total} and {(~np.isfinite(forces)).sum()} forces "
                f"that are not finite on {len(atoms)} atoms"
            )
        return _parts(self.calculator, total, len(atoms)), forces[:, : self.dimension].copy()

    def stress(self, positions: np.ndarray, cell: np.ndarray) -> np.ndarray | None:
        """dE/dF F' / volume, (d, d), eV/A^3 (2D: per length of the third cell vector); None if the
        calculator offers none.
        """
        atoms = self._moved(positions, cell)
        offered = _ask(lambda: _optional(atoms.get_stress), "stress", self.name)
        if offered is None:
            return None
        stress = np.asarray(offered, float)
        full = voigt_6_to_full_3x3_stress(stress) if stress.shape == (6,) else stress
        return full[: self.dimension, : self.dimension]

    def _moved(self, positions, cell):
        """The atoms at these positions; one Atoms object for as long as the cell stays, so that the
        calculator may keep its neighbour lists.  Positions that moved will cost a calculation.
        """
        atoms, d = self._atoms, self.dimension
        if (
            atoms is None
            or len(atoms) != len(positions)
            or not np.array_equal(np.asarray(atoms.cell)[:d, :d], cell)
        ):
            atoms = self._atoms = as_atoms(self.symbol, np.asarray(positions, float), cell)
            atoms.calc = self.calculator
        elif np.array_equal(atoms.positions[:, :d], positions):
            return atoms
        else:
            atoms.positions[:, :d] = positions
        self.calls, self.atoms_calls = self.calls + 1, self.atoms_calls + len(atoms)
        return atoms

    # The perfect crystal

    def perfect(self, crystal: Crystal) -> Supercell:
        """The smallest cell that the perfect crystal is calculated in: two cutoffs thick."""
        return _repeated(crystal, max(2.0 * self.cutoff, 2.0 * crystal.shells[1]))

    def energy_per_atom(self, crystal: Crystal) -> float:
        """Energy of an atom of the perfect crystal, eV; kept for every crystal asked for."""
        if crystal not in self._energies:
            cell = self.perfect(crystal)
            energies, _ = self.evaluate(cell.positions, cell.cell)
            self._energies[crystal] = float(energies.sum() / len(cell))
        return self._energies[crystal]

    def pressure_work(self, crystal: Crystal) -> np.ndarray:
        """dE/d(log strain) per atom along each axis, eV: zero for all axes at equilibrium."""
        return strained.pressure_work(self, crystal)

    def work_noise(self, crystal: Crystal) -> float:
        """eV, noise of `pressure_work`."""
        return strained.work_noise(self, crystal)

    def virial(
        self, crystal: Crystal, F: np.ndarray, internal: np.ndarray | None = None
    ) -> np.ndarray:
        """What `learning.Virial` observes: dE/dF F' per atom at the homogeneous strain F (d^2,),
        eV, and for a multilattice the forces on the basis atoms (n_sublattices d,), eV/A.
        """
        W, forces = strained.virial_and_forces(self, crystal, F, internal)
        return W.ravel() if len(forces) == 1 else np.concatenate([W.ravel(), forces.ravel()])

    def elastic_tensor(self, crystal: Crystal, relaxed_ion: bool = True) -> np.ndarray:
        """d2W / dF dF at F = 1, (d, d, d, d), eV/A^d, as `derivatives.elastic_tensor`."""
        return strained.elastic_tensor(self, crystal, relaxed_ion)

    def force_constants(self, crystal: Crystal) -> ForceConstantTable:
        """Force constants by displacements in `force_constant_cell`; kept for every crystal."""
        if crystal not in self._tables:
            cell = self.force_constant_cell(crystal)
            forces = lambda x: self.evaluate(x, cell.cell)[1]
            self._tables[crystal] = supercell_force_constants(forces, cell, self.step)
        return self._tables[crystal]

    def adopt_force_constants(self, crystal: Crystal, table: ForceConstantTable) -> None:
        """Take a crystal's force constants from elsewhere, as from `phonopy_files.read_phonopy`."""
        self._tables[crystal] = table

    def adopt_energy_per_atom(self, crystal: Crystal, energy: float) -> None:
        """Take the energy of an atom of a perfect crystal, eV, from elsewhere."""
        self._energies[crystal] = float(energy)

    def forget(self) -> None:
        """Forget what was computed and counted, as a copy with another calculator must."""
        self._atoms = None
        self._energies: dict[Crystal, float] = {}
        self._tables: dict[Crystal, ForceConstantTable] = {}
        self.calls = self.atoms_calls = 0

    def force_constant_cell(self, crystal: Crystal) -> Supercell:
        """The supercell of the force constants: four cutoffs thick, or `DEFAULT_THICKNESS`."""
        if self._supercell is not None:
            n = self._supercell
            return Supercell(crystal, (n,) * self.dimension if isinstance(n, int) else n)
        return _repeated(crystal, 4.0 * self.cutoff or DEFAULT_THICKNESS)

    # Noise and steps

    @property
    def noise(self) -> Noise:
        """Of an atom's energy and of a force component; measured when first asked for."""
        if self._noise is None:
            guess = Crystal(self.symbol, self.structure, self.a0_guess)
            self._noise = measured_noise(self, self.perfect(guess))
        return self._noise

    @property
    def step(self) -> float:
        """A, of central differences of forces; `balanced_step` of their noise."""
        return self._step or balanced_step(self.noise.force, THIRD_DERIVATIVE)


def _repeated(crystal, thick):
    """As many unit cells as make a cell at least `thick` (A) along each vector."""
    n = np.ceil(thick / thickness(crystal.cell) - 1e-9).astype(int)
    return Supercell(crystal, tuple(np.maximum(n, 1).tolist()))


def _natural_lattice(symbol, structure, a0_guess):
    """The element's structure and lattice constant, where none are given (from ASE's tables)."""
    if symbol not in atomic_numbers:
        raise ValueError(f"symbol {symbol!r} is no chemical element")
    state = reference_states[atomic_numbers[symbol]] or {}
    natural = state.get("symmetry")
    structure = structure or natural
    if structure not in STRUCTURES:
        raise ValueError(
            f"{symbol} is {natural}, which is none of the known structures: give structure=, one "
            f"of {', '.join(STRUCTURES)}"
        )
    if a0_guess is None:
        if structure != natural:
            raise ValueError(
                f"{symbol} is {natural}, not {structure}: give a first guess a0_guess= (A) of its "
                "lattice constant"
            )
        a0_guess = state["a"]
    return structure, float(a0_guess)


def _ask(question, what, name):
    try:
        return question()
    except (PropertyNotImplementedError, NotImplementedError):
        raise ValueError(
            f"the calculator {name} offers no {what}: energy and forces are needed"
        ) from None
    except (ValueError, CalculatorFailed, WorkerDied):
        raise
    except Exception as error:
        raise CalculatorFailed(f"{name} failed: {type(error).__name__}: {error}") from error


def _optional(question):
    try:
        return question()
    except (PropertyNotImplementedError, NotImplementedError):
        return None


def _energy(atoms, name):
    """The energy whose gradient the forces are: the free energy where the calculator has one."""
    results = getattr(atoms.calc, "results", {})
    if results.get("free_energy") is not None:
        return float(results["free_energy"])
    return float(_ask(atoms.get_potential_energy, "energy", name))


def _parts(calculator, total, atoms):
    """Energies of the atoms if there are any that sum to the total, else the total alone."""
    energies = getattr(calculator, "results", {}).get("energies")
    if energies is not None and np.shape(energies) == (atoms,):
        energies = np.asarray(energies, float)
        single = np.array_equal(energies, np.float32(energies))
        size = np.abs(energies).sum()
        if abs(energies.sum() - total) <= (1e-6 if single else 1e-10) * size:
            return energies.copy()
    return np.array([total])


def reachable(model: Any, tolerance: float) -> float:
    """Tolerance of a relaxation, eV/A: a calculator's reaches no less than 20 times its noise."""
    calculator = isinstance(model, CalculatorModel)
    return max(tolerance, 20 * model.noise.force) if calculator else tolerance
