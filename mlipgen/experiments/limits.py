"""Memory and time of a study, estimated before it is begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..crystals import Crystal, Supercell
from ..equilibrium.limits import check_relaxation, require_memory
from ..potentials._functions import count_functions

if TYPE_CHECKING:
    from ..contracts import Model


def check_study(
    study: Any, potential: Model, crystal: Crystal, functions: int | None = None
) -> tuple[int, float, float]:
    """Points, bytes and seconds (rough) of a study, refused if it does not fit.

    functions : of the largest basis, where it is known; default at most as many as it may have
    """
    functions = functions or count_functions(max(study.degrees), pair=study.pair)
    rows = study.count * 3 * len(Supercell(crystal, study.largest))
    memory = 8.0 * (functions * 6 * rows + 4 * functions**2)
    what = f"a basis of degree {max(study.degrees)} (up to {functions:,} functions)"
    require_memory(memory, f"fitting {what}", "take a lower degree, smaller cells or fewer")
    _, test, seconds = check_relaxation(potential, crystal, study.test_cell)
    return (
        len(study.grid()),
        max(memory, test),
        len(study.grid()) * (seconds + 1e-9 * functions**2 * rows),
    )
