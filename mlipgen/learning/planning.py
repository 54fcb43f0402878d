"""What a computation will ask of an expensive calculator, before it is asked."""

from collections import Counter
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field

from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from ..failures import NoEquilibrium
from ..potentials.calculator_model import CalculatorModel
from .labels import LabelStore, structure_key


@dataclass
class Plan:
    """Calculations by number of atoms; those that a store knows already are counted apart.

    calls, known : Counter      number of atoms -> calculations
    stopped : str               why the rehearsal ended early, if it did
    """

    calls: Counter = field(default_factory=Counter)
    known: Counter = field(default_factory=Counter)
    stopped: str = ""

    @property
    def atoms_calls(self) -> int:
        """Atoms x calls that are left to compute."""
        return sum(n * count for n, count in (self.calls - self.known).items())

    def __str__(self):
        rows = [
            f"{n:>8} atoms  {count:>5} calls" + (f", {k} known" if (k := self.known[n]) else "")
            for n, count in sorted(self.calls.items())
        ]
        left = self.calls.total() - self.known.total()
        rows.append(f"{left} calls to make, {self.atoms_calls:,} atoms x calls")
        if self.stopped:
            rows.append(f"the rehearsal ended early: {self.stopped}")
        return "\n".join(rows)


def dry_run(
    run: Callable[[CalculatorModel], object],
    model: CalculatorModel,
    stand_in,
    store: LabelStore | None = None,
) -> Plan:
    """Rehearse `run(model)` with a cheap stand-in's numbers in the place of the calculator's.

    How often a relaxation or a search asks depends on the numbers, so the plan is exact where the
    structures are known beforehand, and near where they are not.

    Parameters
    ----------
    run : callable              what will be done with the model
    model : CalculatorModel     its calculator is not asked
    stand_in : SitePotential, or CalculatorModel    a candidate, for instance
    store : LabelStore          labels that will not be asked again
    """
    plan = Plan()
    inner = getattr(stand_in, "calculator", stand_in)
    inner = inner if hasattr(inner, "get_potential_energy") else inner()
    rehearsal = copy(model)
    rehearsal.calculator = _Counting(inner, plan, store, model.fingerprint)
    rehearsal.forget()
    try:
        run(rehearsal)
    except (NoEquilibrium, ValueError) as error:
        plan.stopped = str(error)
    return plan


class _Counting(Calculator):
    """The stand-in's numbers; every new structure is noted."""

    def __init__(self, inner, plan, store, fingerprint):
        super().__init__()
        self.inner, self.plan, self.store, self.fingerprint = inner, plan, store, fingerprint
        self.implemented_properties = list(inner.implemented_properties)
        self._seen = set()

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        key, n = structure_key(self.atoms), len(self.atoms)
        if key not in self._seen:
            self._seen.add(key)
            self.plan.calls[n] += 1
            if self.store is not None and self.store.get(self.fingerprint, key):
                self.plan.known[n] += 1
        for name in properties:
            try:
                self.results[name] = self.inner.get_property(name, self.atoms)
            except (PropertyNotImplementedError, NotImplementedError):
                raise PropertyNotImplementedError(name) from None
        self.results |= {k: v for k, v in self.inner.results.items() if v is not None}
