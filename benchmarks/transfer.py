"""Fits to some defects, tested on others: writes book/data/transfer.json, which chapter 15 shows.

    python benchmarks/transfer.py [workers]       (default: one process; half an hour)

Every fit of `transfer.STUDIES` is predicted, relaxed and compared on every tested defect, and the
dumbbells of `ranking.STUDIES` are ranked; the chapter recomputes some of it.  Finished points are
kept in _build/transfer, so a run that was stopped goes on where it was.
"""

import sys
from contextlib import nullcontext
from pathlib import Path

from recording import one_thread, write_record

ROOT = Path(__file__).resolve().parents[1]
TARGET, FOLDER = ROOT / "book" / "data" / "transfer.json", ROOT / "_build" / "transfer"


def main(workers):
    from mlipgen.experiments import ranking, transfer
    from mlipgen.experiments.sweep import local_processes

    with local_processes(workers) if workers > 1 else nullcontext() as executor:
        options = {"out": FOLDER, "executor": executor, "progress": True}
        rows, ranked = transfer.run(**options), ranking.run(**options)
    parts = {
        "studies": [s.to_dict() for s in transfer.STUDIES],
        "rows": rows,
        "ranking_studies": [s.to_dict() for s in ranking.STUDIES],
        "ranking": ranked,
    }
    write_record(TARGET, **parts)
    print(f"{len(rows)} errors, {len(ranked)} rankings")


if __name__ == "__main__":
    one_thread()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
