"""The far field of a point defect, and the other assumptions of the theory made visible.

Decay |D^j u| ~ r^(1-d-j), the elastic dipole that sets its strength, the continuum's prediction, the stability constant,
and the convergence with the supercell.  Lengths in A, energies in eV.
"""
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .crystal_errors import gram_table
from .crystals import Supercell, build_defect, minimum_image, thickness
from .derivatives import elastic_tensor, force_constants, hessian_vector, virial
from .eigenvalues import extreme_eigenvalue
from .equilibrium import LatticeGreen, Unstable, hessian_at, linear_response, relax
from .errors import EnergyNorm, formation_energy, observed_rate
from .neighbours import Neighbours


def translations(crystal):
    """The shortest lattice translations, one of each pair +-rho: (m, d), A."""
    R, _, b, _ = crystal.stencil(1.5 * crystal.a, crystal.primitive_atoms[:1])
    R = R[crystal.sublattice[b] == crystal.sublattice[crystal.primitive_atoms[0]]]
    r = np.linalg.norm(R, axis=1)
    R = R[r < r.min() * 1.001]
    leading = [v[np.flatnonzero(np.abs(v) > 1e-6)[-1]] for v in R]
    return R[np.array(leading) > 0]


def translated(supercell, rho):
    """Index of the site at l + rho for every site l of the supercell, shape (n_sites,); rho a lattice translation."""
    n = np.array(supercell.n)
    try:
        cells, k = supercell.crystal.locate(supercell.positions + rho)
    except ValueError as error:
        raise ValueError(f"rho = {np.asarray(rho).tolist()} A is not a translation of the {supercell.crystal.structure} lattice: {error}") from None
    return np.ravel_multi_index(tuple((cells % n).T), tuple(n)) * len(supercell.crystal.basis) + k


def ramp(r, L):
    """0 for r <= L, 1 for r >= 2L, a degree-7 (C3) polynomial in between."""
    t = np.clip(r / L - 1, 0, 1)
    return t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3)


def on_lattice(defect, u):
    """Displacements (n_atoms, d) as a field on the homogeneous sites (n_sites, d); nan where not exactly one atom sits."""
    field = np.full((len(defect.homogeneous), u.shape[1]), np.nan)
    field[defect.lattice_index] = u
    field[defect.occupation != 1] = np.nan
    return field


@dataclass(frozen=True)
class FarField:
    """|D^j u| (root mean square over the sites of a bin) against the distance from the defect.

    distance : (n_bins,), A;  D : {j: (n_bins,)}, A, j-fold differences along the shortest lattice translations
    """

    distance: np.ndarray
    D: dict

    def rate(self, j=1, window=(0.0, np.inf)):
        """Slope of log |D^j u| against log r inside the window (A) and its standard error."""
        keep = (self.distance > window[0]) & (self.distance < window[1])
        return observed_rate(self.distance[keep], self.D[j][keep])


def far_field(equilibrium, orders=(1, 2, 3), bins=24, u=None):
    """Bin |D^j u| by distance, out to where the periodic images are felt (a third of the cell's thickness).

    Parameters
    ----------
    equilibrium : Equilibrium      (`Reference.equilibrium`)
    orders : sequence of int       the j of D^j
    u : (n_atoms, d), A            another displacement of the same atoms (a prediction); default the equilibrium's own

    Source: decay |D^j u| <= C (1 + r)^(1 - d - j), Ehrlacher, Ortner and Shapeev 2016.
    """
    defect = equilibrium.defect
    cell = defect.homogeneous
    step = [translated(cell, rho) for rho in translations(cell.crystal)]
    r = np.linalg.norm(minimum_image(cell.positions - defect.centre, cell.cell), axis=1)
    width = thickness(cell.cell).min()
    edges = np.geomspace(cell.crystal.shells[0], width / 3, bins + 1)
    where = np.digitize(r, edges) - 1
    field, D = on_lattice(defect, equilibrium.u if u is None else u)[:, None], {}
    distance = None
    for j in range(1, max(orders) + 1):
        field = np.concatenate([field[s] - field for s in step], axis=1)
        size = (field**2).sum(axis=(1, 2))
        good = np.isfinite(size) & (where >= 0) & (where < bins)
        count = np.bincount(where[good], minlength=bins)
        if j in orders:
            with np.errstate(invalid="ignore", divide="ignore"):
                D[j] = np.sqrt(np.bincount(where[good], size[good], bins) / count)
                distance = np.exp(np.bincount(where[good], np.log(r[good]), bins) / count) if distance is None else distance
    full = np.isfinite(distance) & np.all([np.isfinite(v) for v in D.values()], axis=0)
    return FarField(distance[full], {j: v[full] for j, v in D.items()})


def elastic_dipole(potential, equilibrium, method="stress"):
    """Elastic dipole tensor P (d, d), eV: the strength of the far field, u_i = -P_jk d_k G_ij.

    method : "stress"     P = -dE/dF of the relaxed cell at fixed shape (a stress-free crystal exerts none)
             "kanzaki"    first moment of the forces that would hold u in the harmonic crystal (one atom a primitive cell:
                          elsewhere the moment depends on how the core's atoms are labelled)
    Both converge to the same tensor as the cell grows, with errors N^(-d).
    """
    defect = equilibrium.defect
    if method == "stress":
        pairs = Neighbours(equilibrium.positions, defect.cell, potential.cutoff)
        return -virial(potential, pairs.vectors(equilibrium.positions), pairs.offsets)
    if method != "kanzaki":
        raise ValueError(f"method {method!r} is unknown; choose 'stress' or 'kanzaki'")
    cell = defect.homogeneous
    if len(cell.crystal.primitive_atoms) > 1:
        raise ValueError(f"Kanzaki forces need one atom a primitive cell, {cell.crystal.structure} has "
                         f"{len(cell.crystal.primitive_atoms)}: use method='stress'")
    u = defect.sum_on_sites(equilibrium.u) / np.maximum(defect.occupation, 1)[:, None]
    f = hessian_vector(potential, Neighbours(cell.positions, cell.cell, potential.cutoff), cell.positions, u)
    return f.T @ minimum_image(cell.positions - defect.centre, cell.cell)


def green_gradient(A, x, points=32):
    """Gradient d_k G_ij of the continuum Green's function at x (n, d): shape (n, d, d, d) = (n, i, j, k).

    A : (d, d, d, d), eV/A^d, d2W / dF_iJ dF_kL.  d = 3: Barnett's line integral (Phys. Status Solidi B 49, 741, 1972);
    d = 2: the same by the plane-wave expansion of log r.  Trapezoidal sums over a circle: exponentially accurate, with
    32 points to 1e-8 even for lead (anisotropy 4.1) and to machine precision for tungsten.
    """
    x = np.atleast_2d(x)
    r = np.linalg.norm(x, axis=1)
    T = x / r[:, None]
    angle = np.pi * (np.arange(points) + 0.5) / points  # integrands have period pi
    d = x.shape[1]
    table = np.ascontiguousarray(A.transpose(1, 3, 0, 2)).reshape(d * d, d * d)
    contract = lambda v, w: ((v[:, :, None] * w[:, None]).reshape(-1, d * d) @ table).reshape(-1, d, d)  # A_iakb v_a w_b  # noqa: E731
    if d == 2:
        normal = np.stack([-T[:, 1], T[:, 0]], axis=1)
        out = 0.0
        for a in angle:  # nodes lie symmetrically about the pole at xi.x = 0, which gives the principal value
            xi = np.cos(a) * normal + np.sin(a) * T
            M = np.linalg.inv(contract(xi, xi))
            out = out + M[..., None] * (xi / (np.sin(a) * r[:, None]))[:, None, None]
        return -out / (2 * np.pi * points)
    helper = np.eye(3)[np.abs(T).argmin(axis=1)]
    p = np.cross(T, helper)
    p /= np.linalg.norm(p, axis=1)[:, None]
    q, out = np.cross(T, p), 0.0
    for a in angle:
        z = np.cos(a) * p + np.sin(a) * q
        M = np.linalg.inv(contract(z, z))
        mixed = contract(z, T)
        F = M @ (mixed + mixed.swapaxes(1, 2)) @ M
        out = out - M[..., None] * T[:, None, None] + F[..., None] * z[:, None, None]
    return out / (4 * np.pi * points) / (r**2)[:, None, None, None]


def continuum_prediction(potential, defect, dipole):
    """Displacement of every atom (n_atoms, d), A, by linear elasticity in an infinite medium: u_i = -P_jk d_k G_ij."""
    x = minimum_image(defect.positions - defect.centre, defect.cell)
    x[np.linalg.norm(x, axis=1) < 1e-6] = np.nan  # no prediction at the defect itself
    A = elastic_tensor(potential, defect.crystal)
    safe = np.where(np.isnan(x), 1.0, x)
    u = -np.einsum("nijk,jk->ni", green_gradient(A, safe), dipole)
    return np.where(np.isnan(x), np.nan, u)


def lattice_prediction(green, defect, dipole):
    """The same by the periodic lattice's own Green's function: the dipole as forces on the sites next to the defect."""
    cell = defect.homogeneous
    R = translations(cell.crystal)
    moment = np.linalg.inv(2 * R.T @ R)
    start = np.linalg.norm(minimum_image(cell.positions - defect.centre, cell.cell), axis=1)
    near = np.flatnonzero(start < start.min() + 1e-6)
    f = np.zeros_like(cell.positions)
    for rho in np.concatenate([R, -R]):
        np.add.at(f, translated(cell, rho)[near], dipole @ moment @ rho / len(near))
    return green(f)[defect.lattice_index]


def lattice_stability(potential, crystal, samples=8):
    """Smallest <Hv, v> / |Dv|^2 of the perfect crystal, eV/A^2: over wave vectors of the Brillouin zone and long waves."""
    H, B = force_constants(potential, crystal), gram_table(crystal)
    d = crystal.dimension
    grid = np.stack(np.meshgrid(*[np.arange(samples) / samples] * d, indexing="ij"), -1).reshape(-1, d)[1:]
    directions = np.array([v for v in np.ndindex(*(3,) * d) if any(v)]) - 1.0
    directions = directions[np.abs(directions).sum(axis=1) > 0]
    waves = np.concatenate([grid, 1e-3 * directions]) @ (2 * np.pi * np.linalg.inv(crystal.cell).T)
    lowest = np.inf
    for k in waves:
        norm, D = B.dynamical_matrix(k), H.dynamical_matrix(k)
        if np.linalg.eigvalsh(norm)[0] > 1e-9 * np.trace(norm).real:
            L = np.linalg.inv(np.linalg.cholesky(norm))
            lowest = min(lowest, np.linalg.eigvalsh(L @ D @ L.conj().T)[0])
    return float(lowest)


def soft_fields(hessian, preconditioner, defect, count=3, seed=1):
    """Responses (n, d) of a defect to random forces on its core: rich in its soft modes, which a random field hardly contains.

    Eigenvalue searches must start with them: they can miss what no starting field holds (a symmetric core's antisymmetric
    modes) or take the second mode for the first.  A direction of negative curvature met on the way stands for its response.
    """
    core = defect.distance() < 1.6 * defect.crystal.shells[0]
    fields = []
    for f in core[:, None] * np.random.default_rng(seed).standard_normal((count,) + defect.positions.shape):
        try:
            fields.append(linear_response(hessian, f, preconditioner, rtol=1e-2))
        except Unstable as error:
            fields.append(error.direction)
    return fields


def stability_constant(potential, equilibrium, green=None, **options):
    """Smallest <Hv, v> / |Dv|^2 at a relaxed defect, eV/A^2; positive means strongly stable, negative a saddle.

    options : of `eigenvalues.extreme_eigenvalue`
    """
    defect, x = equilibrium.defect, equilibrium.positions
    P = (green or LatticeGreen(potential, defect.homogeneous)).for_defect(defect)
    H = hessian_at(potential, x, defect.cell)
    options = {"start": soft_fields(H, P, defect), **options}
    return extreme_eigenvalue(H, EnergyNorm(equilibrium).gram, P, x.shape, "smallest", **options)[0]


@dataclass(frozen=True)
class SupercellConvergence:
    """cells : (m,);  sizes : (m,), A (d-th root of the volume);  geometry : (m,), A;  energy : (m,), eV, |E_N - E_ref|;
    formation_energies : (m + 1,), eV, the reference cell's last"""

    cells: tuple
    sizes: np.ndarray
    geometry: np.ndarray
    energy: np.ndarray
    formation_energies: np.ndarray


def supercell_convergence(potential, crystal, defect="vacancy", cells=(4, 5, 6, 7, 8), reference_cell=16, tolerance=1e-10):
    """Errors of cells of size N against a large one: |D(ubar_N - ubar)| ~ N^(-d/2), |E_N - E| ~ N^(-d).

    Outside the small cell its displacement counts as having no gradient, as in Ehrlacher, Ortner and Shapeev 2016.
    """
    def solve(n):
        return relax(potential, build_defect(defect, Supercell(crystal, n)), tolerance=tolerance)

    large = solve(reference_cell)
    pairs = Neighbours(large.defect.positions, large.defect.cell, crystal.norm_cutoff)
    x = minimum_image(large.defect.positions - large.defect.centre, large.defect.cell)
    whole, geometry, energies, sizes = pairs.differences(large.u), [], [], []
    for n in cells:
        small = solve(n)
        y = minimum_image(small.defect.positions - small.defect.centre, small.defect.cell)
        gap, match = cKDTree(y).query(x, distance_upper_bound=1e-4)
        inside = np.isfinite(gap)
        du = np.where(inside[:, None], small.u[np.where(inside, match, 0)] - large.u, 0.0)
        both = (inside[pairs.i] & inside[pairs.j])[:, None]
        geometry.append(np.sqrt((np.where(both, pairs.differences(du), whole) ** 2).sum()))
        energies.append(formation_energy(potential, small))
        sizes.append(abs(np.linalg.det(small.defect.cell)) ** (1 / crystal.dimension))
    energies.append(formation_energy(potential, large))
    energies = np.array(energies)
    return SupercellConvergence(tuple(cells), np.array(sizes), np.array(geometry), np.abs(energies[:-1] - energies[-1]), energies)
