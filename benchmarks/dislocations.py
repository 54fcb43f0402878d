"""Fits tested on screw dislocations in cylinders: writes book/data/dislocations.json, which chapter
17 shows.

    python benchmarks/dislocations.py [workers]       (default: one process; ten minutes)

Every fit of `dislocations.STUDIES` is predicted and relaxed in cylinders of growing radius; the
chapter recomputes one of them.  Finished points are kept in _build/dislocations, so a run that was
stopped goes on where it was.
"""

import sys
from contextlib import nullcontext
from pathlib import Path

from recording import one_thread, write_record

ROOT = Path(__file__).resolve().parents[1]
TARGET, FOLDER = ROOT / "book" / "data" / "dislocations.json", ROOT / "_build" / "dislocations"


def main(workers):
    from mlipgen.experiments import dislocations
    from mlipgen.experiments.sweep import local_processes

    with local_processes(workers) if workers > 1 else nullcontext() as executor:
        rows = dislocations.run(out=FOLDER, executor=executor, progress=True)
    parts = {"studies": [s.to_dict() for s in dislocations.STUDIES], "rows": rows}
    write_record(TARGET, digits=7, **parts)  # energy errors are differences of energies
    print(f"{len(rows)} errors")


if __name__ == "__main__":
    one_thread()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
