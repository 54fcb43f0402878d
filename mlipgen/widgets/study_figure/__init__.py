"""A finished study as a figure with three controls."""

from .widget import StudyFigure

__all__ = ["StudyFigure"]
