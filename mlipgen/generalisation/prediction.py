"""The defect error predicted before the learned model is relaxed, with its own error bar.

With f the model's forces at the reference equilibrium ubar, and H_ML its Hessian there,

    Newton   du = H_ML^-1 f          linear   du = H_ref^-1 f
    geometry |D du|                  energy   [E_ML - E_ref](ubar) - <f, du> / 2
    kappa = |f(ubar + du)|_* / |f(ubar)|_*          |f|_* = <f, G f>^(1/2)

G is the lattice Green's function.  kappa is the contraction of Newton's method
(Newton-Kantorovich): what a further step would still change, relative to the first, so the estimate
is |D du| (1 +- kappa).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..equilibrium import landscape, linear_response
from ..failures import NotConverged, NotFinite, Unstable, require_number
from .reference import Reference
from .verdict import APPLIES, Outcome, Verdict

if TYPE_CHECKING:
    from ..contracts import Model
    from ..crystals.lattice import Crystal

#: Where the first step leaves more than this, a second one is taken.
SECOND_STEP = 0.05
#: Where the last step leaves more than this, the estimate is no estimate.
KAPPA_LIMIT = 0.5


@dataclass(frozen=True)
class Prediction:
    """Predicted defect error of a model.

    geometry : float, A            |D du| by Newton's method with the model's own Hessian
    kappa : float                  relative error bar of du (zero for an exact model); `error_bar`,
                                   A, is kappa * geometry
    energy : float, eV             error of the formation energy
    relaxation : float, eV         its part from du: -<f, du> / 2 after one step
    linear_geometry : float, A     |D du| with the reference's Hessian
    curvature : float, eV/A^2      lowest <H_ML v, v> / |Dv|^2 at ubar + du: positive at a minimum
    steps : int                    Newton steps taken, 1 or 2
    du, linear_du : (n, d), A, or None
    mode : (n, d) or None          the field of lowest curvature
    known : energies (n,), eV, and forces (n, d), eV/A, of the model at the reference equilibrium
    verdict : Verdict              true where the prediction applies; numbers that could not be
                                   computed are nan
    """

    verdict: Verdict
    geometry: float = np.nan
    kappa: float = np.nan
    energy: float = np.nan
    relaxation: float = np.nan
    linear_geometry: float = np.nan
    curvature: float = np.nan
    steps: int = 0
    du: np.ndarray | None = field(default=None, repr=False)
    linear_du: np.ndarray | None = field(default=None, repr=False)
    mode: np.ndarray | None = field(default=None, repr=False)
    known: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)

    @property
    def applies(self) -> bool:
        return bool(self.verdict)

    @property
    def error_bar(self) -> float:
        """kappa times the predicted geometry error, A."""
        return self.kappa * self.geometry


def predict(
    model: Model,
    reference: Reference,
    rtol: float = 1e-4,
    second_step: float = SECOND_STEP,
    linear: bool = True,
) -> Prediction:
    """Predict the defect error of `model` without relaxing it (the book, chapter 12).

    Parameters
    ----------
    model : SitePotential, or another model with a landscape
    reference : Reference
    rtol : float            of the conjugate gradients, in the preconditioner's norm
    second_step : float     take a second Newton step where kappa exceeds this
    linear : bool           with the reference's Hessian, too: for a calculator two calls on the
                            domain for each product

    Source: Newton-Kantorovich, e.g. Deuflhard, Newton Methods for Nonlinear Problems (2004), ch. 2.
    """
    require_number("rtol", rtol, 1e-15, 0.5, "of the conjugate gradients")
    defect, x = reference.defect, reference.equilibrium.positions
    surface = landscape(model, defect.cell, x, skin=0.4)
    V, f = surface.evaluate()
    if not (np.isfinite(V).all() and np.isfinite(f).all()):
        return Prediction(
            Verdict(Outcome.BROKEN, "an energy or force at the reference equilibrium")
        )
    gap = float(surface.above_crystal(V, defect.crystal)) - reference.formation_energy
    found: dict[str, Any] = {"known": (V, f)}
    f = f - f.mean(axis=0)
    try:
        if linear:
            found["linear_du"] = reference.response(f, rtol)
            found["linear_geometry"] = reference.norm(found["linear_du"])
        newton, end = _newton(surface, reference, V, f, found.get("linear_du"), rtol, second_step)
    except (Unstable, NotConverged, NotFinite) as error:
        return Prediction(Verdict(Outcome.UNSTABLE, str(error)), **found)
    found.update(newton, energy=gap + newton["relaxation"])
    found["geometry"] = reference.norm(newton["du"])
    return Prediction(**found, **_judge(surface, reference, newton["du"], newton["kappa"], end))


def _newton(surface, reference, V, f, guess, rtol, second_step):
    """One or two Newton steps from the reference equilibrium: du, kappa, relaxation, steps; and the
    forces (n, d) at their end, if they are known.
    """
    x = reference.equilibrium.positions
    du = linear_response(surface.hessian(), f, reference.preconditioner, start=guess, rtol=rtol)
    relaxation = -0.5 * float((f * du).sum())
    size = reference.dual_norm(f)
    # Forces no larger than those that the reference's own relaxation left over are no error.
    if size <= 3 * reference.rest:
        return {"du": du, "kappa": 0.0, "relaxation": relaxation, "steps": 1}, None
    V1, f1 = surface.evaluate(x + du)
    kappa = reference.dual_norm(f1 - f1.mean(axis=0)) / size
    if not kappa > second_step:
        return {"du": du, "kappa": kappa, "relaxation": relaxation, "steps": 1}, f1
    f1 = f1 - f1.mean(axis=0)
    more = linear_response(surface.hessian(x + du), f1, reference.preconditioner, rtol=rtol)
    relaxation = float((V1 - V).sum()) - 0.5 * float((f1 * more).sum())
    f2 = surface.evaluate(x + du + more)[1]
    kappa = reference.dual_norm(f2 - f2.mean(axis=0)) / size
    return {"du": du + more, "kappa": kappa, "relaxation": relaxation, "steps": 2}, f2


def _judge(surface, reference, du, kappa, forces):
    """The verdict on a Newton estimate, the lowest curvature at its end (if needed) and its
    mode.
    """
    if not kappa <= KAPPA_LIMIT:
        why = f"κ = {kappa:.2g} after two Newton steps, over the limit {KAPPA_LIMIT:g}"
        return {"verdict": Verdict(Outcome.WIDE, why)}
    moved, limit = np.linalg.norm(du, axis=1).max(), basin_radius(reference.defect.crystal)
    if moved > limit:
        why = f"an atom would move by {moved:.2f} A, more than {limit:.2f} A: another defect"
        return {"verdict": Verdict(Outcome.LEFT, why)}
    x = reference.equilibrium.positions
    try:
        forces = surface.evaluate(x + du)[1] if forces is None else forces
        curvature, mode = reference.lowest_curvature(surface.quick_hessian(x + du, forces))
    except NotConverged as error:
        return {"verdict": Verdict(Outcome.SADDLE, f"not shown to be one: {error}")}
    found = {"curvature": curvature, "mode": mode}
    if not curvature > 0:
        why = (
            f"the lowest curvature of the learned model is {curvature:.2g} eV/A^2: its state near "
            f"the reference {reference.defect.name} is a saddle point, its own minimum elsewhere"
        )
        return {"verdict": Verdict(Outcome.SADDLE, why), **found}
    return {"verdict": APPLIES, **found}


def basin_radius(crystal: Crystal) -> float:
    """How far an atom may be from its place in the same defect: a third of the nearest-neighbour
    distance, A.
    """
    return crystal.shells[0] / 3
