"""The assessment of a candidate: all that small cells of the reference tell of its errors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from ...crystals import Crystal, Supercell
from ...equilibrium.limits import check_relaxation
from ...learning.spread import in_turns, with_executor
from ...potentials import CalculatorModel, read_phonopy
from ..composite import same_defect
from ..preflight import Preflight, preflight
from .assessment import Assessment
from .crystal import Pair, crystal_section, model_facts, pressure
from .defect import Settings, assess_defect
from .defect_sections import DefectSection, Ranked
from .sections import Asked, Question
from .words import verdict_in_words

#: GPa; a perfect crystal under more is not relaxed.
RELAXED = 0.1


def silent(text: str, stage: bool = False) -> None:
    """Nobody is told."""


def stages(defects: int, lattices: int = 2) -> int:
    """How many stages an assessment has."""
    return 6 + defects * (1 + lattices)


class Ledger:
    """What a reference is asked for, by purpose; a site potential's derivatives cost no calls."""

    def __init__(self, model: Any, tell: Callable[..., None]):
        self.model, self.tell, self.rows = model, tell, []

    @contextmanager
    def purpose(self, text: str) -> Iterator[None]:
        self.tell(text, True)
        before = self._count()
        yield
        calls, atoms = (b - a for a, b in zip(before, self._count()))
        if calls:
            self.rows.append(Asked(text, calls, atoms))

    def _count(self):
        return getattr(self.model, "calls", 0), getattr(self.model, "atoms_calls", 0)


def assess(
    candidate: Any,
    reference: Any,
    structure: str | None = None,
    defects: Sequence = ("vacancy",),
    domain: int | tuple = 12,
    checks: Sequence = (5, 6),
    *,
    lattice_constant: float | None = None,
    lattices: tuple[str, ...] = ("own", "reference"),
    truth: bool = False,
    basin: bool = True,
    check_calculators: bool = True,
    scan: int = 40,
    despite: bool = False,
    phonopy: Mapping[str, Any] | None = None,
    shopping: Callable | None = None,
    tell: Callable[..., None] | None = None,
    executor: Any = None,
) -> Assessment:
    """Assess a candidate against a reference that is asked on small cells only.

    Parameters
    ----------
    candidate, reference : SitePotential or CalculatorModel, of one element
    structure : str             of the crystal; default the candidate's own
    defects : sequence          names, or functions of a Supercell
    domain : int or tuple       where the candidate will be used, unit cells
    checks : sequence           growing sizes of the reference's cells; see `forecast`
    lattice_constant : float    A, of the reference, where it is known: spares the search for it
    lattices : tuple            "own": each model in its own lattice; "reference": both in the
                                reference's; the first counts
    truth : bool                relax the reference on the domain as well
    basin : bool                relax the reference in the smallest check cell: where the candidate
                                starts from, whether it finds the same from the unrelaxed defect,
                                and where in doubt which of its states the forecast is of
    check_calculators : bool    preflight for calculators;  scan : steps of its smoothness scan, a
                                calculation each
    despite : bool              go on although a check failed; the report says so
    phonopy : mapping           "candidate" or "reference" to the path of its force constants
                                (`read_phonopy`), or a function that returns them for a Crystal
    shopping : callable         what to label next, a `shopping.Shop`
    tell : callable             told what is being done, and whether that is one of the `stages`
    executor : optional         anything with `submit`, see `learning.spread`: computes the labels
                                of a reference that is a calculator, of all defects at a time; the
                                assessment is the same

    Returns
    -------
    Assessment

    Raises
    ------
    ValueError      for models of different elements, a crystal that does not exist, a check that
                    failed
    """
    tell = tell or silent
    if executor is not None and isinstance(reference, CalculatorModel):
        reference = with_executor(reference, executor)
    ledger = Ledger(reference, tell)
    pair = _crystals(candidate, reference, structure, lattice_constant, ledger)
    _adopt(pair, phonopy or {})
    check_relaxation(candidate, pair.own, domain)
    domain_cells = list(same_defect(defects[0], pair.own, domain).homogeneous.n)
    _require_growing(pair, checks, domain)
    flights: list[Preflight | None] = [None, None]
    if check_calculators:
        tell("checks of the candidate", True)
        cells = [same_defect(defects[0], c, checks[0]) for c in (pair.own, pair.target)]
        flights[0] = _flight(candidate, cells[0], scan, despite, tell)
        with ledger.purpose("checks of the reference"):
            flights[1] = _flight(reference, cells[1], scan, despite, tell)
    lattices = lattices[:1] if pair.same_lattice else lattices
    with ledger.purpose("perfect crystals"):
        facts = [
            model_facts(
                model, crystal, pair.target, flight, same_defect(defects[0], crystal, checks[-1])
            )
            for model, crystal, flight in zip(
                (candidate, reference), (pair.own, pair.target), flights
            )
        ]
        crystal = crystal_section(pair)
    noise = (
        float(np.hypot(facts[0].noise_energy, facts[1].noise_energy)),
        float(np.hypot(facts[0].noise_force, facts[1].noise_force)),
    )
    settings = Settings(
        domain=domain,
        checks=tuple(checks),
        lattices=tuple(lattices),
        truth=truth,
        basin=basin,
        tolerance=max(1e-8, 5 * facts[0].noise_force),
        noise=noise,
        tell=tell,
    )
    _label_ahead(pair, defects, settings)
    found = []
    for defect in defects:
        with ledger.purpose(same_defect(defect, pair.own, checks[0]).name):
            found.append(assess_defect(pair, defect, settings))
        if not isinstance(reference, CalculatorModel):
            ledger.rows.append(_small_cells(found[-1].section))
    tell("shopping list", True)
    sections = [f.section for f in found]
    question = Question(
        symbol=pair.own.symbol,
        structure=pair.own.structure,
        defects=[s.name for s in sections],
        domain=domain_cells,
        checks=[list(Supercell(pair.own, k).n) for k in checks],
        lattices=list(lattices),
        truth=truth,
    )
    found_so_far = Assessment(
        candidate=facts[0],
        reference=facts[1],
        question=question,
        crystal=crystal,
        defects=sections,
        ranking=ranking(sections),
        shopping=shopping(pair, settings, found) if shopping else None,
        asked=ledger.rows,
        verdict=[],
    )
    return replace(found_so_far, verdict=verdict_in_words(found_so_far))


def _crystals(candidate, reference, structure, lattice_constant, ledger):
    """Both models' perfect crystals."""
    if candidate.symbol != reference.symbol:
        raise ValueError(
            f"the candidate is for {candidate.symbol}, the reference for {reference.symbol}: "
            "both must be for one element"
        )
    structure = structure or candidate.structure
    ledger.tell("lattice constant of the candidate", True)
    own = _equilibrium(candidate, structure, None, "candidate")
    if lattice_constant is None:
        with ledger.purpose("lattice constant of the reference"):
            target = _equilibrium(reference, structure, own.a, "reference")
        return Pair(candidate, reference, own, target)
    target = Crystal(reference.symbol, structure, lattice_constant)
    with ledger.purpose("stress of the reference"):
        stress = pressure(reference, target)
    if abs(stress) > RELAXED:
        raise ValueError(
            f"the reference's crystal at a = {lattice_constant} A is not relaxed: its pressure is "
            f"{stress:.2f} GPa; leave the lattice constant out, and it is searched for"
        )
    return Pair(candidate, reference, own, target)


def _label_ahead(pair, defects, settings):
    """Have the reference's labels computed for all defects at a time, if there are workers."""
    if isinstance(pair.reference, CalculatorModel):
        quiet = replace(settings, tell=lambda text, stage=False: settings.tell(text))
        one = lambda defect: lambda own: assess_defect(replace(pair, reference=own), defect, quiet)
        in_turns(pair.reference, [one(defect) for defect in defects])


def _adopt(pair, phonopy):
    """Force constants that are known, of each model's own perfect crystal."""
    sides = {"candidate": (pair.candidate, pair.own), "reference": (pair.reference, pair.target)}
    for who, given in phonopy.items():
        model, crystal = sides[who]
        if not isinstance(model, CalculatorModel):
            raise ValueError(
                f"the {who} is a potential of this library, which knows its force constants: "
                "phonopy's are for calculators"
            )
        try:
            table = given(crystal) if callable(given) else read_phonopy(given, crystal)
        except (ValueError, OSError) as error:
            raise ValueError(
                f"force constants of the {who}: {error} (its crystal, if it was not given, is the "
                "one at rest)"
            ) from None
        model.adopt_force_constants(crystal, table)


def _equilibrium(model, structure, a, who):
    try:
        return Crystal.equilibrium(model, structure, a)
    except ValueError as error:
        raise ValueError(f"the {who}: {error}") from None


def _require_growing(pair, checks, domain):
    sizes = [len(Supercell(pair.own, k)) for k in checks]
    if not sizes:
        raise ValueError("no check cells: give sizes, e.g. checks=(5, 6)")
    if sorted(set(sizes)) != sizes:
        raise ValueError(f"check cells {tuple(checks)}: give growing sizes, e.g. (5, 6)")
    if sizes[-1] >= len(Supercell(pair.own, domain)):
        raise ValueError(
            f"the check cell {checks[-1]} is no smaller than the domain {domain}: the forecast is "
            "for a domain that the reference cannot afford; give a larger domain"
        )


def _flight(model, cell, scan, despite, tell) -> Preflight | None:
    """Preflight of a calculator on a defect's cell; ValueError if a check failed."""
    if not isinstance(model, CalculatorModel):
        return None  # exact by construction; `check_potential` tests it
    told = lambda name: tell(f"{model.name}: {name}")
    flight = preflight(model, cell.crystal, cell, scan=scan, progress=told)
    if not flight.passed and not despite:
        failed = "\n  ".join(str(check) for check in flight.failed)
        raise ValueError(f"{model.name} failed its preflight:\n  {failed}")
    return flight


def _small_cells(section):
    """What a site potential was asked for in one defect's check cells."""
    steps = [step for c in section.comparisons for step in c.steps]
    calls = [(step.calls, step.atoms) for step in steps]
    if section.basin and steps:
        calls.append((section.basin.calls, steps[0].atoms))
    return Asked(section.name, sum(c for c, _ in calls), sum(c * atoms for c, atoms in calls))


def ranking(sections: list[DefectSection]) -> list[Ranked]:
    """Formation energies, the candidate's and as the forecast corrects them, lowest first."""
    rows = []
    for section in sections:
        main = section.main
        if main.formation_energy is None:
            continue
        corrected = bar = None
        if main.applies and main.energy is not None:
            corrected, bar = main.formation_energy - main.energy.value, main.energy.bar
        reference = main.truth.reference_energy if main.truth else None
        rows.append(Ranked(section.name, main.formation_energy, corrected, bar, reference))
    best = lambda r: r.candidate if r.corrected is None else r.corrected
    return sorted(rows, key=best)
