"""Which state of a defect is meant: the one that the reference finds in its small cell, whether the
candidate has it and finds it, and whether the forecast is of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...crystals import Defect
from ...equilibrium import Equilibrium, formation_energy, relax
from ...failures import LeftBasin, NoEquilibrium, NotFinite, Unstable
from ..composite import embed, restriction, same_defect
from ..forecast import Forecast
from ..matching import match_labels
from ..prediction import basin_radius
from ..verdict import Outcome
from .crystal import Pair
from .defect_sections import Basin, Comparison
from .numbers import cells, energy
from .truth import NOTHING

if TYPE_CHECKING:
    from .defect import Settings


@dataclass(frozen=True)
class Start:
    """The candidate's equilibrium that the forecast starts from, and the basin.

    equilibrium : Equilibrium, or None for a reason: `lost`, its outcome and words
    basin, theirs : what the reference's small cell says, and its Equilibrium there; None where it
        was not asked for
    """

    equilibrium: Any = None
    basin: Basin | None = None
    lost: tuple[str, str] = ("", "")
    theirs: Any = field(default=None, repr=False)


def loss(error: NoEquilibrium, who: str) -> tuple[str, str]:
    """Outcome and reason of a relaxation that failed."""
    kinds = {NotFinite: Outcome.BROKEN, Unstable: Outcome.UNSTABLE}
    return kinds.get(type(error), Outcome.LEFT).value, f"{who}: {error}"


def relaxed(candidate: Any, large: Defect, settings: Settings, start: Any = None) -> Equilibrium:
    """The candidate's minimum on the large domain."""
    progress = lambda n, force: settings.tell(f"{large.name}: {n} evaluations, {force:.1e} eV/A")
    return relax(
        candidate,
        large,
        start=start,
        tolerance=settings.tolerance,
        max_evaluations=1000,
        max_move=_reach(large),
        progress=progress,
        saddle="follow",
    )


def _reach(defect):
    """How far an atom may go: where as many atoms as sites might annihilate, all the way."""
    return 2 * defect.crystal.a if len(defect) == len(defect.homogeneous) else None


def starting_state(pair: Pair, defect: str | Callable, large: Defect, settings: Settings) -> Start:
    """Where the forecast of a defect on its large domain starts."""
    candidate = pair.candidate
    if not settings.basin:
        try:
            return Start(_a_defect(candidate, relaxed(candidate, large, settings)))
        except NoEquilibrium as error:
            return Start(lost=loss(error, "the candidate"))
    small = same_defect(defect, pair.target, settings.checks[0])
    settings.tell(f"{small.name}: the reference relaxes it in {len(small)} atoms")
    try:
        theirs = _in_small_cell(pair.reference, small, settings, saddle="follow")
        _a_defect(pair.reference, theirs)
    except NoEquilibrium as error:
        return Start(lost=loss(error, f"the reference, in {len(small)} atoms"))
    start = embed(theirs, large)
    found, lost = None, ("", "")
    try:
        found = _a_defect(candidate, relaxed(candidate, large, settings, start))
    except NoEquilibrium as error:
        lost = loss(error, "the candidate, from the reference's atoms")
    kept, why = _kept(found, start, lost)
    same, other = _from_bare_sites(candidate, large, found, settings)
    basin = Basin(
        kept=kept,
        same=same,
        why="; ".join(filter(None, (why, other))),
        cells=list(small.homogeneous.n),
        calls=theirs.force_evaluations,
        energy=formation_energy(pair.reference, theirs),
        curvature=theirs.curvature,
        followed=theirs.followed,
    )
    return Start(found, basin, lost, theirs)


def _in_small_cell(reference, small, settings, **options):
    """The reference relaxed as well as it takes to tell the basin: a check, no result."""
    coarse = max(1e-3, 5 * settings.noise[1])
    return relax(
        reference,
        small,
        tolerance=coarse,
        max_evaluations=300,
        max_move=_reach(small),
        **options,
    )


def state_of_the_forecast(
    pair: Pair, found: Forecast, start: Start, settings: Settings
) -> tuple[Basin | None, str]:
    """The basin with `above`, and why the forecast does not apply; "" where nothing speaks against.

    A forecast is made of forces, and these never point along a direction that breaks the symmetry
    of the candidate's state: it may be of a saddle point of the reference.  So the reference is
    relaxed in its small cell from where the forecast says that it is, symmetry and all, and its
    energy compared with that of its minimum there.  Not asked where nothing speaks for another
    state: the reference left no saddle point, and the candidate finds one state only.
    """
    basin, theirs = start.basin, start.theirs
    if basin is None or (basin.kept and basin.same and basin.followed == 0):
        return basin, ""
    small = theirs.defect
    u = start.equilibrium.u + found.steps[-1].du
    x = small.positions + restriction(start.equilibrium.defect, small) @ u
    settings.tell(f"{small.name}: the reference relaxes from the forecast")
    told = f"relaxed from there in {cells(basin.cells)} cells the reference"
    try:
        there = _in_small_cell(pair.reference, small, settings, start=x, saddle="ignore")
    except NoEquilibrium as error:
        return basin, f"{told} finds nothing: {error}"
    above = float(there.site_energies.sum() - theirs.site_energies.sum())
    basin = replace(basin, above=above, calls=basin.calls + there.force_evaluations)
    if above <= NOTHING + settings.noise[0]:
        return basin, ""
    return basin, f"{told} stays {energy(above)} above its minimum"


def state_of_the_truth(one: Comparison, settings: Settings) -> str:
    """Why a forecast does not apply whose truth was found below a saddle point; or ""."""
    gained = 0.0 if one.truth is None else -one.truth.followed
    if gained <= NOTHING + settings.noise[0]:
        return ""
    return (
        "relaxed from there on the domain the reference leaves a saddle point, for a minimum "
        f"{energy(gained)} below"
    )


def of_the_minimum(one: Comparison, why: str) -> Comparison:
    """The same comparison; for a reason `why` its forecast is not of the reference's minimum."""
    if not (why and one.applies):
        return one
    return replace(one, outcome=Outcome.HIGHER.value, why=why)


def _kept(found, start, lost):
    """Is the state that the candidate found from the reference's atoms theirs?  And if not, why."""
    if found is None:
        return False, lost[1]
    if _same_state(found.positions, start, found.defect):
        return True, ""
    return False, "from the reference's atoms the candidate finds another state"


def _from_bare_sites(candidate, large, known, settings):
    """Does the candidate find the known state from the unrelaxed defect, too?  And if not, why."""
    try:
        found = relaxed(candidate, large, settings)
    except NoEquilibrium as error:
        return False, f"from the unrelaxed defect the candidate finds nothing: {error}"
    if known is None:
        return False, "from the unrelaxed defect it finds a state of its own"
    gap = float(found.site_energies.sum() - known.site_energies.sum())
    # two dumbbells may be nearer to each other than an atom to its neighbour: energies tell
    if abs(gap) < NOTHING + settings.noise[0] and _same_state(
        found.positions, known.positions, large
    ):
        return True, ""
    where = "of the same energy" if abs(gap) < NOTHING else f"{gap:+.3g} eV from that"
    return False, f"from the unrelaxed defect it finds another state, {where}"


def _same_state(x, y, defect):
    label = match_labels(x, y, defect.cell, basin_radius(defect.crystal))
    return label is not None


def _a_defect(model, equilibrium):
    """The same equilibrium; LeftBasin where it is the perfect crystal, as many atoms as sites and
    no energy.
    """
    defect = equilibrium.defect
    bare = len(defect) == len(defect.homogeneous)
    if bare and abs(formation_energy(model, equilibrium)) < NOTHING:
        raise LeftBasin(
            f"the {defect.name} annihilates: what is left is the perfect crystal; put its parts "
            "further apart"
        )
    return equilibrium
