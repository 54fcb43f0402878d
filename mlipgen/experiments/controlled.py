"""Controlled experiments: a known error, switched on away from the defect, and what it does to the
defect.

    E = E_ref + sum_l w(l) dV_l(Du),     w = 0 up to L, a C3 ramp to 1 at 2L,     dV = O(|Du|^2)

No force acts on the perfect crystal (no ghost forces), the energy is conserved, the net force
vanishes.  Each kind of
dV isolates one term of the error bound of the book's chapter 7.  dV is built from the stretches of
opposite bonds, a = rho.D_rho u / |rho| and b = -rho.D_-rho u / |rho| for lattice translations rho;
exchanging a and b is the inversion. Lengths in A, energies in eV, a coefficient of order p in
eV/A^p.
"""

from dataclasses import dataclass

import numpy as np

from ..crystals import Neighbours, thickness, translated, translations
from ..equilibrium.farfield import ramp
from ..equilibrium.response import linear_response
from ..failures import NotConverged
from ..potentials.derivatives import STEP
from ..rates import observed_rate


@dataclass(frozen=True)
class Term:
    """One known error: a site energy in the stretches a, b and its derivatives.

    geometry, energy : callables of d, the predicted exponents;  order : power of u
    """

    what: str
    value: object
    slope: object
    geometry: object
    energy: object
    order: int


#: Arrays are (directions, sites).  a - b is a second difference; (a + b) / 2 a centred first
#: difference.
TERMS = {
    "elastic": Term(
        "elastic constants wrong",
        lambda a, b: (a * a + b * b) / 2,
        lambda a, b: (a, b),
        lambda d: d / 2,
        lambda d: d,
        2,
    ),
    "dilation": Term(
        "elastic constants wrong for a change of volume only (equal directions)",
        lambda a, b: (a + b) / 4 * (a + b).sum(axis=0) / 2,
        lambda a, b: ((a * 0 + (a + b).sum(axis=0)) / 4,) * 2,
        lambda d: d / 2,
        lambda d: d,
        2,
    ),
    "harmonic": Term(
        "elastic constants right, force constants wrong",
        lambda a, b: (a - b) ** 2 / 2,
        lambda a, b: (a - b, b - a),
        lambda d: d / 2 + 2,
        lambda d: d + 2,
        2,
    ),
    "cubic": Term(
        "force constants right, third-order elastic constants wrong",
        lambda a, b: (a + b) ** 3 / 8,
        lambda a, b: (3 * (a + b) ** 2 / 8,) * 2,
        lambda d: 3 * d / 2,
        lambda d: 2 * d,
        3,
    ),
    "gradient": Term(
        "third-order elastic constants right, third-order force constants wrong",
        lambda a, b: (a + b) / 2 * (a - b) ** 2,
        lambda a, b: ((a - b) ** 2 / 2 + (a + b) * (a - b), (a - b) ** 2 / 2 - (a + b) * (a - b)),
        lambda d: 3 * d / 2 + 2,
        lambda d: 2 * d + 2,
        3,
    ),
    "quartic": Term(
        "third order right, fourth-order elastic constants wrong",
        lambda a, b: (a + b) ** 4 / 16,
        lambda a, b: ((a + b) ** 3 / 4,) * 2,
        lambda d: 5 * d / 2,
        lambda d: 3 * d,
        4,
    ),
}

#: What remains wrong in the far field for each set of observations: the rows of the rate table.
ROWS = {
    "E,F": ("elastic",),
    "E,F,V": ("harmonic", "cubic"),
    "E,F,FC": ("cubic",),
    "E,F,FC,V": ("gradient", "quartic"),
}


def predicted_rates(terms, d):
    """Smallest geometry and energy exponent over the terms, in d dimensions: the slowest decides."""
    return min(TERMS[t].geometry(d) for t in terms), min(TERMS[t].energy(d) for t in terms)


class Mismatch:
    """sum_l w(l) dV_l(Du) on the atoms of a defect.

    Parameters
    ----------
    defect : Defect
    L : float, A
    terms : {name of TERMS: coefficient, eV/A^order}
    directions : (m,) weights of the lattice translations (`farfield.translations`); default only
        the first, an anisotropic error, so that no symmetry of the crystal hides the leading term;
        np.ones(m) respects the crystal's symmetry
    sharp : bool        a jump instead of a ramp (costs half an order; an exercise)

    Raises
    ------
    ValueError      if 2L exceeds a third of the cell, L reaches into the defect's core, or terms
                    and directions do not fit
    """

    def __init__(self, defect, L, terms, directions=None, sharp=False):
        unknown = set(terms) - set(TERMS)
        if unknown:
            raise ValueError(f"unknown terms {sorted(unknown)}; choose from {', '.join(TERMS)}")
        if 2 * L > thickness(defect.cell).min() / 3 + 1e-9:
            raise ValueError(
                f"2L = {2 * L:.1f} A exceeds a third of the cell, "
                f"{thickness(defect.cell).min() / 3:.1f} A: "
                "take a larger cell or a smaller L"
            )
        cell = defect.homogeneous
        atom = np.full(len(cell), -1)
        atom[defect.lattice_index] = np.arange(len(defect))
        atom[defect.occupation != 1] = -1
        r = defect.distance()
        w = (r > 1.5 * L).astype(float) if sharp else ramp(r, L)
        self.sites = np.flatnonzero(w)
        self.w, self.terms, self.L, self.n = w[self.sites], dict(terms), L, len(defect)
        rho = translations(cell.crystal)
        directions = np.eye(len(rho))[0] if directions is None else np.asarray(directions, float)
        if len(directions) != len(rho):
            raise ValueError(
                f"{len(directions)} weights given, the lattice has {len(rho)} directions"
            )
        used = np.flatnonzero(directions)
        if "dilation" in terms and len(set(directions)) > 1:
            raise ValueError(
                "'dilation' sums the stretches of all directions: give them equal weights, "
                "np.ones(m)"
            )
        self.weights = directions[used][:, None] * self.w
        self.along = rho[used] / np.linalg.norm(rho[used], axis=1)[:, None]
        self.ahead, self.behind = (
            np.array(
                [atom[translated(cell, s * v)[defect.lattice_index[self.sites]]] for v in rho[used]]
            )
            for s in (1, -1)
        )
        if min(self.ahead.min(), self.behind.min()) < 0:
            raise ValueError(
                f"L = {L:.2f} A reaches into the defect: a stencil would need a missing or a "
                "shared site"
            )

    def stretches(self, u):
        """a and b, (directions, sites with w > 0) each, A, for displacements u (n_atoms, d) from
        the lattice sites.
        """
        p = u @ self.along.T
        columns = range(len(self.along))
        return (
            np.array([p[self.ahead[m], m] - p[self.sites, m] for m in columns]),
            np.array([p[self.sites, m] - p[self.behind[m], m] for m in columns]),
        )

    def energy(self, u):
        """sum_l w dV, eV."""
        a, b = self.stretches(u)
        return float(
            sum(k * (self.weights * TERMS[t].value(a, b)).sum() for t, k in self.terms.items())
        )

    def forces(self, u):
        """Minus its gradient, (n_atoms, d), eV/A; accepts complex u."""
        a, b = self.stretches(u)
        A, B = (
            sum(k * self.weights * TERMS[t].slope(a, b)[s] for t, k in self.terms.items())
            for s in (0, 1)
        )
        f = np.zeros((self.n, u.shape[1]), u.dtype)
        for m, e in enumerate(self.along):
            # a site sends one atom to each end of a bond: no index occurs twice
            p = np.zeros(self.n, u.dtype)
            p[self.ahead[m]] -= A[m]
            p[self.behind[m]] += B[m]
            p[self.sites] += A[m] - B[m]
            f += p[:, None] * e
        return f

    def hessian_vector(self, u, v):
        """Second derivative along v, (n_atoms, d), exact (complex step)."""
        return -self.forces(u + 1j * STEP * v).imag / STEP


@dataclass(frozen=True)
class ControlledError:
    """What a known error does.  geometry, A, |D du| and energy, eV, of the nonlinear equilibrium;
                                 the same to first order
    (linear response with the reference's Hessian; energy at the reference equilibrium);
    steps : Newton's steps taken;  residual : what is left of the force, relative, in the dual
                                   norm."""

    L: float
    geometry: float
    energy: float
    linear_geometry: float
    linear_energy: float
    du: np.ndarray
    steps: int
    residual: float


def respond(reference, mismatch, nonlinear=True, rtol=1e-5, max_steps=12):
    """Relax under the known error by Newton's method from the reference equilibrium.

    The tiny forces left over in the reference are kept as a dead load on both sides, and the energy
    is the work of the reference's forces along the straight path (Simpson's rule) plus the mismatch
    energy: no two large numbers are subtracted, so errors are resolved down to round-off in the
    forces (1e-14 eV/A), far below the relaxation's tolerance.

    Raises
    ------
    Unstable, NotConverged      from the conjugate gradients, or if Newton's method does not
                                converge
    """
    ref, P, model = reference.equilibrium, reference.preconditioner, reference.potential
    near = Neighbours(ref.positions, reference.defect.cell, model.cutoff, 0.1)
    R0, u0 = near.vectors(ref.positions), ref.positions - reference.defect.positions
    dead = near.divergence(model.sites(R0, near.offsets)[1])

    def pull(du):  # differences of du, not of positions: absolute positions would cost three digits
        return near.divergence(model.sites(R0 + near.differences(du), near.offsets)[1]) - dead

    def hessian(du):
        R = R0 + near.differences(du)
        return lambda v: (
            mismatch.hessian_vector(u0 + du, v)
            - near.divergence(
                np.ascontiguousarray(
                    model.sites(R + 1j * STEP * near.differences(v), near.offsets)[1].imag
                )
            )
            / STEP
        )

    f = mismatch.forces(u0)
    start = np.sqrt((f * P(f)).sum())
    linear = reference.response(f, rtol=1e-4)
    linear_energy = mismatch.energy(u0)
    if not nonlinear:
        return ControlledError(
            mismatch.L,
            reference.norm(linear),
            linear_energy - 0.5 * float((f * linear).sum()),
            reference.norm(linear),
            linear_energy,
            linear,
            0,
            1e-4,
        )
    du, residual = linear.copy(), np.inf
    for step in range(1, max_steps + 1):
        r = pull(du) + mismatch.forces(u0 + du)
        r -= r.mean(axis=0)
        previous, residual = residual, np.sqrt(max((r * P(r)).sum(), 0))
        # converged, or down to round-off
        if residual <= rtol * start or 0.3 * previous < residual <= 1e-3 * start:
            break
        du = du + linear_response(hessian(du), r, P, rtol=1e-3)
    else:
        raise NotConverged(
            f"Newton's method left {residual / start:.1e} of the force after {max_steps} steps"
        )
    work = -float(((4 * pull(du / 2) + pull(du)) * du).sum()) / 6
    return ControlledError(
        mismatch.L,
        reference.norm(du),
        mismatch.energy(u0 + du) + work,
        reference.norm(linear),
        linear_energy,
        du,
        step,
        float(residual / start),
    )


@dataclass(frozen=True)
class RateExperiment:
    """Errors over a series of L and their slopes.

    predicted : (geometry, energy) exponents;  geometry_rate, energy_rate : (slope, standard error),
        slopes positive
    """

    terms: tuple
    coefficients: dict
    dimension: int
    L: np.ndarray
    geometry: np.ndarray
    energy: np.ndarray

    @property
    def predicted(self):
        return predicted_rates(self.terms, self.dimension)

    def rate(self, what="geometry", last=None):
        """Fitted exponent and its standard error; `last`: only from the largest so many L."""
        values = np.abs(getattr(self, what))
        slope, error = observed_rate(self.L[-(last or 0) :], values[-(last or 0) :])
        return -slope, error

    def local_rates(self, what="geometry"):
        """Slopes between neighbouring L: they show whether the asymptotic range is reached."""
        return -np.diff(np.log(np.abs(getattr(self, what)))) / np.diff(np.log(self.L))


def calibrate(reference, L, term, size, **options):
    """Coefficient for which the term changes the geometry by `size` (A) at L, to first order, and
    raises the energy.

    The sign matters when terms are combined: energies of opposite sign would cancel at some L.
    """
    one = respond(reference, Mismatch(reference.defect, L, {term: 1.0}, **options), nonlinear=False)
    return float(np.sign(one.linear_energy)) * size / one.geometry


def measure_rates(reference, terms, radii, size=1e-3, nonlinear=True, coefficients=None, **options):
    """Run one controlled experiment at every L.

    Parameters
    ----------
    reference : errors.Reference
    terms : sequence of names of TERMS, or a key of ROWS
    radii : increasing L, A
    size : float       fraction of |D ubar| by which each term alone would change the geometry at
                       the smallest L
    nonlinear : bool   relax (True) or linear response (False)
    options : of `Mismatch`
    """
    terms = (
        ROWS[terms]
        if isinstance(terms, str) and terms in ROWS
        else ((terms,) if isinstance(terms, str) else tuple(terms))
    )
    radii = np.asarray(radii, float)
    if coefficients is None:
        coefficients = {
            t: calibrate(reference, radii[0], t, size * reference.scale, **options) for t in terms
        }
    runs = [
        respond(reference, Mismatch(reference.defect, L, coefficients, **options), nonlinear)
        for L in radii
    ]
    return RateExperiment(
        terms,
        coefficients,
        reference.defect.crystal.dimension,
        radii,
        np.array([r.geometry for r in runs]),
        np.array([r.energy for r in runs]),
    )
