"""What to label next: observations ranked by what they take off the predicted defect error for
their cost.

For a linear candidate with known training rows A_k (M in all, with the fit's weights w_k) the
parameters are known up to

    Sigma = (sum_k w_k^2 A_k' A_k / (M rho^2) + K Gamma^2 / |Gamma theta|^2)^-1 = (R' R)^-1
    e^2 = trace S Sigma S' = |S R^-1|^2,      |D du| = |S theta|

rho is the fit's weighted root mean square residual: parameters that fit all data as well as these,
and are of their size, cannot be told from them (the ambiguity of `learning.identify`, in the
mean).  It is a *mean* over the rows, not a sum as for noisy data: labels without noise repeat
themselves, and a fit's error is what its basis cannot express (as in arXiv:2502.07104).  A new
block B joins the sum and the count: exact for the linear model, and no label is needed.  Where
nothing offered makes e smaller the basis is the limit, not the data.

For any other candidate there is a heuristic: what would be left of the residual r, in the dual
norm, if the structure set right the forces that it shows.  Offered are then only the sizes of the
check cells: what the candidate does in smaller ones was not looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
from scipy.linalg import qr, solve_triangular

from ...equilibrium import EnergyNorm, LatticeGreen, landscape, linear_response, relax
from ...failures import NoEquilibrium
from ...learning import Block, default_weights, defect_response
from ...learning.fitting import RIDGE
from ...potentials import LinearACE
from ..composite import restriction, same_defect
from .budget import residual_parts
from .crystal import Pair
from .defect import Found, Settings
from .offers import Candidate, crystal_candidates, defect_candidates, sizes
from .sections import Offer, Shopping

#: A smaller share of the error is not worth an offer.
LEAST = 0.005
_EXACT = (
    "exact for this linear model: what its training data and each offer leave open of its "
    "parameters at the accuracy of its fit, through the response of the defects"
)
_HEURISTIC = (
    "a heuristic, for a candidate whose training data or parameters are not known: what is left "
    "of the residual if the forces that the structure shows were right"
)


@dataclass
class Shop:
    """Makes the shopping list of an assessment; `structures` are those to label, as ASE Atoms.

    Parameters
    ----------
    training : dict kind -> Block   the candidate's own training data, if it is a LinearACE
    weights : dict, ridge : float   of its fit
    most : int                      offers at most
    power : float                   the cost of a calculation is (its atoms)^power
    rattle : float, A;  seed : int  of the defect structures
    """

    training: dict[str, Block] | None = None
    weights: dict[str, float] | None = None
    ridge: float = RIDGE
    most: int = 8
    power: float = 1.0
    rattle: float = 0.03
    seed: int = 0
    structures: list = field(default_factory=list, repr=False)

    def __call__(self, pair: Pair, settings: Settings, found: Sequence[Found]) -> Shopping | None:
        """Offers for the defects in `found` (`defect.Found`), best first."""
        found = [f for f in found if f.forecast is not None and f.forecast.steps]
        if not found:
            return None
        exact = isinstance(pair.candidate, LinearACE) and bool(self.training)
        candidates = crystal_candidates(pair, self.power)
        for one in found:
            cells = sizes(pair, settings) if exact else settings.checks
            candidates += defect_candidates(pair, cells, one, self)
        measure = self._exact(pair, settings, found) if exact else _Residual(pair, found)
        offers = self._greedy(candidates, measure)
        return Shopping(exact, _EXACT if exact else _HEURISTIC, offers)

    def _exact(self, pair, settings, found):
        S = [s for one in found if (s := response(pair, settings, one)) is not None]
        return Ambiguity(pair.candidate, self.training, self.weights, np.concatenate(S))

    def _greedy(self, candidates: list[Candidate], measure):
        """The best value for its cost, then the best on top of that, and so on."""
        left, offers, start = list(candidates), [], measure.error
        while left and len(offers) < self.most and measure.error > 0:
            gains = [(measure.error - measure.after(c)) / start for c in left]
            values = [g / c.cost if g > LEAST else 0.0 for g, c in zip(gains, left)]
            best = int(np.argmax(values))
            if values[best] == 0:
                break
            chosen = left.pop(best)
            measure.take(chosen)
            offers.append(_offer(chosen, gains[best]))
            self.structures += chosen.structures(len(offers), gains[best])
        return offers


def _offer(c: Candidate, gain: float) -> Offer:
    return Offer(c.kinds, c.structure, list(c.cells), c.atoms, c.count, c.cost, float(gain))


def response(pair: Pair, settings: Settings, found: Found) -> np.ndarray | None:
    """S of the defect in the largest check cell, at the candidate's equilibrium there; None where
    it has none.
    """
    small = same_defect(found.defect, pair.target, settings.checks[-1])
    R = restriction(found.equilibrium.defect, small)
    start = small.positions + R @ found.equilibrium.u
    try:
        there = relax(pair.candidate, small, start=start, tolerance=1e-6, saddle="ignore")
        P = LatticeGreen(pair.candidate, small.homogeneous).for_defect(small)
        H = landscape(pair.candidate, small.cell, there.positions).hessian()
        state = SimpleNamespace(
            equilibrium=there,
            defect=small,
            norm=EnergyNorm(there),
            response=lambda f, rtol: linear_response(H, f, P, rtol=rtol),
        )
        return defect_response(pair.candidate.basis, state, rtol=1e-4)
    except NoEquilibrium:
        return None


class Ambiguity:
    """e = |S R^-1| of a linear model, and how blocks of rows change it."""

    def __init__(self, model, training, weights, S):
        self.basis, self.S = model.basis, S
        self.weights = {**default_weights(), **(weights or {})}
        used = {k: b for k, b in training.items() if self.weights.get(k, 0) > 0}
        squares = sum((self.weights[k] * b.residual(model.theta)) ** 2 for k, b in used.items())
        self.rows = sum(b.rows for b in used.values())
        self.rms = float(np.sqrt(squares / self.rows)) or 1e-12
        prior, K = model.basis.prior, len(model.theta)
        self.prior = np.diag(np.sqrt(K) * prior / np.linalg.norm(prior * model.theta))
        self.data = _triangle(
            np.concatenate([self.weights[k] * b.R[:, :-1] for k, b in used.items()])
        )
        self._blocks = {}

    @property
    def error(self) -> float:
        return self._size(self.data, self.rows)

    def after(self, candidate: Candidate) -> float:
        return self._size(*self._with(candidate))

    def take(self, candidate: Candidate) -> None:
        self.data, self.rows = self._with(candidate)

    def _with(self, candidate):
        if candidate not in self._blocks:
            w = self.weights
            B = np.concatenate([w[o.kind] * o.observe(self.basis) for o in candidate.observations])
            self._blocks[candidate] = (_triangle(B), len(B))
        B, rows = self._blocks[candidate]
        return _triangle(np.concatenate([self.data, B])), self.rows + rows

    def _size(self, data, rows):
        R = _triangle(np.concatenate([data / (self.rms * np.sqrt(rows)), self.prior]))
        return float(np.linalg.norm(solve_triangular(R, self.S.T, trans="T")))


def _triangle(A):
    return qr(A, mode="r")[0][: A.shape[1]] if len(A) > A.shape[1] else A


class _Residual:
    """The dual norm of what is left of the defects' residuals: for any candidate, a heuristic."""

    def __init__(self, pair, found):
        self.parts, self.P = {}, {}
        for one in found:
            large = one.equilibrium.defect
            step = one.forecast.steps[-1]
            parts = residual_parts(step, large)
            harmonic = parts["harmonic far field"]
            # what force constants explain, and what defect cells show of the rest
            self.parts[one.name] = (harmonic, step.residual - harmonic)
            self.P[one.name] = LatticeGreen(pair.candidate, large.homogeneous).for_defect(large)

    @property
    def error(self) -> float:
        return self._size(self.parts)

    def after(self, candidate: Candidate) -> float:
        return self._size(self._without(candidate))

    def take(self, candidate: Candidate) -> None:
        self.parts = self._without(candidate)

    def _without(self, candidate):
        out = dict(self.parts)
        for name, (harmonic, rest) in self.parts.items():
            if candidate.kinds == "FC":
                out[name] = (0 * harmonic, rest)
            elif candidate.shows and candidate.defect == name:
                out[name] = (harmonic, np.where(candidate.seen[:, None], 0.0, rest))
        return out

    def _size(self, parts):
        total = 0.0
        for name, (harmonic, rest) in parts.items():
            r = harmonic + rest
            r = r - r.mean(axis=0)
            total += float((r * self.P[name](r)).sum())
        return float(np.sqrt(max(total, 0.0)))
