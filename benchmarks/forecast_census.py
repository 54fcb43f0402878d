"""The census of forecasts: writes book/data/forecast_census.json, which chapter 13 shows.

    python benchmarks/forecast_census.py [workers]      (default: 1 process)
    python benchmarks/forecast_census.py --add          only studies that are not in the record

Every fit is forecast from small cells, and both models are relaxed on the large domain
(`mlipgen.experiments.forecast_census`); the chapter recomputes one of them.  Finished points are
kept in _build/forecast_census, so a run that was stopped goes on where it was.
"""

import argparse
import json
from itertools import groupby
from pathlib import Path

from recording import one_thread, write_record

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "book" / "data" / "forecast_census.json"
FOLDER = ROOT / "_build" / "forecast_census"


def main(workers, add):
    from mlipgen.experiments import forecast_census as census

    asked = [(s, census.SEEDS) for s in census.SYSTEMS]
    asked += [(s, census.SEEDS[:1]) for s in census.LARGE]
    known, rows = recorded() if add else {}, []
    for study, seeds in asked:
        own = known.get(named(study.to_dict()), [])
        if len(own) != len(seeds) * len(study.grid()):
            own = census.run([study], seeds, FOLDER, workers, progress=True)
        rows += own
    write_record(TARGET, studies=[s.to_dict() for s, _ in asked], rows=rows)
    minutes = sum(row["seconds"] for row in rows) / 60
    print(
        f"{len(rows)} fits, {sum(len(r['steps']) for r in rows)} forecasts, {minutes:.0f} minutes"
    )


def named(settings):
    """The same text for the same settings, before and after JSON."""
    return json.dumps(settings, sort_keys=True)


def recorded():
    """The record's rows by the settings of their study; the rows of each stand together."""
    record = json.loads(TARGET.read_text(encoding="utf-8"))
    groups = groupby(record["rows"], lambda row: (row["crystal"], row["defect"]))
    parts = zip(record["studies"], groups, strict=True)
    return {named(settings): list(rows) for settings, (_, rows) in parts}


if __name__ == "__main__":
    one_thread()
    parser = argparse.ArgumentParser(description="The census of forecasts, for chapter 13.")
    parser.add_argument("workers", nargs="?", type=int, default=1, help="processes")
    parser.add_argument("--add", action="store_true", help="keep the studies that are recorded")
    given = parser.parse_args()
    main(given.workers, given.add)
