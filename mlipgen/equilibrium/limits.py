"""Memory and time of a relaxation, estimated before it is begun."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ..crystals import Crystal, Supercell
from ..failures import TooLarge

if TYPE_CHECKING:
    from ..contracts import Model, Size

#: Bytes for each pair of neighbours (vectors, indices, gradients) and for each atom (positions,
#: history of the relaxation, Green's function), measured on relaxations of 10^4 to 10^6 atoms.
PER_PAIR, PER_ATOM = 110, 2600
#: Seconds for each pair and force evaluation, and evaluations for a relaxation with its curvature.
SECONDS, EVALUATIONS = 6e-8, 30


def available_memory() -> float:
    """Bytes that this machine can still give; infinite where it does not say."""
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) + _reclaimable()
    except (AttributeError, ValueError, OSError):
        return np.inf


def _reclaimable():
    """Bytes of file caches, which the system gives up on demand (Linux)."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            found = dict(line.split(":") for line in lines)
        return 1024.0 * int(found["Cached"].split()[0])
    except (OSError, KeyError, ValueError):
        return 0.0


def relaxation_cost(potential: Model, crystal: Crystal, n: Size) -> tuple[int, float, float]:
    """Atoms, bytes and seconds (rough) of relaxing a defect in n conventional cells."""
    cell = Supercell(crystal, n)
    pairs = np.pi * 4 / 3 * (potential.cutoff + 0.4) ** 3 * len(crystal.basis)
    pairs /= abs(np.linalg.det(crystal.cell)) if crystal.dimension == 3 else np.inf
    atoms = len(cell)
    return (
        atoms,
        atoms * (PER_PAIR * pairs + PER_ATOM),
        atoms * pairs * SECONDS * EVALUATIONS,
    )


def require_memory(needed: float, what: str, fix: str) -> None:
    """Raise TooLarge, naming what and the fix, if `needed` bytes are not there."""
    there = available_memory()
    if needed > 0.9 * there:
        raise TooLarge(
            f"{what} needs about {needed / 1e9:.1f} GB of memory, {there / 1e9:.1f} GB are free: "
            f"{fix}"
        )


def check_relaxation(potential: Model, crystal: Crystal, n: Size) -> tuple[int, float, float]:
    """`relaxation_cost`, refused if it does not fit."""
    atoms, memory, seconds = relaxation_cost(potential, crystal, n)
    require_memory(memory, f"relaxing {atoms:,} atoms", "take a smaller cell")
    return atoms, memory, seconds
