"""Rates of the controlled experiments in large cells: writes book/data/controlled_rates.json, which
chapter 7 shows.

    python benchmarks/controlled_rates.py [copper silicon ...]     (default: all; a quarter of an
    hour per system)

Every point is a nonlinear equilibrium (`mlipgen.experiments.controlled.respond`); the chapter
recomputes some of them.  Each finished
case is saved at once; one that is there already, with the same settings, is not computed again.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from mlipgen.crystals import Crystal, Supercell, build_defect, translations
from mlipgen.experiments.controlled import ROWS, TERMS, measure_rates
from mlipgen.generalisation import Reference
from mlipgen.potentials import EAM, StillingerWeber, Toy2D

TARGET = Path(__file__).resolve().parents[1] / "book" / "data" / "controlled_rates.json"
#: potential, defect, supercell, smallest and largest L in nearest-neighbour distances, lattice
#: direction of the known error
#: (silicon: along the dumbbell, where the far field is largest and asymptotic first)
SYSTEMS = {
    "toy": (Toy2D, "divacancy", 220, 3.2, 11.2, 0),
    "copper": (lambda: EAM("Cu"), "divacancy", 40, 5.0, 9.4, 0),
    "silicon": (StillingerWeber, "dumbbell-110", 30, 6.4, 11.2, 5),
    "tungsten": (lambda: EAM("W"), "dumbbell-110", 54, 4.8, 10.3, 0),
}
CASES = [t for t in TERMS if t != "dilation"] + ["E,F,V", "E,F,FC,V"]
#: Change of the geometry at the smallest L, as a fraction of |D ubar|; the steep ones reach it in a
#: distant, hardly strained copper only
#: with a coefficient that makes the crystal itself unstable.
SIZE, SMALLER = 1e-3, {"copper": {"gradient": 1e-4, "quartic": 1e-4}}
#: Where two errors act together the faster one gets this share of the slower one's size at the
#: smallest L.
SHARE = 0.1


def run(name, done, save, points=5):
    """Compute the cases of a system that `done` lacks; save(system) after each."""
    make, defect, n, low, high, direction = SYSTEMS[name]
    sizes = {case: SMALLER.get(name, {}).get(case, SIZE) for case in CASES}
    settings = {
        "defect": defect,
        "cell": n,
        "window": [low, high, points],
        "direction": direction,
        "share": SHARE,
        "sizes": sizes,
    }
    potential = make()
    results = dict(done.get("cases", {})) if done.get("settings") == settings else {}
    if set(CASES) <= set(results):
        return
    reference = Reference(
        potential,
        build_defect(defect, Supercell(Crystal.equilibrium(potential), n)),
        tolerance=1e-9,
    )
    nearest = reference.defect.crystal.shells[0]
    system = {
        "settings": settings,
        "defect": defect,
        "cell": n,
        "atoms": len(reference.defect),
        "nearest": nearest,
        "scale": reference.scale,
        "dimension": potential.dimension,
        "cases": results,
    }
    for case in CASES:
        if case in results:
            continue
        begin, terms = time.time(), ROWS.get(case, (case,))
        along = np.eye(len(translations(reference.defect.crystal)))[direction]
        known = {
            t: results[t]["coefficients"][t] * (1 if t == terms[0] else SHARE)
            for t in terms
            if t in results
        }
        rates = measure_rates(
            reference,
            terms,
            np.geomspace(low, high, points) * nearest,
            sizes[case],
            coefficients=known if len(known) == len(terms) else None,
            directions=along,
        )
        results[case] = {
            "coefficients": rates.coefficients,
            "L": rates.L.tolist(),
            "geometry": rates.geometry.tolist(),
            "energy": rates.energy.tolist(),
        }
        save(system)
        print(
            name,
            case,
            rates.predicted,
            *(np.round(rates.rate(w), 2) for w in ("geometry", "energy")),
            *(np.round(rates.local_rates(w), 2) for w in ("geometry", "energy")),
            f"{time.time() - begin:.0f} s",
            flush=True,
        )


def stored():
    return json.loads(TARGET.read_text(encoding="utf-8")) if TARGET.exists() else {}


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    for name in sys.argv[1:] or SYSTEMS:
        run(
            name,
            stored().get(name, {}),
            lambda system: TARGET.write_text(
                json.dumps(stored() | {name: system}, indent=1) + "\n", encoding="utf-8"
            ),
        )
