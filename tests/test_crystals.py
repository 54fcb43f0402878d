"""Crystals, supercells and defects: equilibria, stencils, numbering, labels, errors."""

import numpy as np
import pytest
from ase.build import bulk
from matscipy.neighbours import neighbour_list
from scipy.optimize import minimize

from mlipgen.crystals import (
    DEFECTS,
    Crystal,
    Defect,
    Supercell,
    as_atoms,
    build_defect,
    divacancy,
    dumbbell,
    minimum_image,
    require_thickness,
    thickness,
    vacancy,
)
from mlipgen.learning import Virial, fit
from mlipgen.potentials import EAM, ACEBasis, LinearACE, StillingerWeber, Toy2D

POTENTIALS = [EAM("W"), EAM("Cu"), EAM("Ti"), StillingerWeber("Si"), Toy2D()]
every_structure = pytest.mark.parametrize("potential", POTENTIALS, ids=lambda p: p.structure)
CRYSTALS = [
    Crystal("W", "bcc", 3.165),
    Crystal("Cu", "fcc", 3.615),
    Crystal("Ti", "hcp", 2.95, 4.68),
    Crystal("Si", "diamond", 5.431),
    Crystal("X", "triangular", 0.94),
]
every_crystal = pytest.mark.parametrize("crystal", CRYSTALS, ids=lambda c: c.structure)


# --- equilibrium ---


@pytest.mark.parametrize(
    "fade, a0, cohesive", [((3.5, 4.4), 3.165188, -8.759033), ((4.5, 5.5), 3.164853, -8.759983)]
)
def test_tungsten_lattice_constant_and_cohesive_energy(fade, a0, cohesive):
    """Computed independently with six decimals."""
    crystal = Crystal.equilibrium(EAM("W", fade=fade))
    assert crystal.a == pytest.approx(a0, abs=6e-7)
    assert crystal.energy_per_atom(EAM("W", fade=fade)) == pytest.approx(cohesive, abs=6e-7)


@every_structure
def test_equilibrium_is_where_the_energy_is_lowest(potential):
    crystal = Crystal.equilibrium(potential)
    energy = lambda x: Crystal(potential.symbol, potential.structure, *x).energy_per_atom(potential)
    start = [crystal.a] + ([crystal.c] if potential.structure == "hcp" else [])
    found = minimize(
        energy, 1.01 * np.array(start), method="Nelder-Mead", options=dict(xatol=1e-8, fatol=1e-14)
    )
    # a minimum is flat: the square root of rounding
    np.testing.assert_allclose(found.x, start, rtol=1e-6)
    # the root itself is sharp; on every axis, so hcp's c too
    assert abs(crystal.pressure_work(potential)).max() < 1e-10
    assert crystal.structure == potential.structure and crystal.symbol == potential.symbol


def test_hcp_leaves_the_ideal_axial_ratio():
    crystal = Crystal.equilibrium(EAM("Ti"))
    assert abs(crystal.c / crystal.a - np.sqrt(8 / 3)) > 1e-3
    ideal = Crystal("Ti", "hcp", crystal.a)
    assert ideal.c == pytest.approx(crystal.a * np.sqrt(8 / 3))
    assert crystal.energy_per_atom(EAM("Ti")) < ideal.energy_per_atom(EAM("Ti"))


def test_no_equilibrium_in_the_window_is_an_error():
    potential = EAM("W")
    potential.a0_guess = 2.5
    with pytest.raises(ValueError, match="no equilibrium of bcc W between 2.350 and 2.650 A"):
        Crystal.equilibrium(potential)
    for a in (1.2, 3.9, 6.0):  # compressed, stretched, and beyond the cutoff, where nothing pulls
        with pytest.raises(ValueError, match=f"no hcp equilibrium of W near a = {a}"):
            Crystal.equilibrium(potential, "hcp", a)


@pytest.mark.parametrize("symbol", EAM.symbols())
@pytest.mark.parametrize("structure", ["bcc", "fcc", "hcp"])
def test_every_metal_has_a_stationary_point_on_every_lattice(symbol, structure):
    """Also on lattices that it does not form: the guess is carried over at the same volume per
    atom.
    """
    potential = EAM(symbol)
    crystal = Crystal.equilibrium(potential, structure=structure)
    assert crystal.structure == structure and abs(crystal.pressure_work(potential)).max() < 1e-8
    own = Crystal.equilibrium(potential)
    volume = [abs(np.linalg.det(c.cell)) / len(c.basis) for c in (crystal, own)]
    assert volume[0] == pytest.approx(volume[1], rel=0.15)
    # the natural one is the lowest of the three
    assert crystal.energy_per_atom(potential) > own.energy_per_atom(potential) - 1e-12
    wide = [
        Crystal(symbol, structure, s * crystal.a, crystal.c and s * crystal.c).energy_per_atom(
            potential
        )
        for s in (0.99, 1.01)
    ]
    assert min(wide) > crystal.energy_per_atom(potential)


def test_the_guess_can_be_given():
    potential = EAM("W")
    found = Crystal.equilibrium(potential, structure="fcc", a=3.9, around=0.1)
    assert found.a == pytest.approx(Crystal.equilibrium(potential, structure="fcc").a, rel=1e-12)
    with pytest.raises(ValueError, match="no equilibrium of bcc W between 3.290 and 3.710 A.*a="):
        Crystal.equilibrium(potential, a=3.5)
    with pytest.raises(ValueError, match="'sc' and first guess.*structure= .one of bcc.*a="):
        Crystal.equilibrium(potential, structure="sc")
    with pytest.raises(ValueError, match="X is triangular: no bcc crystal"):
        Crystal.equilibrium(Toy2D(), structure="bcc")


def test_a_fitted_model_finds_its_own_lattice_constant():
    potential = EAM("W", fade=(3.5, 4.4))
    crystal = Crystal.equilibrium(potential)
    basis = ACEBasis(4.4, 6, r0=crystal.shells[0])
    strains = [Virial(crystal, (1 + e) * np.eye(3)) for e in (-0.02, -0.01, 0.0, 0.01, 0.02)]
    model = fit(strains, basis, potential, crystal, "V").model
    own = Crystal.equilibrium(model)
    assert (
        own.structure == "bcc"
        and abs(own.pressure_work(model)).max() < 1e-9
        and own.a == pytest.approx(crystal.a, rel=1e-4)
    )
    again = LinearACE.from_dict(model.to_dict())
    assert Crystal.equilibrium(again) == own
    bare = LinearACE(basis, model.theta, "W", model.offset)
    with pytest.raises(
        ValueError, match="LinearACE of W has structure None and first guess None.*give structure="
    ):
        Crystal.equilibrium(bare)
    assert Crystal.equilibrium(bare, structure="bcc", a=3.2).a == pytest.approx(own.a, rel=1e-12)


# --- stencils ---


@every_crystal
@pytest.mark.parametrize("reach", [1.1, 1.75, 2.4])
def test_stencil_is_matscipys_neighbour_list(crystal, reach):
    cutoff = reach * crystal.a
    R, offsets, b, n = crystal.stencil(cutoff)
    atoms = as_atoms("H", crystal.basis, crystal.cell)
    i, j, D = neighbour_list("ijD", atoms, cutoff)
    np.testing.assert_array_equal(np.diff(offsets), np.bincount(i, minlength=len(crystal.basis)))
    d = crystal.dimension
    for site in range(len(crystal.basis)):
        own = slice(*offsets[site : site + 2])
        mine = np.column_stack([R[own], b[own]])
        theirs = np.column_stack([D[i == site][:, :d], j[i == site]])
        order = lambda x: x[np.lexsort(np.round(x, 6).T)]
        np.testing.assert_allclose(order(mine), order(theirs), atol=1e-12)
        np.testing.assert_allclose(
            n[own] @ crystal.cell + crystal.basis[b[own]] - crystal.basis[site], R[own], atol=1e-12
        )


@pytest.mark.parametrize(
    "crystal, numbers, ratios",
    [
        (CRYSTALS[0], (8, 6, 12), (np.sqrt(3) / 2, 1, np.sqrt(2))),
        (CRYSTALS[1], (12, 6, 24), (np.sqrt(0.5), 1, np.sqrt(1.5))),
        (CRYSTALS[3], (4, 12, 12), (np.sqrt(3) / 4, np.sqrt(0.5), np.sqrt(11) / 4)),
        (CRYSTALS[4], (6, 6, 6), (1, np.sqrt(3), 2)),
    ],
    ids=["bcc", "fcc", "diamond", "triangular"],
)
def test_shells(crystal, numbers, ratios):
    assert len(crystal.shells) == 5
    np.testing.assert_allclose(crystal.shells[:3], crystal.a * np.array(ratios), atol=1e-6)
    R, _, _, _ = crystal.stencil(crystal.shells[3] - 1e-3, [0])
    r = np.linalg.norm(R, axis=1)
    assert tuple(np.isclose(r, s, atol=1e-5).sum() for s in crystal.shells[:3]) == numbers
    assert crystal.norm_cutoff == 1.2 * crystal.shells[1]


# --- supercells ---


@every_crystal
def test_numbering_is_cell_by_cell(crystal):
    n = (2, 3, 4)[: crystal.dimension]
    cell = Supercell(crystal, n)
    nb = len(crystal.basis)
    assert len(cell) == len(cell.positions) == np.prod(n) * nb
    for index in np.ndindex(n):
        site = np.ravel_multi_index(index, n) * nb
        np.testing.assert_allclose(
            cell.positions[site : site + nb],
            np.array(index) @ crystal.cell + crystal.basis,
            atol=1e-13,
        )
    np.testing.assert_array_equal(cell.cell, np.array(n)[:, None] * crystal.cell)


@every_crystal
def test_supercells_are_ases(crystal):
    ours = Supercell(crystal, 2)
    if crystal.structure == "triangular":
        theirs = crystal.unit.repeat((2, 2, 1))
    else:
        extra = dict(c=crystal.c) if crystal.structure == "hcp" else dict(cubic=True)
        theirs = bulk(crystal.symbol, crystal.structure, a=crystal.a, **extra).repeat(2)
    d = crystal.dimension
    np.testing.assert_allclose(ours.cell, np.asarray(theirs.cell)[:d, :d], atol=1e-12)
    for x in theirs.positions[:, :d]:
        assert np.linalg.norm(minimum_image(ours.positions - x, ours.cell), axis=1).min() < 1e-10


@every_crystal
def test_the_central_site_is_central(crystal):
    cell = Supercell(crystal, 4)
    r = np.linalg.norm(cell.positions - cell.cell.sum(axis=0) / 2, axis=1)
    assert r[cell.central_site()] <= r.min() + 1e-6


def test_thickness_and_minimum_image_in_a_skew_cell():
    cell = np.array([[4.0, 0, 0], [3.0, 4.0, 0], [1.0, 2.0, 5.0]])
    volume = abs(np.linalg.det(cell))
    faces = [np.linalg.norm(np.cross(cell[(k + 1) % 3], cell[(k + 2) % 3])) for k in range(3)]
    np.testing.assert_allclose(thickness(cell), volume / np.array(faces))
    v = np.random.default_rng(0).normal(scale=4, size=(300, 3))
    images = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3), -1).reshape(-1, 3) @ cell
    shortest = np.array([np.linalg.norm(x + images, axis=1).min() for x in v])
    np.testing.assert_allclose(np.linalg.norm(minimum_image(v, cell), axis=1), shortest, atol=1e-12)


# --- defects ---


@every_crystal
@pytest.mark.parametrize("name", DEFECTS)
def test_defects_by_name(crystal, name):
    if crystal.dimension == 2 and name.startswith("dumbbell"):
        name = {
            "dumbbell-100": "dumbbell-10",
            "dumbbell-110": "dumbbell-11",
            "dumbbell-111": "dumbbell-01",
        }[name]
    cell = Supercell(crystal, 4)
    defect = build_defect(name, cell)
    change = {"vacancy": -1, "divacancy": -2}.get(name, 1)
    assert len(defect) == len(cell) + change and defect.name == name
    counts = np.bincount(defect.lattice_index, minlength=len(cell))
    assert counts.min() == (0 if change < 0 else 1) and counts.max() == (1 if change < 0 else 2)
    # atoms alone on their site start there
    single = counts[defect.lattice_index] == 1
    np.testing.assert_array_equal(
        defect.positions[single], cell.positions[defect.lattice_index[single]]
    )
    odd = cell.positions[counts != 1]
    np.testing.assert_allclose(
        defect.centre, odd[0] + minimum_image(odd - odd[0], cell.cell).mean(axis=0), atol=1e-12
    )
    nearest = np.sort(
        np.linalg.norm(defect.positions[:, None] - defect.positions, axis=2)[~single][
            :, ~single
        ].ravel()
    )
    if change == 1:
        assert nearest[-1] == pytest.approx(0.75 * crystal.shells[0])
    if change == -2:
        assert np.linalg.norm(minimum_image(odd[1] - odd[0], cell.cell)) == pytest.approx(
            crystal.shells[0], abs=1e-5
        )
    assert (
        defect.distance().min() > 0
        and defect.distance().max() <= np.linalg.norm(cell.cell, axis=1).sum() / 2
    )
    atoms = defect.atoms()
    assert len(atoms) == len(defect) and list(atoms.pbc) == [True] * crystal.dimension + [False] * (
        3 - crystal.dimension
    )


def test_dumbbell_points_where_it_says():
    cell = Supercell(CRYSTALS[0], 3)
    for direction in ("100", "010", "001", "110", "101", "011", "111"):
        defect = dumbbell(cell, direction, separation=0.8)
        axis = np.array([int(c) for c in direction])
        bond = defect.positions[cell.central_site()] - defect.positions[-1]
        np.testing.assert_allclose(
            bond, 0.8 * cell.crystal.shells[0] * axis / np.linalg.norm(axis), atol=1e-12
        )


@every_crystal
def test_from_atoms_finds_the_labels_again(crystal):
    cell = Supercell(crystal, 4)
    rng = np.random.default_rng(1)
    for build in (vacancy, divacancy):
        built = build(cell)
        order = rng.permutation(len(built))
        atoms = built.atoms()[order]
        atoms.positions[:, : crystal.dimension] += (
            rng.uniform(-0.02, 0.02, (len(atoms), crystal.dimension)) * crystal.a
        )
        atoms.wrap()
        found = Defect.from_atoms(atoms, cell, "mine")
        np.testing.assert_array_equal(found.lattice_index, built.lattice_index[order])
        np.testing.assert_array_equal(found.positions, atoms.positions[:, : crystal.dimension])
        np.testing.assert_allclose(
            minimum_image(found.centre - built.centre, cell.cell), 0, atol=1e-9
        )
        assert found.name == "mine"


def test_from_atoms_knows_interstitials():
    cell = Supercell(CRYSTALS[0], 4)
    built = dumbbell(cell, "110")
    found = Defect.from_atoms(built.atoms(), cell)
    np.testing.assert_array_equal(found.lattice_index, built.lattice_index)
    np.testing.assert_allclose(found.centre, built.centre, atol=1e-12)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Crystal("W", "sc", 3.0), "'sc' is unknown.*bcc, fcc, hcp, diamond, triangular"),
        (lambda: Crystal("W", "bcc", 316.5), "a = 316.5 A.*angstrom"),
        (lambda: Crystal("W", "bcc", float("nan")), "a = nan"),
        (lambda: Supercell(CRYSTALS[0], 0), "0.*positive integer or 3"),
        (lambda: Supercell(CRYSTALS[0], 2.5), "2.5.*positive integer"),
        (lambda: Supercell(CRYSTALS[0], (2, 3)), r"\(2, 3\).*3 of them"),
        (lambda: Supercell(CRYSTALS[0], "4"), "'4'"),
        (lambda: dumbbell(Supercell(CRYSTALS[0], 3), "112"), "'112' is unknown.*110"),
        (lambda: dumbbell(Supercell(CRYSTALS[4], 3), "111"), "'111' is unknown.*10, 01, 11"),
        (
            lambda: build_defect("hole", Supercell(CRYSTALS[0], 3)),
            "'hole' is unknown.*vacancy, divacancy, dumbbell-100",
        ),
        (
            lambda: require_thickness(np.eye(3) * 8, 4.4),
            "8.00 A thick, thinner than 2 x the cutoff 4.40 A.*repeat",
        ),
        (
            lambda: Defect.from_atoms(
                bulk("W", "bcc", a=3.165, cubic=True).repeat(3), Supercell(CRYSTALS[0], 3)
            ),
            "there is no defect",
        ),
        (
            lambda: Defect.from_atoms(
                bulk("W", "bcc", a=3.2, cubic=True).repeat(3), Supercell(CRYSTALS[0], 3)
            ),
            "9.6.*not the supercell's.*9.49",
        ),
        (
            lambda: Defect.from_atoms(
                bulk("Mo", "bcc", a=3.165, cubic=True).repeat(3), Supercell(CRYSTALS[0], 3)
            ),
            "'Mo'.*crystal is W",
        ),
    ],
)
def test_errors_name_the_value_and_the_fix(make, message):
    with pytest.raises(ValueError, match=message):
        make()
