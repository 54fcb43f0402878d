"""Ways to spend a labelling budget: writes book/data/data_contest.json, which chapter 14 shows.

    nice -n 15 python benchmarks/data_contest.py [seeds]       (default: all; about half an hour)

Every recipe at every budget, seed by seed, and a scan of the loss weights.  Finished points are
kept in _build/data_contest, so a run that was stopped goes on where it was; the record is written
anew after each seed.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET, FOLDER = ROOT / "book" / "data" / "data_contest.json", ROOT / "_build" / "data_contest"


def compact(value):
    """The same data with numbers of six digits."""
    if isinstance(value, dict):
        return {k: compact(v) for k, v in value.items()}
    if isinstance(value, list):
        return [compact(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def write(studies, rows, scans):
    """The record: settings, one row a line with its columns named once, scans."""
    columns = list(rows[0])
    lines = lambda part: ",\n".join(
        json.dumps(compact(r), separators=(",", ":"), ensure_ascii=False) for r in part
    )
    parts = {
        "studies": [s.to_dict() for s in studies],
        "columns": columns,
        "rows": [[r[c] for c in columns] for r in rows],
        "scans": scans,
    }
    body = ",\n".join(f'"{name}": [\n{lines(part)}\n]' for name, part in parts.items())
    TARGET.write_text(f"{{{body}}}\n", encoding="utf-8")


def main(count):
    from mlipgen.experiments.data_contest import SEEDS, STUDIES, run

    rows, scans = [], []
    for seed in SEEDS[:count]:
        more, scanned = run([replace(s, seeds=(seed,)) for s in STUDIES], FOLDER, progress=True)
        rows += more
        scans += scanned
        write([replace(s, seeds=SEEDS[: seed + 1]) for s in STUDIES], rows, scans)
        print(f"seed {seed}: {len(rows)} fits")


if __name__ == "__main__":
    for name in ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
