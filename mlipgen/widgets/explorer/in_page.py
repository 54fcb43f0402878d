"""What a page needs to relax the defect by itself: basis, atoms, Green's function, limits.

The page's twin of `defect_error` is relax/*.js; what both use comes from here.
"""

import numpy as np

from ...equilibrium.relaxation import SKIN
from ...generalisation.measurement import RELATIVE_TOLERANCE, ROUND_OFF, TOLERANCE
from ...generalisation.prediction import KAPPA_LIMIT, SECOND_STEP, basin_radius
from ...potentials import force_constants

#: A page relaxes by itself up to this size: a second or so in a browser, half a megabyte more.
LARGEST = {"functions": 165, "atoms": 2500}


#: The limits of the library's own prediction and measurement, and the tolerance of Newton's step.
LIMITS = {
    "second_step": SECOND_STEP,
    "kappa": KAPPA_LIMIT,
    "rtol": 1e-8,
    "tolerance": [ROUND_OFF, TOLERANCE],
    "relative_tolerance": RELATIVE_TOLERANCE,
}


def can_relax(prepared):
    """Whether a page may relax this defect by itself."""
    return (
        prepared.crystal.dimension == 3
        and len(prepared.basis) <= LARGEST["functions"]
        and len(prepared.reference.defect) <= LARGEST["atoms"]
    )


def relaxation_data(prepared, order, arrays):
    """Put "relax/..." into the arrays of an explorer's data; returns its meta["relax"].

    order : (K,)        columns of the basis in the page's order, the smaller bases first
    """
    reference, basis, crystal = prepared.reference, prepared.basis, prepared.crystal
    defect = reference.defect
    scales, recurrence, norm, _, start, count = basis._tables
    table = force_constants(prepared.potential, crystal)
    rows, factors, coefficient = _ordered(basis._products, order)
    new = {
        "recurrence": recurrence,
        "harmonics": norm,
        "start": start,
        "count": count,
        "rows": rows,
        "factors": factors,
        "coefficients": coefficient,
        "bulk": crystal.energy_per_atom(basis)[order],
        "positions": reference.equilibrium.positions,
        "site": defect.lattice_index,
        "distance": defect.distance(),
        "sublattice": table.s,
        "xi": table.xi,
        "springs": table.K,
    }
    arrays.update({f"relax/{name}": np.asarray(a, float) for name, a in new.items()})
    rest = reference.landscape.evaluate()[1]
    return {
        **dict(zip(("cutoff", "r0", "transform"), map(float, scales))),
        "n": list(defect.homogeneous.n),
        "cell": crystal.cell.ravel().tolist(),
        "basis": crystal.basis.ravel().tolist(),
        "sublattice": crystal.sublattice.tolist(),
        "centre": defect.centre.tolist(),
        "norm_cutoff": float(crystal.norm_cutoff),
        "skin": SKIN,
        "core": 1.6 * float(crystal.shells[0]),
        "basin": float(basin_radius(crystal)),
        "formation": reference.formation_energy,
        "rest": reference.dual_norm(rest - rest.mean(axis=0)),
        # as in `measure` and `relax`; the curvature settles more closely, because it is shown
        "leave": 1.2 * float(crystal.shells[0]),
        "descent": {"memory": 12, "stride": 0.25, "most": 1000, "noise": 1e-10},
        "follow": {"push": 0.1, "most": 5, "leave": float(crystal.a)},
        "curvature": {"tolerance": 0.01, "floor": 1e-3, "most": 60},
    }


def _ordered(products, order):
    """The products of a basis with its functions in another order."""
    rows, factors, coefficient, _, _ = products
    terms = [np.arange(rows[k], rows[k + 1]) for k in order]
    every = np.concatenate(terms)
    return np.cumsum([0, *map(len, terms)]), factors[every], coefficient[every]
