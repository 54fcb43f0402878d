"""An assessment as text."""

import textwrap

from ..generalisation.assess.assessment import Assessment
from ..generalisation.assess.numbers import cells
from .tables import (
    FORECAST,
    OFFERS,
    asked_rows,
    crystal_rows,
    elastic_rows,
    forecast_rows,
    offer_rows,
    ranking_rows,
    truth_rows,
)

WIDTH = 100


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns two blanks apart, the header underlined."""
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    line = lambda row: "  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip()
    return "\n".join([line(header), line(["-" * w for w in widths]), *map(line, rows)])


def as_text(a: Assessment) -> str:
    """The report for a terminal."""
    q = a.question
    parts = [
        f"{q.symbol} {q.structure}: {a.candidate.name} against {a.reference.name}, "
        f"{cells(q.domain)} cells",
        "\n".join(
            textwrap.fill(s, WIDTH, initial_indent="* ", subsequent_indent="  ") for s in a.verdict
        ),
        table(FORECAST, forecast_rows(a, q.lattices[0])),
    ]
    truths = [row[:4] for section in a.defects for row in truth_rows(section)]
    if truths:
        parts.append(table(["", "geometry error", "energy error", "forecast / measured"], truths))
    if len(a.ranking) > 1:
        parts.append(table(["", "candidate", "corrected", "reference"], ranking_rows(a.ranking)))
    parts.append(table(["", "candidate", "reference"], crystal_rows(a)))
    parts.append(table(["GPa", "candidate", "reference", "off by"], elastic_rows(a.crystal)))
    if a.shopping and a.shopping.offers:
        parts.append(table(OFFERS, offer_rows(a.shopping)))
    if a.asked:
        header = ["the reference was asked for", "calculations", "atoms x calculations"]
        parts.append(table(header, asked_rows(a.asked)))
    return "\n\n".join(parts)
