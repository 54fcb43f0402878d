"""Labels that an executor's workers compute: asked once, kept at once, and errors in the same words
as those of one process.
"""

import sys
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes

from mlipgen.crystals import Crystal, Supercell
from mlipgen.failures import CalculatorFailed, NotFinite, WorkerDied
from mlipgen.learning import LabelStore, with_store
from mlipgen.learning.spread import in_turns, with_executor
from mlipgen.potentials import CalculatorModel
from mlipgen.potentials.together import compute_together

CRYSTAL = Crystal("W", "bcc", 3.17)
CELL = Supercell(CRYSTAL, 2)
LOG: list = []


class Springs(Calculator):
    """Every atom on a spring of its own to the origin; `spoil` is done first."""

    implemented_properties = ["energy", "forces"]

    def __init__(self, spoil=None):
        super().__init__()
        self.spoil = spoil

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        LOG.append((threading.get_ident(), self.atoms.positions.tobytes()))
        if self.spoil:
            self.spoil(self.atoms)
        x = self.atoms.positions
        self.results = {"energy": 0.5 * (x**2).sum(), "forces": -x}


def odd(atoms):
    raise KeyError("no such orbital")


def refused(atoms):
    raise ValueError("not this structure")


def nan(atoms):
    atoms.positions[0] = np.nan


def model(spoil=None):
    return CalculatorModel(Springs(spoil), "W", name="springs", fingerprint="springs 1")


def moved(k):
    return CELL.positions + 0.01 * k


def place(k):
    return moved(k), CELL.cell


@pytest.fixture
def pool():
    LOG.clear()
    with ThreadPoolExecutor(2) as pool:
        yield pool


def test_labels_come_from_the_workers_and_are_kept(pool, tmp_path):
    known = with_store(model(), tmp_path)
    spread = with_executor(known, pool)
    energies, forces = spread.evaluate(moved(1), CELL.cell)
    np.testing.assert_array_equal(forces, -moved(1))
    assert energies.sum() == 0.5 * (moved(1) ** 2).sum() and spread.stress(*place(1)) is None
    assert threading.get_ident() not in {who for who, _ in LOG}
    count = len(LOG)
    compute_together(spread, [place(k) for k in (1, 2, 3, 2)])
    assert len(LOG) == count + 2 and len(LabelStore(tmp_path)) == 3
    # another model with that store asks for nothing
    again = with_executor(with_store(model(), tmp_path), pool)
    for k in (1, 2, 3):
        again.evaluate(moved(k), CELL.cell)
    assert len(LOG) == count + 2


def test_lines_take_turns_and_ask_for_the_same_label_once(pool):
    spread, running, together = with_executor(model(), pool), [], []

    def line(first):
        def part(own):
            for k in (0, first, first + 1):  # the first is the same for all
                running.append(first)
                together.append(len(set(running)))
                np.testing.assert_array_equal(own.evaluate(moved(k), CELL.cell)[1], -moved(k))
            running[:] = [r for r in running if r != first]

        return part

    in_turns(spread, [line(10), line(20), line(30)])
    asked = [x for _, x in LOG]
    assert len(asked) == len(set(asked)) == 1 + 3 * 2
    assert max(together) > 1, "one after the other"
    in_turns(spread, [line(40)])  # one alone gains nothing by being done twice
    in_turns(model(), [line(40), line(50)])  # nor what has no workers
    assert len(LOG) == 7


@pytest.mark.parametrize("spoil, kind", [(odd, CalculatorFailed), (refused, ValueError)])
def test_errors_are_said_as_in_one_process(pool, tmp_path, spoil, kind):
    said = []
    for one in (model(spoil), with_executor(with_store(model(spoil), tmp_path), pool)):
        with pytest.raises(kind) as error:
            one.evaluate(moved(1), CELL.cell)
        said.append(str(error.value))
    assert said[0] == said[1] and len(LabelStore(tmp_path)) == 0


def test_what_is_not_finite_is_no_label(pool, tmp_path):
    spread = with_executor(with_store(model(nan), tmp_path), pool)
    with pytest.raises(NotFinite, match="springs gave an energy of nan"):
        spread.evaluate(moved(1), CELL.cell)
    assert len(LabelStore(tmp_path)) == 0


def test_an_error_in_one_line_ends_the_others(pool):
    spread, reached = with_executor(model(), pool), []

    def fails(own):
        own.evaluate(moved(1), CELL.cell)
        raise ArithmeticError("three")

    def goes_on(own):
        for k in range(10, 500):
            own.evaluate(moved(k), CELL.cell)
            reached.append(k)

    with pytest.raises(ArithmeticError, match="three"):
        in_turns(spread, [goes_on, fails])
    assert len(reached) < 100


def test_what_cannot_be_sent_to_workers_is_said(pool):
    held = model()
    held.calculator.lock = threading.Lock()
    with pytest.raises(ValueError, match=r"springs cannot be sent .* name it in a file"):
        with_executor(held, pool)


class Stuck:
    """A future that the user gives up waiting for; `left` are looks until it is done after that."""

    def __init__(self):
        self.asked, self.cancelled, self.left = 0, False, 2

    def done(self):
        self.asked += 1
        if self.asked == 2:
            raise KeyboardInterrupt
        self.left -= self.cancelled
        return self.cancelled and self.left <= 0

    def cancel(self):
        self.cancelled = True

    def result(self):
        raise CancelledError


@pytest.mark.parametrize("dask", [False, True])
def test_who_gives_up_waits_for_no_label(dask):
    """What has not begun is cancelled, by one message where the executor takes one."""
    stuck, messages = Stuck(), []
    executor = SimpleNamespace(submit=lambda *_: stuck)
    if dask:
        executor.cancel = messages.append
    spread = with_executor(model(), executor)
    with pytest.raises(KeyboardInterrupt):
        spread.evaluate(moved(1), CELL.cell)
    assert messages == ([[stuck]] if dask else []) and stuck.cancelled is not dask


def test_a_pool_that_broke_is_named():
    def broken(*_):
        raise BrokenProcessPool("a child process terminated abruptly")

    spread = with_executor(model(), SimpleNamespace(submit=broken))
    with pytest.raises(WorkerDied, match="a worker process ended without an answer"):
        spread.evaluate(moved(1), CELL.cell)


def test_without_dask_calculators_are_sent_by_name(pool, monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    assert with_executor(model(), pool).evaluate(moved(1), CELL.cell)[0].sum() > 0
