"""Known errors of a site energy, switched on away from a defect.

    sum_l w(l) dV_l(Du),     w = 0 up to L, a C3 ramp to 1 at 2L,     dV = O(|Du|^2)

dV is built from the stretches of opposite bonds, a = rho.D_rho u / |rho| and
b = -rho.D_-rho u / |rho| for lattice translations rho; exchanging a and b is the inversion.
Lengths in A, energies in eV, a coefficient of order p in eV/A^p.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..crystals import thickness, translated, translations
from ..equilibrium.farfield import ramp
from ..equilibrium.landscape import Hessian
from ..potentials.derivatives import STEP
from ..rates import TERM_RATES, Rate


@dataclass(frozen=True)
class Term:
    """One known error: a site energy in the stretches a, b and its derivatives.

    rate : Rate, what is wrong and the exponents that follow
    value, slope : callables of a, b (directions, sites);  order : power of u
    """

    rate: Rate
    value: Callable
    slope: Callable
    order: int


#: Arrays are (directions, sites).  a - b is a second difference; (a + b) / 2 a centred first
#: difference.
TERMS = {
    "elastic": Term(
        TERM_RATES["elastic"], lambda a, b: (a * a + b * b) / 2, lambda a, b: (a, b), 2
    ),
    "dilation": Term(
        TERM_RATES["dilation"],
        lambda a, b: (a + b) / 4 * (a + b).sum(axis=0) / 2,
        lambda a, b: ((a * 0 + (a + b).sum(axis=0)) / 4,) * 2,
        2,
    ),
    "harmonic": Term(
        TERM_RATES["harmonic"], lambda a, b: (a - b) ** 2 / 2, lambda a, b: (a - b, b - a), 2
    ),
    "cubic": Term(
        TERM_RATES["cubic"],
        lambda a, b: (a + b) ** 3 / 8,
        lambda a, b: (3 * (a + b) ** 2 / 8,) * 2,
        3,
    ),
    "gradient": Term(
        TERM_RATES["gradient"],
        lambda a, b: (a + b) / 2 * (a - b) ** 2,
        lambda a, b: (
            (a - b) ** 2 / 2 + (a + b) * (a - b),
            (a - b) ** 2 / 2 - (a + b) * (a - b),
        ),
        3,
    ),
    "quartic": Term(
        TERM_RATES["quartic"],
        lambda a, b: (a + b) ** 4 / 16,
        lambda a, b: ((a + b) ** 3 / 4,) * 2,
        4,
    ),
}


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

    def stretches(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """a and b, (directions, sites with w > 0) each, A, for displacements u (n_atoms, d) from
        the lattice sites.
        """
        p = u @ self.along.T
        columns = range(len(self.along))
        return (
            np.array([p[self.ahead[m], m] - p[self.sites, m] for m in columns]),
            np.array([p[self.sites, m] - p[self.behind[m], m] for m in columns]),
        )

    def energy(self, u: np.ndarray) -> float:
        """sum_l w dV, eV."""
        a, b = self.stretches(u)
        return float(
            sum(k * (self.weights * TERMS[t].value(a, b)).sum() for t, k in self.terms.items())
        )

    def forces(self, u: np.ndarray) -> np.ndarray:
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

    def hessian(self, u: np.ndarray) -> Hessian:
        """Second derivative at u, an operator on (n_atoms, d), exact (complex step)."""
        return Hessian(lambda v: -self.forces(u + 1j * STEP * v).imag / STEP, u.shape)
