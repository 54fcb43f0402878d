"""Public functions with whatever may be put in: an error in words, or a number that is right.

Each input costs microseconds; the kernels are reached with arrays of any shape, so that an index
that is not checked would end this process.
"""

import ast
import importlib
import warnings
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from ase.neighborlist import primitive_neighbor_list
from fuzzing import arrays, finite, inputs, junk, numbers, refusal
from hypothesis import given
from hypothesis import strategies as st

from mlipgen.crystals import (
    STRUCTURES,
    Crystal,
    Defect,
    Neighbours,
    Supercell,
    as_atoms,
    build_defect,
    divacancy,
    dumbbell,
    minimum_image,
    require_thickness,
    thickness,
    translated,
    translations,
    vacancy,
)
from mlipgen.equilibrium import (
    EnergyNorm,
    LatticeGreen,
    LatticeStiffness,
    continuum_prediction,
    curvature_at,
    elastic_dipole,
    extreme_eigenvalue,
    far_field,
    formation_energy,
    gram_table,
    green_gradient,
    hessian_at,
    landscape,
    lattice_prediction,
    lattice_stability,
    linear_response,
    lowest_curvature,
    on_lattice,
    ramp,
    relax,
    soft_fields,
    stability_constant,
)
from mlipgen.experiments.census import CensusStudy
from mlipgen.experiments.forecast_census import ForecastStudy
from mlipgen.experiments.study import Study
from mlipgen.failures import NoEquilibrium
from mlipgen.generalisation import (
    Reference,
    bounds,
    cut_constant,
    defect_error,
    dual_norm,
    force_constant_mismatch,
    geometry_bound,
    match_labels,
    measure,
    mismatch,
    predict,
    residual_terms,
    terms_bound,
    virial_mismatch,
    wave_mismatch,
)
from mlipgen.learning import (
    Configuration,
    Energy,
    ForceConstants,
    Forces,
    Virial,
    WeightedForces,
    assemble,
    crystal_observations,
    defect_configurations,
    defect_response,
    fit,
    fit_blocks,
    fitted_model,
    held_out_crystal_observations,
    identifiability,
    joint_ranks,
    labelling_cost,
    nested_basis,
    parse_kinds,
    scaled_rows,
    solve,
    strains,
    training_set,
)
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
    load_potential,
    site_hessian,
    virial,
)
from mlipgen.rates import observed_rate

#: Ten thousand inputs and more: for `make test`, not for `make check`.
pytestmark = pytest.mark.slow

W = EAM("W")
CRYSTAL = Crystal("W", "bcc", 3.165)
CELL = Supercell(CRYSTAL, 3)
HOLE = vacancy(CELL)
LIST = Neighbours(CELL.positions, CELL.cell, W.cutoff)
BASIS = ACEBasis(4.4, 3, 3, 2.74)
MODEL = LinearACE(BASIS, np.linspace(-1, 1, len(BASIS)), "W")
GREEN = LatticeGreen(W, CELL)
BLOCKS = assemble(
    [kind(Configuration(HOLE.positions, HOLE.cell, CRYSTAL)) for kind in (Energy, Forces)], BASIS, W
)
RELAXED = relax(W, HOLE, green=GREEN, tolerance=1e-3, saddle="ignore")
REFERENCE = Reference(W, HOLE, tolerance=1e-6)
STIFFNESS = elastic_tensor(W, CRYSTAL)
TABLE = force_constants(W, CRYSTAL)
GREEN_HOLE = GREEN.for_defect(HOLE)
POTENTIALS = (W, StillingerWeber("Si"), Toy2D(), BASIS, MODEL)


def capped(x, most):
    """No more than what is legal and quick."""
    return min(x, most) if isinstance(x, (int, float)) else x


def crystal(**change):
    c = Crystal(**{**dict(symbol="Mg", structure="hcp", a=3.2, c=5.1), **change})
    finite(c.cell, c.basis, c.shells)
    assert abs(np.linalg.det(c.cell)) > 0


def ace(**change):
    given = {**dict(cutoff=4.4, degree=3, order=3, r0=2.7, dimension=3, pair=1), **change}
    if not (isinstance(given["degree"], int) and 9 < given["degree"] < 30):  # legal, and takes long
        basis = ACEBasis(**given)
        finite(*basis.sites(np.full((1, basis.dimension), 1.5), [0, 1]))


def linear(**change):
    model = LinearACE(BASIS, **{**dict(theta=np.ones(len(BASIS)), symbol="W"), **change})
    finite(*model.sites(np.full((2, 3), 1.5), [0, 2]))


def near(potential):
    d = potential.dimension
    finite(*potential.sites(1.1 * potential.a0_guess * np.eye(d), [0, d]))


def study(kind=Study, **change):
    made = kind(**change)
    assert made.key and made.grid() and made.largest


def evaluated(positions=HOLE.positions, cell=HOLE.cell):
    finite(*Configuration(positions, cell, CRYSTAL).evaluate(W))


def relaxed(**change):
    known = {"start": RELAXED.positions, "tolerance": 1e-2, "saddle": "ignore", "green": GREEN}
    found = relax(W, HOLE, **{**known, **change})
    finite(found.positions, found.site_energies)
    assert found.max_force <= found.tolerance


def fitted(**change):
    found = fit_blocks(BLOCKS, BASIS, **{**dict(observations="EF"), **change}, potential=W,
                       crystal=CRYSTAL)  # fmt: skip
    finite(found.model.theta)


def scaled(x):
    """A fit whose parameters are too large, too small, or no numbers."""
    return LinearACE(BASIS, np.asarray(x) * MODEL.theta, "W")


def predicted(model=MODEL, **change):
    found = predict(model, REFERENCE, **change)
    if found.applies:
        finite(found.geometry, found.kappa, found.energy, found.du)
    return found


def measured(model=MODEL, **change):
    found = measure(model, REFERENCE, **change)
    if found.verdict:
        finite(found.geometry, found.energy, found.du)


def compared(model):
    found = defect_error(model, REFERENCE)
    assert found.verdict or str(found.verdict)


def referred(**change):
    known = {"start": REFERENCE.equilibrium.positions, "tolerance": 1e-4, **change}
    found = Reference(W, HOLE, **known)
    finite(found.equilibrium.positions, found.formation_energy, found.scale)
    assert found.equilibrium.max_force <= found.equilibrium.tolerance


def of_sites(**change):
    given = {k: getattr(HOLE, k) for k in ("positions", "lattice_index", "centre")} | change
    hole = Defect("hole", homogeneous=CELL, **given)
    finite(relax(W, hole, green=GREEN, tolerance=1e-2, saddle="ignore").u)


def matched(positions=HOLE.positions, limit=1.0):
    label = match_labels(positions, HOLE.positions, HOLE.cell, limit)
    assert label is None or sorted(label) == list(range(len(HOLE)))


def stiff(**change):
    finite(ForceConstants(Crystal("W", **{**dict(structure="bcc", a=3.165), **change})).observe(W))


def fitted_to(observations):
    place = Configuration(HOLE.positions, HOLE.cell, CRYSTAL)
    finite(fit([Energy(place)], BASIS, W, CRYSTAL, observations).model.theta)


def listed(positions=CELL.positions, cell=CELL.cell, cutoff=4.4, skin=0.0, pbc=None):
    pairs = Neighbours(positions, cell, cutoff, skin, pbc)
    assert len(pairs.i) == pairs.offsets[-1]
    finite(pairs.vectors(positions))


def weighed(centre):
    cell = Configuration(HOLE.positions, HOLE.cell, CRYSTAL, centre)
    finite(WeightedForces(cell).observe(W))


def eigenvalue(**change):
    """Of a diagonal operator."""
    scale = np.arange(1.0, 5.0)[:, None]
    given = {"shape": (4, 3), **change}
    finite(extreme_eigenvalue(lambda v: scale * v, lambda v: v, lambda v: v, **given)[0])


def responded(**change):
    given = {"f": np.eye(4, 3), **change}
    finite(linear_response(lambda v: 2.0 * v, preconditioner=lambda v: v, **given))


def identified(**change):
    K = len(BASIS)
    given = dict(kinds="EF", prior=BASIS.prior, S=np.eye(K), size=1.0) | change
    finite(identifiability(BLOCKS, **given).ambiguity)


def solved(**change):
    finite(*solve(BLOCKS, **{**dict(weights={"E": 1.0}, prior=BASIS.prior), **change}))


def of_radius(function, **change):
    """Terms of the residual; what is asked of the crystal, and costs most, is given."""
    known = {"radius": 9.0, "gamma": 0.3, "cut": 1.0, **change}
    eps = lambda *_: 1.0
    with patch.multiple(bounds, wave_mismatch=eps, virial_mismatch=lambda *_: (1.0, 1.0, 1.0)):
        found = function(MODEL, REFERENCE, **known)
    if known.get("delta", 0.0) < 1:  # else there is no bound
        finite(*([found] if np.isscalar(found) else vars(found).values()))


def trained(**change):
    near = {"defect": "vacancy", "cells": 3, "count": 1, "saddle": "ignore", **change}
    # a relaxation costs too much here: what is checked before it is what counts
    if near["cells"] == 3 and near["defect"] in ("vacancy", "divacancy"):
        near["cells"] = 2  # thinner than two cutoffs
    assert training_set(W, CRYSTAL, **near)


#: What is called with one value.
CALLS = {
    "crystal symbol": lambda x: crystal(symbol=x),
    "crystal structure": lambda x: crystal(structure=x),
    "crystal a": lambda x: crystal(a=x),
    "crystal c": lambda x: crystal(c=x),
    "stencil": lambda x: finite(CRYSTAL.stencil(capped(x, 40.0))[0]),
    "stencil sites": lambda x: finite(CRYSTAL.stencil(4.4, x)[0]),
    "locate": lambda x: CRYSTAL.locate(x),
    "equilibrium near": lambda x: Crystal.equilibrium(W, "bcc", x),
    "equilibrium within": lambda x: Crystal.equilibrium(W, "bcc", 3.17, x),
    "supercell": lambda x: Supercell(CRYSTAL, x),
    "defect": lambda x: build_defect(str(x), CELL),
    "dumbbell": lambda x: dumbbell(CELL, x),
    "separation": lambda x: finite(dumbbell(CELL, "111", x).positions),
    "translated": lambda x: translated(CELL, np.asarray(x, float)),
    "thickness": lambda x: finite(thickness(x)),
    "thick": lambda x: require_thickness(CELL.cell, x),
    "image": lambda x: finite(minimum_image(x, CELL.cell)),
    "positions": lambda x: listed(positions=x),
    "cell": lambda x: listed(cell=x),
    "cutoff": lambda x: listed(cutoff=capped(x, 9.0)),
    "skin": lambda x: listed(skin=capped(x, 5.0)),
    "pbc": lambda x: listed(pbc=x),
    "vectors": lambda x: finite(LIST.vectors(x)),
    "piece": lambda x: finite(LIST.piece(x)[0]),
    "differences": lambda x: LIST.differences(x),
    "divergence": lambda x: LIST.divergence(x),
    "forces": lambda x: finite(*energies_and_forces(W, LIST, x)),
    "Hessian": lambda x: finite(hessian_vector(W, LIST, CELL.positions, x)),
    "site Hessian": lambda x: site_hessian(W, x),
    "EAM": lambda x: EAM(x),
    "EAM fade": lambda x: near(EAM("W", x)),
    "SW": lambda x: near(StillingerWeber(x)),
    **{
        f"SW {k}": lambda x, k=k: near(StillingerWeber(**{k: x}))
        for k in ("epsilon", "sigma", "a", "lam", "gamma", "cos0", "A", "B", "p", "q")
    },
    **{
        f"toy {k}": lambda x, k=k: near(Toy2D(**{k: x}))
        for k in ("fade", "D", "a", "b", "c", "rho_0")
    },
    **{
        f"ACE {k}": lambda x, k=k: ace(**{k: x})
        for k in ("cutoff", "degree", "order", "r0", "dimension", "pair")
    },
    "subset": lambda x: BASIS.subset(x),
    **{
        f"fitted {k}": lambda x, k=k: linear(**{k: x})
        for k in ("theta", "symbol", "offset", "structure", "a0_guess")
    },
    "name": lambda x: load_potential(x, "W"),
    "element": lambda x: load_potential("EAM:W", x),
    "kinds": lambda x: parse_kinds(x),
    "strains": lambda x: finite(*strains(3, x)),
    "rate sizes": lambda x: finite(observed_rate(x, [1, 2, 4])[0]),
    "rate errors": lambda x: finite(observed_rate([1, 2, 4], x)[0]),
    "virial": lambda x: Virial(CRYSTAL, x).observe(W),
    "configuration": lambda x: evaluated(positions=x),
    "its cell": lambda x: evaluated(cell=x),
    **{
        f"relax {k}": lambda x, k=k: relaxed(**{k: x})
        for k in ("start", "tolerance", "max_evaluations", "max_move", "memory", "saddle")
    },
    **{
        f"fit {k}": lambda x, k=k: fitted(**{k: x})
        for k in ("observations", "ridge", "weights", "degree")
    },
    **{
        f"training {k}": lambda x, k=k: trained(**{k: x})
        for k in ("defect", "count", "seed", "rattle", "saddle")
    },
    **{
        f"study {k}": lambda x, k=k: study(**{k: x})
        for k in (
            "crystal", "defect", "cells", "observations", "degrees", "test_cell", "count", "seed",
            "ridge", "weights", "pair", "cutoff", "saddle",
        )
    },
    "census": lambda x: study(CensusStudy, cells=x),
    "forecast": lambda x: study(ForecastStudy, test_cell=x),
    "norm": lambda x: EnergyNorm(RELAXED)(x),
    "divacancy": lambda x: divacancy(Supercell(CRYSTAL, capped(x, 9))),
    "matched positions": lambda x: matched(positions=x),
    "matched limit": lambda x: matched(limit=x),
    "fit to": fitted_to,
    "fit's model": lambda x: finite(fitted_model(BASIS, x, W, CRYSTAL).theta),
    "nested basis": lambda x: nested_basis(BASIS, x),
    "strained crystals": lambda x: crystal_observations(CRYSTAL, x),
    "cost cutoff": lambda x: finite(labelling_cost(CRYSTAL, capped(x, 9.0))),
    "cost virials": lambda x: finite(labelling_cost(CRYSTAL, 4.4, virials=x)),
    "cost power": lambda x: finite(labelling_cost(CRYSTAL, 4.4, virials=1, power=x)),
    "virial of": lambda x: finite(virial(W, x, [0, 1])),
    "ramp": lambda x: finite(ramp(np.ones(2), x)),
    "ramp at": lambda x: finite(ramp(x, 1.0)),
    "far field orders": lambda x: far_field(RELAXED, orders=x),
    "on lattice": lambda x: on_lattice(HOLE, x),
    "far field": lambda x: far_field(RELAXED, u=x),
    "far field bins": lambda x: far_field(RELAXED, bins=capped(x, 200)),
    "dipole method": lambda x: finite(elastic_dipole(W, RELAXED, x)),
    "dipole in the continuum": lambda x: finite(continuum_prediction(W, HOLE, x)),
    "dipole in the lattice": lambda x: finite(lattice_prediction(GREEN, HOLE, x)),
    "Green at": lambda x: finite(green_gradient(STIFFNESS, x)),
    "Green points": lambda x: finite(green_gradient(STIFFNESS, np.ones((1, 3)), capped(x, 50))),
    "Hessian at": lambda x: hessian_at(W, x, HOLE.cell),
    "landscape": lambda x: landscape(W, HOLE.cell, x),
    "landscape skin": lambda x: landscape(W, HOLE.cell, HOLE.positions, capped(x, 5.0)),
    "dual norm": lambda x: finite(dual_norm(x, REFERENCE)),
    "cut": lambda x: finite(cut_constant(REFERENCE, x)),
    "stiffness of": lambda x: finite(LatticeStiffness(TABLE, CELL)(x)),
    "norm's constants": lambda x: finite(gram_table(Crystal("W", "bcc", x)).K),
    "translations": lambda x: finite(translations(Crystal("Cu", "fcc", x))),
    "held-out crystals": lambda x: held_out_crystal_observations(Crystal("Si", "diamond", x)),
    "weighted forces": weighed,
    **{
        f"eigenvalue {k}": lambda x, k=k: eigenvalue(**{k: x})
        for k in ("end", "tolerance", "most", "seed", "floor")
    },
    **{
        f"response {k}": lambda x, k=k: responded(**{k: x})
        for k in ("f", "start", "rtol", "max_products")
    },
    **{
        f"identifiability {k}": lambda x, k=k: identified(**{k: x})
        for k in ("kinds", "prior", "S", "size")
    },
    "tolerances": lambda x: identified(tolerance={"E": x}),
    "rank cut": lambda x: joint_ranks(BLOCKS, BASIS.prior, "EF", x),
    "rank kinds": lambda x: joint_ranks(BLOCKS, BASIS.prior, x),
    "scaled rows": lambda x: finite(scaled_rows(BLOCKS["E"], x)),
    **{f"solve {k}": lambda x, k=k: solved(**{k: x}) for k in ("ridge", "prior")},
    "weight": lambda x: solved(weights={"F": x}),
}  # fmt: skip


#: What relaxes, solves or fits before it answers, for fewer inputs.
LONGER = {
    "predict": lambda x: predicted(scaled(x)),
    "predict rtol": lambda x: predicted(rtol=x),
    "predict second step": lambda x: predicted(second_step=x),
    "measure": lambda x: measured(scaled(x)),
    "measure tolerance": lambda x: measured(tolerance=x),
    "defect error": lambda x: compared(scaled(x)),
    **{
        f"reference {k}": lambda x, k=k: referred(**{k: x})
        for k in ("start", "tolerance", "saddle")
    },
    **{
        f"defect {k}": lambda x, k=k: of_sites(**{k: x})
        for k in ("positions", "lattice_index", "centre")
    },
    "force constants": lambda x: stiff(a=capped(x, 40.0)),
    "waves": lambda x: finite(wave_mismatch(MODEL, W, CRYSTAL, capped(x, 4))),
    "stability": lambda x: finite(lattice_stability(W, CRYSTAL, capped(x, 4))),
    "force constants of": lambda x: finite(force_constants(scaled(x), CRYSTAL).K),
    "cubic constants of": lambda x: finite(cubic_constants(scaled(x), CRYSTAL)),
    "shells of": lambda x: finite(*force_constant_mismatch(scaled(x), W, CRYSTAL)),
    "formation energy of": lambda x: finite(formation_energy(scaled(x), RELAXED)),
    "mismatch of": lambda x: finite(mismatch(scaled(x), REFERENCE)),
    "mismatch at": lambda x: finite(mismatch(MODEL, REFERENCE, x)),
    "bound of": lambda x: geometry_bound(scaled(x), REFERENCE, delta=0.2),
    "bound delta": lambda x: geometry_bound(MODEL, REFERENCE, delta=x),
    **{
        f"terms {k}": lambda x, k=k: of_radius(residual_terms, **{k: x})
        for k in ("radius", "gamma", "cut")
    },
    **{
        f"terms bound {k}": lambda x, k=k: of_radius(terms_bound, **{"delta": 0.2, k: x})
        for k in ("radius", "gamma", "cut", "delta")
    },
    **{
        f"virial mismatch {k}": lambda x, k=k: finite(
            *virial_mismatch(MODEL, W, CRYSTAL, **{"directions": 1, k: capped(x, 3)})
        )
        for k in ("step", "directions", "seed")
    },
    "soft fields": lambda x: finite(
        *soft_fields(REFERENCE.hessian, GREEN_HOLE, HOLE, capped(x, 3))
    ),
    "soft seed": lambda x: finite(*soft_fields(REFERENCE.hessian, GREEN_HOLE, HOLE, 1, x)),
    "curvature modes": lambda x: curvature_at(W, RELAXED, GREEN, modes=np.atleast_1d(x)),
    "curvature tolerance": lambda x: lowest_curvature(
        REFERENCE.hessian, REFERENCE.norm.gram, GREEN_HOLE, REFERENCE.soft, x
    ),
    "stability tolerance": lambda x: finite(stability_constant(W, RELAXED, GREEN, tolerance=x)),
    "defect response": lambda x: finite(defect_response(BASIS, REFERENCE, x)),
    "scales": lambda x: defect_configurations(W, CRYSTAL, "vacancy", 3, 1, scales=x),
}

#: Public names that are not called here, and why.
NOT_CALLED = {
    "a constant": "DEFECTS FORMAT HELD_OUT KINDS RIDGE VERSION WEIGHTS",
    "an error or a warning": "LeftBasin NotConverged NotFinite SaddleWarning Unstable",
    "what functions return, or a base class": (
        "Block Bound Check Curvature DefectError Equilibrium FarField Finding Fit ForceWeights "
        "Hessian Identifiability Landscape Measurement Observation Outcome Plan Prediction "
        "Preflight SiteLandscape SitePotential Terms Verdict"
    ),
    "reads or writes files, which are damaged in test_fuzz_command_line and test_labels": (
        "Assessment CachedCalculator LabelStore labelled_set load_model published_schema "
        "read_phonopy save_model schema with_store"
    ),
    "whole runs, by their commands in test_fuzz_command_line": "assess dry_run preflight",
    "calculators, spoilt in test_calculator_model and test_ase_calculator": (
        "CalculatorModel SiteCalculator check_potential"
    ),
    "no arguments, or only a Reference, which is checked where it is made": (
        "default_tolerances default_weights lattice_displacement"
    ),
    "the arguments of training_set and defect_configurations, which are called": (
        "defect_observations held_out_set"
    ),
}


def test_every_public_name_is_called_or_said_why_not():
    folders = ("", ".crystals", ".potentials", ".equilibrium", ".learning", ".generalisation",
               ".generalisation.assess")  # fmt: skip
    public = {n for f in folders for n in importlib.import_module(f"mlipgen{f}").__all__}
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    listed = [name for names in NOT_CALLED.values() for name in names.split()]
    assert len(listed) == len(set(listed)) and not called & set(listed)
    assert public - called == set(listed)


def call_with(function, value):
    """A value is taken, or refused in words."""
    with refusal(value, also=(NoEquilibrium,)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function(value)


@pytest.mark.parametrize("name", LONGER)
@inputs(20)
@given(value=st.one_of(numbers, junk))
def test_any_value_of_what_takes_longer(name, value):
    call_with(LONGER[name], value)


@pytest.mark.parametrize("name", CALLS)
@inputs(70)
@given(value=st.one_of(numbers, junk))
def test_any_value(name, value):
    call_with(CALLS[name], value)


@pytest.mark.parametrize("potential", POTENTIALS, ids=lambda p: type(p).__name__)
@inputs(200)
@given(
    R=st.one_of(arrays, junk),
    offsets=st.one_of(st.lists(st.integers(-3, 6), max_size=5), arrays, junk),
)
def test_kernels_are_reached_by_checked_indices_only(potential, R, offsets):
    with refusal("", also=()):
        V, G = potential.sites(R, offsets)
        assert len(V) == len(offsets) - 1 and G.shape[: np.ndim(R)] == np.shape(R)


@inputs(150)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(0, 6),
    size=st.sampled_from([0.3, 1.0, 3.0, 6.0, 20.0, 200.0, 1e5]),
    skew=st.floats(-1, 1),
    pbc=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    cutoff=st.sampled_from([0.5, 2.0, 4.4]),
    away=st.sampled_from([0.0, 0.0, 10.0, 1e3]),
)
def test_pairs_of_any_cell_are_ases(seed, n, size, skew, pbc, cutoff, away):
    """Thin, skew, huge and open cells, atoms far outside."""
    rng = np.random.default_rng(seed)
    cell = size * (np.eye(3) + skew * rng.uniform(-0.5, 0.5, (3, 3)))
    x = rng.uniform(-1, 2, (n, 3)) * size + away * rng.normal(size=3)
    with refusal():
        pairs = Neighbours(x, cell, cutoff, 0.0, pbc)
        if n and 3.0 <= size <= 20.0 and away <= 10.0 and thickness(cell).min() > 1.0:
            i, D = primitive_neighbor_list("iD", pbc, cell, x, cutoff)
            assert len(i) == len(pairs.i)
            own = np.sort(np.linalg.norm(pairs.vectors(x), axis=1))
            np.testing.assert_allclose(own, np.sort(np.linalg.norm(D, axis=1)), atol=1e-7)


@inputs(200)
@given(
    structure=st.sampled_from(STRUCTURES),
    a=st.floats(0.2, 15),
    cells=st.lists(st.integers(1, 3), min_size=2, max_size=3),
    shift=arrays,
)
def test_crystals_of_any_size_are_themselves(structure, a, cells, shift):
    """A supercell of a legal crystal holds its atoms, at their places."""
    with refusal():
        c = Crystal("W", structure, a)
        cell = Supercell(c, tuple(cells))
        assert len(cell) == len(cell.positions) == np.prod(cells) * len(c.basis)
        where, k = c.locate(cell.positions)
        np.testing.assert_allclose(where @ c.cell + c.basis[k], cell.positions, atol=1e-8)
        assert len(as_atoms("W", cell.positions, cell.cell)) == len(cell)
        if shift.ndim == 1 and len(shift) == c.dimension:
            translated(cell, shift)
