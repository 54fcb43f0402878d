"""The registry of kinds of observation: each is one class, known by its letter."""

from abc import ABC, abstractmethod

import numpy as np

#: Kind -> class, in the order in which the classes are defined.
KINDS: dict[str, type["Observation"]] = {}


class Observation(ABC):
    """A linear functional of a site-energy model, with its name, letter, weight and tolerance.

    A subclass that defines `kind` is a new kind of observation: `parse_kinds`, `fit` and
    `identifiability` know it from then on.

    Attributes
    ----------
    kind : str              letter or letters, as in "EF+FC"
    label, unit : str       for tables and pages
    weight : float          default weight in a fit
    tolerance : float       fit accuracy taken as attainable, root mean square over components
    """

    kind: str
    label: str = ""
    unit: str = ""
    weight: float = 1.0
    tolerance: float = 1e-3

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if "kind" in vars(cls):
            KINDS[cls.kind] = cls

    @abstractmethod
    def observe(self, model) -> np.ndarray:
        """Values (count, ...): numbers of a potential, one more axis for a basis."""

    def rows(self, basis, potential) -> np.ndarray:
        """[A y], shape (count, K + 1): rows of the design matrix and their targets."""
        return np.column_stack([self.observe(basis), self.observe(potential)])


def default_weights() -> dict[str, float]:
    """Kind -> default weight."""
    return {kind: cls.weight for kind, cls in KINDS.items()}


def default_tolerances() -> dict[str, float]:
    """Kind -> fit accuracy taken as attainable."""
    return {kind: cls.tolerance for kind, cls in KINDS.items()}


def parse_kinds(text) -> tuple[str, ...]:
    """ "EFV+FC" -> ("E", "F", "V", "FC"); letters stand alone, longer names follow a plus.

    Raises
    ------
    ValueError      for an unknown kind, an empty set or one named twice
    """
    if isinstance(text, str):
        # a part is a run of letters, "EF", unless it is a name of its own, "FC"
        parts = [[p] if p in KINDS else list(p) for p in text.split("+")]
        out = [kind for part in parts for kind in part]
    else:
        try:
            out = [k if isinstance(k, str) else repr(k) for k in text]
        except TypeError:
            out = [repr(text)]
    bad = [k for k in out if k not in KINDS]
    empty = isinstance(text, str) and not all(text.split("+"))
    if bad or empty or len(set(out)) < len(out):
        raise ValueError(f"observation set {text!r} is not understood; {_forms()}")
    return tuple(out)


#: Kinds outside this package, known from the import of their module on.
ELSEWHERE = {"mlipgen.experiments.data_cells": ("Fd", "HC")}


def _forms() -> str:
    """How kinds are combined, and every kind with its name."""
    letters = [k for k in KINDS if len(k) == 1]
    names = [f"+{k}" for k in KINDS if len(k) > 1]
    meant = "; ".join(f"{k}: {cls.label or cls.__name__}" for k, cls in KINDS.items())
    more = "".join(
        f"; {' and '.join(kinds)} need `import {module}`"
        for module, kinds in ELSEWHERE.items()
        if not set(kinds) <= set(KINDS)
    )
    return (
        f"combine {', '.join(letters)}, written together, and {', '.join(names)}, "
        "each after a plus, all at most once: E, EF, EFV, EF+FC, EFV+FC, E+Fw; "
        f"known kinds are {', '.join(KINDS)} ({meant}){more}"
    )
