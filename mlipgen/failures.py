"""What can go wrong, by name, and checks of single numbers."""

from typing import Any


class NoEquilibrium(RuntimeError):
    """No equilibrium of the kind that was asked for; the subclasses say why."""


class Unstable(NoEquilibrium):
    """A Hessian has a negative direction: the crystal or the defect is not a stable equilibrium.

    direction : (n, d) or None       a displacement of negative curvature, where one was met
    """

    def __init__(self, message, direction=None):
        super().__init__(message)
        self.direction = direction


class LeftBasin(NoEquilibrium):
    """A relaxation moved an atom so far that it is no longer the same defect."""


class NotConverged(NoEquilibrium):
    """The force did not fall below the tolerance."""


class NotFinite(NoEquilibrium, ValueError):
    """A model returned an energy or a force that is not a number."""


class TooLarge(ValueError):
    """What was asked for does not fit into this machine's memory."""


class CalculatorFailed(RuntimeError):
    """A calculator raised an error of its own instead of giving an answer."""


class CalculatorDied(CalculatorFailed):
    """The process of a calculator ended without an answer."""


class WorkerDied(RuntimeError):
    """A process that computed a point of a sweep ended without an answer."""


class Unfitted(ValueError):
    """There is nothing to fit, or the model was never fitted."""


class SaddleWarning(UserWarning):
    """A relaxation ended on a saddle point: a symmetry of the start hides the way down."""


def require_number(name: str, value: Any, low: float, high: float, fix: str = "") -> float:
    """`value` as a float if it is a number between `low` and `high`; infinities only as bounds.

    Raises
    ------
    ValueError      naming the value, the bounds and the fix
    """
    try:
        number = float(value) if not _text_or_array(value) else float("nan")
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not (low <= number <= high and abs(number) < float("inf")):
        raise ValueError(
            f"{name}={_shown(value)}: give a number{_between(low, high)}{fix and '; ' + fix}"
        )
    return number


def require_whole(name: str, value: Any, low: int, high: float, fix: str = "") -> int:
    """`value` as an int if it is a whole number between `low` and `high`; else ValueError."""
    try:
        number = int(value) if not _text_or_array(value) else None
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or number != value or not low <= number <= high:
        raise ValueError(
            f"{name}={_shown(value)}: give an integer{_between(low, high)}{fix and '; ' + fix}"
        )
    return number


def _text_or_array(value):
    return isinstance(value, (str, bytes)) or type(value).__name__ == "ndarray"


def _between(low, high):
    ends = [low > -float("inf"), high < float("inf")]
    if all(ends):
        return f" from {low:g} to {high:g}"
    return f" of at least {low:g}" if ends[0] else f" of at most {high:g}" if ends[1] else ""


def _shown(value):
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."
