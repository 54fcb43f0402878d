"""Regularised linear least squares by orthogonal factorisation.

    minimise   sum_kinds w^2 |A theta - y|^2 + ridge^2 |Gamma theta|^2

Each kind's block [A y] is reduced once to its R-factor; any weights, ridge or nested basis are then
one small problem.  Normal equations are never formed: they square the condition number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import qr, svd

from ..failures import Unfitted, require_number
from ..potentials.ace import LinearACE
from .kinds import default_weights, parse_kinds

if TYPE_CHECKING:
    from ..contracts import Model
    from ..crystals.lattice import Crystal
    from ..potentials.ace import ACEBasis
    from .kinds import Observation

RIDGE = 1e-6


@dataclass(frozen=True)
class Block:
    """All observations of one kind, as the R-factor of [A y].

    R : (min(rows, K + 1), K + 1);  rows : int;  groups : int, number of configurations; target_norm
    : |y|
    """

    kind: str
    R: np.ndarray
    rows: int
    groups: int

    @property
    def target_norm(self) -> float:
        return float(np.linalg.norm(self.R[:, -1]))

    def residual(self, theta: np.ndarray) -> float:
        """|A theta - y|, for theta of any nested size (leading columns chosen by the caller through
        `columns`).
        """
        return float(np.linalg.norm(self.R[:, :-1] @ theta - self.R[:, -1]))

    def columns(self, index: np.ndarray) -> Block:
        """The block of a smaller, nested basis."""
        return Block(
            self.kind,
            np.column_stack([self.R[:, :-1][:, index], self.R[:, -1]]),
            self.rows,
            self.groups,
        )


def assemble(
    observations: Sequence[Observation], basis: ACEBasis, potential: Model
) -> dict[str, Block]:
    """R-factors of the blocks [A y], one for each kind: dict kind -> Block."""
    grouped = {}
    for o in observations:
        grouped.setdefault(o.kind, []).append(o.rows(basis, potential))
    if not grouped:
        raise Unfitted("the training set is empty: give at least one observation")
    blocks = {}
    for kind, parts in grouped.items():
        A = np.concatenate(parts)
        blocks[kind] = Block(
            kind,
            qr(A, mode="r")[0][: min(A.shape)] if len(A) > A.shape[1] else A,
            len(A),
            len(parts),
        )
    return blocks


@dataclass(frozen=True)
class Fit:
    """A fitted model and what is known about the fit.

    model : LinearACE
    errors, held_out : dict kind -> float
        eps_E eV, eps_F eV/A, eps_V eV, eps_FC eV/A^2: root mean square over configurations of each
        one's l2 norm (the theory's eps, of *totals*, not per atom)
    rmse : dict kind -> float
        root mean square over components, training
    singular_values : (K,)
        of the weighted data, columns scaled by 1/Gamma, without the ridge
    free_directions : (K, n_free)
        parameters (columns) that the data leave free: scaled singular value below 1e-10 of the
        largest
    """

    model: LinearACE
    weights: dict
    ridge: float
    errors: dict
    held_out: dict
    rmse: dict
    singular_values: np.ndarray = field(repr=False)
    free_directions: np.ndarray = field(repr=False)

    @property
    def rank(self) -> int:
        return len(self.singular_values) - self.free_directions.shape[1]


def checked_prior(prior: np.ndarray, columns: int) -> np.ndarray:
    """The diagonal of Gamma, (K,); ValueError unless it is one positive number for each column."""
    prior = np.asarray(prior, float)
    if prior.shape != (columns,) or not ((prior > 0) & np.isfinite(prior)).all():
        raise ValueError(
            f"a prior of shape {prior.shape}: {columns} positive numbers, the diagonal of Gamma, "
            "are needed"
        )
    return prior


def solve(
    blocks: dict[str, Block], weights: dict[str, float], prior: np.ndarray, ridge: float = RIDGE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parameters theta (K,), singular values (K,) and free directions (K, n) of the weighted
    problem.

    weights : dict kind -> float; kinds that are absent or zero are not fitted
    prior : (K,) diagonal of Gamma
    """
    if not 0 <= ridge < 1e100:
        raise ValueError(f"ridge = {ridge}: the regularisation strength must not be negative")
    for kind, w in weights.items():
        require_number(f"the weight of {kind}", w, 0.0, 1e100)
    used = {k: w for k, w in weights.items() if w > 0}
    unknown = sorted(set(used) - set(blocks))
    if unknown:
        raise ValueError(
            f"weights for {', '.join(unknown)}, but the training set holds {', '.join(blocks)}: "
            "give at least one observation of each kind that is fitted"
        )
    if not used:
        raise Unfitted("all weights are zero: choose at least one kind of observation")
    stacked = np.concatenate([w * blocks[k].R for k, w in used.items()])
    prior = checked_prior(prior, stacked.shape[1] - 1)
    A, y = stacked[:, :-1] / prior, stacked[:, -1]
    K = A.shape[1]
    U, s, Vt = svd(A, full_matrices=False)
    # (A'A + ridge^2)^-1 A'y through the singular values: stable for any ridge, also zero.
    keep = s > (1e-15 * s[0] if ridge == 0 else 0.0)
    filtered = np.where(keep, s / np.where(keep, s**2 + ridge**2, 1.0), 0.0)
    theta = Vt.T @ (filtered * (U.T @ y)) / prior
    values = np.zeros(K)
    values[: len(s)] = s
    # Vt has fewer than K rows when data are few; complete it, so that free directions are all
    # reported.
    full = Vt if len(Vt) == K else np.concatenate([Vt, _complement(Vt)])
    free = (full[values < 1e-10 * values[0]] / prior).T
    return theta, values, free


def _complement(Vt):
    return qr(Vt.T)[0][:, len(Vt) :].T


def fit_blocks(
    blocks: dict[str, Block],
    basis: ACEBasis,
    observations: str | Sequence[str],
    potential: Model,
    crystal: Crystal,
    weights: dict[str, float] | None = None,
    ridge: float = RIDGE,
    degree: int | None = None,
    held_out: dict[str, Block] | None = None,
) -> Fit:
    """Fit to assembled blocks.

    potential : SitePotential, or another source of labels (for the energy of the perfect crystal)
    observations : str or sequence     kinds to fit, e.g. "EF+FC" or ("E", "F", "FC"); see
                                       `parse_kinds`
    weights : dict                     overrides of the kinds' default weights
    degree : int                       a nested smaller basis; default the basis's own
    held_out : dict kind -> Block      for held-out errors

    Returns
    -------
    Fit
    """
    kinds = parse_kinds(observations)
    if not isinstance(weights or {}, dict) or set(weights or {}) - {*default_weights(), *blocks}:
        raise ValueError(
            f"weights={weights!r}: give a mapping of kinds to numbers; kinds are "
            f"{', '.join(default_weights())}"
        )
    known = {**default_weights(), **(weights or {})}
    if unweighted := [k for k in kinds if k not in known]:
        raise ValueError(
            f"no weight for {', '.join(unweighted)}: give weights={{{unweighted[0]!r}: 1.0}}, or "
            f"use one of {', '.join(default_weights())}"
        )
    if bad := {k: known[k] for k in kinds if not 0 <= known[k] < np.inf}:
        raise ValueError(f"weights must be non-negative numbers, got {bad}")
    weights = {k: known[k] for k in kinds}
    index = np.arange(len(basis)) if degree is None else basis.subset(degree)
    own = {k: b.columns(index) for k, b in blocks.items()}
    theta, values, free = solve(own, weights, basis.prior[index], ridge)
    small = nested_basis(basis, degree)
    rms = lambda b, n: b.residual(theta) / np.sqrt(n)
    return Fit(
        model=fitted_model(small, theta, potential, crystal),
        weights=weights,
        ridge=ridge,
        errors={k: rms(b, b.groups) for k, b in own.items()},
        held_out={k: rms(b.columns(index), b.groups) for k, b in (held_out or {}).items()},
        rmse={k: rms(b, b.rows) for k, b in own.items()},
        singular_values=values,
        free_directions=free,
    )


def fitted_model(
    basis: ACEBasis, theta: np.ndarray, potential: Model, crystal: Crystal
) -> LinearACE:
    """`LinearACE` with the potential's energy per atom of the perfect crystal, which no observation
    relative to it can fix.
    """
    offset = crystal.energy_per_atom(potential) - crystal.energy_per_atom(basis) @ theta
    return LinearACE(basis, theta, crystal.symbol, float(offset), crystal.structure, crystal.a)


def nested_basis(basis: ACEBasis, degree: int | None) -> ACEBasis:
    """The basis of smaller total degree that spans the leading columns of `basis`."""
    return basis if degree is None else basis.nested(degree)


def fit(
    observations: Sequence[Observation],
    basis: ACEBasis,
    potential: Model,
    crystal: Crystal,
    kinds: str | Sequence[str] = "EF",
    **options: Any,
) -> Fit:
    """Assemble and fit: `fit(training_set(...), basis, potential, crystal, "EFV+FC")`."""
    return fit_blocks(
        assemble(observations, basis, potential), basis, kinds, potential, crystal, **options
    )
