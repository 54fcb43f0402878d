"""The explorer: fit a potential and see its defect error change while a slider moves.

On a static page the JavaScript solves the fit from shipped R-factors (`explorer_data`) and, when
the controls rest, relaxes the defect with the fitted potential; with a kernel the same widget also
refits and relaxes in Python.
"""

import threading
from pathlib import Path

import anywidget
import traitlets
from ipywidgets import widget_serialization

from ..shared import joined
from .data import ExplorerData, Setting

HERE = Path(__file__).parent
# In the order of use.  Those of the page share one scope, because anywidget takes one module as a
# string; those that relax share the scope of a function, whose text is a worker's program as well.
PAGE = (
    "dom",
    "unpack",
    "solver",
    "predict",
    "state",
    "chart",
    "figure",
    "comparison",
    "distances",
    "canvas",
    "viewer",
    "atoms",
    "controls",
    "verdict",
    "results",
    "kernel",
    "relaxation",
    "layout",
    "explorer",
)
RELAX = (
    "fields",
    "neighbours",
    "base",
    "ace",
    "hessian",
    "green",
    "response",
    "descent",
    "problem",
    "worker",
)
STYLE = ("frame", "controls", "results", "charts")
EXPORTS = "ACE, Geometry, Hessian, LatticeGreen, Neighbours, Problem, inverse3, listen, shortest"


def scripts(folder, names):
    """The text of some modules, a quarter shorter without comments and indentation."""
    text = "\n".join((folder / f"{name}.js").read_text("utf-8") for name in names)
    lines = (line.strip() for line in text.splitlines())
    comment = ("//", "/**", "* ", "*/")
    return "\n".join(x for x in lines if x not in ("", "*") and not x.startswith(comment))


def relaxation_script():
    """The function whose text is the worker's program."""
    return (
        f"function relaxation() {{\n{scripts(HERE / 'relax', RELAX)}\nreturn {{ {EXPORTS} }};\n}}"
    )


def shared_scripts(names):
    """Modules of the explorer's page, for widgets that solve fits as well."""
    return scripts(HERE / "page", names)


def style(names=STYLE):
    """Style sheets of the explorer."""
    return joined("colours.css", *(HERE / "style" / f"{name}.css" for name in names))


class Cancelled(Exception):
    """Raised inside a running relaxation when the reader pressed Cancel."""


def _empty_viewer():
    """An nglview widget without atoms; the page brings them."""
    import warnings

    from IPython.utils.capture import capture_output

    # nglview 3 imports deprecated modules, and shows a widget
    with warnings.catch_warnings(), capture_output():
        warnings.simplefilter("ignore")
        from nglview import NGLWidget

        return NGLWidget()


class Explorer(anywidget.AnyWidget):
    """An interactive fit: controls, predicted and measured errors, charts, verdict.

    Parameters
    ----------
    data : ExplorerData or list of them    one for each crystal and defect; the first is shown
    on_relax : callable, optional          with a kernel, called in a thread as
        on_relax(data, setting, progress, cancelled) -> dict(geometry=, energy=, shells=, note=)
        progress(fraction or None, text) reports; cancelled() turns true when the reader gave up.
        Default: `data.relax` where the builder provided it, else no button.
    controls : sequence of "cell", "observations", "degree", "ridge", "noise"; default all.  The
        first two stand beside the picture, the others unfold
    question : str          what the reader is to find out, above the picture; default: by controls
    unfolded : bool         begin with everything shown
    chart : (y, x)          the picture: y "geometry" or "energy", x "cell", "observations" or
        "degree"
    setting : dict          starting setting where it differs from the data's default, e.g.
        {"cell": 4}
    atoms : True, False or "nglview"   the atoms around the defect: on a small canvas of the page,
        not at all, or in nglview's viewer (needs nglview).  See `viewer` below.
    name : str              letters and digits; start of the URL fragment (several explorers on a
        page need several names)

    Attributes
    ----------
    setting : dict          where the controls stand (with a kernel)
    measured : list of dict relaxations done on request
    viewer : nglview.NGLWidget or None
        The viewer shown with atoms="nglview".  How it follows the controls without a kernel: the
        viewer is created empty and travels as a child of this widget; the page asks the widget
        manager (html-manager or JupyterLab, the same call) for its model and shows a view of it in
        the place of the canvas.  Nothing else is shipped: at every event the page computes the
        atoms' displacement errors, writes log10(error / Å) into their b-factors and lets NGL colour
        by b-factor (viridis) over three decades; grey where the prediction does not apply.  With a
        kernel nglview's own Python interface works on it too.
    """

    _esm = f"{relaxation_script()}\n{shared_scripts(PAGE)}"
    _css = style()
    payloads = traitlets.List(traitlets.Unicode()).tag(sync=True)
    options = traitlets.Dict().tag(sync=True)
    name = traitlets.Unicode("explorer").tag(sync=True)
    setting = traitlets.Dict().tag(sync=True)
    viewer = traitlets.Any(None, allow_none=True).tag(sync=True, **widget_serialization)

    CONTROLS = ("cell", "observations", "degree", "ridge", "noise")
    AXES = (("geometry", "energy"), ("cell", "observations", "degree"))

    def __init__(
        self,
        data,
        *,
        on_relax=None,
        controls=None,
        question=None,
        unfolded=False,
        chart=("geometry", "cell"),
        setting=None,
        atoms=True,
        name="explorer",
    ):
        self.data = [data] if isinstance(data, ExplorerData) else list(data)
        unknown = set(controls or ()) - set(self.CONTROLS)
        if unknown:
            raise ValueError(f"controls={sorted(unknown)}: choose from {list(self.CONTROLS)}")
        if chart[0] not in self.AXES[0] or chart[1] not in self.AXES[1]:
            raise ValueError(
                f"chart={chart!r}: first one of {self.AXES[0]}, then one of {self.AXES[1]}"
            )
        if not name.isalnum():
            raise ValueError(
                f"name={name!r}: use letters and digits only (it becomes a URL fragment)"
            )
        if atoms not in (True, False, "nglview"):
            raise ValueError(f"atoms={atoms!r}: choose True, False or 'nglview'")
        options = {"chart": {"y": chart[0], "x": chart[1]}, "atoms": bool(atoms)}
        options["unfolded"] = bool(unfolded)
        if question:
            options["question"] = str(question)
        if controls is not None:
            options["controls"] = list(controls)
        if setting:
            options["setting"] = dict(setting)
        super().__init__(
            payloads=[d.pack() for d in self.data],
            options=options,
            name=name,
            viewer=_empty_viewer() if atoms == "nglview" else None,
        )
        self.on_relax = on_relax
        self.measured, self._cancel = [], {}
        self.on_msg(self._receive)

    def relaxer(self, index):
        """The function that relaxes data set `index` for real, or None."""
        return self.on_relax or self.data[index].relax

    def fallback_figure(self, setting=None):
        """A still figure for readers without JavaScript: IPython HTML, shown only by such browsers.

        setting : dict, where it differs from the explorer's own starting setting
        """
        from IPython.display import HTML

        from .still import still_figure

        own = self.options.get("setting", {})
        return HTML(
            f"<noscript>{still_figure(self.data[0], {**own, **(setting or {})})}</noscript>"
        )

    # ------------------------------------------------------------------ messages from the page
    def _receive(self, _, message, buffers):
        kind = message.get("type")
        if kind == "ping":
            self.send(
                {"type": "pong", "relax": any(self.relaxer(i) for i in range(len(self.data)))}
            )
        elif kind == "cancel" and message.get("id") in self._cancel:
            self._cancel[message["id"]].set()
        elif kind == "relax":
            self._cancel[message["id"]] = threading.Event()
            threading.Thread(target=self._relax, args=(message,), daemon=True).start()

    def _relax(self, message):
        """One request, in its own thread so that the kernel goes on answering."""
        job, index = message["id"], message["dataset"]
        cancel, data, setting = self._cancel[job], self.data[index], Setting(**message["setting"])

        def progress(fraction, text):
            if cancel.is_set():
                raise Cancelled
            self.send({"type": "progress", "id": job, "value": fraction, "text": text})

        try:
            relax = self.relaxer(index)
            if relax is None:
                raise ValueError("this data set has no relaxation behind it")
            found = relax(data, setting, progress, cancel.is_set)
            point = dict(vars(setting), **{"geometry": None, "energy": None, "note": "", **found})
            self.measured.append(point)
            data.meta["measured"].insert(0, point)
            self.send(
                {"type": "measured", "id": job, "point": point, "text": point["note"] or "Relaxed."}
            )
        except Cancelled:
            self.send({"type": "failed", "id": job, "text": "Cancelled."})
        except Exception as error:  # the page must hear of any failure, whatever it is
            self.send({"type": "failed", "id": job, "text": f"{type(error).__name__}: {error}"})
        finally:
            del self._cancel[job]
