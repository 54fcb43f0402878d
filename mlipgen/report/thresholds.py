"""Limits on the forecast errors, so that a potential can be tested like a program.

A limit is an energy (20meV, 0.1eV), a length (0.05A) on |D du|, or a share (5%) of |Du|.  A defect
passes where the forecast error *and its bar* are within it: what is not known does not pass.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..crystals.defects import in_words
from ..generalisation.assess.assessment import Assessment
from ..generalisation.assess.numbers import energy, length, percent

_UNITS = {"mev": ("energy", 1e-3), "ev": ("energy", 1.0), "a": ("geometry", 1.0)}
_UNITS |= {"å": ("geometry", 1.0), "ma": ("geometry", 1e-3), "må": ("geometry", 1e-3)}
_UNITS |= {"%": ("share", 0.01)}


@dataclass(frozen=True)
class Limit:
    """quantity : "energy" (eV), "geometry" (A) or "share" of |Du|;  value : largest error"""

    quantity: str
    value: float
    text: str


@dataclass(frozen=True)
class Result:
    """A limit tried on one defect."""

    limit: Limit
    defect: str
    passed: bool
    why: str

    def __str__(self):
        return f"{in_words(self.defect)}, limit {self.limit.text}: {self.why}"


def parse_limits(text: str) -> tuple[Limit, ...]:
    """ "20meV,0.05A" -> limits.

    Raises
    ------
    ValueError      for something else than positive numbers with a known unit
    """
    out = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([\d.]+(?:e-?\d+)?)\s*([a-zA-ZåÅ%]+)\s*", part)
        unit = _UNITS.get(match[2].lower()) if match else None
        try:
            value = float(match[1]) if match else 0.0
        except ValueError:
            value = 0.0
        if unit is None or not value > 0:
            raise ValueError(
                f"{part!r} is no limit; write an energy (20meV), a length (0.05A) or a share of "
                "|Du| (5%), several with commas"
            )
        out.append(Limit(unit[0], value * unit[1], part.strip()))
    return tuple(out)


def check(assessment: Assessment, limits: Sequence[Limit]) -> list[Result]:
    """Every limit tried on every defect."""
    return [_one(limit, section) for section in assessment.defects for limit in limits]


def _one(limit, section):
    main = section.main
    found, form = _value(limit.quantity, main)
    if not main.applies or found is None:
        why = f"no forecast ({main.outcome})"
        return Result(limit, section.name, False, why)
    value, bar = found
    if abs(value) > limit.value:
        return Result(limit, section.name, False, f"{form(abs(value))} is above it")
    if bar is None:
        why = "one check cell gives no error bar: give two"
        return Result(limit, section.name, False, why)
    told = f"{form(abs(value))} with a bar of {form(bar)}"
    if abs(value) + bar > limit.value:
        return Result(limit, section.name, False, f"{told} is not shown to be within it")
    return Result(limit, section.name, True, f"{told} is within it")


def _value(quantity, main):
    """(error, its bar), and how to write it."""
    if quantity == "energy":
        return (main.energy and (main.energy.value, main.energy.bar)), energy
    g = main.geometry
    if quantity == "geometry":
        return (g and (g.value, g.bar)), length
    if g is None or not main.scale:
        return None, percent
    return (g.value / main.scale, None if g.bar is None else g.bar / main.scale), percent
