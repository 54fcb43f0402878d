"""Observations: the same code gives targets and design rows; values against independent
differentiation; a new kind is one class.
"""

import zlib
from functools import lru_cache

import numpy as np
import pytest

from mlipgen.crystals import Crystal, Supercell, vacancy
from mlipgen.learning import (
    WEIGHTS,
    Configuration,
    Energy,
    ForceConstants,
    Forces,
    Virial,
    WeightedForces,
    assemble,
    crystal_observations,
    defect_configurations,
    fit_blocks,
    solve,
    strains,
    training_set,
)
from mlipgen.learning.kinds import Observation, parse_kinds
from mlipgen.potentials import (
    EAM,
    ACEBasis,
    CalculatorModel,
    LinearACE,
    StillingerWeber,
    Toy2D,
    force_constants,
)
from mlipgen.potentials.calculators import SiteCalculator


@lru_cache
def setting(symbol):
    potential = StillingerWeber("Si") if symbol == "Si" else EAM("W")
    crystal = Crystal.equilibrium(potential)
    basis = ACEBasis(potential.cutoff, 6, 3, float(crystal.shells[0]))
    model = LinearACE(
        basis, 0.3 * np.random.default_rng(0).normal(size=len(basis)) / basis.prior, symbol
    )
    n = 2 if symbol == "Si" else 3
    return (
        potential,
        crystal,
        basis,
        model,
        training_set(potential, crystal, "dumbbell-110", n, count=2),
    )


def richardson(function, h=0.01, levels=5):
    """The derivative at 0 of a smooth function by extrapolated central differences."""
    table = [[(function(s) - function(-s)) / (2 * s)] for s in (h / 2**k for k in range(levels))]
    for k in range(1, levels):
        for j in range(1, k + 1):
            table[k].append(
                table[k][j - 1] + (table[k][j - 1] - table[k - 1][j - 1]) / (4.0**j - 1)
            )
    gaps = [np.abs(table[k][k] - table[k - 1][k - 1]).max() for k in range(1, levels)]
    k = int(np.argmin(gaps)) + 1
    return table[k][k]


# --- one code for potentials and bases ---


@pytest.mark.parametrize("symbol", ["W", "Si"])
def test_rows_times_theta_are_the_models_values_for_every_kind(symbol):
    _, _, basis, model, observations = setting(symbol)
    seen = set()
    for o in observations:
        if o.kind in seen:
            continue
        seen.add(o.kind)
        rows, values = o.observe(basis), o.observe(model)
        assert rows.shape == values.shape + (len(basis),)
        np.testing.assert_allclose(
            rows @ model.theta, values, rtol=0, atol=1e-9 * max(abs(values).max(), 1e-3)
        )
    assert seen == set(WEIGHTS)


@pytest.mark.parametrize("symbol", ["W", "Si"])
def test_observations_are_linear_and_blind_to_a_constant(symbol):
    """A constant energy per atom is added to a model's crystal too, so nothing observed changes."""
    _, _, basis, model, observations = setting(symbol)
    shifted = LinearACE(basis, model.theta, symbol, offset=5.0)
    for o in observations[:4] + observations[-1:]:
        np.testing.assert_allclose(o.observe(shifted), o.observe(model), rtol=0, atol=1e-10)


# --- values ---


def test_energy_and_forces_are_the_ase_calculators():
    potential, crystal, _, _, observations = setting("W")
    energy, forces, weighted = observations[3:6]
    atoms, whole = energy.configuration.atoms(), crystal.unit.copy()
    atoms.calc, whole.calc = potential.calculator(), potential.calculator()
    per_atom = whole.get_potential_energy() / 2
    assert energy.observe(potential) == pytest.approx(
        [atoms.get_potential_energy() - len(atoms) * per_atom], abs=1e-9
    )
    np.testing.assert_allclose(
        forces.observe(potential).reshape(-1, 3), atoms.get_forces(), atol=1e-12
    )
    ratio = weighted.observe(potential).reshape(-1, 3) / forces.observe(potential).reshape(-1, 3)
    distance = atoms.copy()
    distance.append("W")
    distance.positions[-1] = energy.configuration.centre
    r = distance.get_distances(-1, np.arange(len(atoms)), mic=True)
    np.testing.assert_allclose(ratio, np.repeat(1 + r[:, None], 3, axis=1), rtol=1e-10)


@pytest.mark.parametrize("symbol", ["W", "Si"])
@pytest.mark.parametrize("kind", ["potential", "ACE"])
def test_virials_are_energy_derivatives(symbol, kind):
    """Including the forces on the basis atoms: derivatives of the strained crystal's energy in F
    and in p.
    """
    potential, crystal, _, model, _ = setting(symbol)
    model = model if kind == "ACE" else potential
    rng = np.random.default_rng(2)
    n = len(crystal.primitive_atoms)
    F = np.eye(3) + 0.02 * rng.normal(size=(3, 3))
    p = 0.05 * rng.normal(size=(n, 3)) * (n > 1)
    R0, offsets, b, _ = crystal.stencil(1.3 * model.cutoff, crystal.primitive_atoms)
    site = np.repeat(np.arange(n), np.diff(offsets))
    strained = lambda F, p: R0 @ F.T + p[crystal.sublattice[b]] - p[site]
    # Extrapolation needs smoothness: pairs that could cross the cutoff are far from it, or the step
    # is short.
    gap = abs(np.linalg.norm(strained(F, p), axis=1) - model.cutoff).min()
    h = min(0.01, 0.5 * gap / model.cutoff)
    energy = lambda F, p: model.sites(strained(F, p), offsets)[0].sum()
    values = Virial(crystal, F, p if n > 1 else None).observe(model)
    W = np.empty((3, 3))
    for index in np.ndindex(3, 3):
        E = np.zeros((3, 3))
        E[index] = 1
        W[index] = richardson(lambda t: energy((np.eye(3) + t * E) @ F, p), h) / n
    assert len(values) == 9 + 3 * n * (n > 1)
    tolerance = 1e-9 if kind == "ACE" else 1e-8
    scale = max(abs(values).max(), 0.1)
    np.testing.assert_allclose(
        values[:9].reshape(3, 3), W + _shift_part(values, p, n), rtol=0, atol=tolerance * scale
    )
    if n > 1:
        for s, i in np.ndindex(n, 3):
            e = np.zeros((n, 3))
            e[s, i] = 1
            derivative = richardson(lambda t: energy(F, p + t * e), h * crystal.a)
            assert abs(values[9:].reshape(n, 3)[s, i]) == pytest.approx(
                abs(derivative), abs=2 * tolerance * scale
            )


def _shift_part(values, p, n):
    """sum_s dE/dp_s (x) p_s / n: G (x) R strains the internal shift as well, differentiation at
    fixed p does not.
    """
    if n == 1:
        return 0.0
    gradient = -values[9:].reshape(n, 3)
    return np.einsum("si,sj->ij", gradient, p) / n


@pytest.mark.parametrize("symbol", ["W", "Si"])
def test_force_constant_rows_are_the_table_once_and_weighted(symbol):
    potential, crystal, _, _, _ = setting(symbol)
    values = ForceConstants(crystal).observe(potential).reshape(-1, 3, 3)
    table = force_constants(potential, crystal)
    weighted = table.K * (1 + np.linalg.norm(table.xi, axis=1))[:, None, None] ** 2
    # Each pair of atoms once: K(xi) and K(-xi)^T are one number; on-site blocks have no partner.
    on_site = np.linalg.norm(table.xi, axis=1) < 1e-9
    assert len(values) == (len(weighted) - on_site.sum()) // 2 + on_site.sum()
    twice = (weighted**2).sum() + (weighted[on_site] ** 2).sum()
    assert 2 * (values**2).sum() == pytest.approx(twice, rel=1e-12)


def test_two_dimensions():
    potential = Toy2D()
    crystal = Crystal.equilibrium(potential)
    observations = training_set(potential, crystal, "vacancy", 8, count=3)
    by_kind = {o.kind: o.observe(potential) for o in observations}
    assert (
        set(by_kind) == set(WEIGHTS)
        and by_kind["V"].shape == (4,)
        and by_kind["F"].shape == (63 * 2,)
    )
    assert all(np.isfinite(v).all() for v in by_kind.values())
    assert Virial(crystal, np.eye(2)).observe(potential) == pytest.approx(np.zeros(4), abs=1e-10)


def test_refusals():
    potential, crystal, _, _, _ = setting("W")
    with pytest.raises(
        ValueError, match="force constants is 15.83 A thick, thinner than 4 x the cutoff 4.40"
    ):
        ForceConstants(crystal, Supercell(crystal, 5)).observe(potential)
    same = ForceConstants(crystal, Supercell(crystal, 6)).observe(potential)
    np.testing.assert_array_equal(same, ForceConstants(crystal).observe(potential))
    thin = vacancy(Supercell(crystal, 2))
    with pytest.raises(ValueError, match="training cell is 6.33 A thick"):
        Energy(Configuration(thin.positions, thin.cell, crystal, thin.centre)).observe(potential)
    for nowhere in (None, 1.0, [0.0, 0.0]):
        with pytest.raises(ValueError, match="centre=.*need its place"):
            Configuration(thin.positions, thin.cell, crystal, nowhere).distances()


# --- training sets ---


def test_training_sets_are_seeded():
    potential, crystal, _, _, _ = setting("W")
    make = lambda seed: [
        c.positions
        for c in defect_configurations(potential, crystal, "vacancy", 3, count=4, seed=seed)
    ]
    one, again, other = make(5), make(5), make(6)
    assert all((a == b).all() for a, b in zip(one, again))
    # the first one is not rattled
    assert (one[0] == other[0]).all() and (one[1] != other[1]).all()
    with pytest.raises(ValueError, match="count = 0"):
        defect_configurations(potential, crystal, "vacancy", 3, count=0)
    for scales in (1.0, (1.0,), (0.5, np.nan), (0.5, 1e9)):
        with pytest.raises(ValueError, match="scales="):
            defect_configurations(potential, crystal, "vacancy", 3, scales=scales)


def test_a_calculator_with_noise_makes_a_training_set():
    """Relaxed no further than its noise, which is that of a network in single precision."""
    potential, crystal, _, _, _ = setting("W")

    class Noisy(SiteCalculator):
        def calculate(self, *arguments, **options):
            super().calculate(*arguments, **options)
            rng = np.random.default_rng(zlib.crc32(self.atoms.positions.tobytes()))
            noise = 2e-6 * rng.standard_normal(self.results["forces"].shape)
            self.results["forces"] = self.results["forces"] + noise

    model = CalculatorModel(Noisy(potential), "W", cutoff=potential.cutoff)
    assert model.noise.force == pytest.approx(2e-6, rel=0.5)
    take = dict(cells=3, count=2, saddle="ignore")
    found = defect_configurations(model, crystal, "vacancy", **take)
    exact = defect_configurations(potential, crystal, "vacancy", **take)
    for one, other in zip(found, exact):
        assert np.abs(one.positions - other.positions).max() < 1e-4


def test_strains_and_basis_displacements():
    F = strains(3, (0.01,))
    assert len(F) == 19 and (F[0] == np.eye(3)).all()
    _, crystal, _, _, _ = setting("Si")
    moved = [o for o in crystal_observations(crystal) if o.kind == "V" and o.internal is not None]
    assert len(moved) == 6
    assert all(o.internal is None for o in crystal_observations(setting("W")[1]) if o.kind == "V")


def test_configurations_are_evaluated_once_for_energy_and_forces():
    potential, _, _, _, observations = setting("W")

    class Counting:
        cutoff, calls = potential.cutoff, 0

        def sites(self, R, offsets):
            self.calls += 1
            return potential.sites(R, offsets)

    counting = Counting()
    for o in observations[:3]:
        o.observe(counting)
    # the cell, and the crystal's reference energy
    assert counting.calls == 2
    assert setting("W")[1].energy_per_atom(potential) == pytest.approx(-8.759033, abs=1e-6)


# --- a fifth kind ---


class OnSiteStiffness(Observation):
    """Trace of the on-site force constants, eV/A^2: a kind of observation the library has never
    heard of.
    """

    kind, label, weight = "K0", "On-site stiffness", 3.0

    def __init__(self, crystal):
        self.crystal = crystal

    def observe(self, model):
        table = force_constants(model, self.crystal)
        return np.einsum("mii...->m...", table.K[np.linalg.norm(table.xi, axis=1) < 1e-9])


def test_a_new_kind_of_observation_is_one_class():
    potential, crystal, basis, _, observations = setting("W")
    blocks = assemble(observations + [OnSiteStiffness(crystal)], basis, potential)
    assert blocks["K0"].rows == 1
    assert parse_kinds("EF+K0") == ("E", "F", "K0")
    assert fit_blocks(blocks, basis, "EF+K0", potential, crystal).weights["K0"] == 3.0
    with pytest.raises(ValueError, match="weights for K0, but the training set holds E, F"):
        fit_blocks(assemble(observations, basis, potential), basis, "EF+K0", potential, crystal)
    without = fit_blocks(blocks, basis, "EF", potential, crystal)
    fit = fit_blocks(blocks, basis, ("E", "F", "K0"), potential, crystal, weights={"K0": 100.0})
    assert fit.errors["K0"] < 1e-3 * without.errors["K0"]
    (wanted,) = OnSiteStiffness(crystal).observe(potential)
    assert OnSiteStiffness(crystal).observe(fit.model) == pytest.approx([wanted], rel=1e-4)
    theta, _, _ = solve(blocks, {"E": 10.0, "F": 1.0, "K0": 100.0}, basis.prior)
    np.testing.assert_array_equal(theta, fit.model.theta)


def test_forces_kind_follows_the_weighting():
    _, _, _, _, observations = setting("W")
    c = observations[0].configuration
    assert (Forces(c).kind, WeightedForces(c).kind) == ("F", "Fw")
