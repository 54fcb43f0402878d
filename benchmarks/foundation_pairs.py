"""Foundation models against each other, recorded for the book: book/data/foundation_pairs.json.

One is the candidate, another the reference, of a vacancy on cells that the reference can be
relaxed on as well, so that each forecast stands beside the truth.  Each model lives in its own
lattice.  The weights come inside the packages; the environment with torch is that of
record_foundation.py, and one thread is enough:

    OMP_NUM_THREADS=1 python benchmarks/foundation_pairs.py foundation/bin/python [FOLDER [PAIRS]]

Every label is kept in FOLDER at once, and every finished pair: killed and started again nothing is
computed twice.  PAIRS is a text that the names of the pairs to run contain, e.g. "W diep"; without
it all run, in the order below.  The record holds those that are finished.
"""

import json
import re
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import date
from pathlib import Path

from record_foundation import MODELS
from recording import write_record

from mlipgen.crystals import Crystal
from mlipgen.generalisation import preflight
from mlipgen.generalisation.assess import Assessment, assess
from mlipgen.generalisation.composite import same_defect
from mlipgen.learning.labels import with_store
from mlipgen.potentials.naming import calculator_entry

TARGET = Path(__file__).parents[1] / "book" / "data" / "foundation_pairs.json"
#: symbol: domain and check cells; 127 atoms of W, 107 of Cu, 215 of Si
SIZES = {"W": (4, (2, 3)), "Cu": (3, (2, (2, 3, 3))), "Si": (3, (2, (2, 3, 3)))}
#: symbol, candidate, reference
PAIRS = (
    ("W", "sevennet-0", "sevennet-l3i5"),
    ("W", "diep", "chgnet-r2scan"),
    ("W", "chgnet-r2scan", "diep"),
    ("W", "sevennet-0", "chgnet-0.3.0"),
    ("W", "chgnet-0.3.0", "sevennet-0"),
    ("W", "sevennet-l3i5", "sevennet-0"),
    *(
        (s, *p)
        for s in ("Cu", "Si")
        for p in (("diep", "chgnet-r2scan"), ("chgnet-r2scan", "diep"))
    ),
    ("Cu", "sevennet-0", "chgnet-0.3.0"),
    ("Si", "sevennet-0", "chgnet-0.3.0"),
)
#: Steps of the preflight's scan for smoothness.
SCAN = 8
#: A candidate that is not relaxed after so many is refused; a smooth one takes some ten.
EVALUATIONS = 150
PACKAGES = ("torch", "ase", "numpy", "sevenn", "chgnet", "diep")


def model(name, symbol, python, store):
    """A foundation model with its labels kept; it computes in a process of `python`."""
    entry = {
        "file": "record_foundation.py",
        "class_name": "load",
        "kwargs": {"name": name, "dtype": "float32"},
        "level_of_theory": MODELS[name].level,
        "python": python,
    }
    return with_store(calculator_entry(name, entry, __file__).model(symbol), store)


def run(symbol, candidate, reference, python, folder):
    """The file of one pair's Assessment, or (.txt) of why there is none."""
    kept = folder / f"{symbol} {candidate} {reference}.json"
    part = kept.with_suffix(".txt")
    for known in (kept, part):
        if known.exists():
            return known
    start, store = time.perf_counter(), folder / "labels.jsonl"
    domain, checks = SIZES[symbol]

    def tell(text, stage=False):
        print(f"{time.perf_counter() - start:6.0f} s  {text}", flush=True)
        relaxing = re.search(r"(\d+) evaluations, (\S+ eV/A)", text)
        if relaxing and int(relaxing[1]) > EVALUATIONS:
            raise ValueError(
                f"the relaxation of {candidate} does not settle: {relaxing[2]} are left after "
                f"{EVALUATIONS} evaluations"
            )

    both = [model(name, symbol, python, store) for name in (candidate, reference)]
    try:
        found = assess(
            *both,
            domain=domain, checks=checks, lattices=("own",), truth=True, basin=False, scan=SCAN,
            despite=True, tell=tell,
        )  # fmt: skip
    except ValueError as error:  # a crystal or a defect that a model does not have
        part.write_text("\n".join([str(error), *faults(both[0], checks[0])]))
        return part
    found.save(kept)
    return kept


def faults(candidate, cell):
    """What the candidate's preflight objects to, in its words; the labels are there."""
    crystal = Crystal.equilibrium(candidate)
    flight = preflight(candidate, crystal, same_defect("vacancy", crystal, cell), scan=SCAN)
    return map(str, flight.failed)


def entry(symbol, candidate, reference, path):
    """What the book shows of one pair: without shells, scenes and the crystal's tables."""
    out = {"crystal": symbol, "candidate": candidate, "reference": reference}
    out["date"] = date.fromtimestamp(path.stat().st_mtime).isoformat()
    if path.suffix == ".txt":
        return out | {"refused": path.read_text().splitlines()}
    found = Assessment.load(path)
    section = asdict(found.defects[0])
    section["scene"] = None
    for comparison in section["comparisons"]:
        comparison["shells"] = []
    both = (found.candidate, found.reference)
    return out | {
        "level": [facts.level for facts in both],
        "lattice": [facts.lattice[0] for facts in both],
        "noise": [facts.noise_force for facts in both],
        "failed": [[c.name for c in facts.checks if not c.passed] for facts in both],
        "asked": [sum(a.calls for a in found.asked), sum(a.atoms for a in found.asked)],
        "verdict": found.verdict,
        "section": section,
    }


def versions(python):
    """The packages of the environment with the models."""
    ask = (
        "import importlib.metadata as m, json, sys;"
        "print(json.dumps({p: m.version(p) for p in sys.argv[1:]}))"
    )
    return json.loads(subprocess.check_output([python, "-c", ask, *PACKAGES], text=True))


def main(python, folder, only=""):
    folder.mkdir(parents=True, exist_ok=True)
    for pair in PAIRS:
        if only in " ".join(pair):
            print("\n".join(run(*pair, python, folder).read_text().splitlines()[:1]), pair)
            finished = []
            for done in PAIRS:
                for suffix in (".json", ".txt"):
                    path = folder / f"{' '.join(done)}{suffix}"
                    if path.exists():
                        finished.append(entry(*done, path))
            write_record(TARGET, pairs=finished, versions=[versions(python)])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    place = Path(sys.argv[2] if len(sys.argv) > 2 else "foundation-labels")
    main(str(Path(sys.argv[1]).absolute()), place, *sys.argv[3:4])
