"""Fits tested on screw dislocations in cylinders: writes book/data/dislocations.json, which chapter
17 shows.

    python benchmarks/dislocations.py [workers]       (default: one process; ten minutes)

Every fit of `dislocations.STUDIES` is predicted and relaxed in cylinders of growing radius; the
chapter recomputes one of them.  Finished points are kept in _build/dislocations, so a run that was
stopped goes on where it was.
"""

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET, FOLDER = ROOT / "book" / "data" / "dislocations.json", ROOT / "_build" / "dislocations"


def compact(value):
    """The same data with numbers of seven digits: energy errors are differences of energies."""
    if isinstance(value, dict):
        return {k: compact(v) for k, v in value.items()}
    if isinstance(value, list):
        return [compact(v) for v in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value


def main(workers):
    from mlipgen.experiments import dislocations
    from mlipgen.experiments.sweep import local_processes

    with local_processes(workers) if workers > 1 else nullcontext() as executor:
        rows = dislocations.run(out=FOLDER, executor=executor, progress=True)
    parts = {"studies": [s.to_dict() for s in dislocations.STUDIES], "rows": rows}
    lines = lambda part: ",\n".join(
        json.dumps(compact(r), separators=(",", ":"), ensure_ascii=False) for r in part
    )
    body = ",\n".join(f'"{name}": [\n{lines(part)}\n]' for name, part in parts.items())
    TARGET.write_text(f"{{{body}}}\n", encoding="utf-8")
    print(f"{len(rows)} errors")


if __name__ == "__main__":
    for name in ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
