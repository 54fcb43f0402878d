"""A figure with a slider that works without a kernel: curves computed beforehand, looked up and
drawn by the page.
"""

import json
import re
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from ..shared import joined

HERE = Path(__file__).parent
STYLES = ("line", "dashed", "marks", "open", "both")


def curve(name, x, y, style="line", like=None):
    """One curve of a `LookupFigure`.

    Parameters
    ----------
    name : str              shown in the legend, unless it is empty; a curve keeps its colour, which
                            goes by name, in every frame
    x, y : array_like, (n,) any units; nan or infinity leaves a gap
    style : str             "line", "dashed", "marks", "open" (marks) or "both" (line and marks)
    like : str              the curve whose colour and mark it has, such as the points of a line

    Raises
    ------
    ValueError      for different lengths or an unknown style
    """
    x, y = np.asarray(x, float).ravel(), np.asarray(y, float).ravel()
    if len(x) != len(y):
        raise ValueError(f"curve {name!r}: {len(x)} values of x but {len(y)} of y")
    if style not in STYLES:
        raise ValueError(
            f"curve {name!r}: style {style!r} is unknown; choose one of {', '.join(STYLES)}"
        )
    own = {"name": str(name), "x": _short(x), "y": _short(y), "style": style}
    return own if like is None else {**own, "like": str(like)}


def frame(label, curves, note=""):
    """The curves at one position of the slider; `label` is its value as text, `note` a sentence
    read aloud on change.
    """
    return {"label": str(label), "curves": list(curves), "note": str(note)}


class LookupFigure(anywidget.AnyWidget):
    """A line plot with a slider or a select that chooses one of several precomputed frames.

    Parameters
    ----------
    frames : list of `frame(...)`    at least one; with a single frame there is no slider
    slider : str                     what the slider changes, with its unit
    select : bool                    a select in the place of the slider: for frames without an
                                     order.  Default: unless every label begins with a number
    title, description : str         heading and text alternative (required: what a reader who
                                     cannot see it should know)
    x, y : str                       axis labels
    x_log, y_log : bool              logarithmic axes; values that are not positive are left out
    x_range, y_range : (low, high)   default: the range over all frames, so that frames can be
                                     compared
    x_ticks : list of (value, text)  own ticks on the x axis (a path in reciprocal space, say)
    start : int                      frame shown first

    Attributes
    ----------
    index : int       the frame shown; with a kernel it can be observed and set

    Examples
    --------
    LookupFigure(
        [frame(n, [curve("error", L, e[n], "both")]) for n in sizes], slider="cell size N",
        x="L (Å)", y="error (Å)", x_log=True, y_log=True, title="...", description="..."
    )

    Raises
    ------
    ValueError      without frames or description, for a start outside the frames, or when nothing
                    can be drawn
    """

    _esm = HERE / "lookup.js"
    _css = joined("colours.css", HERE / "lookup.css")
    # text: dictionaries would arrive with their keys sorted
    payload = traitlets.Unicode().tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        frames,
        *,
        slider="",
        select=None,
        title="",
        description="",
        x="",
        y="",
        x_log=False,
        y_log=False,
        x_range=None,
        y_range=None,
        x_ticks=None,
        start=0,
    ):
        frames = list(frames)
        if not frames:
            raise ValueError("a LookupFigure needs at least one frame")
        if not description:
            raise ValueError(
                "give a description: what a reader who cannot see the figure should know"
            )
        if not 0 <= start < len(frames):
            raise ValueError(f"start={start} is outside the {len(frames)} frames")
        axes = []
        for key, label, log, limits in (("x", x, x_log, x_range), ("y", y, y_log, y_range)):
            low, high = limits or _limits([c[key] for f in frames for c in f["curves"]], log, key)
            axes.append({"label": label, "log": bool(log), "low": float(low), "high": float(high)})
        axes[0]["ticks"] = [[float(value), str(text)] for value, text in x_ticks or ()]
        if select is None:
            select = not all(re.match(r"[-−+]?\d", f["label"]) for f in frames)
        payload = {
            "frames": frames,
            "slider": slider,
            "select": bool(select),
            "title": title,
            "description": description,
            "x": axes[0],
            "y": axes[1],
        }
        super().__init__(
            payload=json.dumps(payload, separators=(",", ":"), allow_nan=False), index=start
        )


def _short(values):
    """Five digits are more than a screen shows; None where there is no number."""
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in values]


def _limits(columns, log, key):
    values = np.array(
        [v for column in columns for v in column if v is not None and (v > 0 or not log)]
    )
    if not len(values):
        raise ValueError(f"no {'positive ' if log else ''}{key} value to draw")
    t = np.log10(values) if log else values
    margin = 0.04 * (np.ptp(t) or abs(t[0]) or 1.0)
    low, high = t.min() - margin, t.max() + margin
    return (10.0**low, 10.0**high) if log else (low, high)
