"""One thread against two: energy and forces of EAM and ACE, and a relaxation; wall clock.

Run on idle cores: python benchmarks/bench_threads.py

Both are timed in one process, in turn, so that both meet the same machine; the ratio is the median
of that of each turn.  Neighbour vectors, site energies and gradients are worked out in pieces, side
by side; how much of the time of one thread these take says (Amdahl's law) which ratio is within
reach, and is in the row.

Beside them what the machine itself gains from two threads, with work that is independent and
shares no memory: a loop in which each operation waits for the one before, and matrix products,
which keep the floating-point units busy.  Two cores halve the time of both.  Two hyperthreads of
one core halve that of the first and leave the second: the units are shared, and code that uses
them well has nothing to gain.  Virtual machines do not tell which of the two their processors are.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy

import time
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from rows import Row, report

from mlipgen.crystals import Neighbours, Supercell, vacancy
from mlipgen.equilibrium import relax
from mlipgen.experiments.study import Study
from mlipgen.potentials import EAM, derivatives

GOAL = 1 / 1.7


class Clock:
    """Time spent on pieces: the rest is not shared by threads."""

    def __init__(self):
        self.pieces, self.spent = derivatives.in_pieces, 0.0

    def __call__(self, *arguments):
        pieces = self.pieces(*arguments)
        while True:
            begin = time.perf_counter()
            piece = next(pieces, None)
            self.spent += time.perf_counter() - begin
            if piece is None:
                return
            yield piece


def clocked(job):
    begin = time.perf_counter()
    job()
    return time.perf_counter() - begin


def paired(one, two, turns):
    """Times (turns, 2), s, of two jobs in turn, after a first call of each that compiles."""
    one(), two()
    times = []
    for turn in range(turns):
        a, b = (one, two) if turn % 2 else (two, one)
        first, second = clocked(a), clocked(b)
        times.append((first, second) if turn % 2 else (second, first))
    return np.array(times)


def tell(what, times, goal=None, settings=""):
    one, ratio = np.median(times[:, 0]), np.median(times[:, 1] / times[:, 0])
    load = f"load average {os.getloadavg()[0]:.1f}"
    settings = f"{settings}, {load}" if settings else load
    report(Row(f"two threads, {what}", ratio * one, "s", "one thread", one, goal, settings))


def of_a_model(what, job, turns):
    """A job on one thread and on two."""

    def on(threads):
        numba.config.NUMBA_NUM_THREADS = threads
        job()

    times = paired(lambda: on(1), lambda: on(2), turns)
    clock = derivatives.in_pieces = Clock()
    whole = clocked(lambda: on(1))
    derivatives.in_pieces = clock.pieces
    tell(what, times, GOAL, f"pieces are {clock.spent / whole:.0%} of one thread's time")


@numba.njit(nogil=True)
def chain(steps):
    """Operations that wait for each other."""
    x = 1.0
    for _ in range(steps):
        x = 0.999999 * x + 1e-7
    return x


def of_the_machine():
    own = np.random.default_rng(1).normal(size=(2, 400, 400))
    jobs = {
        "operations in a row": lambda _: chain(5_000_000),
        "matrix products": lambda k: [own[k] @ own[k] for _ in range(5)],
    }
    with ThreadPoolExecutor(2) as pool:
        for name, job in jobs.items():
            alone = lambda: (job(0), job(1))
            together = lambda: list(pool.map(job, (0, 1)))
            tell(f"the machine's own gain, {name}", paired(alone, together, 15))


def main():
    prepared = Study().prepare()
    eam, crystal = EAM("W"), prepared.crystal
    ace = prepared.fit(4, "EF", 8).model
    cell = Supercell(crystal, 16)
    x = cell.positions + 0.03 * np.random.default_rng(0).normal(size=cell.positions.shape)
    for name, model in (("EAM", eam), ("ACE", ace)):
        near = Neighbours(x, cell.cell, model.cutoff)
        what = f"{name}, energy and forces, {len(x):,} atoms"
        of_a_model(what, lambda: derivatives.energies_and_forces(model, near, x), 15)
    v = np.random.default_rng(1).normal(size=x.shape)
    product = lambda: derivatives.hessian_vector(ace, near, x, v)
    of_a_model(f"ACE, Hessian product, {len(x):,} atoms", product, 7)
    defect = vacancy(Supercell(crystal, 20))
    for name, model in (("EAM", eam), ("ACE", ace)):
        relaxed = lambda: relax(model, defect, tolerance=1e-7, saddle="ignore")
        of_a_model(f"{name}, relaxing the vacancy, {len(defect):,} atoms", relaxed, 7)
    of_the_machine()


if __name__ == "__main__":
    main()
