"""Everything that follows from site energies and their gradients, for reference and learned models
alike.

A model's `sites(R, offsets)` gives V (n_sites, ...) and G (n_pairs, d, ...) = dV/dR; a *basis* has
one trailing axis more (one entry a function), so that every function below also yields the rows of
a design matrix. Second derivatives come from one complex step, f'(x) = Im f(x + i h) / h, exact to
machine precision.
"""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba.core import config

if TYPE_CHECKING:
    from ..contracts import SiteModel
    from ..crystals.lattice import Crystal
    from ..crystals.neighbours import Neighbours

CHUNK = 1024  # sites evaluated at once: their pairs stay in the processor's cache

STEP = 1e-30  # complex steps have no cancellation: any tiny step is exact


def energies_and_forces(
    model: SiteModel, neighbours: Neighbours, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Site energies (n_sites, ...), eV, and forces (n_sites, d, ...), eV/A."""
    neighbours.check(positions)
    V: list[np.ndarray] = []
    forces: Any = None
    for piece in in_pieces(model, neighbours, lambda sites: neighbours.piece(positions, sites)):
        V.append(piece.V)
        forces = neighbours.divergence(piece.G, piece.pairs, forces)
    return np.concatenate(V), forces


def hessian_vector(
    model: SiteModel, neighbours: Neighbours, positions: np.ndarray, direction: np.ndarray
) -> np.ndarray:
    """Product of the Hessian of the energy, eV/A^2, with `direction` (n_sites, d): (n_sites, d),
    exact.
    """
    R = neighbours.vectors(positions)  # may rebuild the list, so it comes first
    return stencil_hessian_vector(model, neighbours, R, direction)


def stencil_hessian_vector(
    model: SiteModel, neighbours: Neighbours, R: np.ndarray, direction: np.ndarray
) -> np.ndarray:
    """The same at given neighbour vectors R (n_pairs, d) of the list."""

    def stepped(sites):
        offsets, pairs = neighbours.rows(sites)
        return R[pairs] + 1j * STEP * neighbours.differences(direction, pairs), offsets, pairs

    out: Any = None
    for piece in in_pieces(model, neighbours, stepped):
        out = neighbours.divergence(np.ascontiguousarray(piece.G.imag), piece.pairs, out)
    return -out / STEP


class Piece(NamedTuple):
    """Some consecutive sites: neighbour vectors, energies, gradients, and which pairs they are."""

    R: np.ndarray
    V: np.ndarray
    G: np.ndarray
    pairs: slice


def in_pieces(
    model: SiteModel,
    neighbours: Neighbours,
    vectors: Callable[[slice], tuple[np.ndarray, np.ndarray, slice]],
) -> Iterator[Piece]:
    """All sites, `CHUNK` at a time and in order, at the neighbour vectors, offsets and pairs that
    `vectors` gives for them.

    Threads (as many as the NUMBA_NUM_THREADS of the environment, or as cores) work ahead of whoever
    adds the pieces up, for models that say by `concurrent = True` that they may: the order of the
    sums, and with it every bit, is that of one thread.
    """

    def piece(first):
        R, offsets, pairs = vectors(slice(first, first + CHUNK))
        return Piece(R, *model.sites(R, offsets), pairs)

    starts = range(0, max(len(neighbours.offsets) - 1, 1), CHUNK)
    threads = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    if threads == 1 or len(starts) == 1 or not getattr(model, "concurrent", False):
        yield from map(piece, starts)
        return
    pool, ahead = _pool(os.getpid(), threads), deque()
    for first in starts:
        ahead.append(pool.submit(piece, first))
        if len(ahead) > threads:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


@functools.lru_cache(maxsize=1)
def _pool(process, threads):
    """The threads of this process; one that was forked has none of them."""
    return ThreadPoolExecutor(threads, "mlipgen")


def virial(model: SiteModel, R: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """First derivative of the total energy in the deformation gradient, sum_p G_p (x) R_p: (d, d,
    ...), eV.
    """
    return np.einsum("pi...,pj->ij...", model.sites(R, offsets)[1], R)


def site_hessian(model: SiteModel, R: np.ndarray) -> np.ndarray:
    """Second derivatives of one site energy, shape (n, d, n, d, ...), eV/A^2, at the neighbour
    vectors R (n, d).
    """
    R = np.asarray(R)
    if R.ndim != 2:
        raise ValueError(f"R has shape {R.shape}: give the neighbour vectors (n, d) of one site")
    n, d = R.shape
    # one copy of the site for each direction
    copies = np.repeat(R[None], n * d, axis=0).astype(complex)
    copies[np.arange(n * d), np.arange(n * d) // d, np.arange(n * d) % d] += 1j * STEP
    _, G = model.sites(copies.reshape(-1, d), np.arange(n * d + 1) * n)
    G = G.imag / STEP
    return G.reshape((n, d, n, d) + G.shape[2:])


@dataclass(frozen=True)
class ForceConstantTable:
    """Force constants of a homogeneous crystal: d2E / du_s(0) du_t(xi), all nonzero blocks.

    s, t : (m,)          sublattices (atoms of the primitive basis)
    xi : (m, d), A       vector from the first atom to the second
    K : (m, d, d, ...)   eV/A^2
    edge : A             half the thickness of the supercell that they are of, where it is known:
                         pairs beyond belong to several images
    """

    s: np.ndarray
    t: np.ndarray
    xi: np.ndarray
    K: np.ndarray
    edge: float | None = field(default=None, kw_only=True)

    def dynamical_matrices(self, k: np.ndarray) -> np.ndarray:
        """D(k) = sum_xi K(xi) exp(i k.xi), shape (n_k, n d, n d, ...), eV/A^2 (no masses), for wave
        vectors k (n_k, d), 1/A.
        """
        k = np.asarray(k, float)
        n, d = self.s.max() + 1, self.xi.shape[1]
        D = np.zeros((len(k), n, d, n, d) + self.K.shape[3:], complex)
        phase = np.exp(1j * k @ self.xi.T)
        for s, t in np.ndindex(n, n):
            own = (self.s == s) & (self.t == t)
            D[:, s, :, t] = np.tensordot(phase[:, own], self.K[own], axes=1)
        return D.reshape((len(k), n * d, n * d) + self.K.shape[3:])

    def dynamical_matrix(self, k: np.ndarray) -> np.ndarray:
        """The same for one wave vector (d,): (n d, n d, ...), eV/A^2."""
        return self.dynamical_matrices(np.asarray(k, float)[None])[0]


def _pair_keys(s, t, xi, crystal):
    """Integers (m, 2 + d) that are equal for equal pairs."""
    # Sites of all five structures lie at twelfths of the conventional cell.
    return np.column_stack([s, t, np.rint(12 * xi @ np.linalg.inv(crystal.cell))]).astype(int)


def aligned(tables: Sequence[ForceConstantTable], crystal: Crystal) -> list[ForceConstantTable]:
    """Force constants of several models on one list of pairs: zeros where a model does not reach.

    tables : sequence of ForceConstantTable of the same crystal
    """
    keys = [_pair_keys(t.s, t.t, t.xi, crystal) for t in tables]
    if all(np.array_equal(k, keys[0]) for k in keys):
        return list(tables)
    every, first, group = np.unique(
        np.concatenate(keys), axis=0, return_index=True, return_inverse=True
    )
    s, t, xi = (np.concatenate([getattr(x, n) for x in tables])[first] for n in ("s", "t", "xi"))
    out, start = [], 0
    for table in tables:
        K = np.zeros((len(every), *table.K.shape[1:]), table.K.dtype)
        K[group.ravel()[start : start + len(table.K)]] = table.K
        start += len(table.K)
        out.append(ForceConstantTable(s, t, xi, K))
    return out


def force_constants(model: Any, crystal: Crystal) -> ForceConstantTable:
    """Force constants of the infinite crystal, from the site Hessians of one primitive cell.

    No supercell is involved, so nothing is cut off or summed over images; the range is twice the
    model's cutoff. Source: E = sum_l V_l(Du), D_rho u(l) = u(l + rho) - u(l), differentiated twice
    (Ortner and Wang 2023, section 2).
    """
    if hasattr(model, "force_constants"):  # a calculator: by displacements, in a supercell
        return model.force_constants(crystal)
    s, t, xi, K = [], [], [], []
    for atom in crystal.primitive_atoms:
        R, _, b, _ = crystal.stencil(model.cutoff, [atom])
        H = site_hessian(model, R)
        # The site itself moves all its differences: an extra row and column that make every sum
        # vanish.
        row = -H.sum(axis=0, keepdims=True)
        H = np.concatenate([row, H])
        H = np.concatenate([-H.sum(axis=2, keepdims=True), H], axis=2)
        where = np.vstack([np.zeros(R.shape[1]), R])
        sub = np.append(crystal.sublattice[atom], crystal.sublattice[b])
        n = len(where)
        s.append(np.repeat(sub, n)), t.append(np.tile(sub, n))
        xi.append((where[None] - where[:, None]).reshape(n * n, -1))
        K.append(np.moveaxis(H, 1, 2).reshape((n * n,) + (R.shape[1],) * 2 + H.shape[4:]))
    every = ForceConstantTable(*(np.concatenate(x) for x in (s, t, xi, K)))
    key = _pair_keys(every.s, every.t, every.xi, crystal)
    _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
    total = np.zeros((len(first), *every.K.shape[1:]))
    np.add.at(total, group.ravel(), every.K)
    return ForceConstantTable(every.s[first], every.t[first], every.xi[first], total)


def elastic_tensor(model: Any, crystal: Crystal, relaxed_ion: bool = True) -> np.ndarray:
    """Second derivative of the energy density in the deformation gradient, A_iJkL = d2W / dF_iJ
    dF_kL, at F = 1.

    Unsymmetrised: equals the long-wave force constants even under stress, A = C_iJkL + delta_ik
    S_JL.
    With `relaxed_ion` the basis atoms of a multilattice follow the strain.  Shape (d, d, d, d,
    ...), eV/A^d.
    """
    if hasattr(model, "elastic_tensor"):
        return model.elastic_tensor(crystal, relaxed_ion)
    d, n = crystal.dimension, len(crystal.primitive_atoms)
    volume = abs(np.linalg.det(crystal.cell)) / len(crystal.basis) * n
    A: Any = 0.0
    coupling: Any = 0.0
    internal: Any = 0.0
    for l, atom in enumerate(crystal.primitive_atoms):
        R, _, b, _ = crystal.stencil(model.cutoff, [atom])
        H = site_hessian(model, R)
        # D_rho p: internal coordinates enter the differences of unlike atoms
        shift = np.zeros((len(R), n))
        shift[np.arange(len(R)), crystal.sublattice[b]] += 1.0
        shift[:, l] -= 1.0
        A = A + np.einsum("pj,piqk...,ql->ijkl...", R, H, R)
        coupling = coupling + np.einsum("ps,piqk...,ql->sikl...", shift, H, R)
        internal = internal + np.einsum("ps,piqk...,qt->sitk...", shift, H, shift)
    if relaxed_ion and n > 1:
        if np.ndim(A) > 4:
            raise ValueError(
                "relaxed-ion constants are not linear in the parameters: ask for relaxed_ion=False"
            )
        lam = coupling.reshape(n * d, d * d)
        A = A - (lam.T @ np.linalg.pinv(internal.reshape(n * d, n * d), rcond=1e-10) @ lam).reshape(
            (d,) * 4
        )
    return A / volume


def cubic_constants(model: Any, crystal: Crystal) -> tuple[float, float, float]:
    """C11, C12, C44 of a stress-free cubic crystal (relaxed ions), eV/A^3; multiply by 160.21766
    for GPa.
    """
    A = elastic_tensor(model, crystal)
    return A[0, 0, 0, 0], (A[0, 0, 1, 1] + A[0, 1, 1, 0]) - A[0, 1, 0, 1], A[0, 1, 0, 1]
