"""A figure whose slider looks up curves computed beforehand."""

from .widget import LookupFigure, curve, frame

__all__ = ["LookupFigure", "curve", "frame"]
