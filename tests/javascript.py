"""The scripts in tests/js, for `page.evaluate`."""

from pathlib import Path

FOLDER = Path(__file__).parent / "js"


def script(*names):
    """The scripts of these names one after the other; the last one is the function to call, those
    before it define what it uses.
    """
    return "\n".join((FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in names)
