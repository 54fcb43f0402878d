"""The explorer's figure for print and for browsers without JavaScript, from the same numbers."""
import io
from html import escape

import numpy as np

from ..fitting import parse_kinds
from .explorer_data import Setting

STYLE = {"E": "C7", "EF": "C0", "EFV": "C1", "EF+FC": "C2", "EFV+FC": "C3"}


def still_figure(data, setting=None):
    """An HTML figure: predicted and measured geometry errors against cell size and distance, with a caption.

    setting : dict, where it differs from the data's default; sets degree, ridge and the profile's fit
    """
    from matplotlib.figure import Figure
    meta = data.meta
    base = {**meta["default"], **(setting or {})}
    fig = Figure(figsize=(7.2, 3.2), layout="constrained")
    left, right = fig.subplots(1, 2)
    for name, colour in STYLE.items():
        kinds = parse_kinds(name)
        weights = {k: base["weights"].get(k) or meta["weights"][k] for k in kinds}
        solved = [(c["size"], data.solve(Setting(**{**base, "cell": c["size"], "weights": weights}))) for c in meta["cells"]]
        points = [(n, s["geometry"]) for n, s in solved if s["applies"]]
        if points:
            left.plot(*zip(*points), color=colour, label=name)
        marks = [(m["cell"], m["geometry"]) for m in meta["measured"] if m["geometry"] is not None
                 and m["degree"] == base["degree"] and set(m["weights"]) == set(kinds) and m["forces"] == base["forces"]]
        if marks:
            left.plot(*zip(*marks), "D", color=colour, mfc="none", label=None if points else name)
    left.set(xscale="log", yscale="log", xlabel="training cell size L (lattice constants)", ylabel="geometry error (Å)")
    left.set_xticks([c["size"] for c in meta["cells"]], [str(c["size"]) for c in meta["cells"]], minor=False)
    left.set_xticks([], minor=True)
    left.legend(fontsize="small", frameon=False)
    result = data.solve(Setting(**base))
    shown = [(s, x) for s, x in zip(meta["shells"], result["shells"]) if not s.get("periodic")]
    r = [s["r"] for s, _ in shown]
    right.plot(r, [s["reference"] / np.sqrt(s["sites"]) for s, _ in shown], color="0.5", label="defect's own |Dū|")
    if result["applies"]:
        right.plot(r, [x / np.sqrt(s["sites"]) for s, x in shown], "o-", color="C0", ms=4, label="predicted error")
    right.set(xscale="log", yscale="log", xlabel="distance from the defect (Å)", ylabel="rms per site (Å)")
    ticks = [x for x in (3, 5, 8, 12, 20) if r[0] * 0.9 <= x <= r[-1] * 1.1]
    right.set_xticks(ticks, [str(x) for x in ticks], minor=False)
    right.set_xticks([], minor=True)
    right.legend(fontsize="small", frameon=False)
    text = io.StringIO()
    fig.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg"):]
    caption = (f"{meta['title']}. Left: geometry error against training-cell size for fits to energies (E), forces (F), virials (V) "
               f"and force constants (FC), basis degree {base['degree']}: lines predicted, diamonds measured by relaxation. "
               f"Right: the error against distance from the defect for training cells of size {base['cell']}. "
               "With JavaScript this figure fits while you move its controls.")
    return (f'<figure class="mx-still" role="img" aria-label="{escape(caption, quote=True)}" '
            f'style="background:#fff;color:#1c2128;padding:8px;margin:0">{svg}<figcaption>{escape(caption)}</figcaption></figure>')
