"""One defect assessed: does the candidate have it, how wrong is it, and why."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...crystals import minimum_image
from ...equilibrium import EnergyNorm, LatticeGreen, formation_energy
from ...failures import NoEquilibrium
from ..composite import same_defect
from ..forecast import Forecast, forecast
from .basin import (
    loss,
    of_the_minimum,
    relaxed,
    starting_state,
    state_of_the_forecast,
    state_of_the_truth,
)
from .budget import budget, distance_shells
from .crystal import Pair
from .defect_sections import CheckStep, Comparison, DefectSection, Estimate, Scene
from .truth import Truths

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
    start = starting_state(pair, defect, large, settings)
    equilibrium, lost = start.equilibrium, start.lost
    comparisons: list[Comparison] = []
    main: tuple[Any, Any] = (None, None)
    for which in settings.lattices:
        if equilibrium is None:
            comparisons.append(Comparison(which, lost[0], lost[1], len(large)))
            continue
        try:
            own = _in_lattice(pair, defect, equilibrium, which, settings)
            comparison, found = _compare(pair, defect, own, which, settings, truths)
        except NoEquilibrium as error:
            outcome, why = loss(error, "the candidate")
            comparisons.append(Comparison(which, outcome, why, len(large)))
            continue
        comparisons.append(comparison)
        if len(comparisons) == 1:
            main = (own, found)
    basin, why = start.basin, ""
    if comparisons[0].applies:
        here = replace(start, equilibrium=main[0])
        basin, why = state_of_the_forecast(pair, main[1], here, settings)
    comparisons = [of_the_minimum(c, why or state_of_the_truth(c, settings)) for c in comparisons]
    section = DefectSection(large.name, comparisons, basin, _scene(*main))
    return Found(section, defect, *main)


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
