"""The verdict in words, the most important first."""

from ...crystals.defects import in_words
from .assessment import Assessment
from .defect_sections import Comparison, DefectSection
from .numbers import cells, energy, length, percent

#: Below this an elastic constant or a lattice is called right: relative.
CLOSE = 0.05
#: Data that take away less of the predicted error do not mend it.
SMALL = 0.25


def verdict_in_words(a: Assessment) -> list[str]:
    """Sentences, each of one finding."""
    both, shopping = (a.candidate, a.reference), a.shopping
    out = [_of_checks(facts) for facts in both]
    out += [_of_stability(facts) for facts in both]
    for section in a.defects:
        out += [_of_defect(section), _of_basin(section), _of_cause(section)]
    out += [_of_ranking(a.ranking), _of_levels(*both), _of_elasticity(a.crystal)]
    if shopping is not None:
        out.append(_of_shopping(shopping))
    return [text for text in out if text]


def _begins(name: str) -> str:
    """A defect's name at the beginning of a sentence."""
    return in_words(name).capitalize()


def _below(name: str) -> str:
    """C44 with its indices below the line."""
    return name.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _of_shopping(shopping) -> str:
    most = sum(offer.gain for offer in shopping.offers)
    if shopping.exact and most < SMALL:
        return (
            f"New data of the kinds looked at would take away {percent(most)} of the predicted "
            "error: the limit is the basis, not the data."
        )
    if not shopping.offers:
        return ""
    best = shopping.offers[0]
    return (
        f"Best value of new data: {in_words(best.structure)} in {cells(best.cells)} cells "
        f"({best.kinds}), which takes away {percent(best.gain)} of the predicted error"
        f"{'' if shopping.exact else ' (heuristic)'}."
    )


def _of_defect(section: DefectSection) -> str:
    main, name = section.main, _begins(section.name)
    if not main.applies or main.geometry is None or main.energy is None:
        return f"{name}: no forecast ({main.outcome}: {main.why})."
    error, geometry = main.energy, main.geometry
    direction = "above" if error.value > 0 else "below"
    text = (
        f"{name}: the candidate's formation energy is {energy(abs(error.value), error.bar)} "
        f"{direction} the reference's; its geometry error |D δu| is "
        f"{length(geometry.value, geometry.bar)}"
    )
    if main.scale:
        text += f", {percent(geometry.value / main.scale)} of |Dū|"
    if main.largest is not None:
        text += f", and an atom is misplaced by {length(main.largest)} at most"
    return text + (" (one check cell: no error bar)." if error.bar is None else ".")


def _of_basin(section: DefectSection) -> str:
    basin = section.basin
    why = "" if basin is None else basin.why.rstrip(".?").replace(" -", " −")
    if basin is not None and basin.followed < 0:
        return (
            f"{_begins(section.name)}: the reference's symmetric state is a saddle point; its "
            f"minimum in {cells(basin.cells)} cells lies {energy(-basin.followed)} below"
            f"{', and ' + why if why else ''}."
        )
    if basin is None or (basin.kept and basin.same) or not section.main.applies:
        return ""
    return f"{_begins(section.name)}: {why}."


def _of_cause(section: DefectSection) -> str:
    main: Comparison = section.main
    if not main.applies or main.budget is None:
        return ""
    worst = max(main.budget.terms, key=lambda term: term.geometry)
    total = sum(term.geometry for term in main.budget.terms)
    if total == 0:
        return ""
    return (
        f"Most of the {in_words(section.name)}'s geometry error comes from the {worst.name} "
        f"({percent(worst.geometry / total)} of the budget)."
    )


def _of_ranking(ranking) -> str:
    known = [r for r in ranking if r.corrected is not None]
    if len(known) < 2:
        return ""
    order = [in_words(r.defect) for r in known]
    if sorted(known, key=lambda r: r.candidate) != known:
        return f"The candidate ranks the defects wrongly; corrected: {', '.join(order)}."
    for a, b, pair in zip(known[:-1], known[1:], zip(order[:-1], order[1:])):
        if a.bar is None or b.bar is None or b.corrected - a.corrected < a.bar + b.bar:
            return f"The order of {' and '.join(pair)} is not decided: their bars overlap."
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
        f"{_below(e.name)} by {100 * (e.candidate / e.reference - 1):+.0f} %".replace("-", "−")
        for e in crystal.elastic
        if abs(e.candidate - e.reference) > CLOSE * abs(e.reference)
    ]
    return f"Elastic constants are off: {', '.join(off)}." if off else ""
