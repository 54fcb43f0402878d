"""Preconditioned relaxation, and what it finds."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from ..crystals import Neighbours, require_thickness
from ..failures import LeftBasin, NotConverged
from ..potentials.derivatives import energies_and_forces
from .green import LatticeGreen

SKIN = 0.4  # A; wide enough that a relaxing vacancy never rebuilds its neighbour list


@dataclass(frozen=True)
class Equilibrium:
    """A relaxed configuration.

    positions : (n, d), A;  u : (n, d), A, displacement from the defect's starting sites, mean
                            removed
    site_energies : (n,), eV;  max_force : eV/A, largest force on an atom;  force_evaluations : int
    """

    defect: object
    positions: np.ndarray
    site_energies: np.ndarray
    max_force: float
    force_evaluations: int
    tolerance: float

    @property
    def u(self):
        u = self.positions - self.defect.positions
        return u - u.mean(axis=0)


def relax(
    model,
    defect,
    start=None,
    green=None,
    tolerance=1e-8,
    max_evaluations=200,
    max_move=None,
    memory=12,
    max_step=0.25,
    progress=None,
):
    """Relax a defect at fixed cell: limited-memory BFGS with the lattice Green's function as
    preconditioner.

    Parameters
    ----------
    model : SitePotential
    defect : Defect
    start : (n, d), A        starting positions; default the defect's sites
    green : LatticeGreen     of this or a similar model (a reference's serves a fitted model);
                             default: the model's own
    tolerance : float        eV/A, on the largest force on an atom
    max_move : float         A; further from the start than this raises `LeftBasin` (default: half a
                             lattice constant)
    progress : callable      called with (force_evaluations, max_force); may raise to cancel

    Returns
    -------
    Equilibrium

    Raises
    ------
    Unstable, LeftBasin, NotConverged, ValueError (cell thinner than twice the cutoff)
    """
    if not tolerance > 0:
        raise ValueError(
            f"tolerance = {tolerance}: give a positive largest force in eV/A, e.g. 1e-8"
        )
    require_thickness(
        defect.cell, model.cutoff, what=f"the {'x'.join(map(str, defect.homogeneous.n))} cell"
    )
    P = (green or LatticeGreen(model, defect.homogeneous)).for_defect(defect)
    x0 = (defect.positions if start is None else start).copy()
    limit = 0.5 * defect.crystal.a if max_move is None else max_move
    neighbours = Neighbours(x0, defect.cell, model.cutoff, SKIN)
    evaluations = 0

    def evaluate(x):
        nonlocal evaluations
        moved = np.sqrt(((x - x0 - (x - x0).mean(axis=0)) ** 2).sum(axis=1).max())
        if not moved < limit:
            raise LeftBasin(
                f"an atom moved {moved:.2f} A, more than {limit:.2f} A: the {defect.name} left "
                "its basin"
            )
        evaluations += 1
        V, f = energies_and_forces(model, neighbours, x)
        if progress:
            progress(evaluations, np.sqrt((f**2).sum(axis=1).max()))
        # the mean is round-off: site energies do not change under translation
        return V, f - f.mean(axis=0)

    x, (V, f) = x0, evaluate(x0)
    history = deque(maxlen=memory)
    while (worst := np.sqrt((f**2).sum(axis=1).max())) >= tolerance:
        if evaluations >= max_evaluations:
            raise NotConverged(
                f"largest force {worst:.2e} eV/A after {evaluations} force evaluations, "
                f"tolerance {tolerance:.1e}"
            )
        p = _two_loop(f, history, P)
        slope = -(f * p).sum()
        # can happen after a badly curved region: fall back to the preconditioned gradient
        if slope >= 0:
            history.clear()
            p = P(f)
            slope = -(f * p).sum()
        t = min(1.0, max_step / np.sqrt((p**2).sum(axis=1).max()))
        # backtracking; near convergence energies are round-off, so a smaller slope is accepted as
        # well
        while True:
            Vt, ft = evaluate(x + t * p)
            gain, end_slope = (Vt - V).sum(), -(ft * p).sum()
            if gain <= 1e-4 * t * slope or (gain < 1e-10 and abs(end_slope) <= 0.9 * abs(slope)):
                break
            t *= max(0.1, min(0.5, -0.5 * t * slope / (gain - t * slope)))
            if t < 1e-6 or evaluations >= max_evaluations:
                raise NotConverged(
                    f"the line search failed at a largest force of {worst:.2e} eV/A, tolerance "
                    f"{tolerance:.1e}: "
                    "is the tolerance below rounding, or the model not smooth?"
                )
        s, y = t * p, f - ft
        if (s * y).sum() > 0:
            history.append((s, y, 1.0 / (s * y).sum()))
        x, V, f = x + s, Vt, ft
    return Equilibrium(defect, x, V, float(worst), evaluations, tolerance)


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


def formation_energy(potential, equilibrium):
    """Energy of a defect relative to as many sites of the model's own crystal, at the reference
    lattice constant, eV.

    Summed over per-site differences: totals of 10^5 atoms lose 1e-10 eV.
    """
    return float(
        (equilibrium.site_energies - equilibrium.defect.crystal.energy_per_atom(potential)).sum()
    )
