"""Relaxing the tungsten vacancy in cells of growing size, beside the best of LAMMPS' minimisers:
same potential, same start, same largest force.

Our time includes the preconditioner (force constants, Fourier transform, inversion) and the
neighbour list, LAMMPS' is that of `minimize`; neither looks at the curvature.  One thread each,
processor time; every size in a process of its own, whose peak of memory is read too.

Run: python benchmarks/bench_relax.py [cells ...]     default 16 20 50 100: 8,191 to 1,999,999 atoms
"""

import resource
import subprocess
import sys
import time

from common import lammps_python, run_lammps, single_thread
from rows import Row, report

single_thread()
MINIMISERS = ("cg", "fire", "hftn")
COMPARED = 300_000  # atoms; LAMMPS takes minutes beyond


def peak():
    """Largest memory of this process so far, bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(n):
    from mlipgen.crystals import Crystal, Supercell, vacancy
    from mlipgen.equilibrium import relax
    from mlipgen.potentials import EAM

    potential = EAM("W")
    crystal = Crystal.equilibrium(potential)
    relax(potential, vacancy(Supercell(crystal, 4)), saddle="ignore")  # compiles
    before, ours = peak(), []
    for _ in range(3 if n <= 20 else 1):
        defect = vacancy(Supercell(crystal, n))
        start = time.process_time()
        found = relax(potential, defect, tolerance=1e-7, saddle="ignore")
        ours.append(time.process_time() - start)
    size = f"{len(defect):,} atoms"
    grown = (peak() - before) / len(defect) / 1e3
    report(Row(f"memory of a relaxation, {size}", grown, "kB per atom", goal=4.5))
    row = {"what": f"relaxing the vacancy, {size}", "ours": min(ours), "unit": "s"}
    calls = f"{found.force_evaluations} force calls, largest force {found.max_force:.0e} eV/A"
    if lammps_python() is None or len(defect) > COMPARED:
        return report(Row(**row, settings=calls))
    best = None
    for minimiser in MINIMISERS:
        theirs = run_lammps(
            "relax", potential, defect.positions, defect.cell, minimiser, tolerance=found.max_force
        )
        if theirs["max_force"] > 3 * found.max_force:
            print(f"LAMMPS {minimiser} stopped at {theirs['max_force']:.0e} eV/A: not counted")
        elif best is None or theirs["seconds"] < best[1]["seconds"]:
            best = minimiser, theirs
        if best and len(defect) > 100_000:
            break  # the others are slower by far
    if best is None:
        return report(Row(**row, settings=f"{calls}; no minimiser of LAMMPS came as far"))
    name, theirs = best
    settings = f"{calls}; LAMMPS {theirs['evaluations']} force calls"
    goal = 1 / 3
    report(
        Row(**row, peer=f"LAMMPS {name}", theirs=theirs["seconds"], goal=goal, settings=settings)
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        main(int(sys.argv[2]))
    else:
        for cells in sys.argv[1:] or ("16", "20", "50", "100"):
            subprocess.run([sys.executable, __file__, "--one", cells], check=True)
