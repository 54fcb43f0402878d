"""Forecasts of a census behind four controls, the truth on request."""

from .widget import ForecastFigure

__all__ = ["ForecastFigure"]
