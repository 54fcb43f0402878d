"""Extreme eigenvalues of operators on displacement fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh

from ..failures import NotConverged, Unstable, require_number, require_whole

if TYPE_CHECKING:
    from ..contracts import Operator


#: Index of the wanted one among eigenvalues in ascending order.
PICK = {
    "largest": lambda v: -1,
    "smallest": lambda v: 0,
    "modulus": lambda v: int(np.argmax(np.abs(v))),
}


def extreme_eigenvalue(
    A: Operator,
    B: Operator,
    P: Operator,
    shape: tuple,
    end: str = "largest",
    tolerance: float = 5e-3,
    most: int = 60,
    seed: int = 0,
    start: Sequence[np.ndarray] = (),
    floor: float = 0.0,
) -> tuple[float, np.ndarray]:
    """Extreme eigenvalue of A x = lambda B x on mean-free fields by the generalised Davidson
    method, and its vector.

    A, B : callables (n, d) -> (n, d), symmetric, B positive;  P : callable, a preconditioner of B
        (the lattice Green's function)
    end : "largest", "smallest" or "modulus" (of largest absolute value)
    start : sequence of (n, d)     first guesses (default: one random field); without a component
                                   along the wanted mode the method may stop at another one
    tolerance : float     relative; a Ritz value lies inside the spectrum, so the true value can be
                          further out by this much

    floor : float         values smaller than this count as settled at it: near zero no relative
                          tolerance is ever met

    Raises NotConverged after `most` products, Unstable if B is not positive.  Source: Davidson, J.
    Comput. Phys. 17, 87 (1975).
    """
    if not isinstance(end, str) or end not in PICK:
        raise ValueError(f"end={end!r}: choose one of {', '.join(PICK)}")
    tolerance = require_number("tolerance", tolerance, 1e-14, 1.0, "relative, of the eigenvalue")
    most = require_whole("most", most, 1, 100_000, "of the products")
    seed = require_whole("seed", seed, 0, np.inf)
    centre = lambda v: v - v.mean(axis=0)
    pick = PICK[end]
    guesses = list(start) or [P(np.random.default_rng(seed).standard_normal(shape))]
    new, V, AV, BV = centre(guesses.pop()), [], [], []
    for _ in range(most):
        for _ in range(2):  # orthogonalise twice: once loses digits
            for v, Bv in zip(V, BV):
                new = new - (new * Bv).sum() * v
        Bn = centre(B(new))
        square = (new * Bn).sum()
        if not square > 0:
            raise Unstable(
                "the operator that eigenvalues are measured by has a negative direction: not a "
                "stable equilibrium"
            )
        size = np.sqrt(square)
        V.append(new / size), BV.append(Bn / size), AV.append(centre(A(V[-1])))
        if guesses:
            new = centre(guesses.pop())
            continue
        values, vectors = eigh(np.tensordot(np.array(V), np.array(AV), axes=([1, 2], [1, 2])))
        k = pick(values)
        combine = lambda W: np.tensordot(vectors[:, k], np.array(W), axes=1)
        residual = combine(AV) - values[k] * combine(BV)
        new = centre(P(residual))
        # With P close to B^-1, <r, P r> bounds the square of the distance to the spectrum.
        if np.sqrt(max((residual * new).sum(), 0.0)) <= np.sqrt(tolerance) * max(
            abs(values[k]), floor
        ):
            return float(values[k]), combine(V)
    raise NotConverged(f"the {end} eigenvalue did not settle to {tolerance:g} in {most} products")
