"""The figures of a report, each from a section of the assessment."""

from ..crystals.defects import in_words
from ..generalisation.assess.defect_sections import Comparison, DefectSection
from ..generalisation.assess.numbers import energy, length, short
from ..generalisation.assess.sections import Bands, CrystalSection
from .plot import Axis, Figure, Series, bars, plot, span

#: Shells of force constants shown.
SHELLS = 14


def series_in_k(name: str, main: Comparison, what: str) -> Figure | None:
    """The forecast against the size of the check cell; the last one has the error bar."""
    if len(main.steps) < 2:
        return None
    atoms = [float(s.atoms) for s in main.steps]
    scale, unit, form = (1000.0, "meV", energy) if what == "energy" else (1.0, "Å", length)
    values = [scale * getattr(s, what) for s in main.steps]
    bar = getattr(main, what).bar
    marks = [None] * (len(values) - 1) + [None if bar is None else scale * bar]
    truth = getattr(main.truth, what) if main.truth else None
    edges = [values[-1] + sign * (marks[-1] or 0) for sign in (1, -1)]
    told = [scale * truth] if truth is not None else []
    x = Axis("atoms of the check cell", *span(atoms, zero=True))
    label = "energy error, meV" if what == "energy" else "geometry error |D δu|, Å"
    y = Axis(label, *span([*values, *edges, *told], zero=True))
    lines = [Series("forecast", atoms, values, marks)]
    if truth is not None:
        level = [told[0], told[0]]
        lines.append(Series("measured", [x.low, x.high], level, marks=False, look=2))
    alt = (
        f"Forecast {label.split(',')[0]} of the {name} from check cells of "
        f"{', '.join(str(s.atoms) for s in main.steps)} atoms: "
        f"{', '.join(form(getattr(s, what)) for s in main.steps)}"
        + (f"; measured {form(truth)}." if truth is not None else ".")
    )
    drawn = plot(f"{name}-{what}", alt, x, y, lines)
    rows = [
        [str(s.atoms), form(getattr(s, what)), short(s.kappa, 2), short(s.rim, 2)]
        for s in main.steps
    ]
    header = ["atoms", label.split(",")[0], "κ", "rim"]
    return Figure(drawn.svg, alt, drawn.legend, header, rows)


def by_distance(name: str, main: Comparison) -> Figure | None:
    """Residual forces and error against the distance from the defect."""
    if not main.shells:
        return None
    middle = [0.5 * (s.inner + s.outer) for s in main.shells]
    lines = [
        Series("force on an atom, rms", middle, [s.force_rms for s in main.shells]),
        Series("force, largest", middle, [s.force_max for s in main.shells], look=2),
        Series("|D δu| of the shell", middle, [s.error for s in main.shells], look=3),
    ]
    values = [v for line in lines for v in line.y if v > 0]
    floor = max(values, default=1.0) * 1e-7
    x = Axis("distance from the defect, Å", *span(middle, zero=True))
    y = Axis("eV/Å; Å", *span([v for v in values if v > floor], log=True), log=True)
    first, last = main.shells[0], main.shells[-1]
    alt = (
        f"The reference's forces at the candidate's {name}, by distance: {short(first.force_rms)} "
        f"eV/Å within {short(first.outer)} Å, {short(last.force_rms)} eV/Å beyond "
        f"{short(last.inner)} Å; and the misplacement there, {length(first.error)} and "
        f"{length(last.error)}."
    )
    drawn = plot(f"{name}-distance", alt, x, y, lines)
    header = ["Å", "atoms", "force rms, eV/Å", "force largest, eV/Å", "|D δu|, Å"]
    rows = [
        [
            f"{short(s.inner)} to {short(s.outer)}",
            str(s.atoms),
            short(s.force_rms),
            short(s.force_max),
            short(s.error),
        ]
        for s in main.shells
    ]
    return Figure(drawn.svg, alt, drawn.legend, header, rows)


def budget_bars(name: str, main: Comparison) -> Figure | None:
    """What each part of the residual alone would cause."""
    if main.budget is None:
        return None
    entries = [(term.name, term.geometry) for term in main.budget.terms]
    told = "; ".join(f"{text} {length(value)}" for text, value in entries)
    alt = f"Error budget of the {name}: {told}."
    return bars(f"{name}-budget", alt, "|D δu| that it alone causes, Å", entries)


def force_constants(crystal: CrystalSection) -> Figure:
    """Force constants and their error by shell."""
    shells = [s for s in crystal.shells if s.distance > 0][:SHELLS]
    r = [s.distance for s in shells]
    lines = [
        Series("reference", r, [s.reference for s in shells]),
        Series("candidate − reference", r, [s.difference for s in shells], look=2),
    ]
    values = [v for line in lines for v in line.y]
    low = max(values) * 1e-6
    x = Axis("distance of the pair, Å", *span(r))
    y = Axis("|K|, eV/Å²", *span([v for v in values if v > low], log=True), log=True)
    worst = max(shells, key=lambda s: s.difference)
    alt = (
        f"Force constants by shell: the nearest neighbours' sum to {short(shells[0].reference)} "
        f"eV/Å², the largest error is {short(worst.difference)} eV/Å² at "
        f"{short(worst.distance)} Å."
    )
    drawn = plot("force-constants", alt, x, y, lines)
    header = ["distance, Å", "reference, eV/Å²", "difference, eV/Å²", "weighted (1 + r)²"]
    rows = [
        [short(s.distance, 4), short(s.reference), short(s.difference), short(s.weighted)]
        for s in shells
    ]
    return Figure(drawn.svg, alt, drawn.legend, header, rows)


def phonons(bands: Bands) -> Figure:
    """Both models' phonons on one path."""
    every = [f for branches in (bands.candidate, bands.reference) for b in branches for f in b]
    x = Axis(
        "wave vector", bands.x[0], bands.x[-1], named=list(zip(bands.ticks, bands.labels))
    )  # fmt: skip
    y = Axis("frequency, THz", *span(every, zero=True))
    lines = []
    for label, branches, look in (
        ("reference", bands.reference, 1),
        ("candidate", bands.candidate, 2),
    ):
        for k, branch in enumerate(branches):
            lines.append(Series(label if k == 0 else "", bands.x, branch, marks=False, look=look))
    gaps = [
        abs(a - b)
        for ours, theirs in zip(bands.candidate, bands.reference)
        for a, b in zip(ours, theirs)
    ]
    lowest = [min(min(branch) for branch in side) for side in (bands.candidate, bands.reference)]
    unstable = [
        who for who, low in zip(("candidate", "reference"), lowest) if low < -1e-3 * max(every)
    ]
    state = f"unstable: {' and '.join(unstable)}" if unstable else "both stable"
    alt = (
        f"Phonons along {' '.join(bands.labels)}: highest {short(max(every))} THz, largest "
        f"difference {short(max(gaps))} THz, {state}."
    )
    drawn = plot("phonons", alt, x, y, lines, bands.ticks[1:-1])
    rows = []
    for place, label in zip(bands.ticks, bands.labels):
        at = min(range(len(bands.x)), key=lambda k: abs(bands.x[k] - place))
        column = lambda side: ", ".join(short(branch[at]) for branch in side)
        rows.append([label, column(bands.reference), column(bands.candidate)])
    header = ["point", "reference, THz", "candidate, THz"]
    return Figure(drawn.svg, alt, drawn.legend, header, rows)


def of_defect(section: DefectSection) -> list[Figure]:
    """All figures of one defect's main comparison."""
    main, name = section.main, in_words(section.name)
    drawn = [
        series_in_k(name, main, "geometry"),
        series_in_k(name, main, "energy"),
        by_distance(name, main),
        budget_bars(name, main),
    ]
    return [f for f in drawn if f is not None]
