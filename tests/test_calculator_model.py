"""Any ASE calculator as a model: the calculators of our own potentials must give what the
potentials give exactly, up to the error of the differences.
"""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator
from phonopy import Phonopy
from phonopy.file_IO import write_FORCE_CONSTANTS
from phonopy.structure.atoms import PhonopyAtoms

from mlipgen.crystals import Crystal, Supercell, build_defect, thickness
from mlipgen.crystals.symmetry import lattice_rotations, operations
from mlipgen.equilibrium import LatticeGreen, formation_energy, landscape, relax, stability_constant
from mlipgen.equilibrium.calculator_landscape import CalculatorLandscape
from mlipgen.failures import CalculatorFailed, NotFinite
from mlipgen.learning import Configuration, Energy, ForceConstants, Forces, Virial
from mlipgen.potentials import EAM, StillingerWeber, Toy2D, elastic_tensor, force_constants
from mlipgen.potentials.calculator_model import CalculatorModel
from mlipgen.potentials.derivatives import aligned
from mlipgen.potentials.finite_differences import displacements
from mlipgen.potentials.noise import Noise, balanced_step, rounding
from mlipgen.potentials.phonopy_files import read_phonopy

POTENTIALS = {
    "W": (EAM("W"), None),
    "Cu": (EAM("Cu"), None),
    "Mg": (EAM("Mg"), "hcp"),
    "Si": (StillingerWeber("Si"), None),
}
every = pytest.mark.parametrize("name", POTENTIALS)


class EnergyAndForces(Calculator):
    """The least that a calculator may offer."""

    implemented_properties = ["energy", "forces"]

    def __init__(self, potential):
        super().__init__()
        self.inner = potential.calculator()

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        self.inner.calculate(atoms)
        self.results = {k: self.inner.results[k] for k in self.implemented_properties}


def models(name, least=False, **options):
    potential, structure = POTENTIALS[name]
    calculator = EnergyAndForces(potential) if least else potential.calculator()
    model = CalculatorModel(
        calculator, potential.symbol, structure, cutoff=potential.cutoff, **options
    )
    return potential, model, Crystal.equilibrium(potential, structure=structure)


@pytest.mark.parametrize(
    "structure, order, site",
    [
        ("bcc", 48, 48),
        ("fcc", 48, 48),
        ("diamond", 48, 24),
        ("hcp", 24, 12),
        ("triangular", 12, 12),
    ],
)
def test_point_groups_have_the_orders_of_the_tables(structure, order, site):
    """Oh, Td (diamond's site), D6h with D3h sites, D6."""
    crystal = Crystal("Si", structure, 3.0)
    assert len(lattice_rotations(crystal)) == order
    sublattices = range(len(crystal.primitive_atoms))
    assert all(len(operations(crystal, s, t)) == site for s in sublattices for t in sublattices)


@pytest.mark.parametrize(
    "structure, calculations", [("bcc", 1), ("fcc", 1), ("diamond", 1), ("hcp", 2)]
)
def test_symmetry_leaves_few_displacements(structure, calculations):
    pushes = displacements(Crystal("Si", structure, 3.0))
    assert sum(1 if reversal else 2 for _, _, reversal in pushes) == calculations


@every
def test_force_constants_agree_with_the_exact_ones(name):
    potential, model, crystal = models(name)
    exact, table = aligned(
        [force_constants(potential, crystal), force_constants(model, crystal)], crystal
    )
    # nothing is cut off in a cell of four cutoffs, so only the step's error is left
    bound = model.step**2 / 6 * 1e4 + 20 * model.noise.force / model.step
    assert np.abs(exact.K - table.K).max() < bound < 1e-6
    assert model.force_constants(crystal) is model.force_constants(crystal)


def test_a_larger_step_costs_its_square():
    potential, model, crystal = models("W", supercell=6)
    exact = force_constants(potential, crystal)
    error = []
    for h in (0.02, 0.04):
        a, b = aligned(
            [exact, models("W", supercell=6, step=h)[1].force_constants(crystal)], crystal
        )
        error.append(np.abs(a.K - b.K).max())
    assert error[1] / error[0] == pytest.approx(4.0, rel=0.02)


def test_in_a_thin_cell_force_constants_are_image_sums_and_still_obey_the_symmetries():
    potential, model, crystal = models("Si", supercell=1)
    table = model.force_constants(crystal)
    exact = force_constants(potential, crystal)
    # image sums keep what the cell can tell: dynamical matrices at its own wave vectors
    k = 2 * np.pi * np.linalg.inv(crystal.cell).T @ np.array([1.0, 0, 0])
    assert np.allclose(table.dynamical_matrix(k), exact.dynamical_matrix(k), atol=1e-6)
    assert np.abs(table.dynamical_matrix(np.zeros(3)).reshape(2, 3, 2, 3).sum(axis=2)).max() < 1e-12
    assert np.allclose(table.dynamical_matrix(k), table.dynamical_matrix(k).conj().T, atol=1e-12)
    assert np.abs(table.xi).max() <= crystal.a / 2 + 1e-9


def test_two_dimensions():
    potential = Toy2D()
    model = CalculatorModel(
        potential.calculator(), potential.symbol, "triangular", potential.a0_guess, potential.cutoff
    )
    crystal = Crystal.equilibrium(potential)
    assert Crystal.equilibrium(model).a == pytest.approx(crystal.a, abs=1e-12)
    exact, table = aligned(
        [force_constants(potential, crystal), force_constants(model, crystal)], crystal
    )
    assert np.abs(exact.K - table.K).max() < 1e-6


@every
@pytest.mark.parametrize("least", [False, True], ids=["stress", "energies alone"])
def test_crystal_energies_pressures_and_virials(name, least):
    potential, model, crystal = models(name, least)
    F = np.eye(3) + 0.01 * np.arange(9).reshape(3, 3)
    internal = 0.02 * np.arange(3.0 * len(crystal.primitive_atoms)).reshape(-1, 3)
    accuracy = 1e-8 if least else 1e-12
    assert crystal.energy_per_atom(model) == pytest.approx(crystal.energy_per_atom(potential))
    for observation in (Virial(crystal, F), Virial(crystal, F, internal)):
        difference = observation.observe(model) - observation.observe(potential)
        assert np.abs(difference).max() < accuracy
    strained = Crystal(crystal.symbol, crystal.structure, 1.01 * crystal.a, crystal.c)
    assert np.allclose(
        strained.pressure_work(model), strained.pressure_work(potential), atol=accuracy
    )
    # from energies alone the zero of the pressure is known to its error over the bulk modulus
    found = Crystal.equilibrium(model)
    assert found.a == pytest.approx(crystal.a, abs=1e-7 if least else 1e-11)


@every
def test_labels_are_those_of_the_potential(name):
    potential, model, crystal = models(name)
    cell = model.perfect(crystal)
    x = cell.positions + 0.05 * np.random.default_rng(1).standard_normal(cell.positions.shape)
    for kind in (Energy, Forces):
        mine, theirs = (
            kind(Configuration(x, cell.cell, crystal)).observe(m) for m in (model, potential)
        )
        assert mine.shape == theirs.shape and np.abs(mine - theirs).max() < 1e-9
    mine, theirs = (ForceConstants(crystal).tables(model, potential)[0][i] for i in (0, 1))
    assert np.abs(mine - theirs).max() < 1e-6


@pytest.mark.parametrize(
    "name, defect, least",
    [("W", "dumbbell-110", False), ("W", "vacancy", True), ("Si", "dumbbell-110", True)],
)
def test_a_defect_relaxes_to_the_same_equilibrium(name, defect, least):
    potential, model, crystal = models(name, least)
    start = build_defect(defect, Supercell(crystal, 3))
    exact, found = (relax(m, start, tolerance=1e-7, saddle="ignore") for m in (potential, model))
    assert np.abs(found.positions - exact.positions).max() < 1e-6
    assert formation_energy(potential, exact) == pytest.approx(
        float(
            landscape(model, start.cell, found.positions).above_crystal(
                found.site_energies, crystal
            )
        ),
        abs=1e-8,
    )
    assert len(found.site_energies) == (1 if least else len(start))


def test_hessian_products_and_stability():
    potential, model, crystal = models("W", least=True)
    start = build_defect("vacancy", Supercell(crystal, 4))
    state = relax(potential, start, saddle="ignore")
    exact, surface = (landscape(m, start.cell, state.positions) for m in (potential, model))
    assert isinstance(surface, CalculatorLandscape)
    v = np.random.default_rng(0).standard_normal(state.positions.shape)
    size = np.sqrt((v**2).sum(axis=1).max())
    bound = size * (model.step**2 / 6 * 1e4 + 20 * model.noise.force / model.step)
    assert np.abs(exact.hessian()(v) - surface.hessian()(v)).max() < bound < 1e-5
    assert not surface.hessian()(0 * v).any()
    assert np.abs(exact.displaced(0.01 * v) - surface.displaced(0.01 * v)).max() < 1e-11
    green = LatticeGreen(model, start.homogeneous)
    assert stability_constant(model, state, green) == pytest.approx(
        stability_constant(potential, state), rel=1e-4
    )


def test_a_landscape_of_a_calculator_elsewhere_and_along_nothing():
    potential = StillingerWeber()
    cell = Supercell(Crystal.equilibrium(potential), 2)
    model = CalculatorModel(potential.calculator(), "Si")
    assert repr(model) == "CalculatorModel(SiteCalculator, 'Si')"
    surfaces = [landscape(m, cell.cell, cell.positions) for m in (model, potential)]
    du, v = 0.05 * np.random.default_rng(0).standard_normal((2, *cell.positions.shape))
    theirs, exact = (s.displaced_hessian(du)(v) for s in surfaces)
    assert theirs == pytest.approx(exact, abs=2e-5 * np.abs(exact).max())
    nothing = np.zeros_like(v)
    for H in (surfaces[0].hessian(), surfaces[0].quick_hessian(cell.positions, nothing)):
        assert not H(nothing).any()


def test_noise_is_measured_and_sets_the_step():
    class Noisy(EnergyAndForces):
        rng = np.random.default_rng(0)

        def calculate(self, *arguments, **options):
            super().calculate(*arguments, **options)
            n = len(self.atoms)
            self.results["forces"] = self.results["forces"] + 1e-4 * self.rng.standard_normal(
                (n, 3)
            )
            self.results["energy"] += 1e-5 * np.sqrt(n) * self.rng.standard_normal()

    model = CalculatorModel(Noisy(EAM("W")), "W")
    assert model.noise.force == pytest.approx(1e-4, rel=0.3)
    assert 2e-6 < model.noise.energy < 3e-5  # four draws tell its size only
    assert model.step == balanced_step(model.noise.force, 50.0) == pytest.approx(0.0182, rel=0.1)
    # the table is as good as such forces allow: noise / (step sqrt(2)), and h^2/6 f'''
    _, exact, crystal = models("W", supercell=4)
    a, b = aligned([exact.force_constants(crystal), model.force_constants(crystal)], crystal)
    assert 1e-4 < np.abs(a.K - b.K).max() < 5e-2


@pytest.mark.parametrize("name", ["W", "Mg"])
@pytest.mark.parametrize("least", [False, True], ids=["stress", "energies alone"])
def test_a_lattice_constant_in_single_precision(name, least):
    class Single(EnergyAndForces):
        implemented_properties = ["energy", "forces"] + ["stress"] * (not least)

        def calculate(self, *arguments, **options):
            super().calculate(*arguments, **options)
            rounded = {k: np.float32(v) for k, v in self.results.items()}
            self.results = rounded | {"energy": float(rounded["energy"])}

    potential, _, crystal = models(name)
    model = CalculatorModel(Single(potential), potential.symbol, crystal.structure)
    found = Crystal.equilibrium(model)
    # energies of about 10 eV an atom are known to 1e-7 eV only, their slopes to 1e-5
    assert found.a == pytest.approx(crystal.a, abs=1e-4 if least else 1e-5)
    assert found.c == pytest.approx(crystal.c, abs=1e-4 if least else 1e-5)


def test_rounding_is_known_by_the_digits():
    values = np.random.default_rng(0).standard_normal((4, 30)) * 100
    size = np.abs(values).max()
    assert rounding(values) == pytest.approx(2.0**-52 * size / 12**0.5)
    assert rounding(values.astype(np.float32)) == pytest.approx(2.0**-23 * size / 12**0.5)
    assert rounding(values.round(5)) == pytest.approx(1e-5 / 12**0.5)
    assert Noise(1e-6, 0.0, 1e-8).total(400) == pytest.approx(20e-6 + 4e-6)


def test_calculations_are_counted_and_positions_that_stay_cost_none():
    _, model, crystal = models("W", noise=(1e-15, 1e-15))
    cell = Supercell(crystal, 3)
    model.evaluate(cell.positions, cell.cell)
    model.evaluate(cell.positions, cell.cell)
    assert model.stress(cell.positions, cell.cell).shape == (3, 3)
    assert (model.calls, model.atoms_calls) == (1, 54)
    builds = model.calculator._neighbours
    model.evaluate(cell.positions + 0.01, cell.cell)
    assert (model.calls, model.atoms_calls) == (2, 108)
    assert model.calculator._neighbours is builds
    model.force_constants(crystal)
    assert model.calls == 3


def test_energies_of_atoms_are_used_only_if_they_sum_to_the_energy():
    class Shifted(EnergyAndForces):
        implemented_properties = ["energy", "forces", "energies"]
        shift = 0.0

        def calculate(self, *arguments, **options):
            super().calculate(*arguments, **options)
            self.results["energies"] = self.inner.results["energies"] + self.shift

    calculator, cell = Shifted(EAM("W")), Supercell(Crystal.equilibrium(EAM("W")), 2)
    ask = lambda: CalculatorModel(calculator, "W").evaluate(cell.positions, cell.cell)[0]
    assert len(ask()) == 16
    calculator.shift = 1.0
    calculator.reset()
    assert len(ask()) == 1


class _Nothing(Calculator):
    implemented_properties = ["energy"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": 0.0}


class _Nan(EnergyAndForces):
    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.results["forces"] = np.full((len(self.atoms), 3), np.nan)


class _Broken(EnergyAndForces):
    def calculate(self, *arguments, **options):
        raise KeyError("parameters")


def test_bad_calculators_and_arguments():
    cell = Supercell(Crystal("W", "bcc", 3.165), 2)
    with pytest.raises(ValueError, match="offers no forces"):
        CalculatorModel(_Nothing(), "W", name="mine").evaluate(cell.positions, cell.cell)
    with pytest.raises(NotFinite, match="48 forces that are not finite"):
        CalculatorModel(_Nan(EAM("W")), "W").evaluate(cell.positions, cell.cell)
    with pytest.raises(CalculatorFailed, match="mine failed: KeyError: 'parameters'"):
        CalculatorModel(_Broken(EAM("W")), "W", name="mine").evaluate(cell.positions, cell.cell)
    with pytest.raises(ValueError, match="'Xy' is no chemical element"):
        CalculatorModel(None, "Xy")
    with pytest.raises(ValueError, match="give structure="):
        CalculatorModel(None, "U")
    with pytest.raises(ValueError, match="first guess a0_guess="):
        CalculatorModel(None, "W", "fcc")
    assert CalculatorModel(None, "W").structure == "bcc"
    assert Noise(1.0, 2.0).force == 2.0


@pytest.mark.parametrize("name, least", [("W", True), ("Mg", False), ("Si", False)])
def test_elastic_tensor(name, least):
    potential, model, crystal = models(name, least)
    for relaxed_ion in (True, False):
        exact, found = (elastic_tensor(m, crystal, relaxed_ion) for m in (potential, model))
        assert np.abs(exact - found).max() < (1e-5 if least else 1e-8)


def phonopy_calculation(potential, crystal, size, primitive, full, yaml, folder):
    """Force constants of `crystal` by phonopy and the potential's calculator, saved in `folder`."""
    unit = crystal.unit
    cell = PhonopyAtoms(
        symbols=list(unit.symbols), cell=unit.cell[:], scaled_positions=unit.get_scaled_positions()
    )
    phonopy = Phonopy(cell, np.diag(np.broadcast_to(size, 3)), primitive_matrix=primitive)
    phonopy.generate_displacements(distance=1e-4)
    forces, calculator = [], potential.calculator()
    for displaced in phonopy.supercells_with_displacements:
        x = displaced.scaled_positions
        atoms = Atoms(displaced.symbols, cell=displaced.cell, scaled_positions=x, pbc=True)
        atoms.calc = calculator
        forces.append(atoms.get_forces())
    phonopy.forces = forces
    phonopy.produce_force_constants(calculate_full_force_constants=full)
    phonopy.save(folder / "phonopy.yaml", settings={"force_constants": yaml, "force_sets": False})
    if not yaml:
        constants, first = phonopy.force_constants, phonopy.primitive.p2s_map
        write_FORCE_CONSTANTS(constants, folder / "FORCE_CONSTANTS", first)


@pytest.mark.parametrize(
    "name, size, primitive, full, yaml",
    [
        ("W", 3, "P", True, True),
        ("W", 3, "I", False, False),
        ("Cu", 2, "F", False, True),
        ("Si", 2, "F", True, False),
        ("Mg", (4, 4, 2), "P", False, True),
    ],
)
def test_phonopy_agrees_and_its_files_are_read(tmp_path, name, size, primitive, full, yaml):
    """The same supercell, the same images: phonopy's numbers, not the infinite crystal's."""
    potential, model, crystal = models(name, supercell=size)
    phonopy_calculation(potential, crystal, size, primitive, full, yaml, tmp_path)
    found = read_phonopy(tmp_path, crystal)
    assert found.edge == pytest.approx(
        0.5 * thickness(model.force_constant_cell(crystal).cell).min()
    )
    theirs, mine = aligned([found, model.force_constants(crystal)], crystal)
    assert len(theirs.K) == len(mine.K) and np.abs(theirs.K - mine.K).max() < 1e-5
    model.adopt_force_constants(crystal, theirs)
    assert force_constants(model, crystal) is theirs


def test_phonopy_files_of_another_crystal_are_refused(tmp_path):
    potential, _, crystal = models("W")
    phonopy_calculation(potential, crystal, 1, "P", True, True, tmp_path)
    with pytest.raises(ValueError, match="no repetition of the bcc cell"):
        read_phonopy(tmp_path, Crystal("W", "bcc", 1.01 * crystal.a))
    with pytest.raises(ValueError, match="holds W; the crystal is of Mo"):
        read_phonopy(tmp_path, Crystal("Mo", "bcc", crystal.a))
    text = (tmp_path / "phonopy.yaml").read_text(encoding="utf-8")
    (tmp_path / "atomic.yaml").write_text(
        text.replace('"eV/angstrom^2"', '"Ry/au^2"'), encoding="utf-8"
    )
    with pytest.raises(ValueError, match="in Ry/au.2; convert it to eV/angstrom.2"):
        read_phonopy(tmp_path / "atomic.yaml", crystal)
    (tmp_path / "other.yaml").write_text("a: 1", encoding="utf-8")
    with pytest.raises(ValueError, match="no entry 'supercell'"):
        read_phonopy(tmp_path / "other.yaml", crystal)
    bare = text[: text.index("force_constants:\n")]
    (tmp_path / "bare.yaml").write_text(bare, encoding="utf-8")
    with pytest.raises(ValueError, match="no force constants in the YAML file"):
        read_phonopy(tmp_path / "bare.yaml", crystal)
    (tmp_path / "FORCE_CONSTANTS").write_text("2 2\n1 1\n1 2 3\n", encoding="utf-8")
    with pytest.raises(ValueError, match="take 44"):
        read_phonopy(tmp_path / "bare.yaml", crystal)
