"""The defect error of a candidate, from a reference that is asked on small cells only.

Let u be the candidate's own equilibrium on the large domain, and r the forces there of the
reference as far as a k-cell and its force constants know it (`composite`).  One Newton step,

    du = H_ML(u)^-1 r        geometry |D du|
    E_ML - E_ref = -( [correction of the energy at u] - 1/2 <r, du> )

predicts what the candidate lacks.  kappa = |D H_ML(u)^-1 r(u + du)| / |D du|, what another step
would change, is the step's own error bar (one more call); the series in k what the cell hides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..crystals import Crystal, minimum_image
from ..equilibrium import EnergyNorm, LatticeGreen, curvature_at, linear_response, relax
from ..equilibrium.limits import check_relaxation
from ..equilibrium.relaxation import saddle_message
from ..failures import NoEquilibrium, NotConverged
from .composite import Composite, Correction, HarmonicMismatch, Tables, same_defect
from .prediction import KAPPA_LIMIT, SECOND_STEP, basin_radius
from .verdict import APPLIES, Outcome, Verdict


@dataclass(frozen=True)
class ForecastStep:
    """The forecast from one check cell.

    k : cells;  atoms : of the check cell;  calls : of the reference, energy and forces there
    geometry : A, |D du|;  energy : eV, E_ML - E_ref of the formation energy
    kappa : what Newton's method leaves, relative
    moved : |D (du - du')| / |D du|, du' from the check cell before; nan for the first
    rim : |D G s| / |D du|, G the lattice Green's function and s the anharmonic residual on the
        check cell's outermost layer, half a unit cell thick: how much is not yet inside
    du : (n, d), A;  residual : (n, d), eV/A, the reference's forces at the candidate's equilibrium
    correction : what they and the energy are put together from
    """

    k: int | tuple
    atoms: int
    calls: int
    geometry: float
    energy: float
    kappa: float
    moved: float
    rim: float
    du: np.ndarray = field(repr=False)
    residual: np.ndarray = field(repr=False)
    correction: Correction = field(repr=False)

    @property
    def unrelaxed_energy(self) -> float:
        """The energy error without the work along du, eV: all that an energy-only reference gives.

        The rest is of second order in the geometry error.
        """
        return -self.correction.energy


@dataclass(frozen=True)
class Forecast:
    """Forecasts from check cells of growing size; the last one counts, the series is its error bar.

    verdict : Verdict;  steps : tuple of ForecastStep;  atoms : of the large domain
    scale : A, |Du| of the candidate's equilibrium
    The noise of a calculator is in neither of the two error bars: `assess` measures and adds it.
    """

    verdict: Verdict
    steps: tuple[ForecastStep, ...]
    atoms: int
    scale: float

    @property
    def geometry(self) -> float:
        """Predicted geometry error, A."""
        return self.steps[-1].geometry if self.steps else np.nan

    @property
    def energy(self) -> float:
        """Predicted error of the formation energy, E_ML - E_ref, eV."""
        return self.steps[-1].energy if self.steps else np.nan

    @property
    def kappa(self) -> float:
        return self.steps[-1].kappa if self.steps else np.nan

    @property
    def moved(self) -> float:
        """|D (du - du')| / |D du| between the last two check cells, nan if there is one only."""
        return self.steps[-1].moved if self.steps else np.nan

    @property
    def energy_moved(self) -> float:
        """|E - E'| between the last two check cells, eV, nan if there is one only."""
        if len(self.steps) < 2:
            return np.nan
        return abs(self.steps[-1].energy - self.steps[-2].energy)

    @property
    def error_bar(self) -> float:
        """Of du in the energy norm, A, and so of the geometry error: what Newton's method and the
        small cell leave, added.
        """
        return (self.kappa + self.moved) * self.geometry if len(self.steps) > 1 else np.inf

    @property
    def energy_bar(self) -> float:
        """Of the energy error, eV: the change between the last two check cells, and what Newton's
        method leaves of the work along du.
        """
        if len(self.steps) < 2:
            return np.inf
        last = self.steps[-1]
        return self.energy_moved + last.kappa * abs(last.energy - last.unrelaxed_energy)


def forecast(
    candidate,
    reference,
    crystal: Crystal,
    defect,
    domain,
    checks: Sequence,
    reference_crystal: Crystal | None = None,
    equilibrium=None,
    start=None,
    tables: Tables | None = None,
    rtol: float = 1e-4,
    tolerance: float = 1e-8,
) -> Forecast:
    """Forecast the defect error of `candidate` on a large domain.

    Parameters
    ----------
    candidate : model               relaxed on the large domain, so it should be cheap
    reference : model               asked for force constants of the perfect crystal and, for each
                                    check cell, two calls of energy and forces (three where a second
                                    Newton step is taken)
    crystal : Crystal               the candidate lives on it
    defect : str or callable        name, or function of a Supercell
    domain : int or tuple           size of the large domain, conventional cells
    checks : sequence               sizes k of the check cells, growing; two or more give the error
                                    bar.  A candidate that was fitted on n-cells hides its error on
                                    them: take n + 1 and n + 2
    reference_crystal : Crystal     where the reference has a lattice constant of its own
    equilibrium : Equilibrium       the candidate's on the domain, if it is known
    start : (n, d), A               positions from which the candidate relaxes otherwise, e.g.
                                    `embed` of the reference's small cell; default the bare sites
    tables : Tables                 force constants of both, where they are known already or not
                                    asked for (`Tables.without`)

    Returns
    -------
    Forecast            its verdict is false where the forecast does not apply: kappa is too large,
                        an atom would leave its place, or the candidate's state is a saddle point

    Raises
    ------
    NoEquilibrium       if the candidate has no minimum there
    ValueError          for check cells that do not grow or are no smaller than the domain; for an
                        equilibrium of another one; TooLarge, for a domain that exceeds the memory
    """
    checks = _growing(checks, domain)
    check_relaxation(candidate, crystal, domain)
    large = same_defect(defect, crystal, domain)
    green = LatticeGreen(candidate, large.homogeneous)
    if equilibrium is None:
        equilibrium = relax(
            candidate,
            large,
            start=start,
            green=green,
            tolerance=tolerance,
            max_evaluations=1000,
            saddle="follow",
        )
    if len(equilibrium.u) != len(large):
        raise ValueError(
            f"the equilibrium has {len(equilibrium.u)} atoms, but the {large.name} in "
            f"{large.homogeneous.n} cells {len(large)}: give the candidate's own on this domain"
        )
    P, norm = green.for_defect(large), EnergyNorm(equilibrium)
    steps: list[ForecastStep] = []
    verdict = APPLIES
    own = reference_crystal or crystal
    tables = tables or Tables.of(candidate, reference, crystal, own)
    far = HarmonicMismatch(tables, large, same_defect(defect, own, domain))
    for k in checks:
        small, own_small = same_defect(defect, crystal, k), same_defect(defect, own, k)
        composite = Composite(candidate, reference, tables, far, large, small, own_small)
        try:
            before = steps[-1].du if steps else None
            steps.append(_step(composite, equilibrium.u, P, norm, k, rtol, before))
        except NoEquilibrium as error:
            verdict = Verdict(Outcome.UNSTABLE, f"check cell {k}: {error}")
            break
    if verdict:
        verdict = judge(steps[-1], crystal)
    if verdict:
        verdict = _judge_minimum(candidate, equilibrium, green)
    return Forecast(
        verdict=verdict, steps=tuple(steps), atoms=len(large), scale=norm(equilibrium.u)
    )


def _growing(checks, domain):
    """The check cells as a list, each larger than the one before and smaller than the domain."""
    if not (checks := list(checks)):
        raise ValueError("no check cells given: give sizes, e.g. checks=(5, 6)")
    sizes = [np.atleast_1d(k) for k in (*checks, domain)]
    for k, size in zip(checks, sizes):
        if (size > sizes[-1]).any() or (size == sizes[-1]).all():
            raise ValueError(
                f"check cell {k} is no smaller than the domain of {domain} cells: the forecast is "
                "for a domain that the reference cannot afford; relax it with both models instead"
            )
    for one, other in zip(sizes[:-2], sizes[1:-1]):
        if (other < one).any() or (other == one).all():
            raise ValueError(
                f"check cells must grow, got {', '.join(map(str, checks))}: the change from each "
                "to the next is the error bar"
            )
    return checks


def _ratio(a, b):
    return a / b if b > 1e-12 else 0.0


def _step(composite, u, P, norm, k, rtol, before):
    """Newton's method on the composite with the candidate's Hessian: one step, or two where the
    first leaves too much.  The conjugate gradients start from `before`, of the last check cell.
    """
    hessian = composite.candidate_hessian(u)
    # what is left over is solved for to a hundredth: it is an error bar
    solve = lambda f, tolerance, start=None: linear_response(hessian, f, P, start, tolerance)
    here = composite.correction(u)
    r = composite.forces(u, here)
    du = solve(r, rtol, before)
    after = composite.forces(u + du)
    left = solve(after, 1e-2)
    gained = -0.5 * float(((r + after) * du).sum())  # the work along the step, trapezoidal rule
    if _ratio(norm(left), norm(du)) > SECOND_STEP:
        last = composite.forces(u + du + left)
        gained -= 0.5 * float(((after + last) * left).sum())
        du, left = du + left, solve(last, 1e-2)
    return ForecastStep(
        k=k,
        atoms=len(composite.small),
        calls=composite.calls,
        geometry=norm(du),
        energy=-(here.energy + gained),
        kappa=_ratio(norm(left), norm(du)),
        moved=np.nan if before is None else _ratio(norm(du - before), norm(du)),
        rim=_ratio(norm(P(_rim(composite, here))), norm(du)),
        du=du,
        residual=r,
        correction=here,
    )


def _rim(composite, correction):
    """The anharmonic residual (n, d), eV/A, on the outermost layer of the check cell."""
    domain, n = composite.domain, np.array(composite.small.homogeneous.n)
    gap = minimum_image(domain.positions - domain.centre, domain.cell)
    cells = np.abs(gap @ np.linalg.inv(domain.crystal.cell))
    outside = (cells > (n - 1) / 2 + 1e-6).any(axis=1)
    return np.where(outside[:, None], correction.near.gradient - correction.core.gradient, 0.0)


def _judge_minimum(candidate, equilibrium, green):
    """Is the candidate's state a minimum?  Nothing else here would notice a saddle point."""
    curvature = equilibrium.curvature
    try:
        if curvature is None:
            curvature = curvature_at(candidate, equilibrium, green).value
    except NotConverged as error:
        return Verdict(Outcome.SADDLE, f"not shown to be one: {error}")
    if curvature > 0:
        return APPLIES
    why = f"under the candidate {saddle_message(equilibrium, curvature)}; follow it down first"
    return Verdict(Outcome.SADDLE, why)


def judge(step: ForecastStep, crystal: Crystal) -> Verdict:
    """Does the forecast from one check cell apply?  Not where Newton's method has not converged, or
    has moved an atom to another place.
    """
    if not step.kappa <= KAPPA_LIMIT:
        why = f"κ = {step.kappa:.2g} after two steps, over the limit {KAPPA_LIMIT:g}"
        return Verdict(Outcome.WIDE, why)
    moved, limit = np.linalg.norm(step.du, axis=1).max(), basin_radius(crystal)
    if moved > limit:
        why = f"an atom would move by {moved:.2f} A, more than {limit:.2f} A: another defect"
        return Verdict(Outcome.LEFT, why)
    return APPLIES
