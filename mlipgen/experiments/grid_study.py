"""What recorded studies share: a grid of points, a fingerprint of the rest, one sweep."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from .. import __version__
from .store import Store
from .sweep import ONE_AT_A_TIME, sweep


class GridStudy:
    """Base of frozen dataclasses, with tuples for lists, that say what is computed.

    A subclass names the fields that span its `GRID`, and defines `grid`, `prepare` (what all points
    share) and `title`; `compute` where a point is not the prepared study's own `point`.
    """

    GRID: ClassVar[tuple[str, ...]]

    @property
    def title(self) -> str:
        """What a progress bar shows."""
        raise NotImplementedError

    def grid(self) -> list[tuple]:
        raise NotImplementedError

    def prepare(self) -> Any:
        raise NotImplementedError

    def compute(self, prepared: Any, *point: Any) -> dict:
        """The row of one point."""
        return prepared.point(*point)

    def to_dict(self) -> dict:
        return dict(vars(self))

    def beyond(self) -> tuple:
        """What of the grid every point depends on, too."""
        return ()

    @property
    def key(self) -> str:
        """Fingerprint of everything a point depends on besides its own place in the grid."""
        own = {k: v for k, v in vars(self).items() if k not in self.GRID}
        kind = type(self).__name__
        settings = json.dumps([__version__, kind, *self.beyond(), own], sort_keys=True)
        return hashlib.sha256(settings.encode()).hexdigest()[:12]

    def rows(
        self, points: list[tuple], out: str | Path | None, executor: Any, progress: bool
    ) -> list[dict]:
        """Rows of these points, in order.

        out : a folder; each point is saved there at once, finished ones are not computed again
        executor : anything with `submit`, see `sweep`; None: this process
        """
        return sweep(points, _Task(self), Store(out, self.key), executor, progress, self.title)

    def run(
        self, out: str | Path | None = None, executor: Any = None, progress: bool = False
    ) -> list[dict]:
        """Rows of all points, in grid order; see `rows`."""
        return self.rows(self.grid(), out, executor, progress)


def run_each(
    studies: Sequence[Any], names: Sequence[str], out: str | Path | None, *given: Any
) -> list[Any]:
    """What each study's `run` returns, one after the other; `out`: a folder, in which each has one
    of its name.  given : the executor, and whether to show progress
    """
    folders = [None if out is None else Path(out) / name for name in names]
    return [study.run(folder, *given) for study, folder in zip(studies, folders, strict=True)]


@dataclass(frozen=True)
class _Task:
    """One point, in whatever process: each prepares a study once."""

    study: GridStudy

    def __call__(self, *point):
        with ONE_AT_A_TIME:
            return self.study.compute(_prepared(self.study), *point)


@lru_cache(maxsize=1)
def _prepared(study):
    return study.prepare()
