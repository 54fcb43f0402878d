"""What can go wrong, by name."""


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
