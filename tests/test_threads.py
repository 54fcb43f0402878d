"""Pieces of a configuration on several threads: the bits of one thread, and no surprises."""

import multiprocessing
import threading

import numba
import numpy as np
import pytest

from mlipgen.crystals import Crystal, Neighbours, Supercell, as_atoms
from mlipgen.equilibrium import landscape
from mlipgen.potentials import EAM, ACEBasis, LinearACE, SitePotential, derivatives
from mlipgen.potentials.derivatives import energies_and_forces, hessian_vector

W = EAM("W")
BASIS = ACEBasis(4.4, 5, 3, 2.74)
RNG = np.random.default_rng(3)
ACE = LinearACE(BASIS, 0.1 * RNG.normal(size=len(BASIS)) / BASIS.prior, "W")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """250 atoms in eight pieces."""
    monkeypatch.setattr(derivatives, "CHUNK", 32)


def threads(number):
    numba.config.NUMBA_NUM_THREADS = number


@pytest.fixture(autouse=True)
def threads_as_before():
    before = numba.config.NUMBA_NUM_THREADS
    yield
    threads(before)


def rattled():
    cell = Supercell(Crystal.equilibrium(W), 5)
    rng = np.random.default_rng(1)
    return cell, cell.positions + 0.05 * rng.normal(size=cell.positions.shape)


def everything(model):
    """All that is summed over pieces."""
    cell, x = rattled()
    near = Neighbours(x, cell.cell, model.cutoff)
    v = np.random.default_rng(2).normal(size=x.shape)
    found = [*energies_and_forces(model, near, x), hessian_vector(model, near, x, v)]
    found.append(landscape(model, cell.cell, x, skin=0.5).displaced(1e-3 * v))
    if isinstance(model, SitePotential):
        atoms = as_atoms("W", x, cell.cell)
        atoms.calc = model.calculator()
        found += [atoms.get_stress(), atoms.get_forces(), atoms.get_potential_energies()]
    return [np.asarray(f).tobytes() for f in found]


@pytest.mark.parametrize("model", [W, ACE, BASIS], ids=["EAM", "ACE", "basis"])
def test_threads_do_not_change_a_bit(model):
    threads(1)
    alone = everything(model)
    for number in (2, 3):
        threads(number)
        assert everything(model) == alone


class Own(SitePotential):
    """A potential in Python that remembers who called it, and fails when it is told to."""

    symbol, cutoff, structure, a0_guess = "W", W.cutoff, "bcc", 3.16

    def __init__(self, concurrent):
        self.concurrent, self.callers, self.fail = concurrent, set(), False

    def sites(self, R, offsets):
        self.callers.add(threading.get_ident())
        if self.fail and len(offsets) < 33:  # the last piece is the shorter one
            raise ZeroDivisionError("the last piece")
        return W.sites(R, offsets)


def test_a_model_is_called_by_other_threads_only_where_it_says_that_it_may():
    cell, x = rattled()
    threads(2)
    near = Neighbours(x, cell.cell, W.cutoff)
    expected = energies_and_forces(W, near, x)[1]
    for concurrent in (False, True):
        model = Own(concurrent)
        assert (energies_and_forces(model, near, x)[1] == expected).all()
        assert (model.callers == {threading.get_ident()}) is not concurrent


def test_a_failure_in_a_piece_is_raised_and_the_next_call_is_right():
    cell, x = rattled()
    near = Neighbours(x, cell.cell, W.cutoff)
    threads(2)
    model = Own(concurrent=True)
    V = energies_and_forces(model, near, x)[0]
    model.fail = True
    with pytest.raises(ZeroDivisionError, match="the last piece"):
        energies_and_forces(model, near, x)
    model.fail = False
    assert (energies_and_forces(model, near, x)[0] == V).all()


def _in_a_child(queue):
    queue.put(everything(W))


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    threads(2)
    mine = everything(W)  # this process has its threads now, which a fork does not copy
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_a_child, args=(queue,))
    child.start()
    try:
        assert queue.get(timeout=60) == mine
    finally:
        child.kill()
        child.join()
