"""What the chapters share: numbers for the text, tables, figures of one look.

A chapter begins with one cell tagged `hide-input`,

    import numpy as np
    from mlipgen.notebook import figure, look, note, number, series, table

and then writes, wherever it needs them (`note` in cells tagged `remove-cell`):

    note(atoms=1999, ratio=12.3, tiny=number(3e-14))  # {glue:text}`ratio:.1f`, {glue:text}`tiny`

    table({"fitted to": ["E", "EF"], "geometry error (%)": [11.2, 0.34]})  # last in its cell

    shaded({"fitted to": ["E", "EF"], "error": [1e-5, 0.1]}, limits=(1e-6, 1))  # a map of numbers

    with figure("Errors against cell size: EF falls, E does not.", panels=2) as (left, right):
        left.loglog(cells, errors, **look("EF"))  # an observation set looks the same everywhere
        right.loglog(cells, others, **series(0), label="degree 8")  # anything else goes by number
        ticks(left.xaxis, cells)

    scene(atoms, moved, "A slice with a hole; few atoms moved.", (0, 60), "mÅ")  # in nglview

    solve, error = solver(data)  # in chapters about the explorer's data

`figure` shows itself at the end of its block: no `plt.show()`, no pyplot at all.  Each panel is an
SVG of its own in the page, with real text: panels stand side by side on a screen and below each
other on a phone; the legend is one HTML list below them.  Colours are variables of the page
(`--fig-1`, ... in book.css), so a figure follows the page from light to dark; where those are
missing, as in JupyterLab, each has a fallback.  Draw with C0 to C5 (the default cycle), INK (text,
axes), `**GUIDE` (a law, a limit), PAPER (fill of open marks) and GRID, or with colour maps; other
colours stay as they are named and may vanish in dark mode.  Labels are best written in Unicode
(|Dū|, r⁻², Å): the page's font sets them; formulas between dollars keep Matplotlib's spacing.
"""

from ..crystals.defects import in_words
from .answers import solver
from .figures import Picture, figure, ticks
from .prose import Table, note, number, plus_minus, shaded, table
from .scene import scene
from .style import COLOURS, GRID, GUIDE, INK, LOOKS, MUTED, PAPER, look, series

__all__ = [
    "COLOURS", "GRID", "GUIDE", "INK", "LOOKS", "MUTED", "PAPER", "Picture", "Table", "figure",
    "in_words", "look", "note", "number", "plus_minus", "scene", "series", "shaded", "solver",
    "table", "ticks",
]  # fmt: skip
