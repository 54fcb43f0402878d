"""The tables of a report, as rows of text: for the page and for the terminal alike."""

from collections.abc import Sequence

from ..crystals.defects import in_words
from ..generalisation.assess.assessment import Assessment
from ..generalisation.assess.defect_sections import DefectSection, Ranked
from ..generalisation.assess.numbers import cells, energy, length, percent, short, with_bar
from ..generalisation.assess.sections import Asked, CrystalSection, ModelFacts, Shopping

FORECAST = [
    "defect",
    "formation energy",
    "its error",
    "geometry error |D δu|",
    "of |Dū|",
    "κ",
    "verdict",
]
TRUTH = ["", "geometry error", "energy error", "forecast / measured", "note"]
OFFERS = ["", "observe", "structure", "cells", "atoms", "calculations", "cost", "gain"]


def _of(section, which):
    return next((c for c in section.comparisons if c.lattices == which), None)


def forecast_rows(a: Assessment, which: str) -> list[list[str]]:
    """A row for each defect, both models in lattices of one kind."""
    rows = []
    for section in a.defects:
        c, name = _of(section, which), in_words(section.name)
        if c is None:
            continue
        if c.geometry is None or c.energy is None:
            rows.append([name, energy(c.formation_energy), "–", "–", "–", "–", c.outcome])
            continue
        rows.append(
            [
                name,
                f"{short(c.formation_energy, 5)} eV",
                energy(c.energy.value, c.energy.bar),
                length(c.geometry.value, c.geometry.bar),
                percent(c.geometry.value / c.scale) if c.scale else "–",
                short(c.steps[-1].kappa, 2),
                c.outcome,
            ]
        )
    return rows


def ranking_rows(ranking: Sequence[Ranked]) -> list[list[str]]:
    rows = []
    for r in ranking:
        corrected = "–"
        if r.corrected is not None:
            corrected = f"{with_bar(r.corrected, r.bar)} eV"
        reference = "–" if r.reference is None else f"{short(r.reference, 5)} eV"
        rows.append([in_words(r.defect), f"{short(r.candidate, 5)} eV", corrected, reference])
    return rows


def truth_rows(section: DefectSection) -> list[list[str]]:
    """Measured errors, and what was predicted from the reference's own equilibrium."""
    rows = []
    for c in section.comparisons:
        if (t := c.truth) is None:
            continue
        name = {"own": "own lattices", "reference": "reference's lattice"}[c.lattices]
        rows.append(
            [f"measured, {name}", length(t.geometry), energy(t.energy), short(t.effectivity), t.why]
        )
        if t.predicted is not None:
            kappa = f"from the reference's equilibrium; κ {short(t.predicted_kappa, 2)}"
            rows.append(
                [
                    f"predicted, {name}",
                    length(t.predicted),
                    energy(t.predicted_energy),
                    short(t.predicted_effectivity),
                    kappa,
                ]
            )
    return rows


def crystal_rows(a: Assessment) -> list[list[str]]:
    both = (a.candidate, a.reference)
    lattice = lambda f: ", ".join(f"{x:.5f} Å" for x in f.lattice)
    minus = lambda x: f"{x:.5f} eV".replace("-", "−")
    rows = [
        ["lattice constant", *map(lattice, both)],
        ["energy of an atom", *(minus(f.energy) for f in both)],
        [
            "pressure in the reference's lattice",
            *(f"{short(_clean(f.pressure))} GPa" for f in both),
        ],
        ["stability of the crystal", *(f"{short(f.stability)} eV/Å²" for f in both)],
    ]
    if any(f.level for f in both):
        rows.append(["level of theory", *(f.level or "–" for f in both)])
    return rows


def elastic_rows(crystal: CrystalSection) -> list[list[str]]:
    return [
        [e.name, short(e.candidate), short(e.reference), percent(e.candidate / e.reference - 1)]
        for e in crystal.elastic
    ]


def _clean(x):
    """Rounding is zero."""
    return 0.0 if abs(x) < 1e-6 else x


def offer_rows(shopping: Shopping) -> list[list[str]]:
    return [
        [
            str(k),
            o.kinds,
            in_words(o.structure),
            cells(o.cells),
            str(o.atoms),
            str(o.structures),
            short(o.cost),
            percent(o.gain),
        ]
        for k, o in enumerate(shopping.offers, 1)
    ]


def check_rows(facts: ModelFacts) -> list[list[str]]:
    rows = []
    for c in facts.checks:
        found = f"{short(c.value, 2)}" if c.asked else "not asked"
        state = found if c.passed else f"{found}: FAILED"
        rows.append([c.name, state, f"{short(c.limit, 2)} {c.unit}", c.spoils])
    return rows


def asked_rows(asked: Sequence[Asked]) -> list[list[str]]:
    rows = [[row.purpose, f"{row.calls:,}", f"{row.atoms:,}"] for row in asked]
    calls, atoms = (sum(getattr(row, n) for row in asked) for n in ("calls", "atoms"))
    return [*rows, ["all", f"{calls:,}", f"{atoms:,}"]]
