"""One thread against two: energy and forces of EAM and ACE, and a relaxation; wall clock.

Run on idle cores: python benchmarks/bench_threads.py

Beside them what the machine itself gains from two threads, with work that is independent and
shares no memory: a loop in which each operation waits for the one before, and matrix products,
which keep the floating-point units busy.  Two cores halve the time of both.  Two hyperthreads of
one core halve that of the first and leave the second: the units are shared, and code that uses
them well has nothing to gain.  Virtual machines do not tell which of the two their processors are.
"""

import functools
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from rows import Row, fastest, report


def measure():
    import numba
    import numpy as np

    from mlipgen.crystals import Crystal, Neighbours, Supercell, vacancy
    from mlipgen.equilibrium import relax
    from mlipgen.potentials import EAM, ACEBasis, LinearACE, energies_and_forces

    eam = EAM("W")
    crystal = Crystal.equilibrium(eam)
    basis = ACEBasis(5.5, 8, r0=float(crystal.shells[0]))
    ace = LinearACE(basis, np.random.default_rng(0).normal(size=len(basis)), "W")
    cell = Supercell(crystal, 16)
    x = cell.positions + 0.03 * np.random.default_rng(0).normal(size=cell.positions.shape)
    wall = functools.partial(fastest, clock=time.perf_counter)
    found = {}
    for name, model in (("EAM", eam), ("ACE", ace)):
        near = Neighbours(x, cell.cell, model.cutoff)
        found[f"{name}, energy and forces, {len(x):,} atoms"] = wall(
            lambda: energies_and_forces(model, near, x), 7
        )
    defect = vacancy(Supercell(crystal, 20))
    found[f"relaxing the vacancy, {len(defect):,} atoms"] = wall(
        lambda: relax(eam, defect, tolerance=1e-7, saddle="ignore"), 3
    )

    @numba.njit(nogil=True)
    def chain(steps):
        x = 1.0
        for _ in range(steps):
            x = 0.999999 * x + 1e-7
        return x

    threads, own = numba.get_num_threads(), np.random.default_rng(1).normal(size=(2, 400, 400))
    with ThreadPoolExecutor(threads) as pool:
        twice = lambda job: list(pool.map(job, (0, 1)))
        found["the machine's own gain, operations in a row"] = wall(
            lambda: twice(lambda _: chain(5_000_000)), 15
        )
        found["the machine's own gain, matrix products"] = wall(
            lambda: twice(lambda k: [own[k] @ own[k] for _ in range(5)]), 15
        )
    return found


def main():
    runs, load = [], f"load average {os.getloadavg()[0]:.1f} before"
    for threads in ("1", "2"):
        env = {**os.environ, "NUMBA_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, __file__, "--measure"]
        out = subprocess.run(
            command, env=env, check=True, capture_output=True, text=True, encoding="utf-8"
        ).stdout
        runs.append(json.loads(out))
    one, two = runs
    for what in one:
        goal = None if "machine" in what else 1 / 1.7
        report(Row(f"two threads, {what}", two[what], "s", "one thread", one[what], goal, load))


if __name__ == "__main__":
    if "--measure" in sys.argv:
        print(json.dumps(measure()))
    else:
        main()
