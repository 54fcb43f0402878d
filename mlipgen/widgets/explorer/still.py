"""The explorer's figure for print and for browsers without JavaScript, from the same numbers."""

import io
from html import escape

import numpy as np

from ...learning import parse_kinds
from .data import Setting

# Okabe and Ito's colours; the dashes and marks tell the sets apart without them.
STYLE = {
    "E": ("#000000", ":", "s"),
    "EF": ("#0072b2", "-", "o"),
    "EFV": ("#d55e00", "--", "^"),
    "EF+FC": ("#007a5a", "-.", "D"),
    "EFV+FC": ("#a0478c", (0, (6, 1.5, 1, 1.5, 1, 1.5)), "v"),
}


def _svg(fig):
    """The figure as an SVG element that shrinks with its box."""
    text = io.StringIO()
    fig.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :].replace(
        "<svg ", '<svg style="flex:1 1 260px;min-width:0;max-width:420px;height:auto" ', 1
    )


def still_figure(data, setting=None):
    """An HTML figure: predicted and measured geometry errors against cell size and distance, with a
    caption.

    setting : dict, where it differs from the data's default; sets degree, ridge and the profile's
        fit
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    meta = data.meta
    base = {**meta["default"], **(setting or {})}
    panels = [Figure(figsize=(4.1, 3.2), layout="constrained") for _ in range(2)]
    handles = []
    left, right = (fig.subplots() for fig in panels)
    for name, (colour, dashes, mark) in STYLE.items():
        kinds = parse_kinds(name)
        weights = {k: base["weights"].get(k) or meta["weights"][k] for k in kinds}
        solved = [
            (c["size"], data.solve(Setting(**{**base, "cell": c["size"], "weights": weights})))
            for c in meta["cells"]
        ]
        points = [(n, s["geometry"]) for n, s in solved if s["applies"]]
        if points:
            left.plot(*zip(*points), color=colour, ls=dashes)
        measured = [
            m
            for m in meta["measured"]
            if m["geometry"] is not None
            and m["degree"] == base["degree"]
            and set(m["weights"]) == set(kinds)
            and m["forces"] == base["forces"]
        ]
        marks = [(m["cell"], m["geometry"]) for m in measured]
        if marks:
            left.plot(*zip(*marks), mark, color=colour, mfc="none")
        for m in measured:
            spread = [g for g, _ in m.get("others", ()) if g is not None] + [m["geometry"]]
            left.vlines(m["cell"], min(spread), max(spread), color=colour, alpha=0.5, lw=1)
        if points or marks:
            handles.append(
                Line2D(
                    [],
                    [],
                    color=colour,
                    ls=dashes if points else "",
                    marker=mark if marks else "",
                    mfc="none",
                    label=name,
                )
            )
    left.set(
        xscale="log",
        yscale="log",
        xlabel="training cell size L (lattice constants)",
        ylabel="geometry error (Å)",
    )
    left.set_xticks(
        [c["size"] for c in meta["cells"]], [str(c["size"]) for c in meta["cells"]], minor=False
    )
    left.set_xticks([], minor=True)
    left.legend(handles=handles, fontsize="small", frameon=False)
    result = data.solve(Setting(**base))
    shown = [(s, x) for s, x in zip(meta["shells"], result["shells"]) if not s.get("periodic")]
    r = [s["r"] for s, _ in shown]
    right.plot(
        r,
        [s["reference"] / np.sqrt(s["sites"]) for s, _ in shown],
        color="0.4",
        ls="--",
        label="defect's own |Dū|",
    )
    if result["applies"]:
        right.plot(
            r,
            [x / np.sqrt(s["sites"]) for s, x in shown],
            "o-",
            color="#0072b2",
            ms=4,
            label="predicted error",
        )
    right.set(
        xscale="log", yscale="log", xlabel="distance from the defect (Å)", ylabel="rms per site (Å)"
    )
    ticks = [x for x in (3, 5, 8, 12, 20) if r[0] * 0.9 <= x <= r[-1] * 1.1]
    right.set_xticks(ticks, [str(x) for x in ticks], minor=False)
    right.set_xticks([], minor=True)
    right.legend(fontsize="small", frameon=False)
    caption = (
        f"{meta['title']}. First: geometry error against training-cell size for fits to energies "
        "(E), forces (F), virials (V) "
        f"and force constants (FC), basis degree {base['degree']}: lines predicted, open marks "
        "measured by relaxation, thin bars the same with other rattles. "
        "Second: the error against distance from the defect for training cells of size "
        f"{base['cell']}. "
        "With JavaScript this figure fits while you move its controls."
    )
    return as_figure(panels, caption)


def as_figure(panels, caption):
    """matplotlib figures side by side as an HTML figure; the caption describes them."""
    box = "display:flex;flex-wrap:wrap;justify-content:center;gap:8px"
    return (
        f'<figure class="mx-still" style="background:#fff;color:#1c2128;padding:8px;margin:0">'
        f'<div role="img" aria-label="{escape(caption, quote=True)}" '
        f'style="{box}">{"".join(map(_svg, panels))}</div>'
        f'<figcaption style="color:inherit;text-align:left">{escape(caption)}</figcaption></figure>'
    )
