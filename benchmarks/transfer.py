"""Fits to some defects, tested on others: writes book/data/transfer.json, which chapter 15 shows.

    python benchmarks/transfer.py [workers]       (default: one process; half an hour)

Every fit of `transfer.STUDIES` is predicted, relaxed and compared on every tested defect, and the
dumbbells of `ranking.STUDIES` are ranked; the chapter recomputes some of it.  Finished points are
kept in _build/transfer, so a run that was stopped goes on where it was.
"""

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET, FOLDER = ROOT / "book" / "data" / "transfer.json", ROOT / "_build" / "transfer"


def compact(value):
    """The same data with numbers of six digits."""
    if isinstance(value, dict):
        return {k: compact(v) for k, v in value.items()}
    if isinstance(value, list):
        return [compact(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


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
    lines = lambda part: ",\n".join(
        json.dumps(compact(r), separators=(",", ":"), ensure_ascii=False) for r in part
    )
    body = ",\n".join(f'"{name}": [\n{lines(part)}\n]' for name, part in parts.items())
    TARGET.write_text(f"{{{body}}}\n", encoding="utf-8")
    print(f"{len(rows)} errors, {len(ranked)} rankings")


if __name__ == "__main__":
    for name in ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
