"""A finished study as a figure with three controls."""

from .widget import SHOWN, StudyFigure

__all__ = ["SHOWN", "StudyFigure"]
