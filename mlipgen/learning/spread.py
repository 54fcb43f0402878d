"""Labels computed by many workers at once: the processes of an executor, and one store.

Structures are made in this process, by one line of computation at a time, so that they are the same
to the last bit however many workers there are; only their labels are computed elsewhere.
"""

import pickle
import shutil
import tempfile
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import lru_cache
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator

from ..failures import CalculatorFailed, WorkerDied
from ..potentials.calculator_model import CalculatorModel
from .labels import CachedCalculator, LabelStore, answers, keep, structure_key

#: The label of a structure that no calculator was asked about.
NOTHING: dict = {"results": {}, "lacks": ()}
#: Seconds between looks at what has finished.
PATIENCE = 0.02
#: A calculator is not made for several threads: a worker of several computes one label.
_ONE_AT_A_TIME = threading.RLock()


def with_executor(model: CalculatorModel, executor: Any) -> CalculatorModel:
    """The same model, whose labels the workers of an executor compute.

    executor : anything with `submit(function, *arguments)` returning futures that know `done()` and
        `result()`: `concurrent.futures`, or a `dask.distributed.Client`

    They are kept in the model's store (`labels.with_store`), each as it is finished, or in one that
    is gone with the model.  What makes the calculator must be picklable: a calculator that was
    named (`potentials.naming`) is made anew in each worker.
    """
    calculator, folder = model.calculator, None
    if isinstance(calculator, CachedCalculator):
        store, calculator = calculator.store, calculator.inner
    else:
        folder = tempfile.mkdtemp()
        store = LabelStore(folder)
    pickled = _pickled(getattr(model, "make_calculator", None) or calculator, model.name)
    workers = _Workers(executor, store, model.fingerprint, pickled, model.name)
    if folder is not None:
        weakref.finalize(workers, shutil.rmtree, folder, ignore_errors=True)
    return _with_calculator(model, workers)


def in_turns(model: CalculatorModel, parts: Sequence[Callable[[CalculatorModel], object]]) -> None:
    """Ask for the labels of several computations at once, if there are workers.

    parts : functions of a model; each has its own copy.  One computes at a time, others wait for
        labels.  What they return is not kept: done again one by one, they find their labels in the
        store.

    Raises the first error of a part; the others end when they next wait.
    """
    if isinstance(model.calculator, SpreadCalculator) and len(parts) > 1:
        model.calculator.workers.take_turns([_line(model, part) for part in parts])


def _line(model, part):
    own = _with_calculator(model, model.calculator.workers)
    return lambda: part(own)


def _with_calculator(model, workers):
    """A copy that knows what the model knows, and learns for itself: its calls are not counted."""
    other = copy(model)
    other.calculator, other._atoms = SpreadCalculator(workers), None
    other._energies, other._tables = dict(model._energies), dict(model._tables)
    return other


class SpreadCalculator(CachedCalculator):
    """A cached calculator whose labels are computed by workers."""

    def __init__(self, workers: "_Workers"):
        super().__init__(Calculator, workers.store, workers.fingerprint)  # of itself asks nobody
        self.workers = workers

    def _known(self):
        return self.workers.known(structure_key(self.atoms))

    def _compute(self, wanted, results, lacks):
        found, missing = self.workers.labels([self.atoms], wanted)[0]
        return results | found, lacks | missing

    def compute_all(self, structures: Sequence[Atoms], properties: Sequence[str]) -> None:
        """Have several structures computed at once, each in the store when this returns."""
        unknown = []
        for atoms in structures:
            label = self.workers.known(structure_key(atoms)) or NOTHING
            if any(p not in label["results"] and p not in label["lacks"] for p in properties):
                unknown.append(atoms)
        self.workers.labels(unknown, list(properties))


class _Stopped(WorkerDied):
    """Another line of computation has failed, or the user gave up."""


class _Workers:
    """What is being computed, for whom, and whose turn it is here."""

    def __init__(self, executor, store, fingerprint, pickled, name):
        self.executor, self.store, self.fingerprint = executor, store, fingerprint
        self._pickled, self._name = pickled, name
        self._guard = threading.RLock()  # of the store and of what is running
        self._running: dict[tuple, tuple[Any, Atoms]] = {}
        self._done: dict[tuple, Any] = {}  # (results, lacks), or an error
        self._turn, self._own = threading.Lock(), threading.local()
        self._stopped = False

    def known(self, structure: str) -> dict | None:
        with self._guard:
            return self.store.get(self.fingerprint, structure)

    def labels(self, structures: Sequence[Atoms], properties: Sequence[str]) -> list[tuple]:
        """(results, lacks) of each; what another line waits for already is asked once."""
        keys = [(structure_key(atoms), tuple(properties)) for atoms in structures]
        with self._guard:
            for key, atoms in zip(keys, structures):
                if key not in self._running and key not in self._done:
                    self._running[key] = self._submit(atoms, properties), atoms.copy()
        with self._turn_of_others():
            try:
                while not self._collect(keys):
                    time.sleep(PATIENCE)
            except BaseException:
                self._give_up()
                raise
        found = [self._done[key] for key in keys]
        if errors := [one for one in found if isinstance(one, Exception)]:
            raise errors[0]
        return found

    def take_turns(self, lines: Sequence[Callable[[], object]]) -> None:
        errors: list[BaseException] = []

        def run(line):
            with self._turn:
                self._own.turn = True
                try:
                    if not self._stopped:
                        line()
                except _Stopped:
                    pass
                except BaseException as error:
                    errors.append(error)
                    self._stopped = True

        threads = [threading.Thread(target=run, args=(line,)) for line in lines]
        with warnings.catch_warnings():  # filters are not kept apart for threads
            for thread in threads:
                thread.start()
            try:
                for thread in threads:
                    thread.join()
            finally:  # the user gave up, perhaps
                self._stopped = any(thread.is_alive() for thread in threads) or bool(errors)
                for thread in threads:
                    thread.join()
        if errors:
            self._give_up()
            raise errors[0]

    @contextmanager
    def _turn_of_others(self) -> Iterator[None]:
        mine = getattr(self._own, "turn", False)
        if mine:
            self._turn.release()
        try:
            yield
        finally:
            if mine:
                self._turn.acquire()

    def _submit(self, atoms, properties):
        try:
            return self.executor.submit(_label, self._pickled, atoms.copy(), list(properties))
        except Exception as error:  # a pool that broke takes nothing more
            raise self._explained(error) from None

    def _collect(self, keys):
        """Keep what is finished; are these?"""
        if self._stopped:
            raise _Stopped
        with self._guard:
            self._keep_finished()
            return all(key in self._done for key in keys)

    def _keep_finished(self):
        for key in [k for k, (future, _) in self._running.items() if future.done()]:
            future, atoms = self._running.pop(key)
            try:
                results, lacks, failed = future.result()
            except BaseException as error:  # cancelled, or its worker is gone
                self._done[key] = self._explained(error)
                continue
            if failed:
                kind, text = failed
                prefix = "" if kind in (ValueError, CalculatorFailed) else f"{self._name} failed: "
                self._done[key] = (kind or CalculatorFailed)(prefix + text)
            else:
                self._done[key] = results, lacks
                self._keep(atoms, results, lacks)

    def _keep(self, atoms, results, lacks):
        known = self.known(structure_key(atoms)) or NOTHING
        results, lacks = known["results"] | results, {*known["lacks"], *lacks}
        keep(self.store, self.fingerprint, atoms, results, lacks)

    def _give_up(self):
        """What has not started need not start; what runs is waited for where it can be."""
        with self._guard:
            futures = [future for future, _ in self._running.values()]
            if hasattr(self.executor, "cancel"):  # dask: one message to the scheduler for all
                self.executor.cancel(futures)
            else:
                for future in futures:
                    future.cancel()
                while not all(future.done() for future in futures):
                    time.sleep(PATIENCE)
                self._keep_finished()
            self._running.clear()

    def _explained(self, error):
        """The error of a label; where its worker is gone, what to do."""
        if type(error).__name__ in ("BrokenProcessPool", "KilledWorker"):
            return WorkerDied(
                "a worker process ended without an answer (killed, or out of memory?): finished "
                "labels are kept, start again with fewer workers and it goes on"
            )
        return error if isinstance(error, Exception) else _Stopped(str(error))


# In a worker


@lru_cache(maxsize=2)
def _made(pickled):
    make = pickle.loads(pickled)
    return make if hasattr(make, "get_potential_energy") else make()


def _label(pickled, atoms, properties):
    """(results, lacks, failed) of a structure; failed : (class or None, text) or None.

    Errors go as words: a class that cannot be unpickled would break the pool.
    """
    with _ONE_AT_A_TIME:
        try:
            return *answers(_made(pickled), properties, atoms), None
        except Exception as error:
            kinds = (kind for kind in (ValueError, CalculatorFailed) if isinstance(error, kind))
            kind = next(kinds, None)
            return {}, set(), (kind, str(error) if kind else f"{type(error).__name__}: {error}")


def _pickled(make, name):
    """What makes the calculator, for a worker; by value where it is of a script, if that can be."""
    try:
        from cloudpickle import dumps  # comes with dask
    except ImportError:
        from pickle import dumps
    try:
        return dumps(make)
    except Exception as error:
        raise ValueError(
            f"{name} cannot be sent to worker processes ({type(error).__name__}: {error}): name "
            "it in a file, as calculators.yaml:entry or script.py:name"
        ) from None
