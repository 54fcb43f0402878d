"""Verdicts: does an estimate apply, did a relaxation stay, and if not, why."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a prediction, or of a relaxation."""

    APPLIES = "applies"
    RELAXED = "relaxed"
    UNSTABLE = "unstable"  # the model's Hessian at the reference equilibrium has a negative mode
    SADDLE = "not a minimum"  # the model's own state nearby is a saddle point
    HIGHER = "not the reference's minimum"  # its state next to the model's is not its lowest
    WIDE = "error bar too wide"
    LEFT = "left the basin"  # the model's equilibrium is another defect
    BROKEN = "not finite"


@dataclass(frozen=True)
class Verdict:
    """An outcome and the reason for it, in words; true where there is a number to show."""

    outcome: Outcome
    why: str = ""

    def __bool__(self):
        return self.outcome in (Outcome.APPLIES, Outcome.RELAXED)

    def __str__(self):
        text = f"{self.outcome}: {self.why}" if self.why else str(self.outcome)
        return f"does not apply: {text}" if self.outcome not in _OF_RELAXATIONS else text


APPLIES, RELAXED = Verdict(Outcome.APPLIES), Verdict(Outcome.RELAXED)
_OF_RELAXATIONS = (Outcome.APPLIES, Outcome.RELAXED)
