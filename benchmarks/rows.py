"""One line of a benchmark: ours, a named peer's, and their ratio; printed, and kept for the book.

`run_all.py` names a file in MLIPGEN_BENCHMARKS, to which every script appends its rows.
"""

import json
import os
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Row:
    """what : what is timed;  ours, theirs : in `unit`;  peer : the code that theirs belongs to
    goal : what the ratio ours / theirs, or without a peer ours itself, should at most be
    settings : sizes and tolerances, in words
    """

    what: str
    ours: float
    unit: str
    peer: str = ""
    theirs: float | None = None
    goal: float | None = None
    settings: str = ""

    @property
    def ratio(self):
        return None if self.theirs is None else self.ours / self.theirs

    def __str__(self):
        text = f"{self.what}: {self.ours:.3g} {self.unit}"
        if self.theirs is not None:
            text += f", {self.peer} {self.theirs:.3g} {self.unit}, ratio {self.ratio:.2f}"
        if self.goal is not None:
            text += f" (at most {self.goal:g})"
        return text + (f"; {self.settings}" if self.settings else "")


def report(*rows):
    """Print the rows; keep them where `run_all.py` asks for it."""
    kept = os.environ.get("MLIPGEN_BENCHMARKS")
    for row in rows:
        print(row, flush=True)
        if kept:
            with open(kept, "a", encoding="utf-8") as file:
                file.write(json.dumps({**asdict(row), "ratio": row.ratio}) + "\n")


def fastest(run, repeats=1, warm=True, clock=time.process_time):
    """Shortest time of several runs, s, after one that compiles (warm)."""
    if warm:
        run()
    times = []
    for _ in range(repeats):
        start = clock()
        run()
        times.append(clock() - start)
    return min(times)
