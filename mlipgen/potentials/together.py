"""Structures that are known beforehand, for a calculator that can have several computed at once."""

from collections.abc import Sequence

import numpy as np

from ..crystals import as_atoms


def compute_together(
    model, structures: Sequence[tuple[np.ndarray, np.ndarray]], what: str = "forces"
) -> None:
    """Tell a CalculatorModel's calculator what it will be asked, if it has `compute_all`.

    structures : positions (n, d), A, and cell (d, d) of each;  what : "forces" or "stress"
    """
    compute_all = getattr(model.calculator, "compute_all", None)
    if compute_all is not None:
        compute_all([as_atoms(model.symbol, x, cell) for x, cell in structures], [what])
