"""The defect error measured: the learned model relaxed and compared atom by atom."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..crystals import minimum_image
from ..equilibrium import formation_energy, landscape, relax
from ..failures import LeftBasin, NotConverged, NotFinite
from .matching import match_labels
from .prediction import Prediction, basin_radius
from .reference import Reference
from .verdict import RELAXED, Outcome, Verdict

#: Largest force left (eV/A), and as a fraction of the largest force that the relaxation starts
#: from.
TOLERANCE, RELATIVE_TOLERANCE = 1e-7, 1e-6
#: Below this (eV/A) forces are round-off.
ROUND_OFF = 1e-11


@dataclass(frozen=True)
class Measurement:
    """Measured defect error; geometry and energy are nan when the model's minimum is another defect
    (`verdict` says so).

    geometry : float, A;  energy : float, eV;  relaxation : float, eV, E_ML(ubar_ML) - E_ML(ubar)
    curvature : float, eV/A^2, lowest <H_ML v, v> / |Dv|^2 of the state that was found
    followed : float, eV, energy gained by leaving saddle points on the way
    du : (n, d), A or None;  force_evaluations : int
    """

    verdict: Verdict
    geometry: float = np.nan
    energy: float = np.nan
    relaxation: float = np.nan
    curvature: float = np.nan
    followed: float = 0.0
    du: np.ndarray | None = field(default=None, repr=False)
    force_evaluations: int = 0


def measure(
    model,
    reference: Reference,
    tolerance: float | None = None,
    progress=None,
    prediction: Prediction | None = None,
) -> Measurement:
    """Relax the defect with `model` from the reference equilibrium, down to a minimum, and compare.

    A state that keeps the defect's symmetry may be a saddle point of the model: then the mode of
    negative curvature is followed.  Atoms that changed places are matched first (`match_labels`).
    If then an atom is further than a third of the nearest-neighbour distance from its reference
    position, the defect is another one and no error is given.

    Parameters
    ----------
    tolerance : float       eV/A, largest force left; default: 1e-6 of the largest force at the
                            start, at most 1e-7, so that small errors are resolved as well
    prediction : Prediction of the same model      saves what it has computed already: the forces at
                            the reference equilibrium, and where the search for the lowest
                            curvature starts
    """
    ref, defect = reference.equilibrium, reference.defect
    known = prediction and prediction.known
    V0, f0 = known or landscape(model, defect.cell, ref.positions).evaluate()
    if not (np.isfinite(V0).all() and np.isfinite(f0).all()):
        return Measurement(
            Verdict(Outcome.BROKEN, "an energy or force at the reference equilibrium")
        )
    try:
        if tolerance is None:
            start = np.sqrt((f0**2).sum(axis=1).max())
            tolerance = float(np.clip(RELATIVE_TOLERANCE * start, ROUND_OFF, TOLERANCE))
        # The reference's Green's function serves: a model whose crystal is so different that it
        # fails has left anyway.
        eq = relax(
            model,
            defect,
            start=ref.positions,
            green=reference.green,
            tolerance=tolerance,
            max_move=1.2 * defect.crystal.shells[0],
            max_evaluations=1000,
            progress=progress,
            saddle="follow",
            values=(V0, f0),
            modes=[] if prediction is None or prediction.mode is None else [prediction.mode],
        )
    except (LeftBasin, NotConverged, NotFinite) as error:
        broken = isinstance(error, NotFinite)
        return Measurement(Verdict(Outcome.BROKEN if broken else Outcome.LEFT, str(error)))
    found: dict[str, Any] = {
        "curvature": eq.curvature,
        "followed": eq.followed,
        "force_evaluations": eq.force_evaluations,
    }
    label = match_labels(eq.positions, ref.positions, defect.cell, basin_radius(defect.crystal))
    if label is None:
        why = "an atom found another place"
        if eq.followed:
            why = f"its symmetric state is a saddle point, {-eq.followed:.2g} eV above; {why}"
        return Measurement(Verdict(Outcome.LEFT, why), **found)
    du = minimum_image(eq.positions[label] - ref.positions, defect.cell)
    du -= du.mean(axis=0)
    gained = eq.site_energies[label] if len(eq.site_energies) == len(label) else eq.site_energies
    return Measurement(
        RELAXED,
        geometry=reference.norm(du),
        energy=formation_energy(model, eq) - reference.formation_energy,
        relaxation=float((gained - V0).sum()),
        du=du,
        **found,
    )
