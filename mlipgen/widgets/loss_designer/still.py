"""The designer's figure for print and for browsers without JavaScript, by the Python twin."""

from dataclasses import replace

import numpy as np

from ..explorer.still import as_figure
from .design import KINDS, design

NAMES = {"E": "energies", "F": "forces", "V": "virials", "FC": "force constants", "ridge": "ridge"}
LINES = {
    "E": ("#0b5cad", "-"),
    "V": ("#b34a00", "--"),
    "FC": ("#1a7446", ":"),
    "ridge": ("#7a3b8f", "-."),
    "F": ("#4a5560", "-"),
}
UNITS = {"geometry": "Å", "energy": "eV", "both": "(Å eV)$^{1/2}$"}


def still_figure(data, problem):
    """An HTML figure: error with usual and found weights by training cell, and how flat the optimum
    is, with a caption.
    """
    from matplotlib.figure import Figure

    panels = [Figure(figsize=(4.1, 3.2), layout="constrained") for _ in range(2)]
    left, right = (fig.subplots() for fig in panels)
    sizes = [c["size"] for c in data.meta["cells"]]
    found = {n: design(data, replace(problem, cell=n)) for n in sizes}
    finite = lambda x: x if np.isfinite(x) else np.nan
    usual = [finite(found[n].usual_value) for n in sizes]
    best = [finite(found[n].value) for n in sizes]
    left.plot(sizes, usual, "s--", color="0.4", label="usual weights")
    left.plot(sizes, best, "o-", color="#0b5cad", label="best found")
    left.set(
        yscale="log",
        xticks=sizes,
        xlabel="training cell size L (lattice constants)",
        ylabel=f"error: {problem.objective} ({UNITS[problem.objective]})",
    )
    left.legend(fontsize="small", frameon=False)
    own = found[problem.cell]
    for key, (positions, ratio, _) in own.profiles.items():
        colour, dashes = LINES[key]
        decades = (positions - own.x[key]) / (4 if key == "ridge" else 10)
        right.plot(10.0**decades, ratio, color=colour, ls=dashes, label=NAMES[key])
    right.axhline(1.1, color="0.4", ls=":", lw=1)
    right.set(
        xscale="log",
        ylim=(0.97, 2.1),
        xlim=(1e-3, 1e3),
        xlabel="factor on one weight",
        ylabel="error / best",
    )
    right.legend(fontsize="small", frameon=False)
    size = lambda key: 10.0 ** (own.x[key] / (4 if key == "ridge" else 10))
    weights = [f"{NAMES[k]} {float(f'{size(k):.2g}'):g}" for k in (*KINDS, "ridge") if k in own.x]
    caption = (
        f"{data.meta['title']}. First: the predicted error by training cell size with the usual "
        "weights and with the best ones found. Second, for the training cell of size "
        f"{problem.cell}: the error over the best one while one weight is multiplied by a factor. "
        f"Best weights: {', '.join(weights)}. With JavaScript the page searches them for the "
        "defect, cell and observations that you choose, and writes them for other codes."
    )
    return as_figure(panels, caption)
