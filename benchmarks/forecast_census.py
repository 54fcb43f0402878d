"""The census of forecasts: writes book/data/forecast_census.json, which chapter 13 shows.

    python benchmarks/forecast_census.py [workers]      (default: 1 process)

Every fit is forecast from small cells, and both models are relaxed on the large domain
(`mlipgen.experiments.forecast_census`); the chapter recomputes one of them.  Finished points are
kept in _build/forecast_census, so a run that was stopped goes on where it was.
"""

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "book" / "data" / "forecast_census.json"
FOLDER = ROOT / "_build" / "forecast_census"
DIGITS = 6


def compact(value):
    """The same data with numbers of six digits."""
    if isinstance(value, dict):
        return {k: compact(v) for k, v in value.items()}
    if isinstance(value, list):
        return [compact(v) for v in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def main(workers):
    from mlipgen.experiments import forecast_census as census

    options = {"out": FOLDER, "workers": workers, "progress": True}
    rows = census.run(census.SYSTEMS, seeds=census.SEEDS, **options)
    rows += census.run(census.LARGE, seeds=census.SEEDS[:1], **options)
    studies = ",\n".join(json.dumps(s.to_dict()) for s in (*census.SYSTEMS, *census.LARGE))
    lines = ",\n".join(json.dumps(compact(row), separators=(",", ":")) for row in rows)
    text = f'{{"studies": [\n{studies}\n],\n"rows": [\n{lines}\n]}}\n'
    TARGET.write_text(text, encoding="utf-8")
    minutes = sum(row["seconds"] for row in rows) / 60
    print(
        f"{len(rows)} fits, {sum(len(r['steps']) for r in rows)} forecasts, {minutes:.0f} minutes"
    )


if __name__ == "__main__":
    for name in ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
