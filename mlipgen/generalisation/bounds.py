"""The weights of the theory, and a computable bound on the defect error of a fitted model.

Let H be the reference Hessian at ubar, f the model's forces there, du the displacement to the
model's equilibrium.  With

    gamma   stability: <Hv, v> >= gamma |Dv|^2
    delta   Hessian mismatch |H^-1/2 (H_ML - H) H^-1/2| < 1

    |D du|  <=  <f, H^-1 f>^1/2 / (gamma^1/2 (1 - delta))     the dual norm: sharp
            <=  C |(1 + r) f|   / (gamma (1 - delta))         Hardy's weight, C bounded
            <=  C' |f|          / (gamma (1 - delta))         uniform weight, C' grows

The first line is an identity turned into an inequality: the mean of H_ML over the segment from ubar
to the model's equilibrium maps du to f.  `delta` is evaluated at its start; `mismatch(..., du)`
gives it at the end.  By terms, with ubar's far field outside the training radius: core + force
constants + anharmonic (`Terms`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..equilibrium.eigenvalues import extreme_eigenvalue
from ..equilibrium.farfield import lattice_displacement, ramp
from ..equilibrium.landscape import landscape
from ..failures import Unstable, require_number
from .crystal_error import virial_mismatch, wave_mismatch

if TYPE_CHECKING:
    from ..contracts import Model
    from .reference import Reference


def mismatch(
    model: Model, reference: Reference, du: np.ndarray | None = None, **options: Any
) -> float:
    """delta = |H^-1/2 (H_ML - H) H^-1/2|: largest relative error of a curvature, with H_ML at ubar
    (or at ubar + du).
    """
    x = reference.equilibrium.positions + (0.0 if du is None else du)
    learned = landscape(model, reference.defect.cell, x).hessian()
    value, _ = extreme_eigenvalue(
        learned - reference.hessian,
        reference.hessian,
        reference.preconditioner,
        x.shape,
        "modulus",
        start=[*reference.soft, reference.spread],
        **options,
    )
    return abs(value)


def weight_constant(reference: Reference, weight: np.ndarray) -> float:
    """Smallest C with |<f, v>| <= C |weight f| |Dv| for all forces f (n, d) without net force; C
    has the unit of 1/weight.

    weight : (n,)      ones: C grows like the domain (Poincare);  1 + r: bounded in three dimensions
                       (Hardy)
    """
    s = (np.asarray(weight, float) ** -2)[:, None]
    # v is free up to a constant: take the one that makes |v / weight| least.
    A = lambda v: s * (v - (s * v).sum(axis=0) / s.sum())
    return float(
        np.sqrt(
            extreme_eigenvalue(
                A, reference.norm.gram, reference.preconditioner, reference.equilibrium.u.shape
            )[0]
        )
    )


def residual_forces(model: Model, reference: Reference) -> np.ndarray:
    """The model's forces at the reference equilibrium, (n, d), eV/A: zero for a perfect model."""
    x = reference.equilibrium.positions
    f = landscape(model, reference.defect.cell, x).evaluate()[1]
    return f - f.mean(axis=0)


def dual_norm(f: np.ndarray, reference: Reference, rtol: float = 1e-2) -> float:
    """<f, H^-1 f>^(1/2), eV^(1/2): the energy-weighted size of forces f (n, d), mean force ignored;
    its own error is of the order rtol^2.
    """
    f = np.asarray(f, float)
    if f.shape != reference.equilibrium.u.shape:
        needed = reference.equilibrium.u.shape
        raise ValueError(f"forces of shape {f.shape}: one for each atom is needed, {needed}")
    du = reference.response(f, rtol)
    return float(np.sqrt(max((f * du).sum(), 0.0)))


@dataclass(frozen=True)
class ForceWeights:
    """What turns a force residual into a geometry error; depends on the reference alone.

    gamma : eV/A^2;  hardy : dimensionless, for the weight 1 + r (r in A);  uniform : A
    """

    gamma: float
    hardy: float
    uniform: float

    @classmethod
    def of(cls, reference: Reference) -> ForceWeights:
        r, gamma = reference.defect.distance(), reference.stability
        if gamma <= 0:
            raise Unstable(
                f"stability constant {gamma:.3g} eV/A^2: the relaxed {reference.defect.name} of "
                f"{reference.defect.crystal.symbol} is a saddle point, not a defect; choose "
                "another orientation"
            )
        return cls(
            gamma, weight_constant(reference, 1.0 + r), weight_constant(reference, np.ones(len(r)))
        )


@dataclass(frozen=True)
class Bound:
    """Upper bounds on |D du|, A (infinite when delta >= 1), from the dual norm, Hardy's weight and
    the uniform weight.
    """

    dual: float
    hardy: float
    uniform: float
    delta: float
    gamma: float


def geometry_bound(
    model: Model,
    reference: Reference,
    weights: ForceWeights | None = None,
    delta: float | None = None,
) -> Bound:
    """Bounds on the geometry error of `model` from its forces at the reference equilibrium; nothing
    is relaxed.

    weights : ForceWeights       of this reference; computed when not given (give them when there
                                 are many models)
    delta : float                Hessian mismatch; computed when not given
    """
    w = weights or ForceWeights.of(reference)
    delta = mismatch(model, reference) if delta is None else _checked(delta=delta)[0]
    f = residual_forces(model, reference)
    hardy = np.linalg.norm((1.0 + reference.defect.distance())[:, None] * f)
    margin = 1.0 - delta if delta < 1 else 0.0
    with np.errstate(divide="ignore"):
        return Bound(
            dual=np.float64(dual_norm(f, reference) / np.sqrt(w.gamma)) / margin,
            hardy=np.float64(w.hardy * hardy / w.gamma) / margin,
            uniform=np.float64(w.uniform * np.linalg.norm(f) / w.gamma) / margin,
            delta=delta,
            gamma=w.gamma,
        )


@dataclass(frozen=True)
class Terms:
    """The residual split at the training radius: each in eV^(1/2), dual norms; core + harmonic +
    anharmonic >= the whole.

    core : forces that the training cell could show
    harmonic : far field, (K_ML - K) ubar outside; at most `harmonic_limit` = eps_FC |D
        ubar|_outside c / gamma^(1/2)
    anharmonic : what remains of the far field; to leading order of long waves at most
        `anharmonic_limit` = eps_V2 / 2 sum_outside |D ubar|^4 ^(1/2) c / (m^3 gamma)^(1/2), with m
        = sum_rho |rho|^2 / d turning strains into differences
    whole : of the forces undivided
    """

    core: float
    harmonic: float
    anharmonic: float
    whole: float
    harmonic_limit: float
    anharmonic_limit: float

    def bound(self, gamma: float, delta: float) -> float:
        """|D du| <= (core + harmonic + anharmonic) / (gamma^1/2 (1 - delta)), A; `terms_bound` has
        the two limits in place of the last two.
        """
        return (
            (self.core + self.harmonic + self.anharmonic) / (np.sqrt(gamma) * (1.0 - delta))
            if delta < 1
            else np.inf
        )


#: What may be given of a bound: smallest and largest value, and what it is.
LIMITS = {
    "radius": (1e-6, 1e6, "in angstrom, the side of the training cell"),
    "gamma": (1e-12, 1e12, "the stability constant of the reference, eV/A^2"),
    "delta": (0.0, 1e100, "the Hessian mismatch, 1 or more where there is no bound"),
    "cut": (0.0, 1e12, "cut_constant(reference, radius)"),
}


def _checked(**given):
    return [require_number(name, value, *LIMITS[name]) for name, value in given.items()]


def _far(reference, radius):
    """(n, 1): the far field's share, from 0 at radius / 2 to 1 at the radius."""
    (radius,) = _checked(radius=radius)
    return ramp(reference.defect.distance(), radius / 2)[:, None]


def cut_constant(reference: Reference, radius: float) -> float:
    """Largest |D(chi v)| / |Dv| for the far field's cut chi, from 0 at radius/2 to 1 at radius (A);
    independent of the model.
    """
    far = _far(reference, radius)
    gram, P, shape = reference.norm.gram, reference.preconditioner, reference.equilibrium.u.shape
    cut = lambda v: far * gram(far * v)
    return float(np.sqrt(extreme_eigenvalue(cut, gram, P, shape, tolerance=0.02)[0]))


def far_limits(
    model: Model, reference: Reference, radius: float, gamma: float, cut: float | None = None
) -> tuple[float, float]:
    """Limits (harmonic, anharmonic), eV^(1/2), of the far field's share of the residual, from fit
    errors and ubar alone; see `Terms`.

    radius : float, A       side of the training cell: the far field sets in at half of it and is
                            whole at the radius
    cut : float             `cut_constant(reference, radius)`; computed when not given
    """
    radius, gamma = _checked(radius=radius, gamma=gamma)
    cut = cut_constant(reference, radius) if cut is None else _checked(cut=cut)[0]
    crystal, potential = reference.defect.crystal, reference.potential
    eps = wave_mismatch(model, potential, crystal, 8)
    # |Du(l)|^2
    size = reference.norm.per_site(reference.equilibrium.u)[
        reference.defect.distance() > radius / 2
    ]
    m = np.mean(
        [
            (crystal.stencil(crystal.norm_cutoff, [atom])[0] ** 2).sum()
            for atom in crystal.primitive_atoms
        ]
    )
    third = virial_mismatch(model, potential, crystal)[2] / 2 * (m / crystal.dimension) ** -1.5
    c = cut / np.sqrt(gamma)
    return float(c * eps * np.sqrt(size.sum())), float(c * third * np.sqrt((size**2).sum()))


def terms_bound(
    model: Model,
    reference: Reference,
    radius: float,
    gamma: float,
    delta: float,
    cut: float | None = None,
) -> float:
    """|D du| <= (core + far_limits) / (gamma^1/2 (1 - delta)), A: outside the training cell only
    ubar and fit errors are needed.
    """
    far = _far(reference, radius)
    gamma, delta = _checked(gamma=gamma, delta=delta)
    core = dual_norm((1 - far) * residual_forces(model, reference), reference)
    return (
        (core + sum(far_limits(model, reference, radius, gamma, cut)))
        / (np.sqrt(gamma) * (1.0 - delta))
        if delta < 1
        else np.inf
    )


def residual_terms(
    model: Model, reference: Reference, radius: float, gamma: float, cut: float | None = None
) -> Terms:
    """Split the residual of `model` at `radius` into core, far harmonic and far anharmonic:
    `Terms`; arguments as of `far_limits`.
    """
    home, potential = reference.defect.homogeneous, reference.potential
    far = _far(reference, radius)
    f, u = residual_forces(model, reference), lattice_displacement(reference)
    own, exact = (landscape(m, home.cell, home.positions).hessian()(u) for m in (model, potential))
    harmonic = (exact - own)[reference.defect.lattice_index]
    harmonic_limit, anharmonic_limit = far_limits(model, reference, radius, gamma, cut)
    return Terms(
        core=dual_norm((1 - far) * f, reference),
        harmonic=dual_norm(far * harmonic, reference),
        anharmonic=dual_norm(far * (f - harmonic), reference),
        whole=dual_norm(f, reference),
        harmonic_limit=harmonic_limit,
        anharmonic_limit=anharmonic_limit,
    )
