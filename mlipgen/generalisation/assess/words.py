"""The verdict in words, the most important first."""

from .defect_sections import Comparison, DefectSection

#: Below this an elastic constant or a lattice is called right: relative.
CLOSE = 0.05
#: Data that take away less of the predicted error do not mend it.
SMALL = 0.25


def amount(energy: float) -> str:
    """An energy in meV, or in eV where it is large."""
    if abs(energy) >= 1:
        return f"{energy:.3g} eV"
    return f"{1000 * energy:.3g} meV"


def verdict_in_words(
    candidate, reference, question, crystal, defects, ranking, shopping, asked
) -> list[str]:
    """Sentences, each of one finding."""
    out = [_of_checks(facts) for facts in (candidate, reference)]
    out += [_of_stability(facts) for facts in (candidate, reference)]
    for section in defects:
        out += [_of_defect(section), _of_basin(section), _of_cause(section)]
    out += [_of_ranking(ranking), _of_levels(candidate, reference), _of_elasticity(crystal)]
    if shopping is not None:
        out.append(_of_shopping(shopping))
    return [text for text in out if text]


def _of_shopping(shopping) -> str:
    most = sum(offer.gain for offer in shopping.offers)
    if shopping.exact and most < SMALL:
        return (
            f"New data of the kinds looked at would take away {100 * most:.0f} % of the predicted "
            "error: the limit is the basis, not the data."
        )
    if not shopping.offers:
        return ""
    best = shopping.offers[0]
    return (
        f"Best value of new data: {best.structure} in {_cells(best.cells)} cells "
        f"({best.kinds}), which takes away {100 * best.gain:.0f} % of the predicted error"
        f"{'' if shopping.exact else ' (heuristic)'}."
    )


def _cells(n):
    return " x ".join(map(str, n))


def _of_defect(section: DefectSection) -> str:
    main, name = section.main, section.name.capitalize()
    if not main.applies or main.geometry is None or main.energy is None:
        return f"{name}: no forecast ({main.outcome}: {main.why})."
    energy, geometry = main.energy, main.geometry
    direction = "too high" if energy.value > 0 else "too low"
    text = (
        f"{name}: the candidate's formation energy is {amount(abs(energy.value))} {direction}"
        f"{_bar(energy, amount)}, and its atoms are misplaced by {geometry.value:.2g} A"
        f"{_bar(geometry, lambda x: f'{x:.2g} A')} in the energy norm"
    )
    if main.scale:
        text += f", {100 * geometry.value / main.scale:.2g} % of what it displaces"
    return text + "."


def _bar(estimate, form):
    if estimate.bar is None:
        return " (one check cell: no error bar)"
    return f" (+- {form(estimate.bar)})"


def _of_basin(section: DefectSection) -> str:
    basin = section.basin
    if basin is None or (basin.kept and basin.same) or not section.main.applies:
        return ""
    return f"{section.name.capitalize()}: {basin.why}."


def _of_cause(section: DefectSection) -> str:
    main: Comparison = section.main
    if not main.applies or main.budget is None:
        return ""
    worst = max(main.budget.terms, key=lambda term: term.geometry)
    total = sum(term.geometry for term in main.budget.terms)
    if total == 0:
        return ""
    return (
        f"Most of the {section.name}'s geometry error comes from the {worst.name} "
        f"({100 * worst.geometry / total:.0f} % of the budget)."
    )


def _of_ranking(ranking) -> str:
    known = [r for r in ranking if r.corrected is not None]
    if len(known) < 2:
        return ""
    order = [r.defect for r in known]
    if [r.defect for r in sorted(known, key=lambda r: r.candidate)] != order:
        return f"The candidate ranks the defects wrongly; corrected: {', '.join(order)}."
    for a, b in zip(known[:-1], known[1:]):
        if a.bar is None or b.bar is None or b.corrected - a.corrected < a.bar + b.bar:
            return f"The order of {a.defect} and {b.defect} is not decided: their bars overlap."
    return f"The candidate ranks the defects rightly: {', '.join(order)}."


def _of_stability(facts) -> str:
    if facts.stability > 0:
        return ""
    return (
        f"The perfect crystal is unstable under {facts.name}: stability {facts.stability:.3g} "
        "eV/A^2."
    )


def _of_checks(facts) -> str:
    failed = [c for c in facts.checks if not c.passed]
    if not failed:
        return ""
    names = "; ".join(f"{c.name} spoils {c.spoils}" for c in failed)
    return f"{facts.name} failed its preflight, so beware: {names}."


def _of_levels(candidate, reference) -> str:
    if candidate.level == reference.level or not (candidate.level and reference.level):
        return ""
    return (
        f"The levels of theory differ ({candidate.level}; {reference.level}): what is measured "
        "here is that difference as well."
    )


def _of_elasticity(crystal) -> str:
    off = [
        f"{e.name} by {100 * (e.candidate / e.reference - 1):+.0f} %"
        for e in crystal.elastic
        if abs(e.candidate - e.reference) > CLOSE * abs(e.reference)
    ]
    return f"Elastic constants are off: {', '.join(off)}." if off else ""
