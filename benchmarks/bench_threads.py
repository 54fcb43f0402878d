"""One thread against two: energy and forces of EAM and ACE, and a relaxation; wall clock.

Run on idle cores: python benchmarks/bench_threads.py
"""

import functools
import json
import os
import subprocess
import sys
import time

from rows import Row, fastest, report


def measure():
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
    return found


def main():
    runs = []
    for threads in ("1", "2"):
        env = {**os.environ, "NUMBA_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        command = [sys.executable, __file__, "--measure"]
        out = subprocess.run(
            command, env=env, check=True, capture_output=True, text=True, encoding="utf-8"
        ).stdout
        runs.append(json.loads(out))
    one, two = runs
    for what in one:
        report(Row(f"two threads, {what}", two[what], "s", "one thread", one[what], 1 / 1.7))


if __name__ == "__main__":
    if "--measure" in sys.argv:
        print(json.dumps(measure()))
    else:
        main()
