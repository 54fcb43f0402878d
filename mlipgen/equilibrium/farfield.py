"""The far field of a point defect: decay |D^j u| ~ r^(1-d-j), measured.  Lengths in A, energies in
eV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..crystals import minimum_image, thickness, translated, translations
from ..failures import require_number, require_whole
from ..potentials._complex import smoothstep
from ..rates import observed_rate

if TYPE_CHECKING:
    from ..crystals.defects import Defect
    from .relaxation import Equilibrium


#: Each order takes as many times the memory as there are shortest translations (fcc: 6).
MOST_ORDERS = 5


def ramp(r: np.ndarray, L: float) -> np.ndarray:
    """0 for r <= L, 1 for r >= 2L, the C3 smoothstep in between."""
    L = require_number("L", L, 1e-9, 1e9)
    r = np.asarray(r, float)
    if np.isnan(r).any():
        raise ValueError(f"r: {np.isnan(r).sum()} of {r.size} distances are no numbers")
    return smoothstep.py_func(np.clip(r / L - 1, 0, 1))[0]


def on_lattice(defect: Defect, u: np.ndarray, empty: float = np.nan) -> np.ndarray:
    """Values u (n_atoms, d) on the homogeneous sites (n_sites, d): those of the one atom of a site,
    averages over two that share it, and `empty` where there is none.

    With `empty` nan (the default) shared sites are nan as well: their differences are no strain.
    """
    u = np.asarray(u)
    if u.shape != defect.positions.shape:
        raise ValueError(
            f"u of shape {u.shape}: one vector for each atom of {defect.name} is needed, "
            f"{defect.positions.shape}"
        )
    count = defect.occupation[:, None]
    field = defect.sum_on_sites(u) / np.maximum(count, 1)
    return np.where(count == 1 if np.isnan(empty) else count > 0, field, empty)


def lattice_displacement(reference: Any) -> np.ndarray:
    """ubar as a field on the sites of the homogeneous supercell (n_sites, d), A: averages where a
    site has two atoms, those of its neighbours where it has none.
    """
    defect, home = reference.defect, reference.defect.homogeneous
    x, sites = reference.equilibrium.positions, home.positions[defect.lattice_index]
    field = on_lattice(defect, minimum_image(x - sites, home.cell), empty=0.0)
    count = defect.occupation
    for empty in np.flatnonzero(count == 0):
        r = np.linalg.norm(minimum_image(home.positions - home.positions[empty], home.cell), axis=1)
        field[empty] = field[(r < 1.01 * home.crystal.shells[0]) & (count > 0)].mean(axis=0)
    return field - field.mean(axis=0)


@dataclass(frozen=True)
class FarField:
    """|D^j u| (root mean square over the sites of a bin) against the distance from the defect.

    distance : (n_bins,), A;  D : {j: (n_bins,)}, A, j-fold differences along the shortest lattice
    translations
    """

    distance: np.ndarray
    D: dict

    def rate(self, j: int = 1, window: tuple[float, float] = (0.0, np.inf)) -> tuple[float, float]:
        """Slope of log |D^j u| against log r inside the window (A) and its standard error."""
        if j not in self.D:
            raise ValueError(
                f"j={j!r}: this far field has the orders {', '.join(map(str, self.D))}"
            )
        keep = (self.distance > window[0]) & (self.distance < window[1])
        return observed_rate(self.distance[keep], self.D[j][keep])


def far_field(
    equilibrium: Equilibrium,
    orders: int | Sequence[int] = (1, 2, 3),
    bins: int = 24,
    u: np.ndarray | None = None,
) -> FarField:
    """Bin |D^j u| by distance, out to where the periodic images are felt (a third of the cell's
    thickness).

    Parameters
    ----------
    equilibrium : Equilibrium      (`Reference.equilibrium`)
    orders : int, or sequence of   the j of D^j, at most 5
    u : (n_atoms, d), A            another displacement of the same atoms (a prediction); default
                                   the equilibrium's own

    Source: decay |D^j u| <= C (1 + r)^(1 - d - j), Ehrlacher, Ortner and Shapeev 2016.
    """
    bins = require_whole("bins", bins, 1, 1e6)
    orders = [require_whole("orders", j, 1, MOST_ORDERS) for j in np.atleast_1d(orders).tolist()]
    if not orders:
        raise ValueError("no orders given: give the j of D^j, e.g. orders=(1, 2, 3)")
    defect = equilibrium.defect
    cell = defect.homogeneous
    step = [translated(cell, rho) for rho in translations(cell.crystal)]
    r = np.linalg.norm(minimum_image(cell.positions - defect.centre, cell.cell), axis=1)
    width = thickness(cell.cell).min()
    edges = np.geomspace(cell.crystal.shells[0], width / 3, bins + 1)
    where = np.digitize(r, edges) - 1
    field, D = on_lattice(defect, equilibrium.u if u is None else u)[:, None], {}
    distance = np.full(bins, np.nan)
    for j in range(1, max(orders) + 1):
        field = np.concatenate([field[s] - field for s in step], axis=1)
        size = (field**2).sum(axis=(1, 2))
        good = np.isfinite(size) & (where >= 0) & (where < bins)
        count = np.bincount(where[good], minlength=bins)
        if j in orders:
            with np.errstate(invalid="ignore", divide="ignore"):
                D[j] = np.sqrt(np.bincount(where[good], size[good], bins) / count)
                if len(D) == 1:
                    distance = np.exp(np.bincount(where[good], np.log(r[good]), bins) / count)
    full = np.isfinite(distance) & np.all([np.isfinite(v) for v in D.values()], axis=0)
    return FarField(distance[full], {j: v[full] for j, v in D.items()})
