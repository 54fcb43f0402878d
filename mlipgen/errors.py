"""Defect errors: measured by relaxing both models, and predicted before relaxing the learned one.

Both models live on the same large domain.  With f the learned model's forces at the reference equilibrium,
    Newton   du = H_ML^-1 f          linear   du = H_ref^-1 f
    predicted geometry error |D du|,  predicted energy error  [E_ML - E_ref](ubar) - <f, du> / 2.
"""
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from .crystals import minimum_image
from .derivatives import energies_and_forces
from .equilibrium import LatticeGreen, LeftBasin, NotConverged, Unstable, hessian_at, linear_response, relax
from .neighbours import Neighbours
from .observations import bulk_site_energy

APPLIES, LEFT, UNSTABLE, LARGE = "applies", "left the basin", "unstable", "too large"
#: Predictions are first order: beyond this fraction of |D ubar| they are not given.
LARGEST_PREDICTION = 0.10


class EnergyNorm:
    """|Du| over the pairs of the relaxed reference within 1.2 x the second-neighbour distance, each from both ends.

    The pair list is fixed, so displacements of different models are compared on the same pairs.
    """

    def __init__(self, equilibrium):
        defect = equilibrium.defect
        self._pairs = Neighbours(equilibrium.positions, defect.cell, defect.crystal.norm_cutoff)
        self._distance = defect.distance()

    def per_site(self, u):
        """sum_rho |D_rho u(l)|^2, shape (n_sites,), A^2, for u (n_sites, d)."""
        n = len(self._pairs.offsets) - 1
        return np.bincount(self._pairs.i, (self._pairs.differences(u) ** 2).sum(axis=1), n)

    def differences(self, u):
        """D u on the pairs, shape (n_pairs, d): |Du|^2 is the sum of their squares."""
        return self._pairs.differences(u)

    def gram(self, u):
        """D'D u, shape (n_sites, d): |Du|^2 = <u, gram(u)>."""
        return -self._pairs.divergence(self._pairs.differences(u))

    def __call__(self, u):
        """|Du|, A."""
        return float(np.sqrt(self.per_site(u).sum()))

    def shells(self, u, edges):
        """|Du| over the sites between consecutive distances `edges` (A) from the defect: shape (len(edges) - 1,)."""
        where = np.digitize(self._distance, edges) - 1
        inside = (where >= 0) & (where < len(edges) - 1)
        return np.sqrt(np.bincount(where[inside], self.per_site(u)[inside], len(edges) - 1))

    def reference_scale(self, u, core=0.0):
        """|D ubar| outside the core (A): what errors are compared with.

        An interstitial's |D ubar| inside its core depends on the arbitrary starting sites, so there give the core radius;
        the core then counts as the part of the energy norm that a displacement of 0.1 A on each core site would have.
        """
        site = self.per_site(u)
        n_pairs = np.diff(self._pairs.offsets)
        inside = self._distance < core
        return float(np.sqrt(site[~inside].sum() + 0.1**2 * n_pairs[inside].sum()))


class Reference:
    """The reference side of every comparison: relaxed once, used for many fits.

    Parameters
    ----------
    potential : SitePotential
    defect : Defect                  on the large test domain

    Attributes
    ----------
    equilibrium : Equilibrium;  green : LatticeGreen;  norm : EnergyNorm
    formation_energy : float, eV;  scale : float, A, |D ubar| (interstitials: outside the core, see `EnergyNorm`)
    """

    def __init__(self, potential, defect, tolerance=1e-10):
        self.potential, self.defect = potential, defect
        self.green = LatticeGreen(potential, defect.homogeneous)
        self.preconditioner = self.green.for_defect(defect)
        self.equilibrium = relax(potential, defect, green=self.green, tolerance=tolerance)
        self.norm = EnergyNorm(self.equilibrium)
        self.hessian = hessian_at(potential, self.equilibrium.positions, defect.cell)
        self._require_minimum()
        self.formation_energy = formation_energy(potential, self.equilibrium)
        interstitial = len(defect) > len(defect.homogeneous)
        core = 1.5 * defect.crystal.shells[0] if interstitial else 0.0
        self.scale = self.norm.reference_scale(self.equilibrium.u, core)

    def response(self, f, rtol=1e-8):
        """H_ref^-1 f for forces f (n, d), eV/A: displacements (n, d), A; see `linear_response`."""
        return linear_response(self.hessian, f, self.preconditioner, rtol=rtol)

    def _require_minimum(self):
        """The theory needs a strongly stable minimiser; a relaxation that keeps the start's symmetry may end on a saddle.

        Conjugate gradients on a force without symmetry meet any negative direction.
        """
        f = np.random.default_rng(0).normal(size=self.defect.positions.shape)
        try:
            self.response(f, rtol=1e-4)
        except Unstable as error:
            raise Unstable(f"the relaxed {self.defect.name} is a saddle point of this potential, not a minimum: {error}; "
                           "choose another defect, e.g. another dumbbell direction") from None


def formation_energy(potential, equilibrium):
    """Energy of a defect relative to as many sites of the model's own crystal, at the reference lattice constant, eV.

    Summed over per-site differences: totals of 10^5 atoms lose 1e-10 eV.
    """
    return float((equilibrium.site_energies - bulk_site_energy(potential, equilibrium.defect.crystal)).sum())


@dataclass(frozen=True)
class Prediction:
    """Predicted defect error; `applies` is False (and `why` says so) when first order has no meaning here.

    geometry : float, A            |D du| with the model's own Hessian (Newton); nan if it does not apply
    linear_geometry : float, A     the same with the reference's Hessian
    energy : float, eV             error of the formation energy;  relaxation : float, eV, its part -<f, du>/2
    du : (n, d), A or None;        linear_du : (n, d), A, the linear estimate of the displacements
    """

    geometry: float
    linear_geometry: float
    energy: float
    relaxation: float
    du: np.ndarray | None
    linear_du: np.ndarray
    applies: bool
    why: str


def predict(model, reference, rtol=1e-4):
    """Predict the defect error of `model` without relaxing it (the book, chapter 12; both first-order estimates).

    Parameters
    ----------
    model : SitePotential
    reference : Reference
    rtol : float        of the conjugate gradients, in the preconditioner's norm
    """
    x, crystal = reference.equilibrium.positions, reference.defect.crystal
    V, f = energies_and_forces(model, Neighbours(x, reference.defect.cell, model.cutoff), x)
    linear = reference.response(f, rtol)
    linear_geometry = reference.norm(linear)
    gap = float(((V - bulk_site_energy(model, crystal)) - (reference.equilibrium.site_energies
                                                           - bulk_site_energy(reference.potential, crystal))).sum())
    nothing = (np.nan, linear_geometry, np.nan, np.nan, None, linear, False)
    if linear_geometry > 3 * LARGEST_PREDICTION * reference.scale:
        return Prediction(*nothing, f"{LARGE}: the linear estimate is {linear_geometry:.2g} A of |D ubar| = {reference.scale:.2g} A")
    try:
        du = linear_response(hessian_at(model, x, reference.defect.cell), f, reference.preconditioner, start=linear, rtol=rtol)
    except (Unstable, NotConverged) as error:
        return Prediction(*nothing, f"{UNSTABLE}: {error}")
    geometry, relaxation = reference.norm(du), -0.5 * float((f * du).sum())
    applies = geometry <= LARGEST_PREDICTION * reference.scale
    why = APPLIES if applies else f"{LARGE}: {geometry:.2g} A is over {LARGEST_PREDICTION:.0%} of |D ubar| = {reference.scale:.2g} A"
    return Prediction(geometry, linear_geometry, gap + relaxation, relaxation, du, linear, applies, why)


@dataclass(frozen=True)
class Measurement:
    """Measured defect error; geometry and energy are nan when the model's relaxation left the basin (`verdict` says so).

    geometry : float, A;  energy : float, eV;  relaxation : float, eV, E_ML(ubar_ML) - E_ML(ubar)
    du : (n, d), A or None;  force_evaluations : int
    """

    geometry: float
    energy: float
    relaxation: float
    du: np.ndarray | None
    force_evaluations: int
    verdict: str


def match_labels(positions, reference, cell, limit):
    """Which atom of `positions` stands where each atom of `reference` stands: a permutation, shape (n,), or None.

    Atoms further than `limit` (A) from their own place are matched among themselves, by least squared distance, so that
    equal atoms which changed places count as equal.  None if a place stays empty: the neighbours have changed.
    """
    label = np.arange(len(reference))
    gap = lambda a, b: np.linalg.norm(minimum_image(positions[a] - reference[b], cell), axis=-1)  # noqa: E731
    moved = np.flatnonzero(gap(label, label) > limit)
    if len(moved):
        pairs = np.array([gap(np.full(len(moved), a), moved) for a in moved])  # rows: atoms, columns: places
        atoms, places = linear_sum_assignment(pairs**2)
        label[moved[places]] = moved[atoms]
    return label if (gap(label, np.arange(len(reference))) <= limit).all() else None


def measure(model, reference, tolerance=1e-7, progress=None):
    """Relax the defect with `model` from the reference equilibrium and compare, atom by atom.

    Atoms that changed places are matched first (`match_labels`).  If then an atom is further than a third of the
    nearest-neighbour distance from its reference position, the defect is another one and no error is given.
    """
    ref, defect = reference.equilibrium, reference.defect
    try:
        # The reference's Green's function serves: a model whose crystal is so different that it fails has left anyway.
        eq = relax(model, defect, start=ref.positions, green=reference.green, tolerance=tolerance,
                   max_move=1.2 * defect.crystal.shells[0], max_evaluations=100, progress=progress)
    except (LeftBasin, NotConverged) as error:
        return Measurement(np.nan, np.nan, np.nan, None, 0, f"{LEFT}: {error}")
    label = match_labels(eq.positions, ref.positions, defect.cell, defect.crystal.shells[0] / 3)
    if label is None:
        return Measurement(np.nan, np.nan, np.nan, None, eq.force_evaluations, f"{LEFT}: an atom found another place")
    du = minimum_image(eq.positions[label] - ref.positions, defect.cell)
    du -= du.mean(axis=0)
    energy = formation_energy(model, eq) - reference.formation_energy
    V0, _ = energies_and_forces(model, Neighbours(ref.positions, defect.cell, model.cutoff), ref.positions)
    return Measurement(reference.norm(du), energy, float((eq.site_energies[label] - V0).sum()), du, eq.force_evaluations, "relaxed")


@dataclass(frozen=True)
class DefectError:
    """Prediction and measurement side by side."""

    prediction: Prediction
    measurement: Measurement
    reference: Reference

    @property
    def effectivity(self):
        """Predicted / measured geometry error (Newton's); nan when either is missing."""
        return self.prediction.geometry / self.measurement.geometry if self.measurement.geometry else np.nan

    @property
    def linear_effectivity(self):
        return self.prediction.linear_geometry / self.measurement.geometry if self.measurement.geometry else np.nan

    @property
    def distance(self):
        """|D(du_predicted - du_measured)| / |D du_measured|: cannot hide errors that compensate."""
        return self._distance(self.prediction.du)

    @property
    def linear_distance(self):
        return self._distance(self.prediction.linear_du)

    def _distance(self, predicted):
        measured = self.measurement.du
        return np.nan if predicted is None or measured is None else self.reference.norm(predicted - measured) / self.measurement.geometry

    @property
    def verdict(self):
        """"applies", or "does not apply: ..." with the reason."""
        if not self.prediction.applies:
            return f"does not apply: {self.prediction.why}"
        return APPLIES

    @property
    def left_basin(self):
        return self.measurement.du is None


def defect_error(model, reference, **options):
    """Predict, then relax and measure: `DefectError`."""
    return DefectError(predict(model, reference), measure(model, reference, **options), reference)


def observed_rate(L, errors):
    """Slope of log(error) against log(L) by least squares, with its standard error: (slope, uncertainty).

    Raises ValueError for fewer than three points or errors that are not positive.
    """
    L, errors = np.asarray(L, float), np.asarray(errors, float)
    if len(L) < 3 or not (errors > 0).all():
        raise ValueError(f"a rate needs at least three positive errors, got {errors.tolist()}")
    (slope, _), covariance = np.polyfit(np.log(L), np.log(errors), 1, cov=True)
    return float(slope), float(np.sqrt(covariance[0, 0]))
