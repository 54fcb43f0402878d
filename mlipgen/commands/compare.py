"""`mlipgen compare`: two assessments of one question."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    compare = commands.add_parser(
        "compare",
        help="what has become better from one assessment to another",
        description="Compare two files assessment.json: errors before and after, better or worse "
        "than their error bars.",
    )
    compare.add_argument("old", metavar="OLD.json", help="the earlier assessment")
    compare.add_argument("new", metavar="NEW.json", help="the later one")
    compare.add_argument(
        "--fail-if-worse", action="store_true", help="exit 1 if any error has become worse"
    )


def run(given: argparse.Namespace) -> int:
    from ..generalisation.assess import Assessment
    from ..report.compare import compare
    from ..report.terminal import table

    old, new = (Assessment.load(path) for path in (given.old, given.new))
    changes = compare(old, new)
    header = ["", "error", old.candidate.name, new.candidate.name, ""]
    rows = [[c.defect, c.quantity, c.before, c.after, c.state] for c in changes]
    print(table(header, rows))
    worse = any(c.state == "worse" for c in changes)
    return 1 if worse and given.fail_if_worse else 0
