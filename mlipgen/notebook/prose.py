"""Numbers as prose has them, in the text and in tables."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from ..crystals.defects import in_words

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(x: Any, digits: int = 3, zeros: bool = False) -> str:
    """A number as prose has it, `digits` of them significant: 1,999; 0.0042; 4.2 × 10⁻⁵; 10⁻⁹.

    `zeros` keeps those at the end, which say how well a measured number is known: 0.40 beside 0.44.
    """
    if isinstance(x, Integral):
        return f"{int(x):,}".replace("-", "−")
    if not math.isfinite(x):
        return {math.inf: "∞", -math.inf: "−∞"}.get(x, "–")
    if 10 <= abs(x) < 1e6:
        digits = max(digits, 1 + math.floor(math.log10(abs(x))))  # 123,457 and not 123,000
    x = float(f"{x:.{digits - 1}e}")  # rounded first: 0.99996 is 1
    if x == 0 or 1e-3 <= abs(x) < 1e6:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(x)))) if x else 0
        text = f"{x:,.{decimals}f}"
        return (text if zeros or not x else _stripped(text)).replace("-", "−")
    mantissa, exponent = f"{x:.{digits - 1}e}".split("e")
    mantissa = mantissa if zeros else _stripped(mantissa)
    power = power_of_ten(int(exponent))
    text = {"1": power, "-1": "-" + power}.get(mantissa, f"{mantissa} × {power}")
    return text.replace("-", "−")


def power_of_ten(exponent: int) -> str:
    """1, 10, and from there 10² and 10⁻¹."""
    return {0: "1", 1: "10"}.get(exponent, "10" + str(exponent).translate(_RAISED))


def _stripped(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _measured(values: Sequence[Any], digits: int) -> bool:
    """Whether a column has numbers that `digits` digits do not exhaust: results, not settings."""
    reals = [v for v in values if isinstance(v, Real) and not isinstance(v, Integral)]
    short = [float(f"{v:.{max(digits, 3)}e}") if math.isfinite(v) else v for v in reals]
    return any(not math.isclose(a, b, rel_tol=1e-9) for a, b in zip(short, reals, strict=True))


def plus_minus(pair: Sequence[float], decimals: int = 2) -> str:
    """A value with its standard error, (value, error): −1.99 ± 0.01."""
    value, error = pair
    return f"{value:.{decimals}f} ± {error:.{decimals}f}".replace("-", "−")


def note(**values: Any) -> None:
    """Keep numbers, or texts made by `number`, for the prose.

    note(ratio=r) is shown by {glue:text}`ratio:.1f`; integers stay integers.  What is not finite,
    or not a single number, is refused by name: prose cannot show it.
    """
    from myst_nb import glue

    for name, value in values.items():
        if isinstance(value, str):
            own: float | str = value
        elif (
            isinstance(value, bool)
            or not isinstance(value, Real)
            and (getattr(value, "size", 0) != 1 or value.dtype.kind not in "iuf")
        ):
            raise TypeError(f"note({name}=...): {value!r} is neither one number nor a text")
        else:
            own = (
                int(value)
                if isinstance(value, Integral)
                else float(getattr(value, "item", lambda: value)())
            )
            if not math.isfinite(own):
                raise ValueError(f"note({name}=...): {own} cannot stand in the text")
        glue(name, own, display=False)


# What `number` and `plus_minus` make is a number too, and so are a list, a range and "3 of 4".
_NUMERIC = re.compile(r"[−+-]?(\d([\d.,±× ⁻⁰¹²³⁴⁵⁶⁷⁸⁹−%]| to | of )*|∞)")


def _unbroken(text: str) -> str:
    """k = n + 2 stays in one line; formulas know that themselves."""
    kept = "\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}"
    return text if "$" in text else re.sub(r"(?<=\b\w) ([+=×]) (?=\w\b)", kept, text)


class Table:
    """A table that a page shows as one, and a terminal as text."""

    def __init__(self, header: list[str], rows: list[list[str]], right: list[bool]) -> None:
        self.header, self.rows, self.right = header, rows, right

    def _repr_markdown_(self) -> str:
        rule = ["---:" if right else ":---" for right in self.right]
        lines = (self.header, rule, *self.rows)
        escaped = ([_unbroken(cell.replace("|", "\\|")) for cell in line] for line in lines)  # |Dū|
        return "\n".join("| " + " | ".join(line) + " |" for line in escaped)

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(w) if right else cell.ljust(w)
                for cell, w, right in zip(row, widths, self.right, strict=True)
            ).rstrip()
            for row in (self.header, *self.rows)
        )


def table(
    columns: Mapping[str, Sequence[Any]], formats: Mapping[str, str] | None = None, digits: int = 3
) -> Table:
    """Results as a table: numeric columns to the right, numbers as prose has them.

    Parameters
    ----------
    columns : {header: values}; texts may hold Markdown and formulas, names of defects are put
        into words, None is an empty cell
    formats : {header: format}, such as ".1%", where `digits` digits that count are not right

    A column of measured numbers keeps zeros at the end (0.40 below 0.44), one of settings, all
    short, does not (0.5, 1, 20).
    """
    formats = dict(formats or {})
    if unknown := set(formats) - set(columns):
        raise ValueError(f"formats for {sorted(unknown)}: the columns are {list(columns)}")
    lengths = {header: len(values) for header, values in columns.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"columns of different lengths: {lengths}")

    measured = {header: _measured(values, digits) for header, values in columns.items()}

    def cell(header: str, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, (str, bool)) or not isinstance(value, Real):
            return in_words(str(value)).replace("= -", "= −")
        return (
            f"{value:{formats[header]}}".replace("-", "−")
            if header in formats
            else number(value, digits, measured[header])
        )

    cells = [[cell(header, v) for v in values] for header, values in columns.items()]
    right = [any(_NUMERIC.fullmatch(text) for text in column) for column in cells]
    return Table(
        [in_words(h) for h in columns], [list(row) for row in zip(*cells, strict=True)], right
    )


class ShadedTable(Table):
    """A table whose numbers have a ground, darker the larger they are; `notes` stand below them."""

    def __init__(
        self,
        header: list[str],
        rows: list[list[str]],
        shades: list[list[float | None]],
        notes: list[list[str]],
    ) -> None:
        def plain(text: str, note: str) -> str:
            return f"{text} ({', '.join(note.splitlines())})" if note else text

        said = [[plain(*cell) for cell in zip(*row)] for row in zip(rows, notes, strict=True)]
        super().__init__(header, said, [shade is not None for shade in shades[0]])
        self.numbers, self.shades, self.notes = rows, shades, notes

    def _repr_html_(self) -> str:
        # One orange on both themes' paper; at half strength the page's ink stays readable on it.
        ground = "text-align: right; background: rgba(179, 74, 0, {:.2f})"
        lines = "".join(
            "<tr>"
            + "".join(
                f'<th scope="row">{html.escape(text)}</th>'
                if shade is None
                else f'<td style="{ground.format(0.5 * shade)}">{html.escape(text)}'
                + "".join(f"<small>{html.escape(line)}</small>" for line in note.splitlines())
                + "</td>"
                for text, shade, note in zip(*row, strict=True)
            )
            + "</tr>"
            for row in zip(self.numbers, self.shades, self.notes, strict=True)
        )
        sides = ("right" if right else "left" for right in self.right)
        head = "".join(
            f'<th scope="col" style="text-align: {side}">{html.escape(h)}</th>'
            for h, side in zip(self.header, sides, strict=True)
        )
        return (
            '<div class="pst-scrollable-table-container"><table class="table mlip-shaded">'
            f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
        )


def shaded(
    columns: Mapping[str, Sequence[Any]],
    limits: tuple[float, float],
    digits: int = 1,
    notes: Mapping[str, Sequence[str]] | None = None,
) -> ShadedTable:
    """A table of numbers over several decades, as a map of them: `limits` are those of the shades,
    on a logarithmic scale.  Columns of texts are headings; `notes` {header: texts} are set small
    below the numbers of a column, line by line."""
    plain = table(columns, digits=digits)
    low, high = map(math.log10, limits)

    def shade(value: Any) -> float | None:
        if isinstance(value, str):
            return None
        if value is None:
            return 0.0
        return min(max((math.log10(max(value, 1e-300)) - low) / (high - low), 0.0), 1.0)

    shades = [list(row) for row in zip(*([shade(v) for v in c] for c in columns.values()))]
    small = [(notes or {}).get(header) or [""] * len(plain.rows) for header in columns]
    return ShadedTable(plain.header, plain.rows, shades, [list(row) for row in zip(*small)])
