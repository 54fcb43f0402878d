"""What each kind of observation determines, what it leaves free, and what the free part does to the
defect.

A change theta of the parameters is *invisible* to data with rows A when |A theta| is below the fit
accuracy.  To first
order it moves the defect by du = H^-1 F theta, F the forces of the basis functions at ubar, so that
|D du| = |S theta|.
    blindness    max |S theta|  over  A theta = 0,  |Gamma theta| <= size         what exact data
                 cannot tell
    ambiguity    max |S theta|  over  rms(A_k theta) <= tolerance_k,  |Gamma theta| <= size
                 what real data cannot tell
Both are lengths in A on the scale of |D ubar|: how far apart two models can be that agree on all
the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import qr, solve_triangular, svd

from ..crystals import Supercell, thickness
from ..equilibrium.landscape import landscape
from ..failures import require_number, require_whole
from .fitting import checked_prior
from .kinds import default_tolerances, parse_kinds

if TYPE_CHECKING:
    from ..crystals.lattice import Crystal
    from ..potentials.ace import ACEBasis
    from .fitting import Block
    from .observations import Configuration


def defect_response(basis: ACEBasis, reference: Any, rtol: float = 1e-6) -> np.ndarray:
    """S (K, K), upper triangular, A/eV: |D du| = |S theta| for the linear response du of the defect
    to parameters theta.
    """
    x = reference.equilibrium.positions
    F = landscape(basis, reference.defect.cell, x).evaluate()[1]
    columns = [
        reference.norm.differences(reference.response(F[..., k], rtol)).ravel()
        for k in range(F.shape[-1])
    ]
    return qr(np.array(columns).T, mode="r", overwrite_a=True)[0][: F.shape[-1]]


@dataclass(frozen=True)
class Identifiability:
    """What one set of observations determines.

    scalars : int                     numbers in the training data
    rank : int                        of the data in K parameters;  free : int, K - rank
    condition : float                 largest over smallest nonzero singular value, columns scaled
                                      by the prior
    blindness, ambiguity : float, A   see the module
    direction : (K,)                  the parameters of the worst invisible change (of the null
                                      space if there is one), |Gamma theta| = size
    """

    scalars: int
    rank: int
    free: int
    condition: float
    blindness: float
    ambiguity: float
    direction: np.ndarray = field(repr=False)


def scaled_rows(block: Block, prior: np.ndarray) -> np.ndarray:
    """Rows of a block's [A y] without the target, columns divided by the prior: (rows, K)."""
    return block.R[:, :-1] / checked_prior(prior, block.R.shape[1] - 1)


def identifiability(
    blocks: dict[str, Block],
    kinds: Sequence[str],
    prior: np.ndarray,
    S: np.ndarray,
    size: float,
    tolerance: dict[str, float] | None = None,
) -> Identifiability:
    """Identifiability of the kinds of observation in `kinds`.

    blocks : dict kind -> Block;  kinds : sequence of str;  prior : (K,) diagonal of Gamma
    S : (K, K), see `defect_response`;  size : float, eV, largest |Gamma theta| of a plausible
    change (that of a fitted model, say)
    tolerance : dict kind -> float     overrides of the kinds' own: 1 meV, 1 meV/A, 1 meV, 1 meV/A^2
    """
    tolerance = {**default_tolerances(), **(tolerance or {})}
    for kind, value in tolerance.items():
        require_number(f"the tolerance of {kind}", value, 1e-100, 1e100)
    kinds = parse_kinds(kinds)
    missing = [k for k in kinds if k not in blocks]
    if missing or not kinds:
        raise ValueError(
            f"observations {', '.join(missing) or 'none'} asked for; the training set holds "
            f"{', '.join(blocks)}"
        )
    size = require_number("size", size, 1e-100, 1e100, "the largest plausible |Gamma theta|, eV")
    prior = checked_prior(prior, blocks[kinds[0]].R.shape[1] - 1)
    if np.shape(S) != (len(prior), len(prior)) or not np.isfinite(S).all():
        raise ValueError(
            f"S of shape {np.shape(S)}: {len(prior)} x {len(prior)} finite numbers are needed, "
            "see `defect_response`"
        )
    A = np.concatenate(
        [scaled_rows(blocks[k], prior) / (tolerance[k] * np.sqrt(blocks[k].rows)) for k in kinds]
    )
    s, Vt = svd(
        np.concatenate([A, np.zeros((max(0, len(prior) - len(A)), len(prior)))]),
        full_matrices=False,
    )[1:]
    rank = int((s > 1e-10 * s[0]).sum())
    effect = S / prior * size  # of parameters in units of the prior's ball
    null = Vt[rank:].T
    R = qr(np.concatenate([A * size, np.eye(len(prior))]), mode="r")[0][: len(prior)]
    _, ambiguous, vectors = svd(solve_triangular(R, effect.T, trans="T", lower=False).T)
    worst = solve_triangular(R, vectors[0])
    blindness = 0.0
    if null.shape[1]:
        _, blind, v = svd(effect @ null)
        blindness, worst = float(blind[0]), null @ v[0]
    return Identifiability(
        scalars=sum(blocks[k].rows for k in kinds),
        rank=rank,
        free=len(prior) - rank,
        condition=float(s[0] / s[rank - 1]),
        blindness=blindness,
        ambiguity=float(ambiguous[0]),
        direction=worst / np.linalg.norm(worst) * size / prior,
    )


def joint_ranks(
    blocks: dict[str, Block],
    prior: np.ndarray,
    kinds: Sequence[str] = ("E", "F", "V", "FC"),
    cut: float = 1e-10,
) -> np.ndarray:
    """Rank of the data of every pair of kinds taken together, (n, n) int; the diagonal is each kind
    alone.

    Two kinds see rank[i, i] + rank[j, j] - rank[i, j] combinations of the parameters in common.
    """
    cut = require_number("cut", cut, 0.0, 1.0, "relative to the largest singular value")
    kinds = parse_kinds(kinds)
    if missing := [k for k in kinds if k not in blocks]:
        raise ValueError(f"kinds {missing}: the blocks are of {', '.join(blocks)}")
    out = np.zeros((len(kinds),) * 2, int)
    for i, a in enumerate(kinds):
        for j, b in enumerate(kinds):
            # Each kind at its own scale, so that one in large units does not hide the other.
            split = [scaled_rows(blocks[k], prior) for k in {a, b}]
            A = np.concatenate([m / np.linalg.norm(m, 2) for m in split])
            s = svd(A, compute_uv=False)
            out[i, j] = (s > cut * s[0]).sum()
    return out


def labelling_cost(
    crystal: Crystal,
    cutoff: float,
    configurations: Sequence[Configuration] = (),
    virials: int = 0,
    force_constants: bool = False,
    power: float = 1,
) -> float:
    """Cost of labels in atoms^power: every cell costs (its atoms)^power, whether its energy or all
    its forces are kept.

    configurations : sequence of Configuration      defect cells
    virials : int           strained crystals, each one conventional cell with the k-points of a
                            cell two cutoffs thick
    force_constants : bool  central differences in a cell four cutoffs thick, one displaced atom and
                            direction by symmetry for each
        sublattice (cubic crystals)
    """
    cutoff = require_number("cutoff", cutoff, 0, 1e3)
    virials = require_whole("virials", virials, 0, 1e9)
    power = require_number("power", power, 0, 10)
    repeats = lambda factor: np.ceil(factor * cutoff / thickness(crystal.cell) - 1e-9).astype(int)
    cost = sum(float(len(c.positions)) ** power for c in configurations)
    cost += virials * float(len(crystal.basis)) ** power * np.prod(repeats(2.0))
    if force_constants:
        cost += 2.0 * float(len(Supercell(crystal, tuple(repeats(4.0))))) ** power
    return float(cost)
