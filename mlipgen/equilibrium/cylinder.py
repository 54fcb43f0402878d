"""A dislocation relaxed in a cylinder whose rim is held in the elastic field, and its errors."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import LinearOperator, cg, splu

from ..crystals import Neighbours
from ..crystals.dislocation import AXES
from ..failures import LeftBasin, NoEquilibrium, NotConverged, NotFinite, Unstable
from ..potentials.derivatives import elastic_tensor
from .landscape import SiteLandscape
from .relaxation import SKIN, _two_loop
from .volterra import Volterra, rotated

if TYPE_CHECKING:
    from ..contracts import SiteModel
    from ..crystals.dislocation import Cylinder


def screw_field(model: SiteModel, cylinder: Cylinder) -> Volterra:
    """The elastic field of the cylinder's dislocation by the model's own elastic constants."""
    C = elastic_tensor(model, cylinder.crystal)
    return Volterra(rotated(C, AXES), cylinder.burgers)


@dataclass(frozen=True)
class RelaxedCylinder:
    """positions : (n, 3), A;  energy : eV, of one period above the perfect crystal, over the
    counted sites;  max_force : eV/A, on a free atom;  force_evaluations : int"""

    positions: np.ndarray
    energy: float
    max_force: float
    force_evaluations: int


class CylinderLandscape:
    """A site potential's energy of the counted sites of a cylinder, and forces on its free atoms.

    Forces and displacements are (n, 3) and vanish on the rim.
    """

    def __init__(self, model: SiteModel, cylinder: Cylinder, positions: np.ndarray):
        if cylinder.rim < 2 * model.cutoff - 1e-9:
            raise ValueError(
                f"the rim of {cylinder.rim:.2f} A is thinner than two cutoffs of "
                f"{model.cutoff:.2f} A"
            )
        self.model, self.cylinder = model, cylinder
        self.bulk = cylinder.crystal.energy_per_atom(model)
        self.free, self.counted = cylinder.free[:, None], cylinder.counted
        self.surface = SiteLandscape(model, cylinder.cell, positions, SKIN)

    def evaluate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energies of the counted sites above the crystal's, eV, and forces (n, 3), eV/A."""
        V, f = self.surface.evaluate(x)
        V, f = V[self.counted] - self.bulk, f * self.free
        if not (np.isfinite(V).all() and np.isfinite(f).all()):
            raise NotFinite("an energy or a force in the cylinder is not finite")
        return V, f

    def hessian(self, x: np.ndarray) -> Any:
        """The second derivative on the free atoms, an operator (n, 3) -> (n, 3), eV/A^2."""
        H = self.surface.hessian(x)
        return lambda v: H(v * self.free) * self.free


class CylinderReference:
    """A dislocation relaxed with the reference potential: what learned models are compared with.

    potential : SitePotential;  cylinder : Cylinder
    push : float, A         by which the three columns of the core start displaced along the line:
                            without it the relaxation keeps the core's symmetry and may end on a
                            saddle point, with it cores may become polarised

    equilibrium : RelaxedCylinder;  volterra : Volterra, whose field the rim keeps
    """

    def __init__(
        self, potential: SiteModel, cylinder: Cylinder, push: float = 0.2, tolerance: float = 1e-9
    ):
        self.potential, self.cylinder = potential, cylinder
        self.volterra = screw_field(potential, cylinder)
        self.start = cylinder.positions + self.volterra.displacement(cylinder.positions)
        self._prepare(self.start)
        pushed = self.start + push * np.outer(cylinder.core, [0, 0, 1])
        self.equilibrium = self.relax(potential, pushed, tolerance)
        self._prepare(self.equilibrium.positions)

    def _prepare(self, positions):
        """The energy norm's pairs at these positions, and its inverse as a preconditioner."""
        n, free = len(self.cylinder), self.cylinder.free
        self.pairs = Neighbours(positions, self.cylinder.cell, self.cylinder.crystal.norm_cutoff)
        i, j = self.pairs.i, self.pairs.j
        one = np.ones(len(i))
        D = coo_matrix((one, (i, i)), (n, n)) - coo_matrix((one, (i, j)), (n, n))
        gram = (D + D.T).tocsc()  # pairs from both ends
        self._factor = splu(gram[free][:, free].tocsc())

    def norm(self, du: np.ndarray) -> float:
        """|Du| of a period, A, over all pairs, each from both ends, for du (n, 3)."""
        return float(np.sqrt((self.pairs.differences(du) ** 2).sum()))

    def gram(self, du: np.ndarray) -> np.ndarray:
        """D'D du on the free atoms, (n, 3)."""
        return -self.pairs.divergence(self.pairs.differences(du)) * self.cylinder.free[:, None]

    def precondition(self, f: np.ndarray) -> np.ndarray:
        """(D'D)^-1 f, displacements of the free atoms in A^3/eV x eV/A."""
        out = np.zeros_like(f)
        out[self.cylinder.free] = self._factor.solve(np.ascontiguousarray(f[self.cylinder.free]))
        return out

    def dual_norm(self, f: np.ndarray) -> float:
        """<f, (D'D)^-1 f>^(1/2): the norm of forces that belongs to |Du|."""
        return float(np.sqrt(max((f * self.precondition(f)).sum(), 0.0)))

    def relax(
        self, model: SiteModel, start: np.ndarray, tolerance: float = 1e-8, most: int = 300
    ) -> RelaxedCylinder:
        """Limited-memory BFGS from `start`, with the energy norm as preconditioner.

        Raises
        ------
        LeftBasin       if an atom moves by more than half the nearest-neighbour distance
        NotConverged
        """
        limit = 0.5 * self.cylinder.crystal.shells[0]
        landscape = CylinderLandscape(model, self.cylinder, start)
        x, (V, f) = start, landscape.evaluate(start)
        history: deque = deque(maxlen=12)
        for count in range(1, most + 1):
            worst = float(np.sqrt((f**2).sum(axis=1).max()))
            if worst < tolerance:
                return RelaxedCylinder(x, float(V.sum()), worst, count)
            p = _two_loop(f, history, self.precondition)
            if (f * p).sum() <= 0:
                history.clear()
                p = self.precondition(f)
            p = p * min(1.0, 0.25 / np.sqrt((p**2).sum(axis=1).max()))
            s = p
            for _ in range(12):  # backtrack while the energy rises by more than its round-off
                Vt, ft = landscape.evaluate(x + s)
                if (Vt - V).sum() <= 1e-9:
                    break
                s = 0.4 * s
            if not np.linalg.norm(x + s - start, axis=1).max() < limit:
                raise LeftBasin(f"an atom moved by more than {limit:.2f} A: another core")
            y = f - ft
            if (s * y).sum() > 0:
                history.append((s, y, 1.0 / (s * y).sum()))
            x, V, f = x + s, Vt, ft
        raise NotConverged(f"largest force {worst:.1e} eV/A after {most} steps")

    def solve(self, hessian: Any, f: np.ndarray, rtol: float = 1e-5) -> np.ndarray:
        """H du = f on the free atoms by preconditioned conjugate gradients."""
        shape, size = f.shape, f.size
        flat = lambda op: LinearOperator((size, size), lambda v: op(v.reshape(shape)).ravel())
        lowest = [np.inf]

        def product(v):
            Hv = hessian(v)
            lowest[0] = min(lowest[0], (v * Hv).sum())
            return Hv

        du, failed = cg(flat(product), f.ravel(), rtol=rtol, maxiter=300, M=flat(self.precondition))
        if lowest[0] < 0:
            raise Unstable("the Hessian has a negative direction at the reference's dislocation")
        if failed:
            raise NotConverged("conjugate gradients did not converge in 300 products")
        return du.reshape(shape)


@dataclass(frozen=True)
class DislocationError:
    """Errors of a model's dislocation in one cylinder: lengths in A, energies in eV, of one period;
    nan where there is none.

    predicted, kappa, predicted_energy : Newton's estimate at the reference's equilibrium, one or
        two steps, with its relative error bar
    measured, energy : after a relaxation with the same rim;  du : (n, 3), or None
    why : what went wrong, if anything
    """

    predicted: float = np.nan
    kappa: float = np.nan
    predicted_energy: float = np.nan
    measured: float = np.nan
    energy: float = np.nan
    du: np.ndarray | None = None
    why: str = ""

    @property
    def effectivity(self) -> float:
        return self.predicted / self.measured


def dislocation_error(
    model: SiteModel, reference: CylinderReference, second_step: float = 0.05
) -> DislocationError:
    """Predict, then relax and measure; the rim stays where the reference's elastic field put it."""
    x, E0 = reference.equilibrium.positions, reference.equilibrium.energy
    known: dict[str, Any] = {"why": ""}
    try:
        known |= _newton(model, reference, second_step)
    except NoEquilibrium as error:
        known["why"] = str(error)
    try:
        found = reference.relax(model, x)
    except NoEquilibrium as error:
        return DislocationError(**known | {"why": str(error)})
    du = found.positions - x
    return DislocationError(**known, measured=reference.norm(du), energy=found.energy - E0, du=du)


def _newton(model, reference, second_step):
    """One or two Newton steps from the reference's equilibrium: the predicted part."""
    x = reference.equilibrium.positions
    landscape = CylinderLandscape(model, reference.cylinder, x)
    V, f = landscape.evaluate(x)
    du = reference.solve(landscape.hessian(x), f)
    change, size = -0.5 * float((f * du).sum()), reference.dual_norm(f)
    V1, f1 = landscape.evaluate(x + du)
    kappa = reference.dual_norm(f1) / size
    if kappa > second_step:
        more = reference.solve(landscape.hessian(x + du), f1)
        change = float((V1 - V).sum()) - 0.5 * float((f1 * more).sum())
        du = du + more
        kappa = reference.dual_norm(landscape.evaluate(x + du)[1]) / size
    gap = float(V.sum()) - reference.equilibrium.energy
    return {"predicted": reference.norm(du), "kappa": kappa, "predicted_energy": gap + change}
