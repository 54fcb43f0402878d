"""Ways to spend a labelling budget: writes book/data/data_contest.json, which chapter 14 shows.

    nice -n 15 python benchmarks/data_contest.py [seeds]       (default: all; about an hour)

Every recipe at every budget, seed by seed, and a scan of the loss weights.  Finished points are
kept in _build/data_contest, so a run that was stopped goes on where it was; the record is written
anew after each seed.
"""

import sys
from dataclasses import replace
from pathlib import Path

from recording import one_thread, write_record

ROOT = Path(__file__).resolve().parents[1]
TARGET, FOLDER = ROOT / "book" / "data" / "data_contest.json", ROOT / "_build" / "data_contest"


def write(studies, rows, scans):
    """The record: settings, one row a line with its columns named once, scans."""
    columns = list(dict.fromkeys(c for r in rows for c in r))
    parts = {
        "studies": [s.to_dict() for s in studies],
        "columns": columns,
        "rows": [[r.get(c) for c in columns] for r in rows],
        "scans": scans,
    }
    write_record(TARGET, **parts)


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
    one_thread()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
