"""A stand-in for the reference, to count what it will be asked before it is asked."""

from collections.abc import Sequence
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes


class Enlarged(Calculator):
    """Another calculator's crystal, its lengths a little larger: E(x) = E_other(x / scale).

    It is as if the candidate had a lattice constant of its own, so that a rehearsal asks for the
    same different structures in both lattices that the reference will be asked for.
    """

    def __init__(self, inner: Any, scale: float = 1.001):
        super().__init__()
        self.inner, self.scale = inner, scale
        self.implemented_properties = list(inner.implemented_properties)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        smaller = self.atoms.copy()
        smaller.set_cell(smaller.cell / self.scale, scale_atoms=True)
        for name in properties:
            try:
                self.results[name] = self.inner.get_property(name, smaller)
            except (PropertyNotImplementedError, NotImplementedError):
                raise PropertyNotImplementedError(name) from None
        along = getattr(self.inner, "results", {})
        self.results |= {k: v for k, v in along.items() if v is not None}
        powers = {"forces": 1, "stress": self.atoms.cell.rank}
        for name, power in powers.items():
            if name in self.results:
                self.results[name] = self.results[name] / self.scale**power
