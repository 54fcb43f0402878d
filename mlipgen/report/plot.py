"""Figures as SVG for a page: lines and bars on plain axes, in the colours and type of the page.

Drawn here and not by Matplotlib, so that a report needs no more than the library does, its letters
stay text at any width, and each series is told by dashes and marks as well as by colour.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from ..generalisation.assess.numbers import short

WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 44


@dataclass(frozen=True)
class Series:
    """x, y : points;  bars : error bars, or none;  look : 1 to 4, colour, dashes and marks."""

    label: str
    x: list[float]
    y: list[float]
    bars: list[float | None] | None = None
    line: bool = True
    marks: bool = True
    look: int = 1


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`; `named` ticks stand at given places."""

    label: str
    low: float
    high: float
    log: bool = False
    named: list[tuple[float, str]] | None = None

    def at(self, value: float) -> float:
        """Where a value stands, from 0 to 1."""
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            return (math.log10(max(value, self.low)) - low) / (high - low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        if self.named is not None:
            return self.named
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            step = max(1, math.ceil((last - first + 1) / 6))
            return [(10.0**k, _power(k)) for k in range(first, last + 1, step)]
        step = _nice((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        count = math.floor(self.high / step + 1e-9) - first + 1
        return [(step * (first + k), _plain(step * (first + k))) for k in range(count)]


@dataclass(frozen=True)
class Figure:
    """A drawing, what it shows in words, and its numbers as a table."""

    svg: str
    alt: str
    legend: list[Series] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def span(values: list[float], log: bool = False, zero: bool = False) -> tuple[float, float]:
    """Limits of an axis with a little room around the values."""
    values = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
    if log:
        if not values:
            return 0.1, 1.0
        low, high = math.log10(min(values)), math.log10(max(values))
        room = max(0.15, 0.05 * (high - low))
        return 10 ** (low - room), 10 ** (high + room)
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return (low if zero and low == 0 else low - room), (high if zero and high == 0 else high + room)


def plot(
    name: str, alt: str, x: Axis, y: Axis, series: list[Series], upright: Sequence[float] = ()
) -> Figure:
    """Series on two axes; `upright` are places on x with a line through."""
    px = lambda v: LEFT + x.at(v) * (WIDTH - LEFT - RIGHT)
    py = lambda v: HEIGHT - BOTTOM - y.at(v) * (HEIGHT - TOP - BOTTOM)
    parts = [_frame(x, y, px, py)]
    parts += [
        f'<line class="guide" x1="{px(v):.1f}" x2="{px(v):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        for v in upright
    ]
    parts += [_series(s, px, py) for s in series]
    told = [s for s in series if s.label]
    return Figure(_svg(name, alt, "".join(parts)), alt, told)


def bars(name: str, alt: str, label: str, entries: list[tuple[str, float]]) -> Figure:
    """Horizontal bars, each with its name above and its value at the end."""
    top = max((abs(v) for _, v in entries), default=1.0) or 1.0
    row, width = 40, WIDTH - 24 - 84
    parts = []
    for k, (text, value) in enumerate(entries):
        y = 8 + row * k
        size = max(1.0, width * abs(value) / top)
        parts.append(
            f'<text class="tick" x="12" y="{y + 12}">{escape(text)}</text>'
            f'<rect class="bar look{1 + k % 4}" x="12" y="{y + 17}" width="{size:.1f}"'
            f' height="12"/><text class="tick" x="{18 + size:.1f}" y="{y + 28}">'
            f"{short(value)}</text>"
        )
    height = 8 + row * len(entries) + 26
    parts.append(
        f'<text class="axis" x="{WIDTH / 2}" y="{height - 8}" text-anchor="middle">'
        f"{escape(label)}</text>"
    )
    rows = [[text, short(value)] for text, value in entries]
    return Figure(_svg(name, alt, "".join(parts), height), alt, [], ["", label], rows)


def swatch(series: Series) -> str:
    """A line and mark of the legend."""
    line = f'<path class="line look{series.look}" d="M1 6H33"/>' if series.line else ""
    mark = _mark(series.look, 17, 6) if series.marks else ""
    return f'<svg aria-hidden="true" viewBox="0 0 34 12" class="swatch">{line}{mark}</svg>'


def identifier(name: str) -> str:
    """A name as it may stand in an id."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _svg(name, alt, inside, height=HEIGHT):
    name = identifier(name)
    return (
        f'<svg role="img" aria-labelledby="{name}" viewBox="0 0 {WIDTH} {height}" class="plot">'
        f'<title id="{name}">{escape(alt)}</title>{inside}</svg>'
    )


def _frame(x, y, px, py):
    bottom = HEIGHT - BOTTOM
    out = [f'<path class="frame" d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}"/>']
    for value, text in y.ticks():
        h = py(value)
        out.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{h:.1f}" y2="{h:.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{h + 4:.1f}" text-anchor="end">{text}</text>'
        )
    for value, text in x.ticks():
        out.append(
            f'<text class="tick" x="{px(value):.1f}" y="{bottom + 16}" text-anchor="middle">'
            f"{escape(text)}</text>"
        )
    middle = (TOP + bottom) / 2
    out.append(
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}"'
        f' text-anchor="middle">{escape(x.label)}</text>'
        f'<text class="axis" transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(y.label)}</text>"
    )
    return "".join(out)


def _series(s, px, py):
    points = [(px(a), py(b)) for a, b in zip(s.x, s.y)]
    out = []
    if s.line and points:
        d = ""
        for k, (a, b) in enumerate(points):  # where a path jumps, two points stand at one place
            pen = "M" if k == 0 or s.x[k] == s.x[k - 1] else "L"
            d += f"{pen}{a:.1f} {b:.1f}"
        out.append(f'<path class="line look{s.look}" d="{d}"/>')
    for a, b, bar in zip(s.x, s.y, s.bars or []):
        if bar:
            out.append(
                f'<path class="errorbar look{s.look}" d="M{px(a):.1f} {py(b - bar):.1f}'
                f'V{py(b + bar):.1f}m-4 0h8M{px(a) - 4:.1f} {py(b - bar):.1f}h8"/>'
            )
    if s.marks:
        out += [_mark(s.look, a, b) for a, b in points]
    return "".join(out)


def _mark(look, x, y):
    """Circle, square, triangle, diamond."""
    shapes = (
        f"M{x - 3.5:.1f} {y:.1f}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
        f"M{x - 3.2:.1f} {y - 3.2:.1f}h6.4v6.4h-6.4z",
        f"M{x:.1f} {y - 4:.1f}l4 7h-8z",
        f"M{x:.1f} {y - 4.5:.1f}l4 4.5l-4 4.5l-4 -4.5z",
    )
    return f'<path class="mark look{look}" d="{shapes[look - 1]}"/>'


def _nice(step):
    """1, 2 or 5 times a power of ten, at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= step * (1 - 1e-9))


def _plain(x):
    return f"{x:.10g}".replace("-", "−") if 1e-4 <= abs(x) < 1e5 or not x else short(x, 1)


def _power(k):
    if -3 <= k <= 3:
        return f"{10.0**k:g}"
    raised = str(k).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{raised}"
