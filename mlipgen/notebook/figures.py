"""Figures as SVG inside the page, in its colours and its font."""

from __future__ import annotations

import hashlib
import html
import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .prose import number, power_of_ten
from .style import PANEL, VARIABLES, style


class Picture:
    """Panels and legend as HTML; its text is the description."""

    def __init__(
        self, alt: str, panels: list[str], legend: list[tuple[str, str]], width: int
    ) -> None:
        self.alt, self.panels, self.legend, self.width = alt, panels, legend, width

    def _repr_html_(self) -> str:
        # A panel is shown at 0.72 to 1.25 times its size, so that its letters stay letters.
        low, high = round(0.72 * self.width), round(1.25 * self.width)
        panels = "".join(f'<div style="max-width: {high}px">{svg}</div>' for svg in self.panels)
        # A grid: panels of a last row that is not full are as large as the others.
        grid = f"display: grid; grid-template-columns: repeat(auto-fit, minmax(min({low}px, 100%)"
        keys = "".join(
            f'<li style="display: inline-block; margin: 0 1.2em 0 0">{svg} {label}</li>'
            for svg, label in self.legend
        )
        legend = f'<ul style="list-style: none; margin: .3em 0 0; padding: 0">{keys}</ul>'
        return (
            '<figure class="mlip-figure" style="margin: 0">'
            f'<div role="img" aria-label="{html.escape(self.alt)}"'
            f' style="{grid}, 1fr)); gap: .6em 1.2em">{panels}</div>'
            f"{legend if keys else ''}</figure>"
        )

    def __repr__(self) -> str:
        return f"<figure: {self.alt}>"


@contextmanager
def figure(
    alt: str,
    *,
    panels: int = 1,
    size: tuple[int, int] | None = None,
    share: str = "",
    legend: bool = True,
) -> Iterator[Any]:
    """A figure in the book's look, shown at the end of its block.

    Parameters
    ----------
    alt : what the figure shows, in words, for those who do not see it
    panels : how many axes the block gets: one, or a list of several
    size : of one panel, in CSS pixels
    share : "x", "y" or "xy": the same limits in all panels, with "y" the same label too
    legend : list the labels below the panels
    """
    if len(alt) < 20:
        raise ValueError(f"alt={alt!r}: describe in a sentence what the figure shows")
    from IPython.display import display
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    width, height = size or PANEL[min(panels, 3)]
    inches = (width / 72, height / 72)
    with rc_context(style()):
        axes = [Figure(inches, layout="constrained").add_subplot() for _ in range(panels)]
        yield axes[0] if panels == 1 else axes
        _share_limits(axes, share)
        for ax in axes:
            _plain_ticks(ax)
        drawn = [inline_svg(ax.figure, f"{alt}{k}") for k, ax in enumerate(axes)]
        display(Picture(alt, drawn, _keys(axes, alt) if legend else [], width))


def ticks(axis: Any, values: Sequence[float], labels: Sequence[str] | None = None) -> None:
    """Ticks of ax.xaxis or ax.yaxis at these values and nowhere else."""
    axis.set_ticks(values, labels or [number(v) for v in values])
    axis.set_ticks([], minor=True)


def _share_limits(axes: list[Any], directions: str) -> None:
    for direction in directions:
        limits = [getattr(ax, f"get_{direction}lim")() for ax in axes]
        low, high = min(a for a, _ in limits), max(b for _, b in limits)
        for ax in axes:
            getattr(ax, f"set_{direction}lim")(*_wider(ax, direction, low, high))
    if "y" in directions:  # on a phone the panels stand below each other
        for ax in axes[1:]:
            ax.set_ylabel(ax.get_ylabel() or axes[0].get_ylabel())


def _wider(ax: Any, direction: str, low: float, high: float) -> tuple[float, float]:
    """A little room at both ends, or the marks of the narrower panels are cut."""
    if getattr(ax, f"get_{direction}scale")() == "log":
        factor = (high / low) ** 0.03
        return low / factor, high * factor
    return low - 0.03 * (high - low), high + 0.03 * (high - low)


def _plain_ticks(ax: Any) -> None:
    """Logarithmic axes count 0.01, 0.1, 1, 10; with few of these on them also 2 and 5; those that
    leave 0.001 to 10,000 count 10⁻⁴, 10⁻³, 10⁻².
    """
    from matplotlib import ticker

    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log" and isinstance(axis.get_major_locator(), ticker.LogLocator):
            low, high = sorted(axis.get_view_interval())
            decades = math.floor(math.log10(high)) - math.ceil(math.log10(low)) + 1
            subs = (1, 2, 5) if decades < 2 or math.log10(high / low) < 1.5 else (1,)
            axis.set_major_locator(ticker.LogLocator(subs=subs, numticks=7))
            plain = low > 9e-4 and high < 2e4 or len(subs) > 1
            across = plain and low < 1e-3 < high
            tick = _decimal_tick if across else _number_tick if plain else _power_tick
            axis.set_major_formatter(ticker.FuncFormatter(tick))
            axis.set_minor_formatter(ticker.NullFormatter())


def _number_tick(x: float, _: int | None = None) -> str:
    """0.01 as 0.01"""
    return number(x)


def _decimal_tick(x: float, _: int | None = None) -> str:
    """0.0005 as 0.0005, on an axis that has 0.005 as well"""
    return f"{x:.6f}".rstrip("0").rstrip(".")


def _power_tick(x: float, _: int | None = None) -> str:
    """0.01 as 10⁻²"""
    return power_of_ten(round(math.log10(x)))


def _keys(axes: list[Any], salt: str) -> list[tuple[str, str]]:
    """(mark, label) of everything labelled, each label once, the marks drawn by Matplotlib."""
    from matplotlib.figure import Figure

    found = {}
    for ax in axes:
        handles, labels = ax.get_legend_handles_labels()
        found.update(zip(labels, handles, strict=True))
    keys, tight = [], {"borderpad": 0, "borderaxespad": 0, "handletextpad": 0, "handlelength": 2.2}
    size = 'aria-hidden="true" style="width: 34px; vertical-align: -1px'
    for label, handle in found.items():
        swatch = Figure((34 / 72, 14 / 72))
        swatch.legend([handle], [""], loc="center", **tight)
        svg = inline_svg(swatch, salt + label).replace('style="width: 100%', size, 1)
        keys.append((svg, html.escape(label)))
    return keys


def inline_svg(fig: Any, salt: str) -> str:
    """A Matplotlib figure as SVG for a page: its colours, its font, ids made unique by `salt`."""
    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    box = re.search(r'viewBox="[^"]*"', text)
    root = f'<svg {box[0] if box else ""} style="width: 100%; stroke-linejoin: round">'
    text = re.sub(r".*?<svg\b[^>]*>", root, text, count=1, flags=re.S)
    # Its style sheet would rule the whole page.
    own_style = r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>"
    text = re.sub(own_style, "", text, flags=re.S).replace("xlink:href", "href")
    text = _own_ids(text, "f" + hashlib.sha256(salt.encode()).hexdigest()[:8] + "-")
    text = re.sub(r"font: ((?:[a-z]+ |\d+ )*)([\d.]+px) [^;\"]*", _font, text)
    text = re.sub(r"font-family: [^;\"]*; ?", "", text)
    for colour, variable in VARIABLES.items():
        text = re.sub(colour, variable, text, flags=re.I)
    return re.sub(r">\s*\n\s*<", "><", text).strip()


def _own_ids(text: str, prefix: str) -> str:
    """Ids that nothing refers to go, the others get the prefix: two figures may share a page."""
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))

    def keep(match: re.Match[str]) -> str:
        return f' id="{prefix}{match[1]}"' if match[1] in used else ""

    return re.sub(r'(href="|url\()#', rf"\1#{prefix}", re.sub(r' id="([^"]*)"', keep, text))


def _font(match: re.Match[str]) -> str:
    """Matplotlib's fonts give way to the page's; size, slant and weight are kept."""
    slant = "; font-style: italic" if "italic" in match[1] or "oblique" in match[1] else ""
    weight = "; font-weight: bold" if "bold" in match[1] or "700" in match[1] else ""
    return f"font-size: {match[2]}{slant}{weight}"
