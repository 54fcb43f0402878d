"""Foundation models against each other, recorded for the book: book/data/foundation_pairs.json.

Five models, three elements.  First what each says of an element's crystal and vacancy on its own:
lattice, elastic constants, stability (with force constants from a thick supercell and from one of
12 A), the checks that fail, whether its vacancy relaxes.  Then the ordered pairs: one is the
candidate, another the reference, on a domain that the reference can be relaxed on as well, so that
each forecast stands beside the truth; each model lives in its own lattice.  A pair that has a model
without a stable crystal or without a relaxed vacancy is refused with that reason.

The weights come inside the packages; the environment with torch is that of record_foundation.py,
and one thread is enough:

    OMP_NUM_THREADS=1 python benchmarks/foundation_pairs.py foundation/bin/python [FOLDER]
        [--only "Cu model"] [--minutes 60]

Every label is kept in FOLDER at once, and every finished model and pair: killed and started again
nothing is computed twice.  --only is a text that the names of what is run contain ("Cu model diep",
"W sevennet-0 diep"); after --minutes nothing more is begun.  The record names all sixty pairs,
those that were not run with what they would have cost.
"""

import argparse
import functools
import itertools
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import date
from pathlib import Path

import numpy as np
from record_foundation import MODELS
from recording import write_record
from scipy.optimize import root_scalar

from mlipgen.crystals import Crystal
from mlipgen.equilibrium import EnergyNorm, formation_energy, landscape, lattice_stability
from mlipgen.equilibrium.stability import core_forces
from mlipgen.failures import CalculatorFailed, NoEquilibrium
from mlipgen.generalisation import preflight
from mlipgen.generalisation.assess.basin import of_the_minimum, relaxed, state_of_the_truth
from mlipgen.generalisation.assess.crystal import Pair, elastic_constants
from mlipgen.generalisation.assess.defect import Settings
from mlipgen.generalisation.assess.defect_sections import Comparison
from mlipgen.generalisation.assess.truth import Truths
from mlipgen.generalisation.composite import same_defect
from mlipgen.generalisation.forecast import forecast
from mlipgen.learning.labels import CachedCalculator, LabelStore
from mlipgen.potentials import CalculatorModel
from mlipgen.potentials.derivatives import force_constants
from mlipgen.potentials.naming import calculator_entry

TARGET = Path(__file__).parents[1] / "book" / "data" / "foundation_pairs.json"
#: symbol: domain, check cells, supercell of the force constants; domains of 127, 107 and 143 atoms
SIZES = {"W": (4, (2, 3), 6), "Cu": (3, (2, (2, 3, 3)), 5), "Si": ((2, 3, 3), (2, (2, 2, 3)), 4)}
NAMES = ("sevennet-0", "chgnet-r2scan", "chgnet-0.3.0", "diep", "sevennet-l3i5")
#: Of each element these pairs first, the rest as it comes.
FIRST = (
    ("sevennet-0", "sevennet-l3i5"),
    ("sevennet-0", "chgnet-0.3.0"),
    ("chgnet-0.3.0", "sevennet-0"),
    ("chgnet-0.3.0", "chgnet-r2scan"),
    ("chgnet-r2scan", "chgnet-0.3.0"),
    ("chgnet-r2scan", "sevennet-0"),
    ("sevennet-0", "chgnet-r2scan"),
    ("sevennet-l3i5", "sevennet-0"),
)
#: Steps in which an atom is moved to see its force jump; the first eight models had 40.  Over so
#: few Simpson's rule is no test of the energy, which is left out.
SCAN, COARSE = 12, ("jumps of the energy",)
#: A relaxation that is not done after so many is given up; a smooth one takes some ten.
EVALUATIONS = 60
PACKAGES = ("torch", "ase", "numpy", "sevenn", "chgnet", "diep")


class Bench:
    """The five models, each computing in one process of another Python, and their labels."""

    def __init__(self, python, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.store, self.start = folder, LabelStore(folder), time.perf_counter()
        self.specs, self.calculators = {}, {}
        for name in NAMES:
            entry = {
                "file": "record_foundation.py",
                "class_name": "load",
                "kwargs": {"name": name, "dtype": "float32"},
                "level_of_theory": MODELS[name].level,
                "python": python,
            }
            spec = self.specs[name] = calculator_entry(name, entry, __file__)
            make = functools.cache(spec.calculator)  # a process starts when a label is missing
            self.calculators[name] = CachedCalculator(make, self.store, spec.fingerprint)

    def model(self, name, symbol, supercell=None):
        """The model of one element, with its labels kept."""
        spec = self.specs[name]
        return CalculatorModel(
            self.calculators[name], symbol, name=name, supercell=supercell,
            fingerprint=spec.fingerprint, level_of_theory=spec.level_of_theory,
        )  # fmt: skip

    def tell(self, text, stage=False):
        print(f"{time.perf_counter() - self.start:6.0f} s  {text}", flush=True)
        relaxing = re.search(r"(\d+) evaluations, (\S+ eV/A)", text)
        if relaxing and int(relaxing[1]) > EVALUATIONS:
            raise NoEquilibrium(f"{relaxing[2]} are left after {EVALUATIONS} evaluations")


def finite(x):
    return float(x) if np.isfinite(x) else None


def lattice(model, near):
    """The crystal free of stress, by the secant method from another model's lattice constant, A.

    `Crystal.equilibrium` asks for some forty cells more; that this is a minimum is seen from the
    energies two per cent to both sides.
    """
    make = lambda a: Crystal(model.symbol, model.structure, a)
    work = lambda a: model.pressure_work(make(a)).sum()
    a = root_scalar(work, x0=near, x1=1.003 * near, xtol=1e-7 * near).root
    energies = [make(s * a).energy_per_atom(model) for s in (0.98, 1.0, 1.02)]
    if not (abs(a / near - 1) < 0.06 and energies[1] < min(energies[::2])):
        raise ValueError(f"no least energy near a = {near:.3f} A")
    return make(float(a))


def unstable_waves(model, crystal, samples=8):
    """How many waves of a grid of the Brillouin zone lower the energy, and of how many: a few may
    be errors of the force constants, many are the crystal's.
    """
    H = force_constants(model, crystal)
    reciprocal = 2 * np.pi * np.linalg.inv(crystal.cell).T
    waves = (np.array(q) / samples @ reciprocal for q in np.ndindex(*(samples,) * 3) if any(q))
    lowest = [np.linalg.eigvalsh(H.dynamical_matrix(k))[0] for k in waves]
    return [int(np.sum(np.array(lowest) < 0)), len(lowest)]


def facts(bench, symbol, name, near=None):
    """What one model says of an element's crystal and vacancy, kept as a file.

    near : float, A     lattice constant of another model
    """
    kept = bench.folder / f"{symbol} {name}.json"
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    domain, checks, supercell = SIZES[symbol]
    tell = lambda text, stage=False: bench.tell(f"{symbol} {name} {text}")
    model = bench.model(name, symbol, supercell)
    out = {"crystal": symbol, "model": name, "date": date.today().isoformat()}
    tell("lattice constant")
    try:
        crystal = lattice(model, near) if near else Crystal.equilibrium(model)
        tell("perfect crystal")
        out |= {
            "level": model.level_of_theory,
            "lattice": crystal.a,
            "energy": crystal.energy_per_atom(model),
            "elastic": elastic_constants(model, crystal),
            "stability": lattice_stability(model, crystal),
            "stability_12": lattice_stability(bench.model(name, symbol), crystal),
            "unstable_waves": unstable_waves(model, crystal),
        }
        flight = preflight(
            model, crystal, same_defect("vacancy", crystal, checks[0]), scan=SCAN, progress=tell
        )
        out |= {
            "scan": SCAN,
            "noise": list(flight.floor[:2]),
            "failed": [
                {"name": c.name, "value": finite(c.value), "limit": c.limit}
                for c in flight.failed
                if c.name not in COARSE
            ],
        }
        if out["stability"] > 0:
            out["vacancy"] = vacancy(model, crystal, domain, checks, flight.floor.force, tell)
    except (ValueError, CalculatorFailed) as error:
        out["why"] = str(error)
    kept.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    return out


def vacancy(model, crystal, domain, checks, noise, tell):
    """The model's own vacancy on the domain, or why there is none."""
    large = same_defect("vacancy", crystal, domain)
    out = {"atoms": len(large)}
    settings = Settings(domain, checks, ("own",), tolerance=max(1e-8, 5 * noise), tell=tell)
    try:
        found = relaxed(model, large, settings)
    except NoEquilibrium as error:
        return out | {"why": str(error)}
    return out | {
        "why": "",
        "formation_energy": formation_energy(model, found),
        "scale": EnergyNorm(found)(found.u),
        "curvature": found.curvature,
        "stiffness": core_stiffness(model, found),
        "followed": found.followed,
        "evaluations": found.force_evaluations,
    }


def core_stiffness(model, found):
    """<Hv, v> / |v|^2, eV/A^2, for a random displacement v of the atoms next to the vacancy."""
    (v,) = core_forces(found.defect, count=1)
    Hv = landscape(model, found.defect.cell, found.positions).hessian()(v)
    return float((Hv * v).sum() / (v * v).sum())


def refusal(known):
    """Why a model can be neither candidate nor reference, short and long; None if it can."""
    name = known["model"]
    if "why" in known:
        return "no crystal", f"{name} has no such crystal: {known['why']}"
    if known["stability"] <= 0:
        return (
            "unstable crystal",
            f"the crystal of {name}: stability {known['stability']:.2g} eV/A^2",
        )
    if known["vacancy"]["why"]:
        return "no vacancy", f"the vacancy of {name} does not relax: {known['vacancy']['why']}"
    return None


def run(bench, symbol, candidate, reference, known):
    """One pair: forecast on the domain, its error bar, and the truth; kept as a file."""
    kept = bench.folder / f"{symbol} {candidate} {reference}.json"
    if kept.exists():
        return
    domain, checks, supercell = SIZES[symbol]
    tell = lambda text, stage=False: bench.tell(f"{symbol} {candidate} {reference} {text}")
    names = (candidate, reference)
    models = [bench.model(name, symbol, supercell) for name in names]
    crystals = [Crystal(symbol, m.structure, known[n]["lattice"]) for m, n in zip(models, names)]
    floors = np.array([known[name]["noise"] for name in names])
    settings = Settings(
        domain, checks, ("own",), truth=True, tolerance=max(1e-8, 5 * floors[0, 1]),
        noise=tuple(np.hypot(*floors).tolist()), tell=tell,
    )  # fmt: skip
    before = [model.calculator.computed for model in models]
    out = {"crystal": symbol, "candidate": candidate, "reference": reference}
    out |= {"date": date.today().isoformat()}
    try:
        out |= measured(Pair(*models, *crystals), settings)
    except (NoEquilibrium, ValueError, CalculatorFailed) as error:
        out |= {"outcome": "refused", "why": str(error)}
    out["computed"] = [m.calculator.computed - b for m, b in zip(models, before)]
    kept.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")


def measured(pair, settings):
    """Forecast and truth of the vacancy, each model in its own lattice.

    As `assess` does it, but for the accuracy of the linear equations: a hundredth, which kappa then
    contains, instead of a ten-thousandth; with single precision nothing more is gained.
    """
    large = same_defect("vacancy", pair.own, settings.domain)
    equilibrium = relaxed(pair.candidate, large, settings)
    settings.tell("forecast")
    found = forecast(
        pair.candidate, pair.reference, pair.own, "vacancy", settings.domain, settings.checks,
        reference_crystal=pair.target, equilibrium=equilibrium, rtol=1e-2,
    )  # fmt: skip
    out = {"outcome": found.verdict.outcome.value, "why": found.verdict.why, "atoms": found.atoms}
    if not found.steps:
        return out
    settings.tell("the truth")
    truth = Truths(pair, "vacancy", settings).of("own", equilibrium, found)
    one = Comparison("own", out["outcome"], out["why"], found.atoms, truth=truth)
    one = of_the_minimum(one, state_of_the_truth(one, settings))
    steps = [
        {"atoms": s.atoms, "geometry": s.geometry, "energy": s.energy, "kappa": s.kappa}
        for s in found.steps
    ]
    return out | {
        "outcome": one.outcome,
        "why": one.why,
        "scale": found.scale,
        "largest": float(np.linalg.norm(found.steps[-1].du, axis=1).max()),
        "geometry": [found.geometry, finite(found.error_bar)],
        "energy": [found.energy, finite(found.energy_bar + settings.noise[0])],
        "steps": steps,
        "truth": asdict(truth),
    }


def entry(bench, known, symbol, candidate, reference):
    """What the book shows of one pair."""
    out = {"crystal": symbol, "candidate": candidate, "reference": reference}
    both = [known.get((symbol, name)) for name in (candidate, reference)]
    reasons = list(filter(None, (refusal(one) for one in both if one)))
    if reasons:
        short, long = zip(*reasons)
        return out | {"outcome": short[0], "why": "; ".join(long)}
    path = bench.folder / f"{symbol} {candidate} {reference}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    return out | {"outcome": "not run", "why": "not affordable here"}


def priced(known, pairs):
    """The pairs; those that were not run with what they would cost: calls as those that were."""
    counts = np.median([p["computed"] for p in pairs if "truth" in p] or [[0, 0]], axis=0)
    atoms = {
        symbol: one["vacancy"]["atoms"] for (symbol, _), one in known.items() if "vacancy" in one
    }
    for pair in pairs:
        if pair["outcome"] == "not run" and counts.any() and pair["crystal"] in atoms:
            pair["price"] = [*counts.tolist(), atoms[pair["crystal"]]]
    return pairs


def write(bench, python, known):
    """The record as it stands: every model that is known, and all pairs."""
    names = itertools.permutations(NAMES, 2)
    pairs = [entry(bench, known, *p) for p in ((s, *two) for two in names for s in SIZES)]
    pairs = priced(known, sorted(pairs, key=lambda pair: list(SIZES).index(pair["crystal"])))
    write_record(TARGET, models=list(known.values()), pairs=pairs, versions=[versions(python)])


@functools.cache
def versions(python):
    """The packages of the environment with the models."""
    ask = (
        "import importlib.metadata as m, json, sys;"
        "print(json.dumps({p: m.version(p) for p in sys.argv[1:]}))"
    )
    return json.loads(
        subprocess.check_output([python, "-c", ask, *PACKAGES], text=True, encoding="utf-8")
    )


def main(python, folder, only="", minutes=float("inf")):
    bench = Bench(python, folder)
    over = lambda: time.perf_counter() - bench.start > 60 * minutes
    wanted = lambda *names: only in " ".join(names) and not over()
    known = {}
    for symbol, name in itertools.product(SIZES, NAMES):
        if (folder / f"{symbol} {name}.json").exists():
            known[symbol, name] = facts(bench, symbol, name)
    write(bench, python, known)
    for symbol in SIZES:
        for name in NAMES:
            if (symbol, name) not in known and wanted(symbol, "model", name):
                others = (m for (s, _), m in known.items() if s == symbol)
                lattices = [m["lattice"] for m in others if "lattice" in m]  # else it has none
                known[symbol, name] = facts(bench, symbol, name, *lattices[:1])
                write(bench, python, known)
        sound = [n for n in NAMES if (symbol, n) in known and not refusal(known[symbol, n])]
        for pair in dict.fromkeys((*FIRST, *itertools.permutations(NAMES, 2))):
            if set(pair) <= set(sound) and wanted(symbol, *pair):
                run(bench, symbol, *pair, {n: known[symbol, n] for n in pair})
                write(bench, python, known)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", help="of the environment with the models")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("foundation-labels"))
    parser.add_argument("--only", default="", help="run what has this text in its name")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing after")
    given = parser.parse_args()
    sys.exit(main(str(Path(given.python).absolute()), given.folder, given.only, given.minutes))
