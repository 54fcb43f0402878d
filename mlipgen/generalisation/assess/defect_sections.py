"""What an assessment says of defects, as plain data; units as in `sections`."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CheckStep:
    """The forecast from one check cell: cells, atoms, calls of the reference.

    kappa : what Newton's method leaves;  rim : what is not yet inside, both relative to |D du|
    """

    cells: list[int]
    atoms: int
    calls: int
    geometry: float
    energy: float
    kappa: float
    rim: float


@dataclass(frozen=True)
class Estimate:
    """A forecast number and what its error bar is made of, added: Newton's method, the small
    cell's share (None with one check cell: nothing shows how far it moves) and the noise.
    """

    value: float
    newton: float
    cell: float | None
    noise: float

    @property
    def bar(self) -> float | None:
        return None if self.cell is None else self.newton + self.cell + self.noise


@dataclass(frozen=True)
class DistanceShell:
    """Atoms between two distances (A) from the defect, at the candidate's equilibrium.

    force_rms, force_max : eV/A, of the reference's forces there;  error : A, |D du| of these atoms
    """

    inner: float
    outer: float
    atoms: int
    force_rms: float
    force_max: float
    error: float


@dataclass(frozen=True)
class BudgetTerm:
    """One part of the residual: eV^(1/2), its dual norm; A, |D du| that it alone causes."""

    name: str
    dual: float
    geometry: float


@dataclass(frozen=True)
class Budget:
    """Where the error comes from.  radius : A, the core ends there and the far field is whole at
    twice that;  energy : eV, parts of E_ML - E_ref that sum to it, by name.
    """

    radius: float
    terms: list[BudgetTerm]
    energy: dict[str, float]


@dataclass(frozen=True)
class Truth:
    """The error measured, both models relaxed on the domain, and what was predicted for it.

    geometry, energy : measured, A and eV;  effectivity : forecast / measured geometry
    predicted : A, Newton's estimate from the reference equilibrium, its kappa, and its effectivity
    followed : eV, gained by the reference where it left a saddle point beside the candidate's state
    why : where there is no number
    """

    why: str = ""
    geometry: float | None = None
    energy: float | None = None
    reference_energy: float | None = None
    effectivity: float | None = None
    predicted: float | None = None
    predicted_energy: float | None = None
    predicted_kappa: float | None = None
    predicted_effectivity: float | None = None
    followed: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """One defect, both models in lattices of one kind ("own" or "reference").

    outcome, why : the forecast's verdict;  atoms : of the domain
    formation_energy : eV, the candidate's;  scale : A, |Du| of its equilibrium
    curvature : eV/A^2, its lowest;  largest : A, what the forecast moves an atom by at most
    """

    lattices: str
    outcome: str
    why: str
    atoms: int
    formation_energy: float | None = None
    scale: float | None = None
    curvature: float | None = None
    largest: float | None = None
    geometry: Estimate | None = None
    energy: Estimate | None = None
    steps: list[CheckStep] = field(default_factory=list)
    shells: list[DistanceShell] = field(default_factory=list)
    budget: Budget | None = None
    truth: Truth | None = None

    @property
    def applies(self) -> bool:
        return self.outcome == "applies"


@dataclass(frozen=True)
class Basin:
    """Does the candidate, from the unrelaxed defect, find what the reference finds?

    kept : the defect that the reference relaxes to in its small cell is one of the candidate's too
    same : from the unrelaxed defect the candidate finds that one;  why : in words
    cells, calls : of the reference's small cell, without those for the curvature
    energy : eV, of formation in that cell;  curvature : eV/A^2, the lowest
    followed : eV, gained by leaving saddle points that the start's symmetry led to
    above : eV, what the reference keeps over that energy if it is relaxed from where the forecast
        says that it is, in the same cell; None where it was not asked
    """

    kept: bool
    same: bool
    why: str
    cells: list[int]
    calls: int
    energy: float | None = None
    curvature: float | None = None
    followed: float = 0.0
    above: float | None = None


@dataclass(frozen=True)
class Scene:
    """Atoms near the defect at the candidate's equilibrium: positions (m x 3), A, seen from the
    defect; error (m), A, how far the reference would move each of them.
    """

    positions: list[list[float]]
    error: list[float]


@dataclass(frozen=True)
class DefectSection:
    """One defect: the comparison that counts comes first."""

    name: str
    comparisons: list[Comparison]
    basin: Basin | None = None
    scene: Scene | None = None

    @property
    def main(self) -> Comparison:
        return self.comparisons[0]


@dataclass(frozen=True)
class Ranked:
    """A defect's formation energy (eV): the candidate's, corrected by the forecast with its error
    bar, and the reference's where it was measured.
    """

    defect: str
    candidate: float
    corrected: float | None
    bar: float | None
    reference: float | None = None
