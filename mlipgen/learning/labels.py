"""Labels kept on disk, so that an expensive calculator is never asked the same thing twice.

One JSON line for each structure and calculator, appended and on disk before the result is used: a
run that is killed and started again goes on where it was.
"""

import hashlib
import json
import os
import warnings
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from tqdm import tqdm

from ..potentials.calculator_model import CalculatorModel

#: Of a calculator's results, what is kept.
KEPT = ("energy", "free_energy", "energies", "forces", "stress")
FORMAT = 1
_START = '{"check": '


def structure_key(atoms: Atoms) -> str:
    """The same for the same structure, to the last bit: elements, positions, cell, periodicity."""
    digest = hashlib.sha256()
    for part in (atoms.numbers, atoms.positions + 0.0, atoms.cell.array + 0.0, atoms.pbc):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:32]


class LabelStore:
    """Labels by calculator and structure, in a file that is only ever appended to.

    Several processes may share it.  A last line without an end is what a kill leaves, and is
    skipped; any other line that is damaged or something else is not used, with a warning.

    Parameters
    ----------
    path : str or Path      a file (labels.jsonl), or a folder for it

    Raises
    ------
    ValueError      if the file cannot be read and written
    """

    def __init__(self, path: str | Path):
        path = Path(path)
        self.path = path if path.suffix else path / "labels.jsonl"
        self._labels: dict[tuple[str, str], dict] = {}
        self._read_to = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab"):
                pass
            self._read()
        except OSError as error:
            raise ValueError(
                f"cannot keep labels in {self.path}: {error.strerror}; name a file that can be "
                "written"
            ) from None

    def __len__(self):
        return len(self._labels)

    def get(self, calculator: str, structure: str) -> dict | None:
        """Results and `lacks` of a structure, or None; sees what other processes have added."""
        key = (calculator, structure)
        if key not in self._labels and self.path.stat().st_size > self._read_to:
            self._read()
        return self._labels.get(key)

    def add(self, calculator: str, atoms: Atoms, results: dict, lacks: tuple = ()) -> None:
        """Keep a label; it is on disk when this returns."""
        label: dict = {"results": {k: np.asarray(v).tolist() for k, v in results.items()}}
        label |= {"lacks": sorted(lacks), "atoms": len(atoms)}
        structure = structure_key(atoms)
        body = {"format": FORMAT, "calculator": calculator, "structure": structure}
        text = json.dumps(body | label, allow_nan=False)
        line = f'{_START}{zlib.crc32(text.encode())}, "label": {text}}}\n'.encode()
        with open(self.path, "ab+") as file, locked(file) as alone:
            file.write(self._after_what_is_torn(file, alone) + line)
            file.flush()
            os.fsync(file.fileno())
        self._labels[calculator, structure] = label

    def _after_what_is_torn(self, file, alone):
        """Remove the unfinished line of a process that was killed, if the lock says it is gone.

        Any other, and one that is not ours, is left alone, and ended.
        """
        file.seek(self._read_to)
        tail = file.read()
        torn = tail[tail.rfind(b"\n") + 1 :]
        if not torn:
            return b""
        if not (alone and torn.startswith(_START.encode()[: len(torn)])):
            return b"\n"
        file.truncate(self._read_to + len(tail) - len(torn))
        return b""

    def _read(self):
        """The lines that were added since the last look."""
        with open(self.path, "rb") as file:
            file.seek(self._read_to)
            text = file.read()
        lines = text.split(b"\n")
        self._read_to += len(text) - len(lines[-1])  # a line without its end may still be written
        bad = 0
        for line in filter(bytes.strip, lines[:-1]):
            label = _checked(line)
            if label is None:
                bad += 1
            else:
                self._labels[label.pop("calculator"), label.pop("structure")] = label
        if bad:
            warnings.warn(
                f"{bad} lines of {self.path} are damaged or no labels, and are not used",
                stacklevel=4,
            )


@contextmanager
def locked(file: Any) -> Iterator[bool]:
    """True while no other process that asks may write; False where there are no locks."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
    except (ImportError, OSError):  # Windows, and some file systems of clusters
        yield False
        return
    yield True  # closing the file gives the lock back


def _checked(line):
    """The label of a line, or None."""
    try:
        entry = json.loads(line)
        label, check = entry["label"], entry["check"]
        sound = check == zlib.crc32(json.dumps(label).encode()) and label["format"] == FORMAT
        return label if sound else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


class CachedCalculator(Calculator):
    """An ASE calculator that looks into a store before it computes.

    Parameters
    ----------
    calculator : Calculator, or a function that makes one: it is made when it is first needed
    store : LabelStore
    fingerprint : str       the same for the same calculator, other for another: what labels are
                            kept under
    progress : bool         show a bar that counts labels, computed and known

    Attributes
    ----------
    asked, computed : int       labels that were asked for, and those that had to be computed
    """

    implemented_properties = list(KEPT)

    def __init__(
        self,
        calculator: Calculator | Callable[[], Calculator],
        store: LabelStore,
        fingerprint: str,
        progress: bool = False,
    ):
        super().__init__()
        self._inner, self.store, self.fingerprint = calculator, store, fingerprint
        self.asked = self.computed = 0
        self._bar = tqdm(desc=fingerprint.split(" ")[0], unit=" labels") if progress else None

    @property
    def inner(self) -> Any:
        """The calculator, or what makes it."""
        return self._inner

    def expect(self, labels: int) -> None:
        """Tell the bar how many labels there will be in all."""
        if self._bar is not None:
            self._bar.total = labels
            self._bar.refresh()

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        known = self._known()
        lacks = set(known["lacks"]) if known else set()
        results = dict(known["results"]) if known else {}
        wanted = [p for p in properties if p not in results and p not in lacks]
        if wanted:
            results, lacks = self._compute(wanted, results, lacks)
        if not self.results:
            self._count(computed=bool(wanted))
        self.results = {k: np.asarray(v) if np.ndim(v) else v for k, v in results.items()}
        if missing := [p for p in properties if p in lacks]:
            raise PropertyNotImplementedError(f"the calculator offers no {', '.join(missing)}")

    def _known(self):
        return self.store.get(self.fingerprint, structure_key(self.atoms))

    def _compute(self, wanted, results, lacks):
        """Ask the calculator, and keep the answer."""
        if not hasattr(self._inner, "get_potential_energy"):
            self._inner = self._inner()
        found, missing = answers(self._inner, wanted, self.atoms)
        results, lacks = results | found, lacks | missing
        keep(self.store, self.fingerprint, self.atoms, results, lacks)
        return results, lacks

    def _count(self, computed):
        self.asked, self.computed = self.asked + 1, self.computed + computed
        if self._bar is not None:
            self._bar.update()
            self._bar.set_postfix_str(
                f"{self.asked - self.computed} known, {len(self.atoms)} atoms", refresh=False
            )


def keep(
    store: LabelStore, calculator: str, atoms: Atoms, results: dict, lacks: Collection[str]
) -> None:
    """Put what a calculator said into the store; what is not finite is not kept."""
    if all(np.isfinite(v).all() for v in results.values()):
        store.add(calculator, atoms, results, tuple(lacks))


def answers(calculator: Calculator, wanted: Sequence[str], atoms: Atoms) -> tuple[dict, set[str]]:
    """What a calculator says of a structure: its results, and which of the wanted it lacks."""
    results, lacks = {}, set()
    for name in wanted:
        try:
            results[name] = calculator.get_property(name, atoms)
        except (PropertyNotImplementedError, NotImplementedError):
            lacks.add(name)
    along = getattr(calculator, "results", {})
    results |= {k: along[k] for k in KEPT if along.get(k) is not None}
    return results, lacks


def with_store(
    model: CalculatorModel, store: LabelStore | str | Path, progress: bool = False
) -> CalculatorModel:
    """The same model with its labels kept in a store (or the file of that name).

    Its calculator becomes a `CachedCalculator` under the model's fingerprint, which must therefore
    be one that lasts: a named calculator's (`potentials.naming`), or one that was given.
    """
    if not isinstance(store, LabelStore):
        store = LabelStore(store)
    other = copy(model)
    other.calculator = CachedCalculator(model.calculator, store, model.fingerprint, progress)
    other.forget()
    return other
