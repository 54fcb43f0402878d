"""What can go wrong, by name."""


class Unstable(RuntimeError):
    """A Hessian has a negative direction: the crystal or the defect is not a stable equilibrium.

    direction : (n, d) or None       a displacement of negative curvature, where one was met
    """

    def __init__(self, message, direction=None):
        super().__init__(message)
        self.direction = direction


class LeftBasin(RuntimeError):
    """A relaxation moved an atom so far that it is no longer the same defect."""


class NotConverged(RuntimeError):
    """The force did not fall below the tolerance."""


class Unfitted(ValueError):
    """There is nothing to fit, or the model was never fitted."""
