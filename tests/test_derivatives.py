"""Forces, virials, force constants and elastic constants: independent differentiation, matscipy,
ASE, known numbers.
"""

from functools import lru_cache

import numpy as np
import pytest
from ase import units
from ase.phonons import Phonons
from scipy.optimize import minimize

from mlipgen.crystals import Crystal, Neighbours, Supercell, as_atoms, thickness, vacancy
from mlipgen.potentials import (
    EAM,
    ACEBasis,
    LinearACE,
    StillingerWeber,
    Toy2D,
    cubic_constants,
    elastic_tensor,
    energies_and_forces,
    force_constants,
    hessian_vector,
    site_hessian,
    virial,
)

GPA = 160.21766


@lru_cache
def ace(symbol="W", degree=6, seed=0):
    """A random ACE, smooth and of ordinary strength; cutoff short, so that small cells are thick
    enough.
    """
    cutoff, r0 = {"W": (4.4, 2.74), "Si": (3.77, 2.35)}[symbol]
    basis = ACEBasis(cutoff, degree, 3, r0)
    theta = 0.3 * np.random.default_rng(seed).normal(size=len(basis)) / basis.prior
    model = LinearACE(basis, theta, symbol)
    return model


MODELS = {
    "bcc": (EAM("W"), Crystal("W", "bcc", 3.165188)),
    "fcc": (EAM("Cu"), Crystal("Cu", "fcc", 3.615)),
    "hcp": (EAM("Ti"), Crystal("Ti", "hcp", 2.9404660, 4.7662904)),
    "diamond": (StillingerWeber("Si"), Crystal("Si", "diamond", 5.43095)),
    "triangular": (Toy2D(), Crystal.equilibrium(Toy2D())),
    "ace bcc": (ace(), Crystal("W", "bcc", 3.165188)),
    "ace diamond": (ace("Si"), Crystal("Si", "diamond", 5.43095)),
}
every_model = pytest.mark.parametrize("name", MODELS)


def rattled(crystal, cutoff, size=0.02, seed=0):
    n = int(np.ceil((2 * cutoff / thickness(crystal.cell)).max()))
    defect = vacancy(Supercell(crystal, n))
    return defect.positions + size * crystal.a * np.random.default_rng(seed).normal(
        size=defect.positions.shape
    ), defect.cell


def difference(function, h):
    """Sixth-order central difference of function(t) at t = 0."""
    return (
        sum(
            w * (function(k * h) - function(-k * h))
            for k, w in ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
        )
        / h
    )


# --- forces, Hessian products, virials ---


@every_model
def test_forces_and_hessian_products_are_directional_derivatives(name):
    model, crystal = MODELS[name]
    x, cell = rattled(crystal, model.cutoff)
    neighbours = Neighbours(x, cell, model.cutoff, skin=0.1)
    v = np.random.default_rng(1).normal(size=x.shape)
    v /= np.linalg.norm(v)
    V, f = energies_and_forces(model, neighbours, x)
    reference = lambda t: energies_and_forces(model, neighbours, x + t * v)
    h = 2e-4 * crystal.a
    slope = difference(lambda t: (reference(t)[0] - V).sum(), h)
    assert abs(slope + (f * v).sum()) < 1e-9 * np.linalg.norm(f)
    Hv = hessian_vector(model, neighbours, x, v)
    np.testing.assert_allclose(
        -difference(lambda t: reference(t)[1], h), Hv, rtol=0, atol=1e-8 * abs(Hv).max()
    )
    # symmetric
    w = np.random.default_rng(2).normal(size=x.shape)
    assert (w * Hv).sum() == pytest.approx(
        (v * hessian_vector(model, neighbours, x, w)).sum(), rel=1e-10, abs=1e-12
    )
    # no net force
    assert abs(f.sum(axis=0)).max() < 1e-11 and abs(Hv.sum(axis=0)).max() < 1e-11


def test_hessian_products_are_right_when_the_list_is_rebuilt():
    """The list was built elsewhere: vectors and differences must belong to the same list."""
    model, crystal = MODELS["bcc"]
    x, cell = rattled(crystal, model.cutoff)
    v = np.random.default_rng(1).normal(size=x.shape)
    stale = Neighbours(x + 0.5, cell, model.cutoff)
    np.testing.assert_allclose(
        hessian_vector(model, stale, x, v),
        hessian_vector(model, Neighbours(x, cell, model.cutoff), x, v),
        atol=1e-11,
    )
    assert stale.builds == 2


@every_model
def test_virial_is_the_strain_derivative_of_the_energy(name):
    model, crystal = MODELS[name]
    x, cell = rattled(crystal, model.cutoff)
    n = Neighbours(x, cell, model.cutoff, skin=0.3)
    R = n.vectors(x)
    W = virial(model, R, n.offsets)
    V0 = model.sites(R, n.offsets)[0]
    d = crystal.dimension
    numerical = np.empty((d, d))
    for index in np.ndindex(d, d):

        def energy(t):
            F = np.eye(d)
            F[index] += t
            return (model.sites(R @ F.T, n.offsets)[0] - V0).sum()

        numerical[index] = difference(energy, 1e-4)
    np.testing.assert_allclose(W, numerical, rtol=0, atol=2e-9 * max(abs(W).max(), 1))
    # rotations cost nothing
    np.testing.assert_allclose(W, W.T, rtol=0, atol=1e-11 * max(abs(W).max(), 1))


# --- force constants ---


def full_hessian(model, x, cell):
    n = Neighbours(x, cell, model.cutoff)
    return np.array(
        [hessian_vector(model, n, x, v.reshape(x.shape)).ravel() for v in np.eye(x.size)]
    )


def thick_supercell(crystal, cutoff):
    return Supercell(crystal, tuple(np.ceil(4 * cutoff / thickness(crystal.cell)).astype(int)))


@every_model
def test_force_constants_are_finite_differences_of_forces_in_a_thick_cell(name):
    """Displace one atom of each sublattice in a cell at least four cutoffs thick: forces on all
    others, no images.
    """
    model, crystal = MODELS[name]
    cell = thick_supercell(crystal, model.cutoff)
    neighbours = Neighbours(cell.positions, cell.cell, model.cutoff, skin=0.1)
    table, d = force_constants(model, crystal), crystal.dimension
    inverse = np.linalg.inv(cell.cell)
    for atom in crystal.primitive_atoms:
        own = table.s == crystal.sublattice[atom]
        fractional = (cell.positions[atom] + table.xi[own]) @ inverse
        key = lambda q: [tuple(k) for k in (np.rint((q - np.floor(q + 1e-7)) * 1e5)).astype(int)]
        site = {k: n for n, k in enumerate(key(cell.positions @ inverse))}
        target = np.array([site[k] for k in key(fractional)])
        # no two of them fold onto one site
        assert len(set(target)) == len(target)
        K = np.zeros((len(cell), d, d))
        K[target] = table.K[own]
        for c in range(d):

            def forces(t):
                x = cell.positions.copy()
                x[atom, c] += t
                return energies_and_forces(model, neighbours, x)[1]

            numerical = -difference(forces, 5e-4 * crystal.a)
            np.testing.assert_allclose(K[:, c], numerical, rtol=0, atol=1e-8 * abs(table.K).max())


def test_force_constants_are_matscipys_analytic_hessian(tmp_path):
    from matscipy.calculators.eam import EAM as Calculator

    potential, crystal = MODELS["bcc"]
    potential.tabulate(tmp_path / "W.eam.alloy")
    calculator = Calculator(str(tmp_path / "W.eam.alloy"))
    cell = thick_supercell(crystal, potential.cutoff)
    H = (
        calculator.get_hessian(as_atoms("W", cell.positions, cell.cell), format="sparse")
        .tocsr()[:3]
        .toarray()
        .reshape(3, -1, 3)
    )
    table = force_constants(potential, crystal)
    inverse, total = np.linalg.inv(cell.cell), np.zeros((3, len(cell), 3))
    for xi, K in zip(table.xi, table.K):
        gap = (cell.positions - cell.positions[0] - xi) @ inverse
        total[:, np.argmin(abs(gap - np.rint(gap)).sum(axis=1))] += K
    # The table's cubic interpolation has third derivatives of order h, second ones to h^2 phi'''' ~
    # 1e-7.
    np.testing.assert_allclose(total, H, rtol=0, atol=1e-6 * abs(H).max())


def test_hessian_of_a_rattled_cell_is_matscipys(tmp_path):
    from matscipy.calculators.eam import EAM as Calculator

    potential, crystal = MODELS["bcc"]
    potential.tabulate(tmp_path / "W.eam.alloy")
    x, cell = rattled(crystal, potential.cutoff)
    theirs = (
        Calculator(str(tmp_path / "W.eam.alloy"))
        .get_hessian(as_atoms("W", x, cell), format="sparse")
        .toarray()
    )
    ours = full_hessian(potential, x, cell)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * abs(ours).max())
    np.testing.assert_allclose(ours, ours.T, rtol=0, atol=1e-12 * abs(ours).max())


def test_site_hessian_is_symmetric_and_a_finite_difference():
    model, crystal = MODELS["ace bcc"]
    R, offsets, _, _ = crystal.stencil(model.cutoff, [0])
    R = R + 0.05 * np.random.default_rng(0).normal(size=R.shape)
    H = site_hessian(model, R)
    np.testing.assert_allclose(H, H.transpose(2, 3, 0, 1), rtol=0, atol=1e-12 * abs(H).max())

    def gradient(t):
        Q = R.copy()
        Q[4, 1] += t
        return model.sites(Q, offsets)[1]

    np.testing.assert_allclose(
        H[4, 1], difference(gradient, 1e-3), rtol=0, atol=1e-9 * abs(H).max()
    )


# --- dynamical matrix ---


@every_model
def test_dynamical_matrix_acoustic_sum_rule_symmetry_and_long_waves(name):
    model, crystal = MODELS[name]
    table, d = force_constants(model, crystal), crystal.dimension
    scale = abs(table.K).max()
    for s in np.unique(table.s):
        assert abs(table.K[table.s == s].sum(axis=0)).max() < 1e-11 * scale
    n = table.s.max() + 1
    D0 = table.dynamical_matrix(np.zeros(d))
    assert abs(D0 @ np.kron(np.ones((n, 1)), np.eye(d))).max() < 1e-11 * scale
    k = np.random.default_rng(0).normal(size=d) / crystal.a
    D = table.dynamical_matrix(k)
    np.testing.assert_allclose(D, D.conj().T, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(table.dynamical_matrix(-k), D.conj(), rtol=0, atol=1e-12 * scale)
    # Long waves feel the elastic tensor, optical modes eliminated: k.A.k per primitive cell, also
    # under stress.
    q = 1e-3 * k
    Dm = table.dynamical_matrix(q)
    T = np.kron(np.ones((n, 1)), np.eye(d)) / np.sqrt(n)
    Q = np.linalg.svd(T)[0][:, d:]
    schur = T.T @ Dm @ T - (
        T.T @ Dm @ Q @ np.linalg.solve(Q.T @ Dm @ Q, Q.T @ Dm @ T) if n > 1 else 0
    )
    volume = abs(np.linalg.det(crystal.cell)) / len(crystal.basis)
    acoustic = volume * np.einsum("j,l,ijkl->ik", q, q, elastic_tensor(model, crystal))
    np.testing.assert_allclose(schur.real, acoustic, rtol=0, atol=1e-5 * abs(acoustic).max())


def test_phonons_are_ases(tmp_path):
    """ASE's frequencies from finite displacements in a supercell, ours from site Hessians."""
    potential, crystal = MODELS["bcc"]
    atoms = crystal.unit.copy()
    phonons = Phonons(
        atoms,
        potential.calculator(),
        supercell=(7, 7, 7),
        delta=0.002,
        name=str(tmp_path / "phonon"),
    )
    phonons.run()
    phonons.read(acoustic=True)
    table = force_constants(potential, crystal)
    for q in ([0.5, 0, 0], [0.2, 0.1, 0.4]):
        theirs = np.sort(phonons.band_structure([q])[0])
        # The conventional cell folds two primitive wave vectors onto one.
        k = [2 * np.pi * (np.array(q) + fold) / crystal.a for fold in ([0, 0, 0], [1, 0, 0])]
        stiffness = np.concatenate([np.linalg.eigvalsh(table.dynamical_matrix(one)) for one in k])
        ours = (
            np.sort(np.sqrt(stiffness / atoms.get_masses()[0]))
            * units._hbar
            * units.m
            / np.sqrt(units._e * units._amu)
        )
        # theirs: differences over 0.002 A
        np.testing.assert_allclose(ours, theirs, rtol=2e-4)


# --- elastic constants ---


def test_silicon_elastic_constants():
    """Stillinger and Weber's silicon: 151.4, 76.4, 56.4 GPa (Cowley 1988; Balamane et al. 1992)."""
    model = StillingerWeber("Si")
    crystal = Crystal.equilibrium(model)
    c11, c12, c44 = np.array(cubic_constants(model, crystal)) * GPA
    assert (round(c11, 1), round(c12, 1), round(c44, 1)) == (151.4, 76.4, 56.4)


def strained_energy(model, crystal, F, relaxed_ion=True):
    """Energy per atom of the homogeneously strained crystal, basis relaxed numerically; nothing
    shared with the library's tensors.
    """
    R0, offsets, b, _ = crystal.stencil(1.06 * model.cutoff + 0.3, crystal.primitive_atoms)
    site = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    sub = crystal.sublattice

    def energy(p):
        p = np.vstack([np.zeros(crystal.dimension), p.reshape(-1, crystal.dimension)])
        R = R0 @ F.T + p[sub[b]] - p[site]
        V, G = model.sites(R, offsets)
        g = np.zeros_like(p)
        np.add.at(g, sub[b], G)
        np.subtract.at(g, site, G)
        return V.mean(), g[1:].ravel() / len(V)

    n = len(crystal.primitive_atoms)
    if n == 1 or not relaxed_ion:
        return energy(np.zeros((n - 1) * crystal.dimension))[0]
    found = minimize(
        energy,
        np.zeros((n - 1) * crystal.dimension),
        jac=True,
        method="BFGS",
        options=dict(gtol=1e-9),
    )
    return found.fun


@pytest.mark.parametrize("relaxed_ion", [True, False])
@pytest.mark.parametrize("name", ["bcc", "hcp", "diamond", "triangular"])
def test_elastic_tensor_is_the_second_difference_of_the_energy(name, relaxed_ion):
    model, crystal = MODELS[name]
    A, d = elastic_tensor(model, crystal, relaxed_ion), crystal.dimension
    volume = abs(np.linalg.det(crystal.cell)) / len(crystal.basis)
    rng = np.random.default_rng(0)
    for _ in range(4):
        # a general deformation gradient, rotations included
        E = rng.normal(size=(d, d))
        E /= np.linalg.norm(E)
        W = lambda t: strained_energy(model, crystal, np.eye(d) + t * E, relaxed_ion)
        h = 2e-3
        second = (
            (-W(2 * h) + 16 * W(h) - 30 * W(0) + 16 * W(-h) - W(-2 * h)) / (12 * h * h) / volume
        )
        assert np.einsum("ij,ijkl,kl->", E, A, E) == pytest.approx(
            second, rel=1e-5, abs=1e-5 * abs(A).max()
        )
    if relaxed_ion and name in ("hcp", "diamond"):
        assert (
            abs(A - elastic_tensor(model, crystal, relaxed_ion=False)).max() > 1e-3 * abs(A).max()
        )


def test_hcp_elastic_tensor_has_hexagonal_symmetry():
    model = EAM("Ti")
    crystal = Crystal.equilibrium(model)
    A = elastic_tensor(model, crystal)
    C = lambda i, j, k, l: A[i, j, k, l] * GPA
    assert C(0, 0, 0, 0) == pytest.approx(C(1, 1, 1, 1)) and C(0, 0, 2, 2) == pytest.approx(
        C(1, 1, 2, 2)
    )
    # C66 = (C11 - C12) / 2
    assert C(0, 1, 0, 1) == pytest.approx((C(0, 0, 0, 0) - C(0, 0, 1, 1)) / 2)
    assert C(0, 2, 0, 2) == pytest.approx(C(2, 0, 2, 0)) and C(0, 0, 0, 0) != pytest.approx(
        C(2, 2, 2, 2), rel=0.05
    )


def test_cubic_constants_are_ases_stress_differences():
    """Stress of strained cells through the ASE calculator: an independent path to C11, C12, C44."""
    model = EAM("Cu")
    crystal = Crystal.equilibrium(model)
    c11, c12, c44 = cubic_constants(model, crystal)

    def stress(E):
        atoms = crystal.unit.copy()
        atoms.set_cell(atoms.cell @ (np.eye(3) + E).T, scale_atoms=True)
        atoms.calc = model.calculator()
        return atoms.get_stress(voigt=False)

    tension, shear = np.diag([1.0, 0, 0]), np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]])
    along = difference(lambda t: stress(t * tension), 2e-4)
    np.testing.assert_allclose([along[0, 0], along[1, 1]], [c11, c12], rtol=1e-7)
    assert difference(lambda t: stress(t * shear), 2e-4)[0, 1] == pytest.approx(c44, rel=1e-7)


# --- bases: the same code gives design rows ---


@pytest.mark.parametrize("name", ["ace bcc", "ace diamond"])
def test_rows_of_a_basis_times_theta_are_the_models_values(name):
    model, crystal = MODELS[name]
    basis, theta = model.basis, model.theta
    x, cell = rattled(crystal, model.cutoff)
    n = Neighbours(x, cell, model.cutoff)
    R = n.vectors(x)

    def check(rows, values):
        np.testing.assert_allclose(rows @ theta, values, rtol=0, atol=1e-9 * abs(values).max())

    for rows, values in zip(energies_and_forces(basis, n, x), energies_and_forces(model, n, x)):
        check(rows, values)
    check(virial(basis, R, n.offsets), virial(model, R, n.offsets))
    check(force_constants(basis, crystal).K, force_constants(model, crystal).K)
    check(
        elastic_tensor(basis, crystal, relaxed_ion=False),
        elastic_tensor(model, crystal, relaxed_ion=False),
    )
    if crystal.structure == "diamond":
        with pytest.raises(ValueError, match="not linear in the parameters"):
            elastic_tensor(basis, crystal)


@pytest.mark.parametrize("name", ["ace bcc", "ace diamond"])
def test_ace_against_automatic_differences_to_nine_digits(name):
    """Virials and force constants from energies alone, by Richardson extrapolation of central
    differences.
    """
    model, crystal = MODELS[name]
    R, offsets, b, _ = crystal.stencil(1.1 * model.cutoff, crystal.primitive_atoms[:1])
    R = R + 0.03 * np.random.default_rng(4).normal(size=R.shape)
    # extrapolation needs all derivatives: none crosses the cutoff
    R = R[abs(np.linalg.norm(R, axis=1) - model.cutoff) > 0.15]
    offsets = np.array([0, len(R)])
    V = lambda Q: model.sites(Q, offsets)[0][0]

    def richardson(function, h=0.02, levels=6):
        """The derivative at 0 of a smooth function, to rounding."""
        table = [
            [(function(s) - function(-s)) / (2 * s)] for s in (h / 1.7**k for k in range(levels))
        ]
        best, error = table[0][0], np.inf
        for k in range(1, levels):
            for j in range(1, k + 1):
                table[k].append(
                    table[k][j - 1] + (table[k][j - 1] - table[k - 1][j - 1]) / (1.7 ** (2 * j) - 1)
                )
            gap = np.abs(table[k][k] - table[k - 1][k - 1]).max()
            if gap < error:
                best, error = table[k][k], gap
        return best

    W = virial(model, R, offsets)
    numerical = np.empty((3, 3))
    for index in np.ndindex(3, 3):
        E = np.zeros((3, 3))
        E[index] = 1.0
        numerical[index] = richardson(lambda t: V(R + t * R @ E.T))
    np.testing.assert_allclose(W, numerical, rtol=0, atol=1e-9 * abs(W).max())
    H = site_hessian(model, R)
    rng = np.random.default_rng(5)
    # gradients were compared above; now the second derivative
    for _ in range(6):
        a, c = rng.normal(size=(2,) + R.shape)
        a, c = a / np.linalg.norm(a), c / np.linalg.norm(c)
        second = richardson(lambda t: (model.sites(R + t * a, offsets)[1] * c).sum())
        assert abs(np.einsum("pi,piqj,qj->", a, H, c) - second) < 1e-9 * abs(H).max()


def test_two_dimensional_elastic_constants_are_isotropic():
    """A triangular lattice is elastically isotropic: C11 - C12 = 2 C66, and the pair part alone
    would give C12 = C66.
    """
    potential, crystal = MODELS["triangular"]
    A = elastic_tensor(potential, crystal)
    assert A.shape == (2, 2, 2, 2)
    c11, c12, c66 = A[0, 0, 0, 0], A[0, 0, 1, 1], A[0, 1, 0, 1]
    assert c11 - c12 == pytest.approx(2 * c66, rel=1e-9) and abs(c12 / c66 - 1) > 0.02
