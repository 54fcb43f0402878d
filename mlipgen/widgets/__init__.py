"""Widgets of the book. anywidget is loaded when a widget is first asked for."""
from .explorer_data import ExplorerData, Setting

__all__ = ["Explorer", "ExplorerData", "Setting"]


def __getattr__(name):
    if name == "Explorer":
        from .explorer import Explorer
        return Explorer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
