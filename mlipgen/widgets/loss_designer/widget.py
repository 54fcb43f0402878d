"""The widget of the loss-weight designer; it searches in the page, with the explorer's solver."""

from pathlib import Path

import anywidget
import traitlets

from ..explorer.data import ExplorerData
from ..explorer.widget import relaxation_script, scripts, shared_scripts, style
from .design import OBJECTIVES, Problem, facts

HERE = Path(__file__).parent
SHARED = ("dom", "unpack", "solver", "predict", "state", "chart", "figure", "relaxation")
PAGE = (
    "search",
    "budget",
    "exports",
    "panel",
    "pictures",
    "tables",
    "findings",
    "settings",
    "designer",
)


class LossDesigner(anywidget.AnyWidget):
    """Find loss weights in the page, compare them with the usual ones, export them.

    Parameters
    ----------
    data : ExplorerData or list of them    one for each defect; the first is shown.  Two defects of
        one crystal show what weights designed for one do to the other
    question : str          what stands above the picture
    unfolded : bool         begin with everything shown
    cell, objective, forces : where the search begins, see `Problem`; default the smallest cell,
        "both", "uniform"
    """

    _esm = "\n".join((relaxation_script(), shared_scripts(SHARED), scripts(HERE / "page", PAGE)))
    _css = f"{style()}\n{(HERE / 'style' / 'designer.css').read_text('utf-8')}"
    payloads = traitlets.List(traitlets.Unicode()).tag(sync=True)
    options = traitlets.Dict().tag(sync=True)

    def __init__(
        self, data, *, question=None, unfolded=False, cell=None, objective="both", forces="uniform"
    ):
        self.data = [data] if isinstance(data, ExplorerData) else list(data)
        first = self.data[0].meta
        cell = first["cells"][0]["size"] if cell is None else cell
        self.problem = Problem(cell, first["degrees"][-1], forces=forces, objective=objective)
        self.data[0].theta(self.problem.setting({"F": 0, "ridge": -24}))  # named errors, at once
        options = {
            "facts": [facts(d) for d in self.data],
            "start": {"cell": cell, "objective": objective, "forces": forces},
            "unfolded": bool(unfolded),
        }
        if question:
            options["question"] = str(question)
        super().__init__(payloads=[d.pack() for d in self.data], options=options)

    def fallback_figure(self):
        """A still figure for readers without JavaScript: IPython HTML that only they see."""
        from IPython.display import HTML

        from .still import still_figure

        return HTML(f"<noscript>{still_figure(self.data[0], self.problem)}</noscript>")


__all__ = ["OBJECTIVES", "LossDesigner"]
