"""Sweeps over training-cell size, observations and fit accuracy: every point fitted, predicted and
measured.

Each finished point is saved at once, so a killed study goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..crystals import DEFECTS
from ..equilibrium.relaxation import require_saddle
from ..failures import require_number, require_whole
from ..learning.fitting import RIDGE
from ..learning.kinds import KINDS, parse_kinds
from ..learning.training import HELD_OUT
from .prepared import Prepared, reference_potential
from .results import write_results
from .store import Store
from .sweep import ONE_AT_A_TIME, local_processes, sweep

__all__ = ["Prepared", "Study", "reference_potential", "run_all", "run_studies"]


@dataclass(frozen=True)
class Study:
    """A grid of fits for one crystal and one defect.

    Parameters
    ----------
    crystal, defect : str       e.g. "W", "vacancy"; "X" is the two-dimensional toy
    cells : tuple               training-cell sizes in conventional unit cells: integers, or one
                                tuple of integers for each
    observations : tuple        e.g. ("E", "EF", "EFV", "EF+FC", "EFV+FC")
    degrees : tuple of int      of the ACE basis: fit accuracy
    test_cell : int or tuple    size of the domain on which the defect error is measured
    count, seed, ridge, weights
    pair : int                  finer pair functions, see `ACEBasis`
    cutoff : float, A           of the ACE basis; default the potential's
    saddle : str                "warn", "follow" or "ignore" where the defect relaxes to a saddle
                                point in a training cell, see `relax`
    potential : optional        whatever gives the labels, if it is not the crystal's own
                                (`reference_potential`): a SitePotential or a CalculatorModel
    """

    crystal: str = "W"
    defect: str = "vacancy"
    cells: tuple = (3, 4, 5, 6)
    observations: tuple = ("E", "EF", "EFV", "EF+FC", "EFV+FC")
    degrees: tuple = (6, 8, 10)
    test_cell: int | tuple = 10
    count: int = 10
    seed: int = 0
    ridge: float = RIDGE
    weights: dict = field(default_factory=dict)
    pair: int = 1
    cutoff: float | None = None
    saddle: str = "warn"
    potential: object = None

    def __post_init__(self):
        _check_lists(self)
        _check_numbers(self)
        for name in ("count", "seed", "pair"):  # numpy's integers have no JSON
            object.__setattr__(self, name, int(getattr(self, name)))
        for name in ("cells", "degrees"):
            object.__setattr__(self, name, tuple(map(_plain, getattr(self, name))))
        object.__setattr__(self, "test_cell", _plain(self.test_cell))
        largest = max(self.cells, key=_volume)
        if any(n > m for n, m in zip(_sizes(largest), _sizes(self.test_cell))):
            raise ValueError(
                f"test cell {self.test_cell} is smaller than the training cell {largest}: "
                "generalisation is measured on the larger domain"
            )

    @property
    def largest(self) -> int | tuple:
        """The training cell of the greatest volume: held-out configurations are of that size."""
        return max(self.cells, key=_volume)

    def to_dict(self) -> dict:
        """Everything but the potential's own numbers, as plain data."""
        own = {k: v for k, v in vars(self).items() if k != "potential"}
        return own | {"potential": self.potential and _fingerprint(self.potential)}

    @property
    def key(self) -> str:
        """Fingerprint of everything a point depends on besides its own place in the grid (held-out
        cells are the largest).
        """
        grid = ("cells", "observations", "degrees")
        own = {k: v for k, v in self.to_dict().items() if k not in grid}
        kind = type(self).__name__  # another kind of study has other columns
        settings = [__version__, kind, HELD_OUT, max(self.degrees), self.largest, own]
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]

    def grid(self) -> list[tuple]:
        return [
            (n, kinds, degree)
            for n in self.cells
            for degree in self.degrees
            for kinds in self.observations
        ]

    def prepare(self) -> Prepared:
        """Reference potential, crystal, basis, relaxed reference and held-out blocks, as
        `Prepared`.
        """
        return Prepared(self)

    def run(
        self, out: str | Path | None = None, progress: bool = True, executor: Any = None
    ) -> list[dict]:
        """Compute every point; with `out` (a folder) each is saved at once and finished ones are
        not computed again.

        executor : anything with `submit`, see `sweep`; default: this process

        Returns a list of dicts (`results.point_row`), in grid order; writes study.csv, study.json
        and study.png to `out`.
        """
        return run_studies([self], [out], progress, executor)[0]


def run_studies(
    studies: Sequence, folders: Sequence, progress: bool = False, executor: Any = None
) -> list[list[dict]]:
    """Several studies as one sweep: a list of rows for each; see `Study.run`.

    folders : one for each study, or None where nothing is kept
    """
    stores = _Stores([Store(out, s.key) for s, out in zip(studies, folders)])
    points = [(k, *point) for k, study in enumerate(studies) for point in study.grid()]
    name = " ".join(dict.fromkeys(f"{s.crystal} {s.defect}" for s in studies))
    rows = sweep(points, _Task(tuple(studies)), stores, executor, progress, name[:40])
    parts = [[row for p, row in zip(points, rows) if p[0] == k] for k in range(len(studies))]
    for study, out, own in zip(studies, folders, parts):
        if out is not None:
            write_results(own, study, Path(out))
    return parts


def run_all(
    studies: Sequence,
    names: Sequence[str],
    out: str | Path | None = None,
    workers: int | None = None,
    executor: Any = None,
    progress: bool = False,
) -> list[dict]:
    """The rows of several studies, each kept in its own folder `out`/name.

    out : a folder, or None where nothing is kept
    workers : processes; default one for each core, 1 is this one
    executor : anything with `submit`, in place of local processes
    """
    if executor is None and workers != 1:
        with local_processes(workers) as pool:
            return run_all(studies, names, out, workers, pool, progress)
    folders = [None if out is None else Path(out) / name for name in names]
    parts = run_studies(studies, folders, progress, executor)
    return [row for part in parts for row in part]


def _fingerprint(potential):
    """A text that is the same for the same potential in every process: what it says of some
    neighbourhoods.
    """
    if hasattr(potential, "fingerprint"):
        return str(potential.fingerprint)
    d = getattr(potential, "dimension", 3)
    R = np.random.default_rng(0).normal(size=(12, d))
    R *= potential.cutoff * np.linspace(0.5, 0.95, 12)[:, None] / np.linalg.norm(R, axis=1)[:, None]
    V, G = potential.sites(R, np.array([0, 5, 12]))
    digest = hashlib.sha256(" ".join(f"{x:.9e}" for x in (*V, *G.ravel())).encode())
    return f"{type(potential).__name__} {potential.cutoff:g} {digest.hexdigest()[:16]}"


def _plain(n):
    """An integer, or a tuple of them, as Python's."""
    return tuple(map(int, n)) if isinstance(n, (tuple, list)) else int(n)


def _check_lists(study):
    for name in ("cells", "observations", "degrees"):
        if not isinstance(getattr(study, name), (tuple, list)):
            raise ValueError(f"{name}={getattr(study, name)!r}: give a tuple, as in (3, 4)")
    for kinds in study.observations:
        parse_kinds(kinds)
    if not (study.cells and study.observations and study.degrees):
        raise ValueError("a study needs at least one cell size, one observation set and one degree")
    for cell in (*study.cells, study.test_cell):
        whole = _sizes(cell) if isinstance(cell, (int, np.integer, tuple, list)) else (cell,)
        for n in whole:
            require_whole("cell size", n, 1, 100_000, "in conventional unit cells")
        if len(whole) not in (2, 3):
            raise ValueError(f"cell size {cell!r}: give one integer, or one for each direction")
    for degree in study.degrees:
        require_whole("degree", degree, 2, 1000, "the total degree of the basis")


def _check_numbers(study):
    if study.potential is None:
        reference_potential(study.crystal)
    if not isinstance(study.defect, str) or not (
        study.defect in DEFECTS or study.defect.startswith("dumbbell-")
    ):
        raise ValueError(f"defect {study.defect!r} is unknown; choose one of {', '.join(DEFECTS)}")
    require_whole("count", study.count, 1, 1_000_000, "training configurations of a cell")
    require_whole("seed", study.seed, 0, np.inf, "of the rattled configurations")
    require_whole("pair", study.pair, 1, 1000, "pair functions reach n = pair * degree")
    if not isinstance(study.ridge, (int, float)) or not 0 <= study.ridge <= 1e6:
        raise ValueError(
            f"ridge = {study.ridge}: give a number from 0 to 1e6; 1e-6 is a good start"
        )
    if study.cutoff is not None:
        require_number("cutoff", study.cutoff, 0.1, 1000.0, "in angstrom, or None")
    require_saddle(study.saddle)
    if not isinstance(study.weights, dict) or set(study.weights) - set(KINDS):
        raise ValueError(f"weights={study.weights!r}: a mapping of kinds, {', '.join(KINDS)}")
    for kind, weight in study.weights.items():
        require_number(f"the weight of {kind}", weight, 0.0, 1e100)


def _sizes(cell):
    return (cell,) * 3 if isinstance(cell, (int, np.integer)) else tuple(cell)


def _volume(cell):
    n = _sizes(cell)
    return n[0] * n[1] * (n[2] if len(n) > 2 else 1)


class _Stores:
    """The stores of several studies as one; the first entry of a point says which."""

    def __init__(self, stores):
        self.stores = stores

    def __contains__(self, point):
        return point[1:] in self.stores[point[0]]

    def __getitem__(self, point):
        return self.stores[point[0]][point[1:]]

    def add(self, point: tuple, row: dict) -> None:
        self.stores[point[0]].add(point[1:], row)


@dataclass(frozen=True)
class _Task:
    """One point of one of several studies, in whatever process: each prepares a study once."""

    studies: tuple

    def __call__(self, k, *point):
        with ONE_AT_A_TIME:
            return _prepared(_ByKey(self.studies[k])).point(*point)


class _ByKey:
    """A study that compares by its key, since its weights cannot be hashed."""

    def __init__(self, study):
        self.study, self.key = study, (type(study), study.key, study.cells, study.degrees)

    def __hash__(self):
        return hash(self.key)

    def __eq__(self, other):
        return self.key == other.key


@lru_cache(maxsize=2)
def _prepared(by_key):
    return by_key.study.prepare()
