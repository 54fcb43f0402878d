"""Linear response: H du = f by preconditioned conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..failures import NotConverged, NotFinite, Unstable, require_number, require_whole
from .landscape import landscape

if TYPE_CHECKING:
    from ..contracts import Model
    from .landscape import Hessian

Operator = Callable[[np.ndarray], np.ndarray]


def linear_response(
    hessian: Operator,
    f: np.ndarray,
    preconditioner: Operator,
    start: np.ndarray | None = None,
    rtol: float = 1e-8,
    max_products: int = 200,
) -> np.ndarray:
    """Solve H du = f by preconditioned conjugate gradients.

    hessian : (n, d) -> (n, d), eV/A^2;  f : (n, d), eV/A;  returns du (n, d), A, of zero mean.

    Raises
    ------
    Unstable        if a direction of negative curvature is met
    NotConverged    if the residual, in the preconditioner's norm, does not fall by `rtol`
    NotFinite       if f is not finite
    """
    rtol = require_number("rtol", rtol, 0.0, 1.0, "a small number, e.g. 1e-8")
    most = require_whole("max_products", max_products, 1, 10**9)
    f = np.asarray(f, float)
    given = f if start is None else np.asarray(start, float)
    if f.ndim != 2 or given.shape != f.shape:
        raise ValueError(
            f"forces of shape {f.shape}, start of {given.shape}: one vector for each atom, "
            "(n, d), is needed"
        )
    if not np.isfinite(f).all():
        raise NotFinite(f"{(~np.isfinite(f)).sum()} of {f.size} force components are not finite")
    f = f - f.mean(axis=0)
    scale = np.sqrt((f * preconditioner(f)).sum())
    if scale == 0:
        return np.zeros_like(f)
    du = np.zeros_like(f) if start is None else given.copy()
    r = f - hessian(du) if start is not None else f.copy()
    z = preconditioner(r)
    p, rz = z.copy(), (r * z).sum()
    for _ in range(most):
        if np.sqrt(max(rz, 0.0)) <= rtol * scale:
            return du - du.mean(axis=0)
        Hp = hessian(p)
        curvature = (p * Hp).sum()
        if not curvature > 0:
            raise Unstable(
                f"the Hessian has a negative direction (curvature "
                f"{curvature / (p * p).sum():.3g} eV/A^2): "
                "the equilibrium is not stable under this model",
                p,
            )
        alpha = rz / curvature
        du += alpha * p
        r -= alpha * Hp
        z = preconditioner(r)
        rz, old = (r * z).sum(), rz
        p = z + rz / old * p
    raise NotConverged(
        f"conjugate gradients: residual {np.sqrt(rz) / scale:.1e} after {most} products, "
        f"wanted {rtol:.1e}"
    )


def hessian_at(model: Model, positions: np.ndarray, cell: np.ndarray) -> Hessian:
    """The Hessian of `model` at fixed positions, an operator (n, d) -> (n, d)."""
    return landscape(model, cell, positions).hessian()
