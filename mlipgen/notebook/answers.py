"""The explorer's answers, for chapters that ask many of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def solver(data: Any) -> tuple[Callable[..., dict], Callable[..., float]]:
    """(solve, error) for an `ExplorerData`: what the explorer shows for a setting of its controls.

    solve(cell=4, kinds="EF", degree=8, ridge=1e-6, noise=0.0, forces="uniform", E=1.0, ...) gives
    all numbers of the page; weights are the library's unless given by name.  error(...) is the
    predicted geometry error as a fraction of |D ubar|.
    """
    from mlipgen.learning import WEIGHTS, parse_kinds
    from mlipgen.widgets.explorer import Setting

    def solve(
        cell: int = 4,
        kinds: str = "EF",
        degree: int = 8,
        ridge: float = 1e-6,
        noise: float = 0.0,
        forces: str = "uniform",
        **weights: float,
    ) -> dict:
        chosen = {k: WEIGHTS[k] for k in parse_kinds(kinds)} | weights
        return data.solve(Setting(cell, degree, ridge, chosen, forces, noise))

    def error(*args: Any, **options: Any) -> float:
        return solve(*args, **options)["geometry"] / data.meta["norm"]

    return solve, error
