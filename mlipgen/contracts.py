"""Types that many signatures share: what is asked of a model, and what an operator is."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

#: A linear map of displacement fields (n, d) -> (n, d).
Operator = Callable[[np.ndarray], np.ndarray]

#: Called with (force evaluations, largest force in eV/A); may raise to cancel.
Progress = Callable[[int, float], Any]


#: Conventional cells in each direction: one number for all, or a tuple.
Size = int | tuple[int, ...]


class Model(Protocol):
    """Anything with an energy landscape: a site potential, a basis, a calculator of ASE.

    cutoff : float, A       zero where a calculator sees to its own periodic images
    """

    cutoff: float


class SiteModel(Model, Protocol):
    """A site potential (`potentials.site.SitePotential` documents `sites`), or a basis of them."""

    def sites(self, R: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Site energies (n_sites, ...) and their gradients (n_pairs, d, ...)."""
