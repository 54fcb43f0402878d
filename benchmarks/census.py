"""The census of predictions, in full: writes book/data/census.json, which chapter 12 shows.

    python benchmarks/census.py [workers]       (default: one process; a quarter of an hour)

Every fit of `census.SYSTEMS` and `census.SOFT`, with two seeds of the training rattles, is
predicted, relaxed and compared; the chapter recomputes one of them.  Each finished fit is kept in
_build/census at once; one that is there already, with the same settings, is not computed again.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from mlipgen import __version__
from mlipgen.experiments import census

ROOT = Path(__file__).resolve().parents[1]
TARGET, FOLDER = ROOT / "book" / "data" / "census.json", ROOT / "_build" / "census"
SYSTEMS, SEEDS = (*census.SYSTEMS, *census.SOFT), (0, 1)
#: What depends on the machine, or is text that repeats the numbers.
LEFT_OUT = {"seconds", "force_evaluations", "outcome_why", "why"}


def shortened(value):
    """Six digits are more than a figure shows, and what differs between machines is further on."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def studies(seed):
    return [replace(s, seed=seed) for s in SYSTEMS]


def write(rows, seeds):
    """One line a fit, in the order of `columns`."""
    columns = [name for name in rows[0] if name not in LEFT_OUT]
    settings = [study.to_dict() for seed in seeds for study in studies(seed)]
    head = {"version": __version__, "studies": settings, "columns": columns}
    lines = [json.dumps([shortened(row[name]) for name in columns]) for row in rows]
    text = json.dumps(head)[:-1] + ', "rows": [\n' + ",\n".join(lines) + "\n]}\n"
    json.loads(text)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    workers, rows = int(sys.argv[1]) if sys.argv[1:] else 1, []
    for k, seed in enumerate(SEEDS, 1):
        rows += census.run(SYSTEMS, (seed,), out=FOLDER, workers=workers, progress=True)
        write(rows, SEEDS[:k])  # after each seed, so that a shorter run is of use as well
