"""What several widgets have in common: their colours, and the two panels of the look-up figures.

A widget is one module and one style sheet for anywidget, so they are joined here, before the page.
"""

from pathlib import Path

HERE = Path(__file__).parent


def joined(*parts):
    """One text of shared files, given by name, and of a widget's own, given by path."""
    return "\n".join((HERE / part).read_text(encoding="utf-8") for part in parts)


__all__ = ["joined"]
