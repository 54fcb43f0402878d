"""The reference on a large domain, put together from what it says on small cells.

    E(u) = E_ML(u) + 1/2 <dK p, p> + [E_ref - E_ML](x_k) - 1/2 <dK_k p_k, p_k>,    dK = K_ref - K_ML

u displaces the large domain and is carried over to a k-cell with the same defect, x_k; p is the
displacement as a field on the lattice's sites; K are the perfect crystals' force constants.  Far
from the defect this is the reference's harmonic crystal, near it the reference itself.  Whatever
the small cell's artificial boundary does, it does to both models alike, and its harmonic part is
taken off exactly; what is left decays like the anharmonic far field, squared.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from ..crystals import Crystal, Defect, Supercell, build_defect, minimum_image
from ..equilibrium import LatticeStiffness, landscape
from ..potentials.derivatives import ForceConstantTable, force_constants


def site_matrix(defect: Defect) -> csr_matrix:
    """P (n_sites, n_atoms): displacements of atoms as a field on the homogeneous sites.

    Averages over atoms that share a site; a vacant site follows its nearest neighbours.
    """
    home, count = defect.homogeneous, defect.occupation
    rows, columns = list(defect.lattice_index), list(range(len(defect)))
    weights = list(1.0 / count[defect.lattice_index])
    average = csr_matrix((weights, (rows, columns)), shape=(len(home), len(defect)))
    fill = [(l, l, 1.0) for l in np.flatnonzero(count > 0)]
    for empty in np.flatnonzero(count == 0):
        gap = minimum_image(home.positions - home.positions[empty], home.cell)
        r = np.linalg.norm(gap, axis=1)
        near = np.flatnonzero((r < 1.01 * home.crystal.shells[0]) & (count > 0))
        fill += [(empty, l, 1.0 / len(near)) for l in near]
    l, m, w = zip(*fill)
    return csr_matrix((w, (l, m)), shape=(len(home), len(home))) @ average


def restriction(large: Defect, small: Defect) -> csr_matrix:
    """R (n_small, n_large): the displacement of a small cell's atoms from those of the large domain
    that stand where they stand, seen from the defect.

    Atoms on the small cell's boundary have several images there: their mean.  Where the defects
    stand on the two sublattices of a crystal that inversion exchanges (diamond: cells of odd and of
    even size), one is seen through the inversion: the entries are negative.

    Raises
    ------
    ValueError      if the small cell is not contained in the large one, or holds another defect
    """
    scale = small.crystal.a / large.crystal.a  # each model may live on a lattice of its own
    where = scale * minimum_image(large.positions - large.centre, large.cell)
    own = minimum_image(small.positions - small.centre, small.cell)
    images = np.stack(np.meshgrid(*[[-1, 0, 1]] * large.crystal.dimension, indexing="ij"), -1)
    candidates = own[:, None] + images.reshape(-1, own.shape[1]) @ small.cell
    lost = []
    for sign in (1.0, -1.0):
        R, missing = _matched(candidates, sign * where, 1e-4 * small.crystal.a)
        if not len(missing):
            return sign * R
        lost.append(missing)
    raise ValueError(
        f"the {small.name} in {small.homogeneous.n} cells has an atom at "
        f"{own[min(lost, key=len)[0]].round(3).tolist()} A that the domain of "
        f"{large.homogeneous.n} cells lacks: check cells must be smaller than the domain, with the "
        "same defect"
    )


def _matched(candidates, where, limit):
    """The mean over those of each atom's nearest images `candidates` (n, images, d) that stand at
    one of the places `where`: a matrix (n, n_places), and the atoms that stand nowhere.
    """
    tree, distance = cKDTree(where), np.linalg.norm(candidates, axis=2)
    atom, image = np.nonzero(distance < distance.min(axis=1, keepdims=True) + 1e-6)
    gap, place = tree.query(candidates[atom, image], distance_upper_bound=limit)
    atom, place = atom[np.isfinite(gap)], place[np.isfinite(gap)]
    count = np.bincount(atom, minlength=len(candidates))
    R = csr_matrix((1.0 / count[atom], (atom, place)), shape=(len(candidates), len(where)))
    return R, np.flatnonzero(count == 0)


def embed(equilibrium, large: Defect) -> np.ndarray:
    """Positions (n, d) on a large domain that start from a relaxed small cell: its displacements
    near the defect, none beyond.
    """
    R = restriction(large, equilibrium.defect)
    weights = np.maximum(np.asarray(R.sum(axis=0)).ravel(), 1.0)[:, None]
    return large.positions + (R.T @ equilibrium.u) / weights


@dataclass(frozen=True)
class Part:
    """One cell's share of the composite energy and its gradient in the displacements there."""

    energy: float
    gradient: np.ndarray


@dataclass(frozen=True)
class Correction:
    """What the composite adds to the candidate, in its three parts, all on the large domain.

    far : 1/2 <dK p, p>;  core : [E_ref - E_ML](x_k);  near : 1/2 <dK_k p_k, p_k>, taken off
    """

    far: Part
    core: Part
    near: Part

    @property
    def energy(self) -> float:
        """eV, of the formation energy."""
        return self.far.energy + self.core.energy - self.near.energy

    @property
    def gradient(self) -> np.ndarray:
        """(n, d), eV/A."""
        return self.far.gradient + self.core.gradient - self.near.gradient


@dataclass(frozen=True)
class Tables:
    """Force constants of both models, each of its own perfect crystal.

    They may be exact (`of`), or both from displaced atoms in one and the same small cell, where
    what the cell folds together cancels in the difference; or the reference's may be left out.
    """

    candidate: ForceConstantTable
    reference: ForceConstantTable

    @classmethod
    def of(cls, candidate, reference, crystal: Crystal, reference_crystal: Crystal | None = None):
        return cls(
            force_constants(candidate, crystal),
            force_constants(reference, reference_crystal or crystal),
        )

    @classmethod
    def without(cls, candidate, crystal: Crystal, reference_crystal: Crystal | None = None):
        """As if the reference's were the candidate's own: it is asked on the check cell only."""
        own = force_constants(candidate, crystal)
        stretch = np.linalg.inv(crystal.cell) @ (reference_crystal or crystal).cell
        return cls(own, replace(own, xi=own.xi @ stretch))


class HarmonicMismatch:
    """1/2 <dK p, p> on one defect cell, with p = P u + p0 on the sites."""

    def __init__(self, tables: Tables, candidate_defect: Defect, reference_defect: Defect):
        self.P = site_matrix(candidate_defect)
        self._sides = []
        for sign, table, defect in (
            (1.0, tables.reference, reference_defect),
            (-1.0, tables.candidate, candidate_defect),
        ):
            home = defect.homogeneous
            K = LatticeStiffness(table, home)
            offset = minimum_image(
                defect.positions - home.positions[defect.lattice_index], home.cell
            )
            self._sides.append((sign, K, self.P @ offset))

    def __call__(self, u) -> Part:
        energy, gradient = 0.0, np.zeros_like(u)
        field = self.P @ u
        for sign, K, offset in self._sides:
            p = field + offset
            p = p - p.mean(axis=0)
            Kp = K(p)
            energy += sign * 0.5 * float((p * Kp).sum())
            gradient = gradient + sign * (self.P.T @ Kp)
        return Part(energy, gradient)


class Composite:
    """Energy and forces of the composite on the candidate's large domain.

    Parameters
    ----------
    candidate, reference : models; the reference is asked once for energy and forces of the small
        cell at every evaluation
    tables : Tables             force constants of both
    far : HarmonicMismatch      of the large domain
    domain : Defect             of the candidate's crystal
    small : Defect              of the same kind in k cells, of the candidate's crystal
    reference_small : Defect    the same of the reference's crystal, where that has another lattice
                                constant
    """

    def __init__(self, candidate, reference, tables, far, domain, small, reference_small=None):
        self.candidate, self.reference = candidate, reference
        self.domain, self.small = domain, small
        self.reference_small = reference_small or small
        self.R = restriction(domain, small)
        self._far = far
        self._near = HarmonicMismatch(tables, small, self.reference_small)
        self._surface = landscape(candidate, domain.cell, domain.positions, skin=0.4)
        self.calls = 0

    def correction(self, u) -> Correction:
        """All but E_ML: what one call of the reference on the small cell adds at u (n, d), A."""
        uk = self.R @ u
        core, near = (
            Part(part.energy, self.R.T @ part.gradient) for part in (self._core(uk), self._near(uk))
        )
        return Correction(self._far(u), core, near)

    def _core(self, uk):
        """[E_ref - E_ML] on the small cell, of formation energies."""
        self.calls += 1
        energy, gradient = 0.0, 0.0
        for sign, model, defect in (
            (1.0, self.reference, self.reference_small),
            (-1.0, self.candidate, self.small),
        ):
            surface = landscape(model, defect.cell, defect.positions + uk)
            V, f = surface.evaluate()
            energy += sign * float(surface.above_crystal(V, defect.crystal))
            gradient = gradient - sign * f
        return Part(energy, gradient)

    def forces(self, u, correction: Correction | None = None):
        """Forces (n, d) of the composite at u, eV/A, mean removed."""
        correction = correction or self.correction(u)
        f = self._surface.evaluate(self.domain.positions + u)[1] - correction.gradient
        return f - f.mean(axis=0)

    def candidate_hessian(self, u):
        """The candidate's Hessian on the large domain at u."""
        return self._surface.hessian(self.domain.positions + u)


def same_defect(name_or_build, crystal, n) -> Defect:
    """The defect in n cells of a crystal: by name, or by a function of a `Supercell`."""
    supercell = Supercell(crystal, n)
    if isinstance(name_or_build, str):
        return build_defect(name_or_build, supercell)
    return name_or_build(supercell)
