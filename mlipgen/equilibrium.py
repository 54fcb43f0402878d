"""Equilibrium: the lattice Green's function, preconditioned relaxation and linear response.

The Hessian of the perfect crystal is inverted once per wave vector.  It is the right preconditioner for a defect:
a point defect changes it only locally, so the number of force evaluations does not grow with the cell.
"""
from collections import deque
from dataclasses import dataclass

import numpy as np

from .crystals import require_thickness
from .derivatives import energies_and_forces, force_constants, hessian_vector
from .neighbours import Neighbours

SKIN = 0.4  # A; wide enough that a relaxing vacancy never rebuilds its neighbour list


class Unstable(RuntimeError):
    """A Hessian has a negative direction: the crystal or the defect is not a stable equilibrium.

    direction : (n, d) or None       a displacement of negative curvature, where one was met
    """

    def __init__(self, message, direction=None):
        super().__init__(message)
        self.direction = direction


class LeftBasin(RuntimeError):
    """A relaxation moved an atom so far that it is no longer the same defect."""


class NotConverged(RuntimeError):
    """The force did not fall below the tolerance."""


class LatticeGreen:
    """Inverse Hessian of the homogeneous supercell, applied by fast Fourier transform.

    Parameters
    ----------
    model : SitePotential
    homogeneous : Supercell

    Raises
    ------
    Unstable      if the crystal has a mode of negative or zero stiffness (other than translations)
    """

    def __init__(self, model, homogeneous):
        self.homogeneous, crystal = homogeneous, homogeneous.crystal
        self.table = force_constants(model, crystal)
        d, nb = crystal.dimension, len(crystal.basis)
        K = np.zeros(homogeneous.n + (nb, nb, d, d))
        for b in range(nb):  # from the primitive table to the conventional cell, periodically wrapped
            rows = self.table.s == crystal.sublattice[b]
            cells, target = crystal.locate(crystal.basis[b] + self.table.xi[rows])
            np.add.at(K, tuple((cells % homogeneous.n).T) + (b, target), self.table.K[rows])
        K = np.moveaxis(K, -3, -2).reshape(homogeneous.n + (nb * d, nb * d))
        self.stiffness = K[(0,) * d].trace() / (nb * d)  # mean on-site spring, eV/A^2
        axes = tuple(range(d))
        D = np.conj(np.fft.rfftn(K, axes=axes))
        # k = 0: shift the translations up to a unit stiffness, invert, and take them out again.
        translations = np.kron(np.full((nb, nb), 1.0 / nb), np.eye(d))
        D[(0,) * d] += self.stiffness * translations
        try:
            np.linalg.cholesky(D)
        except np.linalg.LinAlgError:
            lowest = np.linalg.eigvalsh(D)[..., 0]
            at = np.unravel_index(np.argmin(lowest), lowest.shape)
            raise Unstable(f"the {crystal.structure} {crystal.symbol} crystal at a = {crystal.a:.4f} A is unstable under this "
                           f"model: stiffness {lowest[at]:.3g} eV/A^2 at wave number {tuple(map(int, at))} of {homogeneous.n}; "
                           "check the lattice constant, or fit more data near the crystal") from None
        self.G = np.linalg.inv(D)
        self.G[(0,) * d] -= translations / self.stiffness
        self._axes, self._shape = axes, homogeneous.n + (nb * d,)

    def __call__(self, f):
        """Displacements (n_sites, d), A, of the perfect crystal under the forces f (n_sites, d), eV/A; mean force ignored."""
        F = np.fft.rfftn(f.reshape(self._shape), axes=self._axes)
        u = np.fft.irfftn((self.G @ F[..., None])[..., 0], s=self.homogeneous.n, axes=self._axes)
        return u.reshape(f.shape)

    def for_defect(self, defect):
        """The preconditioner on the atoms of a defect: symmetric and positive on forces without a net force.

        A vacancy's site carries no force; atoms that share a site (dumbbells) move together with it and against each
        other with the crystal's on-site spring.
        """
        site = defect.lattice_index
        counts = defect.occupation[site][:, None]

        def apply(f):
            total = defect.sum_on_sites(f)
            u = self(total)[site]
            if counts.max() > 1:
                u = u + (counts > 1) * (f - total[site] / counts) / self.stiffness
            return u - u.mean(axis=0)

        return apply


@dataclass(frozen=True)
class Equilibrium:
    """A relaxed configuration.

    positions : (n, d), A;  u : (n, d), A, displacement from the defect's starting sites, mean removed
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


def relax(model, defect, start=None, green=None, tolerance=1e-8, max_evaluations=200, max_move=None, memory=12,
          max_step=0.25, progress=None):
    """Relax a defect at fixed cell: limited-memory BFGS with the lattice Green's function as preconditioner.

    Parameters
    ----------
    model : SitePotential
    defect : Defect
    start : (n, d), A        starting positions; default the defect's sites
    green : LatticeGreen     of this or a similar model (a reference's serves a fitted model); default: the model's own
    tolerance : float        eV/A, on the largest force on an atom
    max_move : float         A; further from the start than this raises `LeftBasin` (default: half a lattice constant)
    progress : callable      called with (force_evaluations, max_force); may raise to cancel

    Returns
    -------
    Equilibrium

    Raises
    ------
    Unstable, LeftBasin, NotConverged, ValueError (cell thinner than twice the cutoff)
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance = {tolerance}: give a positive largest force in eV/A, e.g. 1e-8")
    require_thickness(defect.cell, model.cutoff, what=f"the {'x'.join(map(str, defect.homogeneous.n))} cell")
    P = (green or LatticeGreen(model, defect.homogeneous)).for_defect(defect)
    x0 = (defect.positions if start is None else start).copy()
    limit = 0.5 * defect.crystal.a if max_move is None else max_move
    neighbours = Neighbours(x0, defect.cell, model.cutoff, SKIN)
    evaluations = 0

    def evaluate(x):
        nonlocal evaluations
        moved = np.sqrt(((x - x0 - (x - x0).mean(axis=0)) ** 2).sum(axis=1).max())
        if not moved < limit:
            raise LeftBasin(f"an atom moved {moved:.2f} A, more than {limit:.2f} A: the {defect.name} left its basin")
        evaluations += 1
        V, f = energies_and_forces(model, neighbours, x)
        if progress:
            progress(evaluations, np.sqrt((f**2).sum(axis=1).max()))
        return V, f - f.mean(axis=0)  # the mean is round-off: site energies do not change under translation

    x, (V, f) = x0, evaluate(x0)
    history = deque(maxlen=memory)
    while (worst := np.sqrt((f**2).sum(axis=1).max())) >= tolerance:
        if evaluations >= max_evaluations:
            raise NotConverged(f"largest force {worst:.2e} eV/A after {evaluations} force evaluations, tolerance {tolerance:.1e}")
        p = _two_loop(f, history, P)
        slope = -(f * p).sum()
        if slope >= 0:  # can happen after a badly curved region: fall back to the preconditioned gradient
            history.clear()
            p = P(f)
            slope = -(f * p).sum()
        t = min(1.0, max_step / np.sqrt((p**2).sum(axis=1).max()))
        while True:  # backtracking; near convergence energies are round-off, so a smaller slope is accepted as well
            Vt, ft = evaluate(x + t * p)
            gain, end_slope = (Vt - V).sum(), -(ft * p).sum()
            if gain <= 1e-4 * t * slope or (gain < 1e-10 and abs(end_slope) <= 0.9 * abs(slope)):
                break
            t *= max(0.1, min(0.5, -0.5 * t * slope / (gain - t * slope)))
            if t < 1e-6 or evaluations >= max_evaluations:
                raise NotConverged(f"the line search failed at a largest force of {worst:.2e} eV/A, tolerance {tolerance:.1e}: "
                                   "is the tolerance below rounding, or the model not smooth?")
        s, y = t * p, f - ft
        if (s * y).sum() > 0:
            history.append((s, y, 1.0 / (s * y).sum()))
        x, V, f = x + s, Vt, ft
    return Equilibrium(defect, x, V, float(worst), evaluations, tolerance)


def _two_loop(f, history, P):
    """The L-BFGS direction for the force f, with P as the initial inverse Hessian (Nocedal and Wright, algorithm 7.4)."""
    q, alphas = f.copy(), []
    for s, y, r in reversed(history):
        alphas.append(r * (s * q).sum())
        q -= alphas[-1] * y
    p = P(q)
    for (s, y, r), alpha in zip(history, reversed(alphas)):
        p += (alpha - r * (y * p).sum()) * s
    return p


def linear_response(hessian, f, preconditioner, start=None, rtol=1e-8, max_products=200):
    """Solve H du = f by preconditioned conjugate gradients.

    hessian : callable (n, d) -> (n, d), eV/A^2;  f : (n, d), eV/A;  returns du (n, d), A, of zero mean.

    Raises
    ------
    Unstable        if a direction of negative curvature is met
    NotConverged    if the residual, in the preconditioner's norm, does not fall by `rtol`
    """
    f = f - f.mean(axis=0)
    scale = np.sqrt((f * preconditioner(f)).sum())
    if scale == 0:
        return np.zeros_like(f)
    du = np.zeros_like(f) if start is None else start.copy()
    r = f - hessian(du) if start is not None else f.copy()
    z = preconditioner(r)
    p, rz = z.copy(), (r * z).sum()
    for _ in range(max_products):
        if np.sqrt(max(rz, 0.0)) <= rtol * scale:
            return du - du.mean(axis=0)
        Hp = hessian(p)
        curvature = (p * Hp).sum()
        if curvature <= 0:
            raise Unstable(f"the Hessian has a negative direction (curvature {curvature / (p * p).sum():.3g} eV/A^2): "
                           "the equilibrium is not stable under this model", p)
        alpha = rz / curvature
        du += alpha * p
        r -= alpha * Hp
        z = preconditioner(r)
        rz, old = (r * z).sum(), rz
        p = z + rz / old * p
    raise NotConverged(f"conjugate gradients: residual {np.sqrt(rz) / scale:.1e} after {max_products} products, wanted {rtol:.1e}")


def hessian_at(model, positions, cell):
    """The Hessian of `model` at fixed positions as a callable (n, d) -> (n, d)."""
    neighbours = Neighbours(positions, cell, model.cutoff)
    return lambda v: hessian_vector(model, neighbours, positions, v)
