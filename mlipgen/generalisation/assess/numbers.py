"""Numbers as a report has them: as many digits as their error bar leaves."""

import math


def short(x: float | None, digits: int = 3) -> str:
    """A number with so many significant digits: 0.0042, 4.2e-05; a dash where there is none."""
    if x is None or not math.isfinite(x):
        return "–"
    if x and not 1e-4 <= abs(x) < 1e6:
        return f"{x:.{digits - 1}e}".replace("-", "−")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(x)))) if x else 0
    return f"{x:,.{decimals}f}".replace("-", "−")


def with_bar(x: float | None, bar: float | None) -> str:
    """A number and its error bar, both to the bar's second digit: 9.30 ± 0.28."""
    if x is None or bar is None or not math.isfinite(bar):
        return short(x)
    if bar <= 1e-7 * abs(x):
        return f"{short(x, 4)} ± {short(bar, 1)}"
    decimals = 1 - math.floor(math.log10(bar))
    if abs(x) < 1e-3 and bar < 1e-3:
        return f"{short(x)} ± {short(bar, 2)}"
    if decimals <= 0:
        return f"{x:,.0f} ± {bar:,.0f}".replace("-", "−")
    return f"{x:,.{decimals}f} ± {bar:,.{decimals}f}".replace("-", "−")


def energy(x: float | None, bar: float | None = None) -> str:
    """An energy in meV, or in eV where it is large."""
    if x is None:
        return "–"
    large = max(abs(x), bar or 0.0) >= 1
    scale, unit = (1.0, "eV") if large else (1000.0, "meV")
    text = with_bar(scale * x, None if bar is None else scale * bar)
    return f"{text} {unit}" if bar is None else f"({text}) {unit}"


def length(x: float | None, bar: float | None = None) -> str:
    """A length in Å."""
    text = with_bar(x, bar)
    return "–" if x is None else f"{text} Å" if bar is None else f"({text}) Å"


def cells(n: list[int]) -> str:
    return " × ".join(map(str, n))


def percent(x: float | None) -> str:
    return "–" if x is None else f"{short(100 * x, 2)} %"
