"""One sweep for everything: compute the points that a store lacks, here or on any executor.

An executor is anything with `submit(function, *arguments)` returning futures that know `done()` and
`result()`: `concurrent.futures`, or a `dask.distributed.Client`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from threading import RLock
from typing import Any

from ..failures import WorkerDied

#: Seconds between looks at what has finished.
PATIENCE = 0.02
#: What a study prepared is not made for several threads: a worker of several computes one point.
ONE_AT_A_TIME = RLock()


def sweep(
    points: Sequence[tuple],
    task: Callable[..., dict],
    store: Any,
    executor: Any = None,
    progress: bool = False,
    description: str = "",
) -> list[dict]:
    """Rows of all points, in order; each finished one is in the store at once.

    Parameters
    ----------
    points : sequence of tuples
    task : callable                 task(*point) -> dict; picklable if there is an executor
    store : Store
    executor : optional             anything with `submit`
    progress : bool                 a bar on the terminal

    Raises
    ------
    WorkerDied      if a process of the executor was killed, and the executor does not try again
    Exception       the first that a point raised; points that were running then are still kept
    """
    from tqdm import tqdm

    missing = [p for p in dict.fromkeys(points) if p not in store]
    bar = tqdm(total=len(missing), disable=not progress, unit="point", desc=description)
    with bar:
        for point, row in _computed(missing, task, executor):
            store.add(point, row)
            bar.update()
    return [store[p] for p in points]


def _computed(points, task, executor):
    """(point, row) as they finish."""
    if executor is None:
        for point in points:
            yield point, task(*point)
        return
    waiting = {executor.submit(task, *point): point for point in points}
    failed: tuple | None = None
    try:
        while waiting:
            finished = [f for f in waiting if f.done()]
            if not finished:
                time.sleep(PATIENCE)
            while finished:
                point = waiting.pop(finished[0])
                try:
                    # no longer held: dask computes held results again when their worker dies
                    row = finished.pop(0).result()
                except Exception as error:
                    if failed is None:  # what has not started need not start; the rest is kept
                        failed = (point, error)
                        _cancel(executor, waiting)
                    continue
                yield point, row
    finally:  # the caller gave up
        _cancel(executor, waiting)
    if failed is not None:
        raise _explained(*failed)


def _cancel(executor, futures):
    if hasattr(executor, "cancel"):  # dask: one message to the scheduler for all
        executor.cancel(list(futures))
        return
    for future in futures:
        future.cancel()


def _explained(point, error):
    """The error of a point; where its worker is gone, what to do."""
    if type(error).__name__ not in ("BrokenProcessPool", "KilledWorker"):
        return error
    return WorkerDied(
        f"a worker process ended without an answer at point {point!r} or beside it (killed, or out "
        "of memory?): finished points are kept, start again with fewer workers and it goes on"
    )


@contextmanager
def local_processes(workers: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """An executor of `workers` processes (default one for each core), one thread each: they share
    the cores, and threads of small matrices mostly wait for each other.
    """
    names = (
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
    )
    before = {n: os.environ.get(n) for n in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        # spawned, not forked: compiled kernels hold threads
        count = workers or os.cpu_count() or 1
        with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
            yield pool
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
