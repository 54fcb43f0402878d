"""Stress, elastic constants and forces on the basis of a perfect crystal that a calculator strains.

    W(F) = dE/dF F' per atom,      A_iJkL = d2E / dF_iJ dF_kL per volume

From the calculator's stress; where it has none, from central differences of its energy.  Steps are
balanced against its noise.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..crystals import Crystal, Supercell
from .noise import balanced_step
from .together import compute_together

if TYPE_CHECKING:
    from .calculator_model import CalculatorModel

#: eV, third and fourth derivative of an atom's energy in the logarithm of a strain, what steps are
#: balanced with: of the library's potentials 300 (silicon) to 2,300 (tungsten) for isotropic
#: strains, whose fourth derivatives, 1,000 to 65,000, are sums of 81 single ones.
THIRD, FOURTH = 500.0, 1000.0


def pressure_work(model: "CalculatorModel", crystal: Crystal) -> np.ndarray:
    """dE/d(log strain) per atom along each axis (d,), eV: zero for all axes at equilibrium."""
    cell = model.perfect(crystal)
    stress = model.stress(cell.positions, cell.cell)
    if stress is not None:
        return np.diag(stress) * _volume(cell) / len(cell)
    h = _strain_step(model, cell)
    slope = lambda scaled: (
        (model.energy_per_atom(scaled(np.exp(h))) - model.energy_per_atom(scaled(np.exp(-h))))
        / (2 * h)
    )
    if crystal.structure != "hcp":
        isotropic = slope(lambda s: replace(crystal, a=s * crystal.a))
        return np.full(crystal.dimension, isotropic / crystal.dimension)
    plane = slope(lambda s: replace(crystal, a=s * crystal.a))
    return np.array([plane / 2, plane / 2, slope(lambda s: replace(crystal, c=s * crystal.c))])


def virial_and_forces(
    model: "CalculatorModel", crystal: Crystal, F: np.ndarray, internal: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """W(F) (d, d), eV, and the forces on the basis atoms (n_sublattices, d), eV/A; zero for one.

    internal : (n_sublattices, d), A     displaces the basis of the strained crystal
    """
    cell, n, d = model.perfect(crystal), len(crystal.primitive_atoms), crystal.dimension
    x, box = _strained(crystal, cell, F, np.zeros((n, d)) if internal is None else internal)
    stress = model.stress(x, box)
    if stress is None:
        W = _strain_gradient(model, cell, x, box)
    else:
        W = stress * _volume(cell) * abs(np.linalg.det(F)) / len(cell)
    forces = np.zeros((n, d))
    if n > 1:
        forces = model.evaluate(x, box)[1][crystal.primitive_atoms]
    return W, forces


def _strained(crystal, cell, F, p):
    """Positions and cell of the strained crystal, its basis displaced by p (n_sublattices, d)."""
    shift = p[np.tile(crystal.sublattice, len(cell) // len(crystal.basis))]
    return cell.positions @ F.T + shift, cell.cell @ F.T


def elastic_tensor(
    model: "CalculatorModel", crystal: Crystal, relaxed_ion: bool = True
) -> np.ndarray:
    """A_iJkL = d2W / dF_iJ dF_kL at F = 1, eV/A^d, by central differences of stress and forces.

    Unsymmetrised, as `derivatives.elastic_tensor`; with `relaxed_ion` the basis follows the strain.
    """
    d, n = crystal.dimension, len(crystal.primitive_atoms)
    h = balanced_step(work_noise(model, crystal), FOURTH)

    def gradient(F, p):
        # dE/dF = W F'^-1, and dE/dp of the primitive cell over its atoms
        W, forces = virial_and_forces(model, crystal, F, p)
        return np.concatenate([(W @ np.linalg.inv(F).T).ravel(), -forces.ravel() / n])

    steps = []
    # without a basis there is nothing internal; a common shift of it changes nothing
    for k in range(d * d + (n * d if relaxed_ion and n > 1 else 0)):
        e = np.zeros(d * d + n * d)
        e[k] = h if k < d * d else h * crystal.a
        steps.append(e)
    sides = [
        (np.eye(d) + s * e[: d * d].reshape(d, d), s * e[d * d :].reshape(n, d))
        for e in steps
        for s in (1, -1)
    ]
    cell = model.perfect(crystal)
    if model.stress(cell.positions, cell.cell) is not None:
        compute_together(model, [_strained(crystal, cell, F, p) for F, p in sides], "stress")
    gradients = [gradient(F, p) for F, p in sides]
    columns = [
        (ahead - behind) / (2 * e.max())
        for e, ahead, behind in zip(steps, gradients[::2], gradients[1::2])
    ]
    H = np.array(columns)
    A = H[: d * d, : d * d]
    if len(H) > d * d:
        inner, coupling = H[d * d :, d * d :], H[d * d :, : d * d]
        inverse = np.linalg.pinv(0.5 * (inner + inner.T), rcond=1e-6)
        A = A - coupling.T @ inverse @ coupling
    A = 0.5 * (A + A.T)
    return A.reshape((d,) * 4) / (abs(np.linalg.det(crystal.cell)) / len(crystal.basis))


def _strain_gradient(model, cell, x, box):
    """dE/dG per atom at G = 1, (d, d), by central differences of the energy at G x."""
    h, d = _strain_step(model, cell), x.shape[1]
    W = np.empty((d, d))
    for i, j in np.ndindex(d, d):
        e = np.zeros((d, d))
        e[i, j] = h
        ahead, behind = (
            model.evaluate(x @ G.T, box @ G.T)[0] for G in (np.eye(d) + e, np.eye(d) - e)
        )
        W[i, j] = (ahead - behind).sum() / (2 * h * len(x))
    return W


def _strain_step(model, cell):
    return balanced_step(model.noise.total(len(cell)) / len(cell), THIRD)


def work_noise(model: "CalculatorModel", crystal: Crystal) -> float:
    """eV, noise of dE/d(log strain) per atom: of the stress, or of differences of the energy."""
    cell = model.perfect(crystal)
    if model.stress(cell.positions, cell.cell) is None:
        return model.noise.total(len(cell)) / (len(cell) * _strain_step(model, cell))
    return model.noise.force * crystal.a


def _volume(cell: Supercell) -> float:
    """A^3; in two dimensions the third cell vector of `as_atoms` is 10 A long."""
    return abs(np.linalg.det(cell.cell)) * (10.0 if cell.crystal.dimension == 2 else 1.0)
