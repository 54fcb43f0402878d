"""Is a potential of your own one that the library can use?"""

from dataclasses import dataclass

import numpy as np

#: Relative accuracies asked of a gradient (against central differences) and of a complex step.
GRADIENT, COMPLEX = 1e-6, 1e-10


@dataclass(frozen=True)
class Finding:
    """One test of a potential: what was looked at, how far off it was, and the mend."""

    what: str
    error: float
    limit: float
    mend: str

    @property
    def passed(self) -> bool:
        return bool(self.error <= self.limit)


def check_potential(potential, neighbours: int = 12, seed: int = 0) -> list[Finding]:
    """Test a potential's `sites` on random neighbourhoods; see the book's page on writing one.

    gradient        G = dV/dR against central differences of V
    complex safety  the same derivative from Im V(R + i h v) / h: comparisons, absolute values and
                    casts to float must look at `.real`, or force constants are wrong
    symmetry        second derivatives from Im G are symmetric
    cutoff          V and G vanish, and go to zero smoothly, at `potential.cutoff`
    grouping        two sites at once are the two sites one by one

    Returns
    -------
    list of Finding; `ValueError` names those that failed

    Raises
    ------
    ValueError      if a test fails, or a needed attribute (cutoff, symbol) is missing
    """
    missing = [name for name in ("cutoff", "symbol", "sites") if not hasattr(potential, name)]
    if missing:
        raise ValueError(
            f"{type(potential).__name__} has no {', '.join(missing)}: a potential needs a cutoff "
            "(A), the chemical symbol, and sites(R, offsets)"
        )
    rng = np.random.default_rng(seed)
    R = _neighbourhood(rng, potential, neighbours)
    findings = [
        _gradient(potential, R, rng),
        _complex(potential, R, rng),
        _symmetry(potential, R, rng),
        _cutoff(potential, R, rng),
        _grouping(potential, R, _neighbourhood(rng, potential, neighbours - 3)),
    ]
    failed = [f for f in findings if not f.passed]
    if failed:
        raise ValueError(
            f"{type(potential).__name__} is not ready: "
            + "; ".join(
                f"{f.what} off by {f.error:.1e} (limit {f.limit:.0e}): {f.mend}" for f in failed
            )
        )
    return findings


def _neighbourhood(rng, potential, n):
    """Neighbour vectors (n, d), well apart, between half the cutoff and just inside it."""
    d = getattr(potential, "dimension", 3)
    u = rng.normal(size=(n, d))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    return u * potential.cutoff * rng.uniform(0.55, 0.97, (n, 1))


def _one(potential, R):
    return potential.sites(R, np.array([0, len(R)]))


def _relative(a, b, scale):
    error = float(np.abs(a - b).max() / max(scale, 1e-12))
    return error if np.isfinite(error) else np.inf


def _gradient(potential, R, rng):
    v, h = rng.normal(size=R.shape), 1e-5
    G = np.real(_one(potential, R)[1])
    slope = (_one(potential, R + h * v)[0] - _one(potential, R - h * v)[0]).real / (2 * h)
    error = _relative(slope.sum(), (G * v).sum(), np.abs(G * v).sum())
    return Finding("the gradient", error, GRADIENT, "G must be dV_i/dR_p, one row for each pair")


def _complex(potential, R, rng):
    v = rng.normal(size=R.shape)
    G = np.real(_one(potential, R)[1])
    try:
        V = _one(potential, R + 1e-30j * v)[0]
        error = _relative(np.imag(V).sum() / 1e-30, (G * v).sum(), np.abs(G * v).sum())
    except (TypeError, np.exceptions.ComplexWarning):
        error = np.inf
    mend = "accept complex R: compare .real only, no abs(), no float(), no norm()"
    return Finding("a complex step of the energy", error, COMPLEX, mend)


def _symmetry(potential, R, rng):
    v, w = rng.normal(size=(2, *R.shape))

    def second(a, b):
        return float((np.imag(_one(potential, R + 1e-30j * a)[1]) * b).sum() / 1e-30)

    try:
        left, right = second(v, w), second(w, v)
        error = _relative(left, right, abs(left) + abs(right))
    except (TypeError, np.exceptions.ComplexWarning):
        error = np.inf
    return Finding("the symmetry of second derivatives", error, 1e-8, "G must be complex, too")


def _cutoff(potential, R, rng):
    """What a neighbour at the cutoff adds, relative to one at half of it."""
    V0 = _one(potential, R)[0]
    direction = R[:1] / np.linalg.norm(R[0])
    changes = []
    for r in (1.0001, 1 - 1e-4, 0.75):
        V, G = _one(potential, np.concatenate([R, direction * potential.cutoff * r]))
        changes.append(float(np.abs(V - V0).max() + np.abs(G[-1]).max()))
    outside, edge, inside = changes
    if not inside > 0:
        return Finding("the reach", np.inf, 1.0, "no pair interacts: is the cutoff in angstrom?")
    error = max(outside / inside * 1e6, edge / inside)
    return Finding(
        "the end at the cutoff", error, 1e-2, "bring V and its derivatives to zero at `cutoff`"
    )


def _grouping(potential, R, other):
    both = potential.sites(np.concatenate([R, other]), np.array([0, len(R), len(R) + len(other)]))[
        0
    ]
    single = [_one(potential, r)[0][0] for r in (R, other)]
    error = _relative(both, np.array(single), np.abs(single).max())
    return Finding(
        "two sites at once", error, 1e-10, "pairs of site i are offsets[i] <= p < offsets[i + 1]"
    )
