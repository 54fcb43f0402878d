"""The contract: what a potential, reference or learned, is.

A potential is one thing: the energy V_i of each site and its gradient with respect to the vectors
R = r_j - r_i to the site's neighbours.  Forces, virials, force constants and elastic constants are
derived from that elsewhere, for all potentials alike.  Units eV and angstrom.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class SitePotential:
    """Energy of each site and its gradient; the base class of reference potentials and fitted
    models.

    Attributes
    ----------
    symbol : str            chemical symbol of the one element
    cutoff : float          A; pairs at this distance or beyond contribute nothing
    dimension : int         3, or 2 for the toy
    structure : str         natural lattice: "bcc", "fcc", "hcp", "diamond" or "triangular"
    a0_guess : float        A; starting value for its lattice constant
    c_over_a : float        starting value, hcp only
    concurrent : bool       whether several threads may call `sites` at once, with gain: it releases
                            Python's lock and keeps nothing between calls
    """

    symbol: str
    cutoff: float
    dimension: int = 3
    concurrent: bool = False
    structure: str
    a0_guess: float

    def sites(self, R: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Site energies V_i and gradients dV_i/dR_p.

        Parameters
        ----------
        R : ndarray, shape (n_pairs, dimension), float64 or complex128
            A; neighbour vectors r_j - r_i grouped by site i.  Pairs beyond the cutoff are allowed
            and contribute zero.
        offsets : ndarray, shape (n_sites + 1,), int64
            The pairs of site i are offsets[i] <= p < offsets[i+1].

        Returns
        -------
        V : ndarray, shape (n_sites,)               eV
        G : ndarray, shape (n_pairs, dimension)     eV/A, dV_i/dR_p
            Both have the dtype of R: for complex R they are the analytic continuation, so a complex
            step differentiates exactly.

        Raises
        ------
        ValueError      if R has the wrong shape or offsets do not cover the pairs.
        """
        raise NotImplementedError(f"{type(self).__name__} must define sites(R, offsets)")

    def calculator(self) -> Any:
        """The ASE calculator of this potential (energy, forces, stress, per-atom energies)."""
        from .calculators import SiteCalculator

        return SiteCalculator(self)

    def _prepare(self, R, offsets):
        """`checked_pairs`, with V (zeros) and G (uninitialised) to fill."""
        R, offsets = checked_pairs(R, offsets, self.dimension)
        return R, offsets, np.zeros(len(offsets) - 1, R.dtype), np.empty_like(R)


def check_fade(fade: Sequence[float]) -> tuple[float, float]:
    try:
        r_on, r_off = (float(r) for r in fade)
    except (TypeError, ValueError):
        raise ValueError(f"fade={fade!r}: give two distances in angstrom, (r_on, r_off)") from None
    if not 0 < r_on < r_off < np.inf:
        raise ValueError(f"fade=({r_on:g}, {r_off:g}): need 0 < r_on < r_off, both in angstrom")
    return r_on, r_off


def checked_pairs(
    R: np.ndarray, offsets: np.ndarray, dimension: int
) -> tuple[np.ndarray, np.ndarray]:
    """R and offsets of `SitePotential.sites`, contiguous, after checking their shapes: compiled
    kernels look at nothing themselves.
    """
    R = np.asarray(R)
    R = np.ascontiguousarray(R, dtype=np.complex128 if np.iscomplexobj(R) else np.float64)
    given, offsets = offsets, np.asarray(offsets)
    if offsets.dtype.kind not in "iu":
        if offsets.dtype.kind not in "fb":
            raise ValueError(f"offsets must be integers; got {given!r}")
        with np.errstate(invalid="ignore"):
            whole = np.asarray(offsets, float).astype(np.int64)
        if (whole != offsets).any():
            raise ValueError(f"offsets must be integers; got {given!r}")
        offsets = whole
    offsets = np.ascontiguousarray(offsets, dtype=np.int64)
    if R.ndim != 2 or R.shape[1] != dimension:
        raise ValueError(
            f"R has shape {R.shape}: neighbour vectors must have shape (n_pairs, {dimension})"
        )
    if (
        offsets.ndim != 1
        or len(offsets) == 0
        or offsets[0] != 0
        or offsets[-1] != len(R)
        or (np.diff(offsets) < 0).any()
    ):
        raise ValueError(
            f"offsets must rise from 0 to the number of pairs, {len(R)}, with one entry more than "
            f"sites; got shape {offsets.shape}, first and last {offsets[:1].tolist()}, "
            f"{offsets[-1:].tolist()}"
        )
    return R, offsets
