"""Loss weights that make a predicted defect error small: the twin of page/search.js.

    minimise  value(w, ridge)   over the weights w of the allowed kinds and the ridge,

each value one fit through the R-factors of `ExplorerData`.  Weights stand on the explorer's slider
positions, tenths of a decade, the ridge on quarters; only ratios matter, so one weight is held.  A
coordinate search with shrinking steps from a few starts; then every coordinate is looked at over
its whole box, and if that finds a better place the search goes on from there.  Some hundred fits,
the same in the page and here.
"""

from dataclasses import dataclass, field, replace
from math import ceil, hypot, inf, log10, sqrt

import numpy as np

from ...crystals import thickness
from ..explorer.data import FORCES, KINDS, ExplorerData, Setting

OBJECTIVES = ("both", "geometry", "energy")
#: Least and largest positions: weights 1e-3 to 1e3, ridge 1e-8 to 1.
BOX = {"weight": (-30, 30), "ridge": (-32, 0)}
#: Steps of weights and ridge, one round of the search after the other.
STEPS = ((10, 4), (5, 2), (2, 1), (1, 1))
#: A move must win this fraction, so that rounding decides nothing.
GAIN = 1e-4
#: What counts as just as good.
FLAT = 1.1
#: Starts beside the usual weights: the small weights of the crystal's data, and all alike.
STARTS = (
    {"E": 15, "F": 0, "V": 0, "FC": -20, "ridge": -16},
    {"E": 0, "F": 0, "V": 0, "FC": 0, "ridge": -16},
)
#: Displacement, A, of the supercells that stand for force constants in other codes.
STEP = 0.01


@dataclass(frozen=True)
class Problem:
    """What the reader chooses.

    cell : training-cell size;  kinds : allowed, of E F V FC;  forces : how forces are weighted
    objective : "geometry" (A), "energy" (eV) or "both" (their geometric mean).  The energy is the
        root of the predicted error and the held-out energies of the cells, squared and added: the
        first alone has a sign, and weights can be tuned to its zero.
    """

    cell: int
    degree: int
    kinds: tuple = KINDS
    forces: str = "uniform"
    objective: str = "both"

    def __post_init__(self):
        if unknown := set(self.kinds) - set(KINDS):
            raise ValueError(f"kinds={sorted(unknown)}: choose from {list(KINDS)}")
        if not self.kinds:
            raise ValueError("kinds=(): allow at least one kind of observation")
        if self.forces not in FORCES:
            raise ValueError(f"forces={self.forces!r}: choose one of {list(FORCES)}")
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective={self.objective!r}: choose one of {list(OBJECTIVES)}")

    @property
    def held(self):
        """The kind whose weight is not searched."""
        return "F" if "F" in self.kinds else self.kinds[0]

    @property
    def coordinates(self):
        return [k for k in KINDS if k in self.kinds and k != self.held] + ["ridge"]

    def setting(self, x):
        """The fit at positions x, {kind: tenths, "ridge": quarters}."""
        weights = {k: 10.0 ** (x[k] / 10) for k in KINDS if k in x}
        return Setting(self.cell, self.degree, 10.0 ** (x["ridge"] / 4), weights, self.forces)


@dataclass
class Design:
    """The weights found.

    x, usual : positions;  value, usual_value : of the objective, inf where the prediction does not
    apply;  profiles : see `profile`;  tried : {positions: (value, geometry A, energy eV)}
    """

    problem: Problem
    x: dict
    value: float
    usual: dict
    usual_value: float
    profiles: dict = field(default_factory=dict, repr=False)
    tried: dict = field(default_factory=dict, repr=False)

    @property
    def setting(self):
        return self.problem.setting(self.x)


class Evaluator:
    """Values of one problem, each fit solved once."""

    def __init__(self, data: ExplorerData, problem: Problem):
        self.data, self.problem, self.seen = data, problem, {}

    def __call__(self, x):
        key = tuple(sorted(x.items()))
        if key not in self.seen:
            self.seen[key] = self._solve(self.problem.setting(x))
        return self.seen[key][0]

    def _solve(self, setting):
        s = self.data.solve(setting)
        if not s["applies"]:
            return inf, inf, inf
        held = self.data.residual("held", "E", setting, s["theta"]) or 0.0
        geometry, energy = s["geometry"], hypot(s["energy"], held)
        of = {"geometry": geometry, "energy": energy, "both": sqrt(geometry * energy)}
        return of[self.problem.objective], geometry, energy


def usual_positions(data, problem):
    """The library's own weights and the data's ridge, on the grid of positions."""
    weights, ridge = data.meta["weights"], data.meta["default"]["ridge"]
    x = {k: round(10 * log10(weights[k])) for k in KINDS if k in problem.kinds}
    return {**x, "ridge": round(4 * log10(ridge))}


def design(data, problem):
    """The best weights found for a problem, a `Design`."""
    value, usual = Evaluator(data, problem), usual_positions(data, problem)
    best = None
    for start in (usual, *STARTS):
        x = {k: start[k] for k in usual}
        x[problem.held] = usual[problem.held]
        x, v = _descend(value, problem, x)
        if best is None or v < (1 - GAIN) * best[1]:
            best = x, v
    profiles = {}
    while np.isfinite(best[1]):
        profiles = profile(value, problem, *best)
        y = _best_of(profiles, best[0])
        if not value(y) < (1 - GAIN) * best[1]:
            break
        best = _descend(value, problem, y)
    return Design(problem, *best, usual, value(usual), profiles, value.seen)


def evaluate(data, problem, x):
    """The value of a problem's objective for one defect's data at positions x, inf where the
    prediction does not apply.  data may be of another defect than that of a design.
    """
    return Evaluator(data, problem)(x)


def _descend(value, problem, x):
    best = value(x)
    for steps in STEPS:
        moved = True
        while moved:
            moved = False
            for key in problem.coordinates:
                for sign in (1, -1):
                    while (y := _stepped(x, key, sign, steps)) is not None:
                        v = value(y)
                        if not v < (1 - GAIN) * best:
                            break
                        x, best, moved = y, v, True
    return x, best


def _stepped(x, key, sign, steps):
    low, high = BOX["ridge" if key == "ridge" else "weight"]
    to = min(high, max(low, x[key] + sign * steps[key == "ridge"]))
    return None if to == x[key] else {**x, key: to}


def profile(value, problem, x, best):
    """How flat the optimum is: {coordinate: (positions, values / best, (low, high))}.

    One position at a time is moved over its whole box; low and high bound the stretch around the
    optimum whose values are at most `FLAT` times the best.
    """
    out = {}
    for key in problem.coordinates:
        low, high = BOX["ridge" if key == "ridge" else "weight"]
        step = 1 if key == "ridge" else 2
        at = x[key]
        positions = np.arange(at - (at - low) // step * step, high + 1, step)
        ratio = np.array([value({**x, key: int(p)}) for p in positions]) / best
        flat, k = ratio <= FLAT, int(np.flatnonzero(positions == at)[0])
        first, last = k, k
        while first > 0 and flat[first - 1]:
            first -= 1
        while last < len(flat) - 1 and flat[last + 1]:
            last += 1
        out[key] = positions, ratio, (int(positions[first]), int(positions[last]))
    return out


def _best_of(profiles, x):
    """The best place of all profiles, the first of equals."""
    least, place = 1.0, x
    for key, (positions, ratio, _) in profiles.items():
        for p, q in zip(positions, ratio):
            if q < (1 - GAIN) * least:
                least, place = q, {**x, key: int(p)}
    return place


def price(data, size, kinds):
    """Atom calls that label the cells of one size and the crystal's data of these kinds, without
    those that relax the cell.
    """
    known, atoms = facts(data), {c["size"]: c["atoms"] for c in data.meta["cells"]}
    calls = known["count"] * atoms[size]
    if "V" in kinds:
        calls += known["strained"] * known["primitive"]
    if "FC" in kinds and known["supercell"]:
        calls += 2 * known["supercell"]["atoms"]
    return calls


def affordable(data, problem, budget):
    """The problems that a budget pays for, atom calls: of each training-cell size with as much of
    the crystal's data as the problem allows and the budget reaches.  Less of it is left out,
    because a small weight comes to the same.

    Returns
    -------
    list of Problem; the best one is that whose `design` has the least value
    """
    out = []
    for size in (c["size"] for c in data.meta["cells"]):
        left = [set(problem.kinds) - set(gone) for gone in ((), ("V",), ("FC",), ("V", "FC"))]
        paid = [k for k in left if k and price(data, size, k) <= budget]
        most = [k for k in paid if not any(k < other for other in paid)]
        kinds = dict.fromkeys(tuple(k for k in KINDS if k in one) for one in most)
        out += [replace(problem, cell=size, kinds=k) for k in kinds]
    return out


def facts(data):
    """What prices and exports need to know of a data set beside its factors.

    Returns
    -------
    dict: count, configurations of each cell;  strained, primitive cells with virials;  primitive,
        atoms of such a cell;  supercell, {size, atoms} four cutoffs thick, and shell, distance of
        the nearest neighbours in A, or None where the data do not know the cutoff;  step, A
    """
    meta = data.meta
    of = lambda name: round(meta["factors"][name] ** -2) if name in meta["factors"] else 0
    size = meta["cells"][0]["size"]
    out = {
        "count": of(f"R/train/E/{size}"),
        "strained": of("R/train/V/any"),
        "primitive": 1,
        "supercell": None,
        "shell": None,
        "step": STEP,
    }
    if relax := meta.get("relax"):
        cell = np.reshape(relax["cell"], (3, 3))
        n = ceil(4 * relax["cutoff"] / thickness(cell).min())
        out["primitive"] = len(set(relax["sublattice"]))
        out["supercell"] = {"size": n, "atoms": n**3 * len(relax["sublattice"])}
        out["shell"] = relax["core"] / 1.6
    return out
