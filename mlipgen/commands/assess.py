"""`mlipgen assess`: by how much a candidate will be wrong, from small cells of the reference."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from . import options
from .assess_settings import CHECKS, DOMAINS, Given, element, lattices, names, read_settings

#: The exit status where a limit was not passed.
NOT_PASSED = 1


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    assess = commands.add_parser(
        "assess",
        help="forecast a candidate's errors from small cells of an expensive reference",
        description="Forecast by how much a candidate will be wrong about defects on a large "
        "domain, from cells of the reference that it can afford. Writes a page (report.html), "
        "data (assessment.json) and structures to label (to_label.xyz) to OUT. Every label is "
        "kept in OUT/labels.jsonl at once: start the same command again and none is asked twice.",
        epilog="Potentials: EAM:W, SW:Si, LAMMPS:file, fit.json, models.yml:entry, script.py:name.",
    )
    option = assess.add_argument
    option("settings", nargs="?", metavar="SETTINGS", help="a YAML file with these options' names")
    option("--candidate", metavar="NAME", help="the cheap potential that will be used")
    option("--reference", metavar="NAME", help="the expensive one that it is to replace")
    option("--crystal", metavar="SYMBOL", help="chemical symbol, where no potential tells it")
    option("--structure", help="of the crystal: bcc, fcc, hcp, diamond (default the element's)")
    option(
        "--defects",
        type=names,
        metavar="NAME,NAME",
        help="vacancy, divacancy, dumbbell-110, ... (default vacancy)",
    )
    option("--domain", type=options.size, metavar="N", help="unit cells of the large domain")
    option(
        "--checks",
        type=options.sizes,
        metavar="K,K",
        help="growing sizes of the reference's cells; larger than the candidate's training cells",
    )
    option(
        "--lattices",
        type=lattices,
        metavar="WHICH",
        help="own: each in its own lattice; reference: both in the reference's; both (default)",
    )
    option(
        "--lattice-constant",
        type=options.length,
        metavar="A",
        help="the reference's, if it is known: spares the search",
    )
    option(
        "--supercell",
        type=options.size,
        metavar="N",
        help="unit cells for the force constants of calculators (default four cutoffs thick, or "
        "12 A where the cutoff is not known)",
    )
    for who in ("candidate", "reference"):
        option(
            f"--{who}-phonopy",
            metavar="FILE",
            help=f"force constants of the {who}, not computed but read: phonopy.yaml or its folder",
        )
    option(
        "--training",
        metavar="FILE",
        help="extended XYZ with the labels that a fit (fit.json) was made from: the shopping list "
        "becomes exact",
    )
    option("--truth", action="store_true", help="relax the reference on the domain, too")
    option("--no-basin", action="store_true", help="do not relax the reference in a small cell")
    option("--quick", action="store_true", help="checks of the calculators without their scans")
    option("--no-checks", action="store_true", help="no checks of the calculators")
    option("--despite", action="store_true", help="go on although a check failed")
    option("--own-process", action="store_true", help="each calculator in a process of its own")
    option(
        "--fail-above",
        metavar="LIMIT",
        help="exit 1 unless every forecast error and its bar are within: 20meV,0.05A,5%%",
    )
    option("--out", metavar="DIR", help="folder for the results (default: assessment)")
    option("--dry-run", action="store_true", help="only count what the reference would be asked")
    option("--quiet", action="store_true", help="no progress bar")
    option("--json", action="store_true", help="print JSON instead of tables")
    options.executor_options(assess, "labels of the reference")


def run(given: argparse.Namespace) -> int:
    from ..report.thresholds import check, parse_limits

    known = _settings(given)
    limits = parse_limits(known["fail_above"]) if known.get("fail_above") else ()
    symbol = element(known)
    candidate, reference = (
        known[who].load(symbol, given.own_process, known.get("supercell"))
        for who in ("candidate", "reference")
    )
    question = _question(known, given, candidate)
    if given.dry_run:
        return _dry_run(candidate, reference, question, known)
    out = Path(known["out"])
    out.mkdir(parents=True, exist_ok=True)
    with options.executor_of(given) as executor:
        assessment = _assess(candidate, reference, question, known, out, given.quiet, executor)
    results = check(assessment, limits)
    _write(assessment, results, out)
    if given.json:
        print(assessment.to_json().decode())
    else:
        from ..report.terminal import as_text

        print(as_text(assessment))
        print(f"\n{out / 'report.html'}")
    for result in results:
        print(f"{'passed' if result.passed else 'NOT PASSED'}: {result}", file=sys.stderr)
    return 0 if all(result.passed for result in results) else NOT_PASSED


def _settings(given):
    """Options of the command line over those of the file."""
    known = read_settings(given.settings) if given.settings else {}
    stem = f"{Path(given.settings).stem}-assessment" if given.settings else "assessment"
    for name, value in vars(given).items():
        if value is not None and value is not False:
            known[name] = Given(value) if name in ("candidate", "reference") else value
    known.setdefault("out", stem)
    for who in ("candidate", "reference"):
        if who not in known:
            raise ValueError(f"no {who}: give --{who} NAME, or a settings file that names it")
    return known


def _question(known, given, candidate):
    """The arguments of `assess` that are the same for a rehearsal."""
    structure = known.get("structure") or candidate.structure
    if structure not in DOMAINS and not {"domain", "checks"} <= set(known):
        raise ValueError(f"structure {structure!r}: give --domain and --checks")
    return {
        "structure": structure,
        "defects": known.get("defects") or ("vacancy",),
        "domain": known.get("domain") or DOMAINS[structure],
        "checks": known.get("checks") or CHECKS[structure],
        "lattice_constant": known.get("lattice_constant"),
        "lattices": known.get("lattices") or ("own", "reference"),
        "basin": not given.no_basin,
        "check_calculators": not given.no_checks,
        "scan": 0 if given.quick else 40,
        "despite": given.despite,
        "truth": bool(known.get("truth")),
        "phonopy": {
            who: known[f"{who}_phonopy"]
            for who in ("candidate", "reference")
            if known.get(f"{who}_phonopy")
        },
    }


def _assess(candidate, reference, question, known, out, quiet, executor):
    from tqdm import tqdm

    from ..generalisation.assess import assess
    from ..generalisation.assess.run import stages
    from ..generalisation.assess.shopping import Shop
    from ..learning.labels import with_store
    from ..potentials import CalculatorModel

    if isinstance(reference, CalculatorModel):
        reference = with_store(reference, out / "labels.jsonl")
    shop = Shop(training=_training(known, candidate, reference, question["structure"]))
    count = stages(len(question["defects"]), len(question["lattices"]))
    with tqdm(total=count, disable=quiet, unit="stage", leave=False) as bar:
        shown = [0.0]

        def tell(text: str, stage: bool = False) -> None:
            bar.update(int(stage))
            bar.set_description_str(text[:48].ljust(48), refresh=False)
            if stage or time.monotonic() - shown[0] > 0.2:
                bar.refresh()
                shown[0] = time.monotonic()

        more = {"shopping": shop, "tell": tell, "executor": executor}
        found = assess(candidate, reference, **more, **question)
    _write_structures(shop.structures, out / "to_label.xyz")
    return found


def _training(known, candidate, reference, structure):
    """Blocks of a fit's own training data, if they were given."""
    if not known.get("training"):
        return None
    from ..crystals import Crystal
    from ..learning import assemble
    from ..learning.labelled import labelled_set
    from ..potentials import LinearACE

    if not isinstance(candidate, LinearACE):
        raise ValueError("--training is for a fit of this library (fit.json) as the candidate")
    crystal = Crystal.equilibrium(reference, structure, known.get("lattice_constant"))
    observations, source = labelled_set(
        known["training"], crystal, crystal.energy_per_atom(reference)
    )
    return assemble(observations, candidate.basis, source)


def _write(assessment, results, out):
    from ..report.page import write_page

    assessment.save(out / "assessment.json")
    write_page(assessment, out / "report.html", results)


def _write_structures(structures, path):
    from ase.io import write

    if structures:
        write(path, structures, format="extxyz")


def _own_constant(stand_in, candidate, structure):
    """A; found with a stand-in's labels, which cost nothing."""
    from ..crystals import Crystal

    structure = structure or candidate.structure
    own = Crystal.equilibrium(candidate, structure)
    return Crystal.equilibrium(stand_in, structure, own.a).a


def _dry_run(candidate, reference, question, known):
    """What the reference would be asked, rehearsed with the candidate in its place."""
    from ..generalisation.assess import assess
    from ..generalisation.assess.rehearsal import Enlarged
    from ..learning.labels import LabelStore
    from ..learning.planning import dry_run
    from ..potentials import CalculatorModel
    from ..potentials.derivatives import force_constants

    if not isinstance(reference, CalculatorModel):
        print("The reference is a potential of this library: nothing has to be paid for.")
        return 0
    inner = candidate.calculator
    stand_in = CalculatorModel(
        Enlarged(inner if isinstance(candidate, CalculatorModel) else inner()),
        candidate.symbol,
        candidate.structure,
        candidate.a0_guess,
    )
    store = Path(known["out"]) / "labels.jsonl"
    largest = question["checks"][-1]
    domain = largest + 1 if isinstance(largest, int) else tuple(n + 1 for n in largest)
    rehearsed = {**question, "domain": domain, "truth": False, "despite": True}
    if "reference" in question["phonopy"]:  # nothing to ask for; those of the stand-in's lattice
        known_table = lambda crystal: force_constants(candidate, crystal)
        rehearsed["phonopy"] = question["phonopy"] | {"reference": known_table}
    if question["lattice_constant"] is not None:  # known of the reference; the stand-in has its own
        rehearsed["lattice_constant"] = _own_constant(stand_in, candidate, question["structure"])
    plan = dry_run(lambda model: assess(candidate, model, **rehearsed), reference, stand_in)
    print(f"{reference.name} would be asked:\n{plan}")
    if store.exists():
        print(f"{len(LabelStore(store))} labels are in {store} already: none is asked twice")
    if question["truth"]:
        print("and, for --truth, to relax the defects on the domain")
    return 0
