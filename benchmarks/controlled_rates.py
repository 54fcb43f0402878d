"""Rates of the controlled experiments in large cells: writes book/data/controlled_rates.json, which chapter 7 shows.

    python benchmarks/controlled_rates.py [copper silicon ...]     (default: all; minutes per system)

Every point is a nonlinear equilibrium (`mlipgen.controlled.respond`); the chapter recomputes some of them.
"""
import json
import sys
import time
from pathlib import Path

import numpy as np

from mlipgen.controlled import ROWS, TERMS, measure_rates
from mlipgen.crystals import Crystal, Supercell, build_defect
from mlipgen.errors import Reference
from mlipgen.farfield import translations
from mlipgen.potentials import EAM, StillingerWeber, Toy2D

TARGET = Path(__file__).resolve().parents[1] / "book" / "data" / "controlled_rates.json"
#: potential, defect, supercell, smallest and largest L in nearest-neighbour distances, lattice direction of the known error
#: (silicon: along the dumbbell, where the far field is largest and asymptotic first)
SYSTEMS = {
    "toy": (Toy2D, "divacancy", 220, 3.2, 11.2, 0),
    "copper": (lambda: EAM("Cu"), "divacancy", 24, 2.9, 5.6, 0),
    "silicon": (StillingerWeber, "dumbbell-110", 30, 6.4, 11.2, 5),
}
CASES = [t for t in TERMS if t != "dilation"] + ["E,F,V", "E,F,FC,V"]


def run(name, points=5):
    make, defect, n, low, high, direction = SYSTEMS[name]
    potential = make()
    reference = Reference(potential, build_defect(defect, Supercell(Crystal.equilibrium(potential), n)), tolerance=1e-9)
    nearest, results = reference.defect.crystal.shells[0], {}
    for case in CASES:
        begin = time.time()
        terms = ROWS.get(case, (case,))
        along = np.eye(len(translations(reference.defect.crystal)))[direction]
        known = {t: results[t]["coefficients"][t] for t in terms if t in results}
        rates = measure_rates(reference, terms, np.geomspace(low, high, points) * nearest,
                              coefficients=known if len(known) == len(terms) else None, directions=along)
        results[case] = {"coefficients": rates.coefficients, "L": rates.L.tolist(), "geometry": rates.geometry.tolist(),
                         "energy": rates.energy.tolist()}
        print(name, case, rates.predicted, *(np.round(rates.rate(w), 2) for w in ("geometry", "energy")),
              *(np.round(rates.local_rates(w), 2) for w in ("geometry", "energy")), f"{time.time() - begin:.0f} s", flush=True)
    return {"defect": defect, "cell": n, "atoms": len(reference.defect), "nearest": nearest, "scale": reference.scale,
            "dimension": potential.dimension, "cases": results}


if __name__ == "__main__":
    for name in sys.argv[1:] or SYSTEMS:
        result = run(name)
        everything = json.loads(TARGET.read_text()) if TARGET.exists() else {}
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text(json.dumps(everything | {name: result}, indent=1) + "\n")
