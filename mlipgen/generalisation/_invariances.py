"""Questions of `preflight` about what must change nothing, each a function of the bench: the
answers are fields of `Check`.
"""

import numpy as np

from ..potentials.together import compute_together


def size_consistency(bench):
    """Energy per atom of the perfect crystal in the small cell and in the defect's."""
    model, large = bench.model, bench.defect.homogeneous
    small = model.energy_per_atom(large.crystal)
    if large.n == bench.cell.n:  # the same cell would show nothing
        large = type(large)(large.crystal, (2 * large.n[0], *large.n[1:]))
    energies, forces = model.evaluate(large.positions, large.cell)
    difference = abs(energies.sum() / len(large) - small) * len(bench.y)
    yield dict(
        name="size consistency",
        value=float(difference),
        limit=bench.resolution,
        unit="eV on the defect cell",
        spoils="formation energies: atoms of the crystal cost another energy in another cell "
        "(k-points, or cells too thin for the cutoff?)",
    )
    yield dict(
        name="forces on the perfect crystal",
        value=float(np.abs(forces).max()),
        limit=max(1e-6, 20 * model.noise.force),
        unit="eV/A",
        spoils="force constants: symmetry makes them zero",
    )


def noise_floor(bench):
    """Changes of energy and forces of the defect cell when all atoms move together."""
    model, y, cell = bench.model, bench.y, bench.defect.cell
    shifts = bench.rng.uniform(-1, 1, (3, y.shape[1]))
    e0, f0 = model.evaluate(y, cell)
    compute_together(model, [(y + s, cell) for s in shifts])
    moved = [model.evaluate(y + s, cell) for s in shifts]
    yield dict(
        name="translation: energy",
        value=float(max(abs(e.sum() - e0.sum()) for e, _ in moved)),
        limit=bench.resolution,
        unit="eV",
        spoils="energies of defects: smaller differences are rounding (single precision?)",
    )
    yield dict(
        name="translation: forces",
        value=float(max(np.abs(f - f0).max() for _, f in moved)),
        limit=1e-3,
        unit="eV/A",
        spoils="force constants and Hessian products, which are differences of forces",
    )


def permutation(bench):
    """The atoms in another order."""
    model, y, cell = bench.model, bench.y, bench.defect.cell
    e0, f0 = model.evaluate(y, cell)
    order = bench.rng.permutation(len(y))
    e, f = model.evaluate(y[order], cell)
    yield dict(
        name="permutation: energy",
        value=float(abs(e.sum() - e0.sum())),
        limit=bench.resolution,
        unit="eV",
        spoils="comparisons of atom by atom",
    )
    yield dict(
        name="permutation: forces",
        value=float(np.abs(f - f0[order]).max()),
        limit=1e-3,
        unit="eV/A",
        spoils="comparisons of atom by atom",
    )


def rotation(bench):
    """The small cell turned as a whole: learned symmetry is only approximate."""
    model, x, d = bench.model, bench.x, bench.x.shape[1]
    Q, _ = np.linalg.qr(bench.rng.standard_normal((d, d)))
    if np.linalg.det(Q) < 0:
        Q[:, 0] *= -1
    e, f = model.evaluate(x @ Q.T, bench.cell.cell @ Q.T)
    yield dict(
        name="rotation: energy",
        value=float(abs(e.sum() - bench.energy)),
        limit=bench.resolution,
        unit="eV",
        spoils="the symmetry that force constants are reduced by",
    )
    yield dict(
        name="rotation: forces",
        value=float(np.abs(f - bench.forces @ Q.T).max()),
        limit=1e-3,
        unit="eV/A",
        spoils="the symmetry that force constants are reduced by",
    )
