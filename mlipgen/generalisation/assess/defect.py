"""One defect assessed: does the candidate have it, how wrong is it, and why."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...crystals import Defect, minimum_image
from ...equilibrium import EnergyNorm, Equilibrium, LatticeGreen, formation_energy, relax
from ...failures import LeftBasin, NoEquilibrium, NotFinite, Unstable
from ..composite import embed, same_defect
from ..forecast import Forecast, forecast
from ..matching import match_labels
from ..prediction import basin_radius
from ..verdict import Outcome
from .budget import budget, distance_shells
from .crystal import Pair
from .defect_sections import Basin, CheckStep, Comparison, DefectSection, Estimate, Scene
from .truth import NOTHING, Truths

#: Atoms shown of a defect.
SHOWN = 140


@dataclass(frozen=True)
class Settings:
    """How to assess: sizes in unit cells, and what else is wanted.

    noise : eV and eV/A, of both models together, on a check cell
    """

    domain: int | tuple
    checks: tuple
    lattices: tuple[str, ...]
    truth: bool = False
    basin: bool = True
    tolerance: float = 1e-8
    noise: tuple[float, float] = (0.0, 0.0)
    tell: Callable[..., None] = field(default=lambda text, stage=False: None, repr=False)


@dataclass(frozen=True)
class Found:
    """A section, and the arrays behind its main comparison; None where there are none."""

    section: DefectSection
    defect: object
    equilibrium: Any = field(default=None, repr=False)
    forecast: Forecast | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return self.section.name


def assess_defect(pair: Pair, defect: str | Callable, settings: Settings) -> Found:
    """One defect; a candidate that has no such defect gets a verdict, not an error.

    defect : str, or a function of a Supercell
    """
    large = same_defect(defect, pair.own, settings.domain)
    truths = Truths(pair, defect, settings) if settings.truth else None
    equilibrium, basin, lost = _equilibrium(pair, defect, large, settings)
    comparisons, main = [], (None, None)
    for which in settings.lattices:
        if equilibrium is None:
            comparisons.append(Comparison(which, lost[0], lost[1], len(large)))
            continue
        try:
            own = _in_lattice(pair, defect, equilibrium, which, settings)
            comparison, found = _compare(pair, defect, own, which, settings, truths)
        except NoEquilibrium as error:
            outcome, why = _loss(error, "the candidate")
            comparisons.append(Comparison(which, outcome, why, len(large)))
            continue
        comparisons.append(comparison)
        if len(comparisons) == 1:
            main = (own, found)
    section = DefectSection(large.name, comparisons, basin, _scene(*main))
    return Found(section, defect, *main)


def _loss(error: NoEquilibrium, who: str) -> tuple[str, str]:
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


def _equilibrium(pair, defect, large, settings):
    """The candidate's equilibrium that the forecast starts from (or None), the basin, and the
    outcome and reason where there is no equilibrium.
    """
    candidate = pair.candidate
    if not settings.basin:
        try:
            return _a_defect(candidate, relaxed(candidate, large, settings)), None, None
        except NoEquilibrium as error:
            return None, None, _loss(error, "the candidate")
    small = same_defect(defect, pair.target, settings.checks[0])
    settings.tell(f"{small.name}: the reference relaxes it in {len(small)} atoms")
    # In a small cell as well as it takes to tell the basin: a check of the candidate, no result.
    coarse = max(1e-3, 5 * settings.noise[1])
    try:
        theirs = relax(
            pair.reference,
            small,
            tolerance=coarse,
            max_evaluations=300,
            max_move=_reach(small),
            saddle="follow",
        )
        _a_defect(pair.reference, theirs)
    except NoEquilibrium as error:
        return None, None, _loss(error, f"the reference, in {len(small)} atoms")
    start = embed(theirs, large)
    found = lost = None
    try:
        found = _a_defect(candidate, relaxed(candidate, large, settings, start))
    except NoEquilibrium as error:
        lost = _loss(error, "the candidate, from the reference's atoms")
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
    return found, basin, lost


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
    return False, f"from the unrelaxed defect it finds another state, {gap:+.3g} eV from that"


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


def _in_lattice(pair, defect, equilibrium, which, settings):
    """The candidate's equilibrium in its own lattice, or in the reference's."""
    if which == "own" or pair.same_lattice:
        return equilibrium
    large = same_defect(defect, pair.target, settings.domain)
    return relaxed(pair.candidate, large, settings, large.positions + equilibrium.u)


def _compare(pair, defect, equilibrium, which, settings, truths):
    """A Comparison in one kind of lattice, and its Forecast."""
    large = equilibrium.defect
    settings.tell(f"{large.name}: forecast, {which} lattice", True)
    found = forecast(
        pair.candidate,
        pair.reference,
        large.crystal,
        defect,
        settings.domain,
        settings.checks,
        reference_crystal=pair.target,
        equilibrium=equilibrium,
    )
    known = {
        "formation_energy": formation_energy(pair.candidate, equilibrium),
        "scale": found.scale,
        "curvature": equilibrium.curvature,
        "steps": [_step(step, pair, defect) for step in found.steps],
    }
    if found.steps:
        green, last = LatticeGreen(pair.candidate, large.homogeneous), found.steps[-1]
        known["geometry"], known["energy"] = _estimates(found, equilibrium, green, settings.noise)
        if which == settings.lattices[0]:
            known["budget"] = budget(pair.candidate, equilibrium, last, green)
        known["shells"] = distance_shells(equilibrium, last)
        known["largest"] = float(np.linalg.norm(last.du, axis=1).max())
    if truths is not None:
        settings.tell(f"{large.name}: the truth, {which} lattice")
        known["truth"] = truths.of(which, equilibrium, found)
    verdict = found.verdict
    comparison = Comparison(which, verdict.outcome.value, verdict.why, found.atoms, **known)
    return comparison, found


def _step(step, pair, defect):
    cells = list(same_defect(defect, pair.target, step.k).homogeneous.n)
    numbers = (step.geometry, step.energy, step.kappa, step.rim)
    return CheckStep(cells, step.atoms, step.calls, *numbers)


def _estimates(found: Forecast, equilibrium, green, noise):
    """The two forecast numbers with what their error bars are made of."""
    last, several = found.steps[-1], len(found.steps) > 1
    work = abs(last.energy - last.unrelaxed_energy)
    geometry = Estimate(
        found.geometry,
        found.kappa * found.geometry,
        found.moved * found.geometry if several else None,
        _noise_displacement(equilibrium, green, last, noise[1]),
    )
    energy = Estimate(
        found.energy,
        found.kappa * work,
        found.energy_moved if several else None,
        noise[0],
    )
    return geometry, energy


def _noise_displacement(equilibrium, green, step, noise, draws=2, seed=0):
    """A, |D G f| for forces f that are noise on as many atoms as the check cell has."""
    if noise == 0:
        return 0.0
    defect, rng = equilibrium.defect, np.random.default_rng(seed)
    P, norm = green.for_defect(defect), EnergyNorm(equilibrium)
    inside = np.argsort(defect.distance())[: step.atoms]
    sizes = []
    for _ in range(draws):
        f = np.zeros_like(equilibrium.u)
        f[inside] = noise * rng.standard_normal((len(inside), f.shape[1]))
        sizes.append(norm(P(f - f.mean(axis=0))))
    return float(np.sqrt(np.mean(np.square(sizes))))


def _scene(equilibrium, found):
    """The atoms nearest to the defect."""
    if found is None or not found.steps:
        return None
    defect = equilibrium.defect
    x = minimum_image(equilibrium.positions - defect.centre, defect.cell)
    near = np.argsort(np.linalg.norm(x, axis=1).round(6), kind="stable")[:SHOWN]
    x = np.pad(x, ((0, 0), (0, 3 - x.shape[1])))
    error = np.linalg.norm(found.steps[-1].du, axis=1)
    return Scene(x[near].round(4).tolist(), error[near].tolist())
