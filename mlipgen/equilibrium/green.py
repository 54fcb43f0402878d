"""The lattice Green's function: the inverse Hessian of the perfect crystal, one inverse per wave
vector.

It is the right preconditioner for a defect: a point defect changes the Hessian only locally, so the
number of force evaluations does not grow with the cell.
"""

import numpy as np

from ..failures import Unstable
from ..potentials.derivatives import force_constants


class LatticeGreen:
    """Inverse Hessian of the homogeneous supercell, applied by fast Fourier transform.

    Parameters
    ----------
    model : SitePotential
    homogeneous : Supercell

    Raises
    ------
    Unstable      if the crystal has a mode of negative or zero stiffness (other than translations)
    """

    def __init__(self, model, homogeneous):
        self.homogeneous, crystal = homogeneous, homogeneous.crystal
        self.table = force_constants(model, crystal)
        d, nb = crystal.dimension, len(crystal.basis)
        K = np.zeros(homogeneous.n + (nb, nb, d, d))
        # from the primitive table to the conventional cell, periodically wrapped
        for b in range(nb):
            rows = self.table.s == crystal.sublattice[b]
            cells, target = crystal.locate(crystal.basis[b] + self.table.xi[rows])
            np.add.at(K, tuple((cells % homogeneous.n).T) + (b, target), self.table.K[rows])
        K = np.moveaxis(K, -3, -2).reshape(homogeneous.n + (nb * d, nb * d))
        self.stiffness = K[(0,) * d].trace() / (nb * d)  # mean on-site spring, eV/A^2
        axes = tuple(range(d))
        D = np.conj(np.fft.rfftn(K, axes=axes))
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
                "unstable under this "
                f"model: stiffness {lowest[at]:.3g} eV/A^2 at wave number {tuple(map(int, at))} "
                f"of {homogeneous.n}; "
                "check the lattice constant, or fit more data near the crystal"
            ) from None
        self.G = np.linalg.inv(D)
        self.G[(0,) * d] -= translations / self.stiffness
        self._axes, self._shape = axes, homogeneous.n + (nb * d,)

    def __call__(self, f):
        """Displacements (n_sites, d), A, of the perfect crystal under the forces f (n_sites, d),
        eV/A; mean force ignored.
        """
        F = np.fft.rfftn(f.reshape(self._shape), axes=self._axes)
        u = np.fft.irfftn((self.G @ F[..., None])[..., 0], s=self.homogeneous.n, axes=self._axes)
        return u.reshape(f.shape)

    def for_defect(self, defect):
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
