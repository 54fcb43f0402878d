"""The notation page against the library: every name exists, has the shape that the page gives, and
says its unit in its docstring; every symbol of the glossary and the index is there.
"""

import inspect
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "book" / "notation.md").read_text(encoding="utf-8")
HEAD = "| Symbol | Meaning | Python name | Unit | Shape |"


def rows():
    """(symbol, meaning, names, unit, shape) of every row of the page."""
    for line in PAGE.splitlines():
        if line.startswith("| ") and line != HEAD:
            cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
            yield cells[0], cells[1], re.findall(r"`([^`]+)`", cells[2]), cells[3], cells[4]


ROWS = list(rows())


@pytest.fixture(scope="module")
def library():
    """{name on the page: (value or None, where its docstring is)}, from one small study."""
    import mlipgen.crystals as crystals
    import mlipgen.equilibrium as equilibrium
    import mlipgen.generalisation as generalisation
    import mlipgen.learning as learning
    import mlipgen.potentials as potentials
    from mlipgen.crystals import Neighbours
    from mlipgen.crystals.dislocation import Cylinder
    from mlipgen.equilibrium.volterra import Volterra
    from mlipgen.experiments import data_cells
    from mlipgen.experiments.study import Study
    from mlipgen.experiments.transfer import PreparedTransfer
    from mlipgen.generalisation import composite, defect_error, preflight
    from mlipgen.generalisation.bounds import residual_forces
    from mlipgen.generalisation.forecast import Forecast, ForecastStep, forecast
    from mlipgen.learning.observations import WeightedForces

    study = Study(crystal="W", defect="vacancy", cells=(3,), degrees=(4,), test_cell=4)
    prepared = study.prepare()
    potential, crystal, reference = prepared.potential, prepared.crystal, prepared.reference
    fit = prepared.fit(3, "EF", 4)
    model, basis = fit.model, fit.model.basis
    error = defect_error(model, reference)
    state, defect = reference.equilibrium, reference.defect
    near = Neighbours(state.positions, defect.cell, potential.cutoff)
    R, offsets = near.vectors(state.positions), near.offsets
    V, G = potential.sites(R, offsets)
    B, dB = basis.sites(R, offsets)
    v = np.random.default_rng(0).normal(size=state.u.shape)
    constants = potentials.force_constants(potential, crystal)
    A = potentials.elastic_tensor(potential, crystal)
    n = len(state.u)
    small = crystals.build_defect("vacancy", crystals.Supercell(crystal, 3))
    told = forecast(model, potential, crystal, "vacancy", domain=4, checks=(3,), rtol=1e-2)
    step = told.steps[-1]
    green = equilibrium.LatticeGreen(potential, small.homogeneous)
    volterra = Volterra(A, np.array([0.0, 0.0, 2.7]))
    return {
        "sizes": {"n": n, "P": len(R), "K": len(basis), "d": 3, "n_b": 2, "n_k": len(small)},
        "WeightedForces": (None, WeightedForces),
        "DualForces": (None, data_cells.DualForces),
        "HessianColumn": (None, data_cells.HessianColumn),
        "restriction": (composite.restriction(defect, small).toarray(), composite.restriction),
        **{
            f"step.{name}": (getattr(step, name), ForecastStep)
            for name in ("k", "residual", "du", "geometry", "moved", "rim")
        },
        "forecast.error_bar": (told.error_bar, Forecast),
        "dual_root": (data_cells.dual_root(green, small), data_cells.dual_root),
        "PreparedTransfer.grade": (None, PreparedTransfer),
        "Preflight.floor": (None, preflight),
        "volterra.burgers": (volterra.burgers, Volterra),
        "volterra.displacement": (volterra.displacement(state.positions), Volterra),
        "volterra.energy_factor": (volterra.energy_factor, Volterra),
        "Cylinder": (None, Cylinder),
        "potential.dimension": (potential.dimension, potentials.SitePotential),
        "crystal.a": (crystal.a, crystals.Crystal),
        "crystal.cell": (crystal.cell, crystals.Crystal),
        "supercell.cell": (defect.homogeneous.cell, crystals.Supercell),
        "crystal.basis": (crystal.basis, crystals.Crystal),
        "Supercell": (None, crystals.Supercell),
        "Defect": (None, crystals.Defect),
        "cell": (3, Study),
        "test_cell": (study.test_cell, Study),
        "R": (R, potentials.SitePotential),
        "offsets": (offsets, potentials.SitePotential),
        "equilibrium.u": (state.u, equilibrium.Equilibrium),
        "EnergyNorm": (reference.norm(state.u), equilibrium.EnergyNorm),
        "reference.scale": (reference.scale, generalisation.Reference),
        "stability_constant": (reference.stability, equilibrium.stability_constant),
        "lattice_stability": (
            equilibrium.lattice_stability(potential, crystal),
            equilibrium.lattice_stability,
        ),
        "elastic_dipole": (
            equilibrium.elastic_dipole(potential, state),
            equilibrium.elastic_dipole,
        ),
        "green_gradient": (equilibrium.green_gradient(A, v), equilibrium.green_gradient),
        "V": (V, potentials.SitePotential),
        "G": (G, potentials.SitePotential),
        "potential.sites(R, offsets)": (None, potentials.SitePotential),
        "potential.cutoff": (potential.cutoff, potentials.SitePotential),
        "reference.formation_energy": (reference.formation_energy, generalisation.Reference),
        "energies_and_forces": (
            potentials.energies_and_forces(potential, near, state.positions)[1],
            potentials.energies_and_forces,
        ),
        "hessian_vector": (
            potentials.hessian_vector(potential, near, state.positions, v),
            potentials.hessian_vector,
        ),
        "force_constants": (constants.K, type(constants)),
        "dynamical_matrix(k)": (
            constants.dynamical_matrix([0.1, 0, 0]),
            type(constants).dynamical_matrix,
        ),
        "virial": (potentials.virial(potential, R, offsets), potentials.virial),
        "elastic_tensor": (A, potentials.elastic_tensor),
        "LatticeGreen": (None, equilibrium.LatticeGreen),
        "model.theta": (model.theta, potentials.LinearACE),
        "len(basis)": (len(basis), potentials.ACEBasis),
        "B": (B, potentials.ACEBasis),
        "dB": (dB, potentials.ACEBasis),
        "basis.sites(R, offsets)": (None, potentials.ACEBasis),
        "order": (3, potentials.ACEBasis),
        "degree": (4, potentials.ACEBasis),
        "basis.prior": (basis.prior, potentials.ACEBasis),
        "ridge": (1e-6, learning.fit_blocks),
        "Energy": (None, learning.Energy),
        "Forces": (None, learning.Forces),
        "Virial": (None, learning.Virial),
        "ForceConstants": (None, learning.ForceConstants),
        "fit.errors": (fit.errors["E"], type(fit)),
        "fit.held_out": (fit.held_out["E"], type(fit)),
        "measurement": (error.measurement.du, generalisation.measurement.Measurement),
        "measurement.geometry": (
            error.measurement.geometry,
            generalisation.measurement.Measurement,
        ),
        "prediction.geometry": (error.prediction.geometry, generalisation.prediction.Prediction),
        "measurement.energy": (error.measurement.energy, generalisation.measurement.Measurement),
        "prediction.energy": (error.prediction.energy, generalisation.prediction.Prediction),
        "bound.mismatch": (0.0, generalisation.bounds),
        "residual_forces": (residual_forces(model, reference), residual_forces),
        "prediction.du": (error.prediction.du, generalisation.prediction.Prediction),
        "reference.dual_norm": (reference.dual_norm(v), generalisation.Reference.dual_norm),
        "prediction.kappa": (error.prediction.kappa, generalisation.prediction.Prediction),
        "error.effectivity": (error.effectivity, type(error)),
        "error.verdict": (None, type(error)),
    }


def test_every_symbol_has_unit_and_shape():
    assert len(ROWS) > 65
    for symbol, meaning, _, unit, shape in ROWS:
        assert symbol and meaning and unit and shape, (symbol, meaning)
    symbols = [symbol for symbol, *_ in ROWS if symbol != "–"]
    assert len(set(symbols)) == len(symbols), "a symbol stands for two things"


def test_every_python_name_has_the_shape_of_its_row(library):
    sizes = library["sizes"]
    named = lambda part: sizes.get(part, None)
    for symbol, meaning, names, _, shape in ROWS:
        for name in names:
            value, _ = library[name]  # a name that the library does not know fails here
            if value is None:
                continue
            found = np.shape(value)
            if shape == "–":
                assert found == (), (symbol, name, found)
                continue
            wanted = []
            for part in re.findall(r"[^(),$\s][^,()$]*", shape):
                part = part.strip()
                if part == r"\cdot":
                    wanted.append(found[len(wanted)])
                elif part == "n + 1":
                    wanted.append(sizes["n"] + 1)
                elif part == "n_b d":  # of the primitive cell: one atom in tungsten
                    wanted.append(3)
                elif part == "n_k d":
                    wanted.append(3 * sizes["n_k"])
                else:
                    wanted.append(named(part))
            assert found == tuple(wanted), (symbol, name, found, shape)


def test_every_kind_of_observation_has_its_row_and_is_named_where_one_is_unknown(library):
    from mlipgen.learning.kinds import KINDS, parse_kinds

    own = [kind for kind, cls in KINDS.items() if cls.__module__.startswith("mlipgen.")]
    missing = set(own) - {symbol for symbol, *_ in ROWS}
    assert len(own) >= 7 and not missing, f"book/notation.md has no row for {sorted(missing)}"
    with pytest.raises(ValueError, match="combine E, F, V") as raised:
        parse_kinds("E+nothing")
    for kind in own:
        assert f"{kind}: {KINDS[kind].label}" in str(raised.value)


UNITS = {
    "eV": r"\beV\b", "Å": r"\bA\b|Å|angstrom", "eV/Å": r"eV/(A|Å)(?![\^²³])",
    "eV/Å²": r"eV/(A\^2|Å²)", "eV/Å³": r"eV/(A\^[3d]|Å³)", "1/Å": r"1/(A|Å)",
    "eV$^{1/2}$": r"eV\^\(?1/2",
}  # fmt: skip


def documented(thing):
    """Docstrings of a thing, of its public methods, and of its module."""
    parts = [inspect.getdoc(thing) or ""]
    if inspect.isclass(thing):
        parts += [inspect.getdoc(m) or "" for n, m in vars(thing).items() if n[0] != "_"]
    module = inspect.getmodule(thing)
    return "\n".join([*parts, (module.__doc__ or "") if module else ""])


def test_docstrings_name_the_units(library):
    asked = [(name, unit) for _, _, names, unit, _ in ROWS if unit in UNITS for name in names]
    missing = [
        f"{name}: {unit}"
        for name, unit in asked
        if not re.search(UNITS[unit], documented(library[name][1]))
    ]
    assert len(asked) > 25 and not missing


def test_the_glossary_is_in_order_and_every_term_is_explained():
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    body = re.search(r"```\{glossary\}\n(.*?)^```", text, re.M | re.S)[1]
    terms = re.findall(r"^(\S.*)\n  (\S.*)$", body, re.M)
    assert len(terms) > 50
    assert all(len(meaning) > 12 for _, meaning in terms)
    names = [name.casefold() for name, _ in terms]
    assert names == sorted(names)


def test_terms_that_chapters_link_are_in_the_glossary_and_each_is_linked_once():
    """Chapters link a term where it is first needed, by the name in the glossary."""
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^(\S.*)\n  \S", text, re.M))
    anywhere = set()
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        prose = "\n".join(c.source for c in cells if c.cell_type == "markdown")
        linked = [m[1] or m[0] for m in re.findall(r"\{term\}`([^`<]+?)(?: <([^>]+)>)?`", prose)]
        assert set(linked) <= known, path.name
        assert len(set(linked)) == len(linked), f"{path.name}: linked twice"
        assert linked or path.name.startswith("07"), path.name  # its terms are older
        anywhere |= set(linked)
    assert len(anywhere) >= 0.8 * len(known), sorted(known - anywhere)
