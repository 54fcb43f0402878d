"""The reference pages: what a signature and a long line of a docstring become."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "book" / "_tools"))
import api


def test_a_signature_reads_as_it_is_written():
    def far(x: "np.ndarray | None" = None, *, key=lambda x: x) -> "a.b.Crystal": ...  # noqa: F821

    assert api.signature("far", far) == "far(x: np.ndarray | None = None, *, key=...) -> Crystal"
    wide = api.signature(
        "far", eval("lambda " + ", ".join(f"a{k}={10**12}" for k in range(9)) + ": 0")
    )
    assert len(wide.splitlines()) > 1 and all(len(x) <= api.WIDTH for x in wide.splitlines())
    assert wide.splitlines()[1].startswith("    a")


def test_long_lines_are_broken_within_their_column():
    doc = (
        "Prose that is longer than forty columns, and\ngoes on.\n\n"
        "x : float      what it is, in words that\n               do not fit\ny : int"
    )
    assert api.wrapped(doc, 39).splitlines() == [
        "Prose that is longer than forty",
        "columns, and goes on.",
        "",
        "x : float      what it is, in words",
        "               that do not fit",
        "y : int",
    ]
    assert api.wrapped("x : float      what it is, in many words", 32).splitlines() == [
        "x : float      what it is, in",
        "               many words",
    ]
