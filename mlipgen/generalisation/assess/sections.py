"""The sections of an assessment, as plain data: all that a report shows; those of defects are in
`defect_sections`.

Lengths in A, energies in eV, elastic constants and stresses in GPa, frequencies in THz.  None
stands where there is no number: it was not asked for, or does not exist.
"""

from dataclasses import dataclass, field

Numbers = list[float]
Rows = list[list[float]]


@dataclass(frozen=True)
class Checked:
    """A preflight check: passed where value <= limit; `spoils` says what a failure makes wrong."""

    name: str
    passed: bool
    value: float | None
    limit: float
    unit: str
    spoils: str
    hint: str = ""
    asked: bool = True


@dataclass(frozen=True)
class ModelFacts:
    """One of the two models and its perfect crystal.

    lattice : A, its lattice constants a (hcp: a, c);  energy : eV, of an atom there
    pressure : GPa, at the reference's lattice constants;  stability : eV/A^2, lowest
    <Hv, v> / |Dv|^2 of the perfect crystal;  noise : eV of the energy of formation in the largest
    check cell, and eV/A of a component of the forces
    level : its level of theory, where it was given
    """

    name: str
    kind: str
    lattice: Numbers
    energy: float
    pressure: float
    stability: float
    noise_energy: float = 0.0
    noise_force: float = 0.0
    level: str = ""
    checks: list[Checked] = field(default_factory=list)


@dataclass(frozen=True)
class Question:
    """What was asked: defects on a domain of so many unit cells, from check cells of the reference.

    lattices : "own", "reference": the lattices that both models were compared in, first the one
    that counts
    """

    symbol: str
    structure: str
    defects: list[str]
    domain: list[int]
    checks: list[list[int]]
    lattices: list[str]
    truth: bool


@dataclass(frozen=True)
class ElasticConstant:
    """GPa, relaxed ions, each model in its own lattice."""

    name: str
    candidate: float
    reference: float


@dataclass(frozen=True)
class Shell:
    """Force constants of the pairs at one distance (A): Frobenius norms, eV/A^2.

    weighted : (1 + distance)^2 difference, the shell's share of eps_FC
    """

    distance: float
    reference: float
    difference: float
    weighted: float


@dataclass(frozen=True)
class Bands:
    """Phonons along the usual path: x (m), 1/A; frequencies by branch (branches x m), THz."""

    x: Numbers
    ticks: Numbers
    labels: list[str]
    candidate: Rows
    reference: Rows


@dataclass(frozen=True)
class CrystalSection:
    """The perfect crystals compared.  fc_error : eps_FC, the sum over the shells."""

    elastic: list[ElasticConstant]
    shells: list[Shell]
    fc_error: float
    bands: Bands


@dataclass(frozen=True)
class Offer:
    """An observation to buy: kind x structure x size.

    gain : share of the predicted defect error that it takes away, after all offers above it
    cost : atoms x calculations;  structures : how many calculations
    """

    kinds: str
    structure: str
    cells: list[int]
    atoms: int
    structures: int
    cost: float
    gain: float


@dataclass(frozen=True)
class Shopping:
    """Offers in the order in which to buy.  exact : through the R-factors of a linear candidate's
    own data; else a heuristic, by where the residual stands.
    """

    exact: bool
    basis: str
    offers: list[Offer]


@dataclass(frozen=True)
class Asked:
    """What the reference was asked for: calculations, and their atoms summed."""

    purpose: str
    calls: int
    atoms: int
