"""The loss-weight designer: weights that make a predicted defect error small, and their export."""

from .design import Problem, affordable, design, evaluate, facts, price

__all__ = ["LossDesigner", "Problem", "affordable", "design", "evaluate", "facts", "price"]


def __getattr__(name):
    if name == "LossDesigner":
        from .widget import LossDesigner

        return LossDesigner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
