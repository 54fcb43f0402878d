"""The perfect crystal's Hessian and its inverse, the lattice Green's function, by Fourier
transform.

The Green's function is the right preconditioner for a defect: a point defect changes the Hessian
only locally, so the number of force evaluations does not grow with the cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..failures import NotFinite, Unstable
from ..potentials.derivatives import ForceConstantTable, force_constants

if TYPE_CHECKING:
    from ..contracts import Operator
    from ..crystals.defects import Defect


class LatticeStiffness:
    """Hessian of a homogeneous supercell, (K u)(l) = sum_m K(l - m) u(m), from force constants.

    Parameters
    ----------
    table : ForceConstantTable
    homogeneous : Supercell      images are summed where the range exceeds the cell, as they are by
                                 whatever computes forces there

    Attributes
    ----------
    D : (n1, n2, ..., n_basis d, n_basis d)     dynamical matrices of the cell's wave vectors
    """

    def __init__(self, table: ForceConstantTable, homogeneous):
        self.homogeneous, crystal = homogeneous, homogeneous.crystal
        d, nb = crystal.dimension, len(crystal.basis)
        K = np.zeros(homogeneous.n + (nb, nb, d, d))
        # from the primitive table to the conventional cell, periodically wrapped
        for b in range(nb):
            rows = table.s == crystal.sublattice[b]
            cells, target = crystal.locate(crystal.basis[b] + table.xi[rows])
            np.add.at(K, tuple((cells % homogeneous.n).T) + (b, target), table.K[rows])
        K = np.moveaxis(K, -3, -2).reshape(homogeneous.n + (nb * d, nb * d))
        if not np.isfinite(K).all():
            raise NotFinite(
                f"force constants of the {crystal.structure} {crystal.symbol} crystal are not "
                "finite: is the potential's `sites` fit for complex vectors? see `check_potential`"
            )
        self.onsite = K[(0,) * d].trace() / (nb * d)  # mean on-site spring, eV/A^2
        self._axes, self._shape = tuple(range(d)), homogeneous.n + (nb * d,)
        self.D = np.conj(np.fft.rfftn(K, axes=self._axes))

    def apply(self, matrices: np.ndarray, field: np.ndarray) -> np.ndarray:
        """Matrices of every wave vector times a field (n_sites, d)."""
        F = np.fft.rfftn(field.reshape(self._shape), axes=self._axes)
        F = (matrices @ F[..., None])[..., 0]
        return np.fft.irfftn(F, s=self.homogeneous.n, axes=self._axes).reshape(field.shape)

    def __call__(self, u):
        """K u (n_sites, d), eV/A, of displacements u (n_sites, d), A."""
        needed = self.homogeneous.positions.shape
        if np.shape(u) != needed or np.iscomplexobj(u):
            raise ValueError(f"u of shape {np.shape(u)}: a real vector for each site, {needed}")
        return self.apply(self.D, u)


class LatticeGreen:
    """Inverse Hessian of the homogeneous supercell, applied by fast Fourier transform.

    Parameters
    ----------
    model : SitePotential, or another model with force constants
    homogeneous : Supercell

    Raises
    ------
    Unstable      if the crystal has a mode of negative or zero stiffness (other than translations)
    """

    def __init__(self, model, homogeneous):
        self.homogeneous, crystal = homogeneous, homogeneous.crystal
        self.table = force_constants(model, crystal)
        self.hessian = LatticeStiffness(self.table, homogeneous)
        self.stiffness = self.hessian.onsite
        d, nb = crystal.dimension, len(crystal.basis)
        D = self.hessian.D.copy()
        # k = 0: shift the translations up to a unit stiffness, invert, and take them out again.
        translations = np.kron(np.full((nb, nb), 1.0 / nb), np.eye(d))
        D[(0,) * d] += self.stiffness * translations
        try:
            np.linalg.cholesky(D)
        except np.linalg.LinAlgError:
            lowest = np.linalg.eigvalsh(D)[..., 0]
            at = np.unravel_index(np.argmin(lowest), lowest.shape)
            raise Unstable(
                f"the {crystal.structure} {crystal.symbol} crystal at a = {crystal.a:.4f} A is "
                f"unstable under this model: stiffness {lowest[at]:.3g} eV/A^2 at wave number "
                f"{tuple(map(int, at))} of {homogeneous.n}; "
                "check the lattice constant, or fit more data near the crystal"
            ) from None
        self.G = np.linalg.inv(D)
        self.G[(0,) * d] -= translations / self.stiffness

    def __call__(self, f):
        """Displacements (n_sites, d), A, of the perfect crystal under the forces f (n_sites, d),
        eV/A; mean force ignored.
        """
        return self.hessian.apply(self.G, f)

    def for_defect(self, defect: Defect) -> Operator:
        """The preconditioner on the atoms of a defect: symmetric and positive on forces without a
        net force.

        A vacancy's site carries no force; atoms that share a site (dumbbells) move together with it
        and against each other with the crystal's on-site spring.
        """
        site = defect.lattice_index
        counts = defect.occupation[site][:, None]

        def apply(f):
            total = defect.sum_on_sites(f)
            u = self(total)[site]
            if counts.max() > 1:
                u = u + (counts > 1) * (f - total[site] / counts) / self.stiffness
            return u - u.mean(axis=0)

        return apply
