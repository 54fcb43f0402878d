"""The court of uncertainty: writes book/data/uncertainty_court.json, which chapter 16 shows.

    python benchmarks/uncertainty_court.py [FOLDER]      (default: _build/uncertainty_court)

Every fit is forecast from small cells, four estimates are made from its training data alone, and
both models are relaxed on the domain (`mlipgen.experiments.court`); the chapter recomputes one of
them.  Finished points are kept in FOLDER, so a run that was stopped goes on where it was.
"""

import sys
from pathlib import Path

from recording import one_thread, write_record

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "book" / "data" / "uncertainty_court.json"
FOLDER = ROOT / "_build" / "uncertainty_court"


def main(folder):
    from mlipgen.experiments import court

    rows = court.run(out=folder, progress=True)
    write_record(TARGET, studies=[s.to_dict() for s in court.SYSTEMS], rows=rows)
    print(f"{len(rows)} fits, {sum(row['seconds'] for row in rows) / 60:.0f} minutes")


if __name__ == "__main__":
    one_thread()
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
