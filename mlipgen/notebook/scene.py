"""Atoms in three dimensions, coloured by a length, in nglview."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

VIRIDIS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")


class Key:
    """The scale of the colours, as HTML; it carries the description that book.js gives the view."""

    def __init__(self, label: str, low: str, high: str) -> None:
        self.label, self.low, self.high = label, low, high

    def _repr_html_(self) -> str:
        bar = (
            "display: inline-block; width: 9em; height: .8em; border-radius: 3px; margin: 0 .5em;"
            f" vertical-align: -.05em; background: linear-gradient(to right, {', '.join(VIRIDIS)})"
        )
        label = html.escape(self.label)
        return (
            f'<p class="mlip-scene" data-label="{label}" style="margin: .3em 0 0">'
            f'{self.low}<span style="{bar}"></span>{self.high}</p>'
        )

    def __repr__(self) -> str:
        return f"<colours from {self.low} to {self.high}: {self.label}>"


def scene(
    atoms: Any,
    values: Sequence[float],
    label: str,
    limits: tuple[float, float],
    unit: str,
    *,
    log: bool = False,
    radius: float = 1.0,
    zoom: float = 0.5,
    tilt: float = 0.0,
) -> None:
    """Show an ase.Atoms as spheres coloured by `values`, with the scale of the colours below.

    Parameters
    ----------
    label : what is to be seen, in words, for those who do not see it
    limits : values of the darkest and the brightest colour, in `unit`
    log : colours count powers
    radius : of the spheres, in angstrom
    zoom, tilt : of the first view; tilt in radians about the horizontal axis
    """
    import warnings

    import numpy as np
    from IPython.display import display
    from IPython.utils.capture import capture_output

    if len(values) != len(atoms):
        raise ValueError(f"{len(values)} values for {len(atoms)} atoms")
    scale = np.log10 if log else np.asarray
    low, high = scale(limits[0]), scale(limits[1])
    shown = atoms.copy()
    shown.arrays["bfactor"] = 100 * np.clip((scale(np.asarray(values)) - low) / (high - low), 0, 1)
    # nglview 3 imports deprecated modules, and shows a widget of its own
    with warnings.catch_warnings(), capture_output():
        warnings.simplefilter("ignore")
        import nglview

        view = nglview.show_ase(shown, default_representation=False)
    view.add_representation(
        "spacefill", color_scheme="bfactor", color_scale="viridis", color_domain=[0, 100],
        radius=radius, radius_type="size",
    )  # fmt: skip
    view.center()
    view.control.zoom(zoom)
    if tilt:
        view.control.spin([1, 0, 0], tilt)
    display(view, Key(label, f"{limits[0]:g} {unit}", f"{limits[1]:g} {unit}"))
