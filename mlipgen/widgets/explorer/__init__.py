"""The explorer: a fit that is solved in the reader's browser."""

from .data import ExplorerData, Setting

__all__ = ["Explorer", "ExplorerData", "Setting", "explorer_data", "fit_setting"]


def __getattr__(name):
    if name == "Explorer":
        from .widget import Explorer

        return Explorer
    if name == "explorer_data":
        from .builder import explorer_data

        return explorer_data
    if name == "fit_setting":
        from .fits import fit_setting

        return fit_setting
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
