"""Preconditioned relaxation, and what it finds."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..crystals import require_thickness
from ..failures import (
    LeftBasin,
    NotConverged,
    NotFinite,
    SaddleWarning,
    require_number,
    require_whole,
)
from .green import LatticeGreen
from .landscape import landscape
from .stability import curvature_at

if TYPE_CHECKING:
    from ..contracts import Model, Progress
    from ..crystals.defects import Defect

SKIN = 0.4  # A; wide enough that a relaxing vacancy never rebuilds its neighbour list


@dataclass(frozen=True)
class Equilibrium:
    """A relaxed configuration.

    positions : (n, d), A;  u : (n, d), A, displacement from the defect's starting sites, mean
    removed
    site_energies : (n,), eV; one total where the model knows no others
    max_force : eV/A, largest force on an atom;  force_evaluations : int
    curvature : eV/A^2, lowest <Hv, v> / |Dv|^2: positive at a minimum; None if it was not asked for
    followed : eV, energy gained by following negative modes down from saddle points
    """

    defect: Defect
    positions: np.ndarray = field(repr=False)
    site_energies: np.ndarray = field(repr=False)
    max_force: float
    force_evaluations: int
    tolerance: float
    curvature: float | None = None
    followed: float = 0.0

    @property
    def u(self) -> np.ndarray:
        u = self.positions - self.defect.positions
        return u - u.mean(axis=0)


def require_saddle(saddle: str) -> None:
    """Refuse what `relax` does not know as an answer to saddle points."""
    if saddle not in ("warn", "follow", "ignore"):
        raise ValueError(f"saddle={saddle!r}: choose 'warn', 'follow' or 'ignore'")


def relax(
    model: Model,
    defect: Defect,
    start: np.ndarray | None = None,
    green: LatticeGreen | None = None,
    tolerance: float = 1e-8,
    max_evaluations: int = 200,
    max_move: float | None = None,
    memory: int = 12,
    max_step: float = 0.25,
    progress: Progress | None = None,
    saddle: str = "warn",
    values: tuple[np.ndarray, np.ndarray] | None = None,
    modes: Sequence[np.ndarray] = (),
) -> Equilibrium:
    """Relax a defect at fixed cell: limited-memory BFGS with the lattice Green's function as
    preconditioner.

    Parameters
    ----------
    model : SitePotential, or another model with a landscape
    defect : Defect
    start : (n, d), A        starting positions; default the defect's sites
    green : LatticeGreen     of this or a similar model (a reference's serves a fitted model);
                             default: the model's own
    tolerance : float        eV/A, on the largest force on an atom
    max_move : float         A; further from the start than this raises `LeftBasin` (default: half a
                             lattice constant)
    progress : callable      called with (force_evaluations, max_force); may raise to cancel
    saddle : str             a relaxation keeps the start's symmetry and may end on a saddle point;
                             "warn": look at the lowest curvature (about as many force evaluations
                             again) and warn; "follow": go down its mode until a minimum is found;
                             "ignore": do not look
    values : energies (n,), eV, and forces (n, d), eV/A, at the start, where they are known
    modes : sequence of (n, d)   of a nearby state's lowest curvature: the look starts with them

    Returns
    -------
    Equilibrium

    Raises
    ------
    Unstable, LeftBasin, NotConverged, NotFinite, ValueError (cell thinner than twice the cutoff)

    Warns
    -----
    SaddleWarning       on a saddle point, with saddle="warn"
    """
    fix = "the largest force in eV/A, e.g. 1e-8"
    if (tolerance := require_number("tolerance", tolerance, 0, np.inf, fix)) == 0:
        raise ValueError(f"tolerance = 0: give a positive number, {fix}")
    most = require_whole("max_evaluations", max_evaluations, 1, 10**9, "of the forces")
    memory = require_whole("memory", memory, 0, 1000, "12 steps are remembered by default")
    max_step = require_number("max_step", max_step, 1e-6, 10.0, "in angstrom")
    if max_move is not None and not max_move > 0:
        raise ValueError(f"max_move={max_move!r}: give a positive distance in angstrom")
    if start is not None:
        start = np.asarray(start, float)
        if start.shape != defect.positions.shape:
            raise ValueError(
                f"start has shape {start.shape}: give {defect.positions.shape}, one position for "
                "each atom of the defect"
            )
        spread, sites = (np.ptp(x, axis=0).max() for x in (start, defect.positions))
        if spread < 0.5 * sites:
            raise ValueError(
                f"start puts all atoms within {spread:.2f} A, their sites fill {sites:.2f} A: give "
                "positions, for displacements u defect.positions + u"
            )
    require_saddle(saddle)
    require_thickness(
        defect.cell, model.cutoff, what=f"the {'x'.join(map(str, defect.homogeneous.n))} cell"
    )
    green = green if green is not None else LatticeGreen(model, defect.homogeneous)
    descent = _Descent(model, defect, green, tolerance, most, memory, max_step, progress)
    x0 = (defect.positions if start is None else start).copy()
    limit = 0.5 * defect.crystal.a if max_move is None else max_move
    found = descent.run(x0, limit, values)
    if saddle == "ignore":
        return found
    found, mode = _with_curvature(descent, found, green, modes)
    if saddle == "follow":
        return _follow(descent, found, mode, green)
    if found.curvature <= 0:
        message = saddle_message(found, found.curvature)
        warnings.warn(SaddleWarning(f"{message}; follow it with saddle='follow'"), stacklevel=2)
    return found


def saddle_message(equilibrium: Equilibrium, curvature: float) -> str:
    """What to say of a relaxed state that is no minimum."""
    return (
        f"the relaxed {equilibrium.defect.name} is a saddle point, not a minimum (lowest curvature "
        f"{curvature:.3g} eV/A^2): a symmetry of its start hides the way down"
    )


def _with_curvature(descent, equilibrium, green, modes=()):
    value, mode = curvature_at(
        descent.model, equilibrium, green, descent.surface, descent.forces, modes
    )
    return replace(equilibrium, curvature=value), mode


def _follow(descent, found, mode, green, push=0.1, most=5):
    """Down the modes of negative curvature, `push` A at first, until the state is a minimum."""
    for _ in range(most):
        if found.curvature > 0:
            return found
        above, before = found.site_energies, found.followed
        start = found.positions + push * mode / np.abs(mode).max()
        found = descent.run(start, found.defect.crystal.a)
        gained = before + float((found.site_energies - above).sum())
        found, mode = _with_curvature(descent, replace(found, followed=gained), green)
    raise NotConverged(f"{most} modes of negative curvature followed, and still a saddle point")


class _Descent:
    """Minimisations of one model at one defect; counts their force evaluations together."""

    def __init__(self, model, defect, green, tolerance, most, memory, max_step, progress):
        self.model, self.defect, self.P = model, defect, green.for_defect(defect)
        self.tolerance, self.most, self.progress = tolerance, most, progress
        self.memory, self.max_step, self.evaluations = memory, max_step, 0

    def _evaluate(self, x, values=None):
        moved = np.sqrt(((x - self.x0 - (x - self.x0).mean(axis=0)) ** 2).sum(axis=1).max())
        if not moved < self.limit:
            raise LeftBasin(
                f"an atom moved {moved:.2f} A, more than {self.limit:.2f} A: the "
                f"{self.defect.name} left its basin"
            )
        self.evaluations += 1
        V, f = values or self.surface.evaluate(x)
        worst = np.sqrt((f**2).sum(axis=1).max())
        if not (np.isfinite(worst) and np.isfinite(V).all()):
            raise NotFinite(
                f"the energy or a force on the {self.defect.name} is not finite: the model cannot "
                "be evaluated at these positions"
            )
        if self.progress:
            self.progress(self.evaluations, worst)
        # the mean is round-off: site energies do not change under translation
        return V, f - f.mean(axis=0)

    def run(self, x0, limit: float, values=None) -> Equilibrium:
        """Minimise from x0 (n, d), with the energies and forces there if they are known; LeftBasin
        beyond `limit` (A) from there.
        """
        self.surface = landscape(self.model, self.defect.cell, x0, SKIN)
        self.x0, self.limit = x0, limit
        x, (V, f) = x0, self._evaluate(x0, values)
        history: deque = deque(maxlen=self.memory)
        while (worst := np.sqrt((f**2).sum(axis=1).max())) >= self.tolerance:
            if self.evaluations >= self.most:
                raise NotConverged(
                    f"largest force {worst:.2e} eV/A after {self.evaluations} force evaluations, "
                    f"tolerance {self.tolerance:.1e}"
                )
            s, Vt, ft = self._step(x, V, f, history)
            y = f - ft
            if (s * y).sum() > 0:
                history.append((s, y, 1.0 / (s * y).sum()))
            x, V, f = x + s, Vt, ft
        self.forces = f
        return Equilibrium(self.defect, x, V, float(worst), self.evaluations, self.tolerance)

    def _step(self, x, V, f, history):
        """One step of the line search along the L-BFGS direction, and energy and forces there."""
        p = _two_loop(f, history, self.P)
        slope = -(f * p).sum()
        if slope >= 0:  # after a badly curved region: fall back to the preconditioned gradient
            history.clear()
            p = self.P(f)
            slope = -(f * p).sum()
        t = min(1.0, self.max_step / np.sqrt((p**2).sum(axis=1).max()))
        noise = self.surface.energy_noise
        while True:  # near convergence energies are round-off, so a smaller slope will do as well
            Vt, ft = self._evaluate(x + t * p)
            gain, end_slope = (Vt - V).sum(), -(ft * p).sum()
            if gain <= 1e-4 * t * slope or (gain < noise and abs(end_slope) <= 0.9 * abs(slope)):
                return t * p, Vt, ft
            t *= max(0.1, min(0.5, -0.5 * t * slope / (gain - t * slope)))
            if t < 1e-6 or self.evaluations >= self.most:
                worst = np.sqrt((f**2).sum(axis=1).max())
                raise NotConverged(
                    f"the line search failed at a largest force of {worst:.2e} eV/A, tolerance "
                    f"{self.tolerance:.1e}: is the tolerance below rounding, or the model not "
                    "smooth?"
                )


def _two_loop(f, history, P):
    """The L-BFGS direction for the force f, with P as the initial inverse Hessian (Nocedal and
    Wright, algorithm 7.4).
    """
    q, alphas = f.copy(), []
    for s, y, r in reversed(history):
        alphas.append(r * (s * q).sum())
        q -= alphas[-1] * y
    p = P(q)
    for (s, y, r), alpha in zip(history, reversed(alphas)):
        p += (alpha - r * (y * p).sum()) * s
    return p


def formation_energy(potential: Model, equilibrium: Equilibrium) -> float:
    """Energy of a defect relative to as many sites of the model's own crystal, at the reference
    lattice constant, eV.

    Summed over per-site differences, for totals of 10^5 atoms lose 1e-10 eV; where the model knows
    a total only, it is that.
    """
    bulk, energies = (
        equilibrium.defect.crystal.energy_per_atom(potential),
        equilibrium.site_energies,
    )
    if len(energies) != len(equilibrium.positions):
        return float(energies.sum() - len(equilibrium.positions) * bulk)
    return float((energies - bulk).sum())
