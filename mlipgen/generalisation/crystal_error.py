"""The perfect crystal's share of a model's error, by the weights of the theory: force constants by
distance and by wave
vector (eps_FC), virials by order in the strain (eps_V0, eps_V1, eps_V2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..equilibrium.norm import gram_table
from ..failures import NotFinite, require_number, require_whole
from ..learning.observations import Virial
from ..potentials.derivatives import aligned, elastic_tensor, force_constants

if TYPE_CHECKING:
    from ..contracts import Model
    from ..crystals.lattice import Crystal


def force_constant_mismatch(
    model: Model, reference_potential: Model, crystal: Crystal
) -> tuple[np.ndarray, np.ndarray]:
    """(1 + |xi|)^2 |K_ML(xi) - K(xi)| by shells of |xi|: distances (m,), A, and sums over each
    shell (m,), eV/A^2 with |xi| in A.

    Their total is eps_FC of the theory.
    """
    models = (model, reference_potential)
    a, b = aligned([force_constants(m, crystal) for m in models], crystal)
    r = np.linalg.norm(a.xi, axis=1)
    size = (1.0 + r) ** 2 * np.linalg.norm(a.K - b.K, axis=(1, 2)) / len(crystal.primitive_atoms)
    if not np.isfinite(size).all():
        raise NotFinite("the force constants are too large to be squared: is the model a fit?")
    shells, which = np.unique(r.round(5), return_inverse=True)
    return shells, np.bincount(which.ravel(), size)


def wave_mismatch(model: Model, reference_potential: Model, crystal: Crystal, n: int = 12) -> float:
    """Largest |lambda| of (D_ML(k) - D(k)) x = lambda S(k) x, S that of |Du|^2, over a grid of n^d
    wave vectors, eV/A^2.

    It is the smallest constant with |<(K_ML - K) u, v>| <= eps |Du| |Dv|: the same eps_FC without
    the triangle inequality.
    """
    n = require_whole("n", n, 1, 1000)
    learned, exact = (force_constants(m, crystal) for m in (model, reference_potential))
    grid = (
        np.stack(
            np.meshgrid(*[(np.arange(n) + 0.5) / n] * crystal.dimension, indexing="ij"), -1
        ).reshape(-1, crystal.dimension)
        @ np.linalg.inv(crystal.cell).T
        * 2
        * np.pi
        * 2
    )
    C = np.linalg.inv(np.linalg.cholesky(gram_table(crystal).dynamical_matrices(grid)))
    M = (
        C
        @ (learned.dynamical_matrices(grid) - exact.dynamical_matrices(grid))
        @ C.conj().swapaxes(1, 2)
    )
    return float(np.abs(np.linalg.eigvalsh(M)).max())


def virial_mismatch(
    model: Model,
    reference_potential: Model,
    crystal: Crystal,
    step: float = 0.01,
    directions: int = 12,
    seed: int = 0,
) -> tuple[float, float, float]:
    """eps_V0, eps_V1, eps_V2: errors of the stress and of its first and second derivative in the
    deformation gradient.

    eps_V0 : eV per atom, |dW/dF| at F = 1
    eps_V1 : eV per atom, largest entry norm |a.dA(k).a| over unit a, k of the unsymmetrised second
        derivative (the long-wave limit of the force constants, relaxed ions)
    eps_V2 : eV per atom, largest |d^3W/dF^3 [F, F]| over random unit F, by central differences,
        basis atoms clamped
    """
    step = require_number("step", step, 1e-6, 0.2, "a small strain, e.g. 0.01")
    directions = require_whole("directions", directions, 1, 100_000)
    seed = require_whole("seed", seed, 0, np.inf)
    d = crystal.dimension
    stress = lambda m, F: Virial(crystal, F).observe(m)[: d * d]
    delta = lambda F: stress(model, F) - stress(reference_potential, F)
    at_rest = delta(np.eye(d))
    volume = abs(np.linalg.det(crystal.cell)) / len(crystal.basis)
    A = (elastic_tensor(model, crystal) - elastic_tensor(reference_potential, crystal)) * volume
    rng = np.random.default_rng(seed)
    k = rng.standard_normal((40 * directions, d))
    k /= np.linalg.norm(k, axis=1, keepdims=True)
    acoustic = np.einsum("iajb,na,nb->nij", A, k, k)
    second = [
        np.linalg.norm(delta(np.eye(d) + step * F) + delta(np.eye(d) - step * F) - 2 * at_rest)
        / step**2
        for F in (G / np.linalg.norm(G) for G in rng.standard_normal((directions, d, d)))
    ]
    return (
        float(np.linalg.norm(at_rest)),
        float(np.abs(np.linalg.eigvalsh(acoustic)).max()),
        float(max(second)),
    )
