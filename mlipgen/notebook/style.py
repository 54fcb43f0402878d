"""One look for every static figure of the book: colours, marks, dashes, letters."""

from __future__ import annotations

from typing import Any

INK, MUTED, GRID, PAPER = "#1c2128", "#555f6b", "#d9dee4", "#fffffe"
COLOURS = ("#0b5cad", "#b34a00", "#00795c", "#963c8a", "#8a6500", "#007a94")
MARKERS = "osD^vP"
DASHES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))

# The look of an observation set is the same in every chapter: colour, mark and dashes each tell it.
LOOKS = {
    "E": (MUTED, "s", "--"),
    "E+FC": (COLOURS[4], "P", "-."),
    "EF": (COLOURS[0], "o", "-"),
    "EFV": (COLOURS[2], "^", (0, (1, 1))),
    "EF+FC": (COLOURS[1], "D", (0, (5, 1, 1, 1))),
    "EFV+FC": (COLOURS[3], "v", (0, (8, 2))),
}

# A line that marks follow, a law or a limit; labelled or not.
GUIDE = {"color": MUTED, "linewidth": 1, "linestyle": "-", "marker": "none"}

# What stands in the SVG for each colour.  The fallback serves pages without book.css.
VARIABLES = {
    INK: "var(--fig-ink, currentColor)",
    MUTED: "var(--fig-muted, currentColor)",
    GRID: "var(--fig-grid, #8884)",
    PAPER: "var(--fig-paper, Canvas)",
    **{c: f"var(--fig-{k}, {c})" for k, c in enumerate(COLOURS, 1)},
}

PANEL = {1: (400, 270), 2: (360, 270), 3: (250, 215)}  # CSS pixels; more panels are like three


def style() -> Any:
    """Matplotlib's settings for the book's figures; lengths in CSS pixels, 72 an inch."""
    from cycler import cycler

    return {
        "font.size": 13,
        "axes.titlesize": 13,
        "axes.labelsize": 13,
        "axes.labelpad": 7,  # on a phone the letters of the ticks are larger than drawn
        "xtick.labelsize": 12,
        "ytick.labelsize": 12,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "lines.linewidth": 1.8,
        "lines.markersize": 6.5,
        "legend.frameon": False,
        "boxplot.boxprops.color": INK,
        "boxplot.whiskerprops.color": INK,
        "boxplot.capprops.color": INK,
        "boxplot.flierprops.markeredgecolor": INK,
        "boxplot.medianprops.color": COLOURS[1],
        "axes.prop_cycle": cycler(color=COLOURS, linestyle=DASHES),
        "svg.fonttype": "none",
        "svg.hashsalt": "mlipgen",
    }


def series(k: int) -> dict[str, Any]:
    """Colour, mark and dashes of the k-th series of a figure (0 to 5)."""
    if not 0 <= k < len(COLOURS):
        raise ValueError(
            f"series {k}: a figure tells at most {len(COLOURS)} series apart, numbered from 0"
        )
    return {"color": COLOURS[k], "marker": MARKERS[k], "linestyle": DASHES[k]}


def look(kinds: str, **more: Any) -> dict[str, Any]:
    """Colour, mark, dashes and label of an observation set, as look("EF"); `more` overrides."""
    if kinds not in LOOKS:
        raise ValueError(
            f"no look for the observation set {kinds!r}: choose from {', '.join(LOOKS)}"
        )
    colour, marker, dashes = LOOKS[kinds]
    return {"color": colour, "marker": marker, "linestyle": dashes, "label": kinds} | more
