"""Questions of `preflight` about derivatives and scale, each a function of the bench: the answers
are fields of `Check`.
"""

from dataclasses import replace
from math import comb

import numpy as np
from ase import units

from ..crystals import thickness
from ..potentials.noise import balanced_step
from ..potentials.together import compute_together
from .units import BULK_MODULI, ENERGY, FORCE, STRESS, named_by_scale

#: eV/A^3, third derivative of the energy along a displacement of one angstrom in all.
CUBIC = 100.0


def force_is_slope(bench):
    """Central difference of the energy along the forces and along a random direction."""
    model, x, f = bench.model, bench.x, bench.forces
    noise = model.noise.total(len(x))
    h = balanced_step(noise, CUBIC)
    size = np.linalg.norm(f)
    if not size > 0:
        yield dict(
            name="forces = -dE/dx", value=np.inf, limit=0.0, unit="relative", spoils="everything",
            hint="displaced atoms feel no force: wrong unit of length (1 bohr = 0.529 A)?",
        )  # fmt: skip
        return
    # the force itself is the direction in which the signal is largest
    directions = [f / size]
    v = bench.rng.standard_normal(f.shape)
    directions.append(v / np.linalg.norm(v))
    slopes, along = [], []
    for v in directions:
        ahead, behind = (model.evaluate(x + s * h * v, bench.cell.cell)[0].sum() for s in (1, -1))
        slopes.append((ahead - behind) / (2 * h))
        along.append(float((f * v).sum()))
    error = max(abs(s + a) for s, a in zip(slopes, along)) / size
    ratio = -along[0] / slopes[0] if slopes[0] else np.inf
    yield dict(
        name="forces = -dE/dx",
        value=error,
        limit=max(1e-3, 3 * (h**2 * CUBIC / 6 + noise / h) / size),
        unit="relative",
        spoils="predicted energies, relaxations: forces and energies are of two different surfaces",
        hint=_unit_hint(ratio, FORCE) if error > 1e-3 else "",
    )
    net = np.abs(f.sum(axis=0)).max()
    yield dict(
        name="net force",
        value=float(net),
        limit=max(1e-4 * size, 10 * model.noise.force * np.sqrt(len(x))),
        unit="eV/A",
        spoils="the elastic response: a net force has none in a periodic cell",
    )


def _unit_hint(ratio, table):
    if not np.isfinite(ratio):
        return "the energy does not change at all"
    name = named_by_scale(ratio, table)
    if name:
        return f"as if {name}"
    return f"the ratio is {ratio:.4g}"


def stress_is_slope(bench):
    """Stress at a strain of one per cent against differences of the energy in the strain."""
    model, d = bench.model, bench.x.shape[1]
    F = np.eye(d) + 0.01 * np.array([[1.0, 0.3, 0.0], [0.3, -0.5, 0.2], [0.0, 0.2, 0.8]])[:d, :d]
    x, box = bench.x @ F.T, bench.cell.cell @ F.T
    stress = model.stress(x, box)
    common = dict(name="stress = dE/dF", unit="relative", spoils="virials, elastic constants")
    if stress is None:
        why = "the calculator offers no stress: it is taken from differences of the energy"
        yield dict(common, value=np.nan, limit=0.0, hint=why, asked=False)
        return
    volume = abs(np.linalg.det(box)) * (10.0 if d == 2 else 1.0)
    noise = model.noise.total(len(x))
    h = balanced_step(noise / len(x), CUBIC)
    sides = []
    pairs = [(i, j) for i, j in np.ndindex(d, d) if i <= j]  # symmetric: rotations do no work
    for i, j in pairs:
        e = np.zeros((d, d))
        e[i, j] += h / 2
        e[j, i] += h / 2
        sides += [(x @ G.T, box @ G.T) for G in (np.eye(d) + e, np.eye(d) - e)]
    compute_together(model, sides)
    energies = [model.evaluate(*side)[0].sum() for side in sides]
    slope = np.empty((d, d))
    for (i, j), ahead, behind in zip(pairs, energies[::2], energies[1::2]):
        slope[i, j] = slope[j, i] = (ahead - behind) / (2 * h) / volume
    size = np.linalg.norm(slope)
    if not size > 0:
        hint = "the energy does not change under strain"
        yield dict(common, value=np.inf, limit=1e-2, hint=hint)
        return
    error = np.linalg.norm(stress - slope) / size
    ratio = float((stress * slope).sum() / size**2)
    table = dict(STRESS, **{"the virial, not divided by the volume": volume})
    table["the virial with the opposite sign, not divided by the volume"] = -volume
    yield dict(
        common,
        value=float(error),
        limit=max(1e-2, 3 * noise / (h * volume * size)),
        hint=_unit_hint(ratio, table) if error > 1e-2 else "",
    )


def scale(bench):
    """Bulk modulus against the measured one, and the distance from the lattice constant at rest."""
    model, crystal = bench.model, bench.cell.crystal
    h = max(0.01, balanced_step(model.noise.total(len(bench.x)) / len(bench.x), CUBIC))
    energies = []
    for s in (-h, 0.0, h):
        c = crystal.c and crystal.c * np.exp(s)
        energies.append(model.energy_per_atom(replace(crystal, a=crystal.a * np.exp(s), c=c)))
    slope = (energies[2] - energies[0]) / (2 * h)
    curvature = (energies[2] - 2 * energies[1] + energies[0]) / h**2
    common = dict(spoils="everything: the crystal is not the one that was meant")
    strain = abs(slope / curvature) if curvature > 0 else np.inf
    yield dict(
        common,
        name="lattice constant",
        value=strain,
        limit=0.03,
        unit="relative distance from the model's own",
        hint=f"no minimum of the energy near a = {crystal.a:.3f} A: wrong crystal, element or unit "
        "of length (1 bohr = 0.529 A)?"
        if strain > 0.03
        else "",
    )
    measured = BULK_MODULI.get(crystal.symbol)
    name, unit = "scale of energies", "factor between bulk modulus and the measured one"
    if measured is None or crystal.dimension == 2 or not curvature > 0:
        why = f"there is no bulk modulus of {crystal.symbol} to compare with"
        yield dict(common, name=name, value=np.nan, limit=0.0, unit=unit, hint=why, asked=False)
        return
    volume = abs(np.linalg.det(crystal.cell)) / len(crystal.basis)
    factor = curvature / (9 * volume) / units.GPa / measured
    named = named_by_scale(factor, ENERGY, within=0.4)
    yield dict(
        common,
        name=name,
        value=max(factor, 1 / factor),
        limit=5.0,
        unit=unit,
        hint=f"as if energies were in {named}" if named and not 0.2 < factor < 5 else "",
    )


def smoothness(bench):
    """One atom moves in small steps: jumps of energy and force where a neighbour comes or goes.

    The energy must be the force's integral, by Simpson's rule.
    """
    model, steps = bench.model, bench.scan
    spoils = "relaxations (the line search fails) and differences: force constants, Hessians"
    names = ("jumps of the force", "jumps of the energy")
    if not steps:
        for name, unit in zip(names, ("eV/A", "eV")):
            yield dict(
                name=name, value=np.nan, limit=0.0, unit=unit, spoils=spoils, hint="scan=0",
                asked=False,
            )  # fmt: skip
        return
    v = np.zeros_like(bench.x)
    # towards no symmetric place, so that neighbours pass the cutoff one by one
    v[0] = np.array([0.80, 0.48, 0.36])[: v.shape[1]]
    h = 0.25 * bench.cell.crystal.shells[0] / steps
    energies, along = [], []
    places = [bench.x + k * h * v for k in range(steps + 1)]
    compute_together(model, [(x, bench.cell.cell) for x in places])
    for x in places:
        e, f = model.evaluate(x, bench.cell.cell)
        energies.append(e.sum()), along.append((f * v).sum())
    force, energy = np.array(along), np.array(energies)
    noise = model.noise
    yield dict(
        name=names[0],
        value=jump(force),
        limit=max(0.01, 3 * noise.force),
        unit="eV/A",
        spoils=spoils,
    )
    integral = h / 3 * (force[:-2] + 4 * force[1:-1] + force[2:])
    yield dict(
        name=names[1],
        value=float(np.abs(energy[2:] - energy[:-2] + integral).max()),
        limit=max(0.1 * bench.resolution, 5 * noise.total(len(bench.x))),
        unit="eV",
        spoils=spoils,
    )


def jump(values: np.ndarray) -> float:
    """The largest jump in equally spaced values of a function that is smooth otherwise.

    A jump J leaves J C(p - 1, k) in the differences of order p, binomial coefficients, whatever the
    order; what is smooth leaves less and less as the order grows.  So the least estimate counts.
    """
    orders = range(2, min(8, len(values)))
    return min(float(np.abs(np.diff(values, p)).max()) / comb(p - 1, (p - 1) // 2) for p in orders)


def reach(bench):
    """Force constants at the supercell's boundary, which belong to several images at once."""
    crystal = bench.defect.crystal
    table = bench.model.force_constants(crystal)
    r, size = np.linalg.norm(table.xi, axis=1), np.linalg.norm(table.K, axis=(1, 2))
    edge = table.edge or 0.5 * thickness(bench.model.force_constant_cell(crystal).cell).min()
    largest = size[r > 1e-6].max()
    yield dict(
        name="reach of the force constants",
        value=float(size[r > 0.95 * edge].max(initial=0.0) / largest) if largest else np.inf,
        limit=0.01,
        unit="largest at the boundary of their supercell, relative to the nearest neighbours'",
        spoils="the far field: take a thicker supercell",
    )
