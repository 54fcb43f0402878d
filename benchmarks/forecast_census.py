"""The census of forecasts: writes book/data/forecast_census.json, which chapter 13 shows.

    python benchmarks/forecast_census.py [workers]      (default: 1 process)

Every fit is forecast from small cells, and both models are relaxed on the large domain
(`mlipgen.experiments.forecast_census`); the chapter recomputes one of them.  Finished points are
kept in _build/forecast_census, so a run that was stopped goes on where it was.
"""

import sys
from pathlib import Path

from recording import one_thread, write_record

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "book" / "data" / "forecast_census.json"
FOLDER = ROOT / "_build" / "forecast_census"


def main(workers):
    from mlipgen.experiments import forecast_census as census

    options = {"out": FOLDER, "workers": workers, "progress": True}
    rows = census.run(census.SYSTEMS, seeds=census.SEEDS, **options)
    rows += census.run(census.LARGE, seeds=census.SEEDS[:1], **options)
    write_record(TARGET, studies=[s.to_dict() for s in (*census.SYSTEMS, *census.LARGE)], rows=rows)
    minutes = sum(row["seconds"] for row in rows) / 60
    print(
        f"{len(rows)} fits, {sum(len(r['steps']) for r in rows)} forecasts, {minutes:.0f} minutes"
    )


if __name__ == "__main__":
    one_thread()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
