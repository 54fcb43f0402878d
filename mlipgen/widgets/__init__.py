"""Widgets of the book, one folder each. anywidget is loaded when a widget is first asked for."""

from .explorer import ExplorerData, Setting

__all__ = [
    "Explorer",
    "ExplorerData",
    "ForecastFigure",
    "LookupFigure",
    "LossDesigner",
    "Setting",
    "StudyFigure",
]


def __getattr__(name):
    if name == "Explorer":
        from .explorer.widget import Explorer

        return Explorer
    if name == "ForecastFigure":
        from .forecast_figure import ForecastFigure

        return ForecastFigure
    if name == "LossDesigner":
        from .loss_designer import LossDesigner

        return LossDesigner
    if name == "LookupFigure":
        from .lookup import LookupFigure

        return LookupFigure
    if name == "StudyFigure":
        from .study_figure import StudyFigure

        return StudyFigure
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
