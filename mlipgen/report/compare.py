"""Two assessments of one question: what has become better?"""

from dataclasses import dataclass

from ..crystals.defects import in_words
from ..generalisation.assess.assessment import Assessment
from ..generalisation.assess.defect_sections import Comparison
from ..generalisation.assess.numbers import energy, length

#: Error bars aside, a change by less than this share is none.
SAME = 0.05


@dataclass(frozen=True)
class Change:
    """One error, before and after.  state : "better", "worse", "the same" or "not known" """

    defect: str
    quantity: str
    before: str
    after: str
    state: str


def compare(old: Assessment, new: Assessment) -> list[Change]:
    """What changed, defect by defect, and in the elastic constants.

    Raises
    ------
    ValueError      if the two do not answer one question
    """
    _require_one_question(old, new)
    known = {section.name: section for section in old.defects}
    changes = []
    for section in new.defects:
        if section.name in known:
            changes += _of_defect(in_words(section.name), known[section.name].main, section.main)
    before = {e.name: abs(e.candidate / e.reference - 1) for e in old.crystal.elastic}
    for e in new.crystal.elastic:
        a, b = before[e.name], abs(e.candidate / e.reference - 1)
        text = (f"{100 * a:.2f} % off", f"{100 * b:.2f} % off")
        changes.append(Change("crystal", e.name, *text, _state(a, b, 1e-4, 1e-4)))
    a, b = old.crystal.fc_error, new.crystal.fc_error
    text = (f"{a:.3g} eV/Å²", f"{b:.3g} eV/Å²")
    changes.append(Change("crystal", "force constants", *text, _state(a, b, 0.0, 0.0)))
    return changes


def _of_defect(name, before: Comparison, after: Comparison):
    out = []
    if before.outcome != after.outcome:
        state = "better" if after.applies else "worse" if before.applies else "not known"
        out.append(Change(name, "verdict", before.outcome, after.outcome, state))
    for quantity, form in (("energy", energy), ("geometry", length)):
        a, b = getattr(before, quantity), getattr(after, quantity)
        told = lambda x, form=form: "–" if x is None else form(x.value, x.bar)
        state = "not known"
        if a is not None and b is not None and a.bar is not None and b.bar is not None:
            state = _state(abs(a.value), abs(b.value), a.bar, b.bar)
        out.append(Change(name, quantity, told(a), told(b), state))
    return out


def _state(before, after, bar_before, bar_after):
    """Changes within the bars, or of a few per cent, are none."""
    if abs(after - before) <= max(bar_before + bar_after, SAME * before):
        return "the same"
    return "better" if after < before else "worse"


def _require_one_question(old, new):
    for what in ("symbol", "structure", "domain"):
        a, b = getattr(old.question, what), getattr(new.question, what)
        if a != b:
            raise ValueError(f"the assessments differ in {what}: {a} and {b}; assess one anew")
    if old.reference.name != new.reference.name:
        raise ValueError(
            f"the assessments have different references, {old.reference.name} and "
            f"{new.reference.name}: errors against them cannot be compared"
        )
    if not {d.name for d in old.defects} & {d.name for d in new.defects}:
        raise ValueError("the assessments have no defect in common")
