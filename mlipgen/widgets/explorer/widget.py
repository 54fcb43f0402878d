"""The explorer: fit a potential and see its defect error change while a slider moves.

On a static page the JavaScript solves the fit from shipped R-factors (`explorer_data`); with a
kernel the same widget
also refits and really relaxes the defect at any setting of the controls.
"""

import threading
from pathlib import Path

import anywidget
import traitlets
from ipywidgets import widget_serialization

from .data import ExplorerData, Setting

HERE = Path(__file__).parent
# In the order of use; they share one scope, because anywidget takes one module as a string.
SCRIPTS = (
    "dom.js",
    "unpack.js",
    "solver.js",
    "predict.js",
    "state.js",
    "chart.js",
    "canvas.js",
    "viewer.js",
    "controls.js",
    "results.js",
    "figures.js",
    "atoms.js",
    "kernel.js",
    "explorer.js",
)


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
    controls : sequence of "cell", "observations", "degree", "ridge", "noise"; default all
    chart : (y, x)          first chart: y "geometry" or "energy", x "cell", "observations" or
                            "degree"
    setting : dict          starting setting where it differs from the data's default, e.g. {"cell":
                            4}
    atoms : True, False or "nglview"   the atoms near the defect: on a small canvas of the page, not
                                       at all, or in
        nglview's viewer (needs nglview).  See `viewer` below.
    name : str              letters and digits; start of the URL fragment (several explorers on a
                            page need several names)

    Attributes
    ----------
    setting : dict          where the controls stand (with a kernel)
    measured : list of dict relaxations done on request
    viewer : nglview.NGLWidget or None
        The viewer shown with atoms="nglview".  How it follows the controls without a kernel: the
        viewer is created
        empty and travels as a child of this widget; the page asks the widget manager (html-manager
        or JupyterLab, the
        same call) for its model and shows a view of it in the place of the canvas.  Nothing else is
        shipped: the atoms come
        from the data's "near/positions", and at every event the page computes their displacement
        errors from "near/U",
        writes log10(error / Å) into the atoms' b-factors and lets NGL colour by b-factor (viridis)
        over the fixed range
        meta["colour_range"]; grey where the prediction does not apply.  Size therefore limits the
        number of atoms, at
        24 (K + 1) bytes each for K functions before compression, not the picture.  With a kernel
        nglview's own Python
        interface works on it too.
    """

    _esm = "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    _css = HERE / "explorer.css"
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
