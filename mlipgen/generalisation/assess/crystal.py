"""The perfect crystals of candidate and reference compared: lattice, stress, elastic constants,
force constants, phonons, stability.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase.units import GPa

from ...contracts import Model
from ...crystals import Crystal, Defect
from ...equilibrium import lattice_stability
from ...equilibrium.phonons import band_path, frequencies
from ...potentials import CalculatorModel, LinearACE
from ...potentials.derivatives import aligned, elastic_tensor, force_constants
from ...potentials.noise import Noise
from ..preflight import Preflight
from .sections import Bands, Checked, CrystalSection, ElasticConstant, ModelFacts, Shell

#: Voigt's pairs of indices.
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_CUBIC, _HEXAGONAL = ("C11", "C12", "C44"), ("C11", "C12", "C13", "C33", "C44")


@dataclass(frozen=True)
class Pair:
    """Candidate and reference, each with its own perfect crystal."""

    candidate: Any
    reference: Any
    own: Crystal
    target: Crystal

    @property
    def same_lattice(self) -> bool:
        """Are the lattice constants the same, to a part in 10^9?"""
        a, b = lattice_constants(self.own), lattice_constants(self.target)
        return np.allclose(a, b, rtol=1e-9, atol=0)


def lattice_constants(crystal: Crystal) -> list[float]:
    """a, and c of hcp, A."""
    return [crystal.a] if crystal.c is None else [crystal.a, crystal.c]


def pressure(model: Model, crystal: Crystal) -> float:
    """GPa, of the perfect crystal under a model."""
    volume = abs(np.linalg.det(crystal.cell)) / len(crystal.basis)
    work = np.asarray(crystal.pressure_work(model))
    return float(-work.mean() / volume / GPa)


def elastic_constants(model: Model, crystal: Crystal) -> dict[str, float]:
    """Elastic constants (GPa) of a crystal free of stress, with relaxed ions, by their names."""
    A, d = elastic_tensor(model, crystal), crystal.dimension
    C = (A + A.swapaxes(0, 1) + A.swapaxes(2, 3) + A.swapaxes(0, 1).swapaxes(2, 3)) / 4 / GPa
    if d == 2:
        return {"C11": C[0, 0, 0, 0], "C12": C[0, 0, 1, 1], "C66": C[0, 1, 0, 1]}
    names = _HEXAGONAL if crystal.structure == "hcp" else _CUBIC
    return {
        name: float(C[(*_VOIGT[int(name[1]) - 1], *_VOIGT[int(name[2]) - 1])]) for name in names
    }


def model_facts(
    model: Model, own: Crystal, target: Crystal, flight: Preflight | None, check_cell: Defect
) -> ModelFacts:
    """What there is to say of one model; `own` is its crystal, `target` the reference's, and the
    noise is that of the check cell.
    """
    noise = noise_of_formation(model, own, flight, len(check_cell))
    return ModelFacts(
        name=name_of(model),
        kind=_kind(model),
        lattice=lattice_constants(own),
        energy=float(own.energy_per_atom(model)),
        pressure=pressure(model, target),
        stability=lattice_stability(model, own),
        noise_energy=noise.energy,
        noise_force=noise.force,
        level=getattr(model, "level_of_theory", None) or "",
        checks=[_checked(check) for check in flight] if flight else [],
    )


def noise_of_formation(
    model: Model, crystal: Crystal, flight: Preflight | None, atoms: int
) -> Noise:
    """Of the energy of formation in a defect cell of so many atoms, eV, and of a force component.

        E_f = E(n atoms) - n E(crystal of m) / m,    noise^2 = total(n)^2 + (n total(m) / m)^2

    or what preflight has found on its own, smaller cell, in proportion to the atoms, if that is
    more.  A site potential has none.
    """
    if not isinstance(model, CalculatorModel):
        return Noise(0.0, 0.0)
    own, m = model.noise, len(model.perfect(crystal))
    energy, force = np.hypot(own.total(atoms), atoms * own.total(m) / m), own.force
    if flight is not None:
        energy = max(energy, flight.floor.energy * atoms / flight.atoms)
        force = max(force, flight.floor.force)
    return Noise(float(energy), float(force))


def name_of(model: Any) -> str:
    return getattr(model, "name", None) or f"{type(model).__name__} {model.symbol}"


def _kind(model):
    if isinstance(model, LinearACE):
        return f"linear ACE, {len(model.theta)} functions"
    return "calculator" if isinstance(model, CalculatorModel) else "site potential"


def _checked(check):
    value = float(check.value) if np.isfinite(check.value) else None
    return Checked(
        check.name,
        check.passed,
        value,
        float(check.limit),
        check.unit,
        check.spoils,
        check.hint,
        check.asked,
    )


def crystal_section(pair: Pair) -> CrystalSection:
    """The perfect crystals compared, each in its own lattice."""
    ours = elastic_constants(pair.candidate, pair.own)
    theirs = elastic_constants(pair.reference, pair.target)
    tables = [force_constants(m, c) for m, c in _sides(pair)]
    # Pairs are the same where they are so many lattice constants long: those of the reference.
    scale = pair.target.a / pair.own.a
    shells = _shells([replace(tables[0], xi=scale * tables[0].xi), tables[1]], pair.target)
    return CrystalSection(
        elastic=[ElasticConstant(name, float(ours[name]), float(theirs[name])) for name in ours],
        shells=shells,
        fc_error=float(sum(s.weighted for s in shells)),
        bands=_bands(pair, tables),
    )


def _sides(pair):
    return (pair.candidate, pair.own), (pair.reference, pair.target)


def _shells(tables, crystal):
    candidate, reference = aligned(tables, crystal)
    r = np.linalg.norm(reference.xi, axis=1)
    difference = np.linalg.norm(candidate.K - reference.K, axis=(1, 2))
    size = np.linalg.norm(reference.K, axis=(1, 2))
    shells, which = np.unique(r.round(4), return_inverse=True)
    total = lambda values: np.bincount(which.ravel(), values) / len(crystal.primitive_atoms)
    columns = (total(size), total(difference), total((1 + r) ** 2 * difference))
    return [Shell(*map(float, row)) for row in zip(shells, *columns)]


def _bands(pair, tables):
    """Phonons of both at the same points of their own Brillouin zones, on the reference's axis."""
    paths = [band_path(crystal) for _, crystal in _sides(pair)]
    bands = [
        frequencies(table, crystal.symbol, path.k).T.round(5).tolist()
        for table, (_, crystal), path in zip(tables, _sides(pair), paths)
    ]
    axis = paths[1]
    return Bands(axis.x.round(6).tolist(), axis.ticks.tolist(), list(axis.labels), *bands)
