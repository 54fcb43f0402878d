"""Bad input that no other test tries is refused in words that name it, and what fails outside of
this library ends well.
"""

import argparse
import builtins
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from ase.units import GPa
from numba.core.dispatcher import Dispatcher

from mlipgen import cli, widgets
from mlipgen.commands import options
from mlipgen.crystals import (
    Crystal,
    Defect,
    Neighbours,
    Supercell,
    _compiled,
    build_defect,
    minimum_image,
    require_thickness,
    thickness,
    vacancy,
)
from mlipgen.crystals.dislocation import Cylinder
from mlipgen.crystals.symmetry import operations
from mlipgen.equilibrium import (
    LatticeGreen,
    LatticeStiffness,
    extreme_eigenvalue,
    green_gradient,
    lattice_prediction,
    limits,
    linear_response,
    on_lattice,
    relax,
)
from mlipgen.experiments import data_contest, dislocations, ranking, transfer
from mlipgen.experiments.study import Study
from mlipgen.failures import TooLarge, Unstable, require_number, require_whole
from mlipgen.generalisation import ForceWeights, Outcome, Verdict, dual_norm, match_labels
from mlipgen.generalisation.assess.crystal import elastic_constants
from mlipgen.generalisation.assess.rehearsal import Enlarged
from mlipgen.learning import parse_kinds, strains
from mlipgen.learning.planning import Plan, _Counting
from mlipgen.potentials import (
    EAM,
    ACEBasis,
    LinearACE,
    SiteCalculator,
    Toy2D,
    elastic_tensor,
    energies_and_forces,
    load_model,
    load_potential,
    save_model,
    site_hessian,
)
from mlipgen.potentials.derivatives import ForceConstantTable
from mlipgen.potentials.finite_differences import _response, symmetrised
from mlipgen.potentials.naming import read_calculators, read_yaml
from mlipgen.potentials.remote import RemoteCalculator
from mlipgen.rates import observed_rate
from mlipgen.widgets import explorer, loss_designer
from mlipgen.widgets.explorer import Setting

W = EAM("W")
CRYSTAL = Crystal("W", "bcc", 3.165)
CELL = Supercell(CRYSTAL, 3)
HOLE = vacancy(CELL)
PAIRS = Neighbours(CELL.positions, CELL.cell, W.cutoff)
BASIS = ACEBasis(4.4, 3, 3, 2.74)
FITTED = {"theta": np.ones(len(BASIS)), "symbol": "W"}


def hole(**change):
    given = {k: getattr(HOLE, k) for k in ("positions", "lattice_index", "centre")} | change
    return Defect("hole", homogeneous=CELL, **given)


def listed(**change):
    known = {"positions": CELL.positions, "cell": CELL.cell, "cutoff": 4.4}
    return Neighbours(**{**known, **change})


def study(**change):
    known = {"crystal": "W", "defect": "vacancy", "cells": (3,), "degrees": (6,), "test_cell": 5}
    return Study(**{**known, **change})


def lonely():
    """A table without the way back of its pair."""
    xi, one = np.array([[1.58, 1.58, 1.58]]), np.array([0])
    return ForceConstantTable(one, one, xi, np.ones((1, 3, 3)))


NAN = float("nan")
REFUSED = {
    # cells and crystals
    "cell shape": (lambda: thickness(np.ones((2, 3))), r"a cell of shape \(2, 3\)"),
    "flat cell": (lambda: thickness(np.ones((3, 3))), "is flat: it has no volume"),
    "endless cell": (lambda: thickness(1e-320 * np.eye(3)), "faces are"),
    "cutoff": (lambda: require_thickness(CELL.cell, NAN), "cutoff is nan A"),
    "vectors": (lambda: minimum_image(np.ones((4, 2)), CELL.cell), r"vectors of shape \(4, 2\)"),
    "symbol": (lambda: Crystal("Q", "bcc", 3.0), "'Q' is no chemical symbol"),
    "lattice constant": (lambda: Crystal("W", "bcc", "3"), "lattice constant a = 3 A is outside"),
    "sites": (lambda: CRYSTAL.stencil(4.4, [7]), r"sites = \[7\]: give indices"),
    "complex sites": (lambda: CRYSTAL.locate(1j * np.ones((1, 3))), "complex numbers"),
    "sites in a plane": (lambda: CRYSTAL.locate(np.ones((1, 2))), r"positions of shape \(1, 2\)"),
    "far site": (lambda: CRYSTAL.locate([[0, 0, 1e12]]), r"1e\+12 A away: no longer exact"),
    "positions": (lambda: hole(positions=HOLE.positions[:, :2]), r"positions of shape \(53, 2\)"),
    "labels": (lambda: hole(lattice_index=[0.5] * len(HOLE)), r"lattice_index of shape \(53,\)"),
    "label": (lambda: hole(lattice_index=np.arange(2, 55)), "from 2 to 54: sites are 0 to 53"),
    "centre": (lambda: hole(centre=[0.0, NAN, 0.0]), "centre .*: give 3 finite numbers"),
    "defect": (lambda: build_defect(3, CELL), "defect 3 is unknown"),
    "cylinder": (lambda: Cylinder(CRYSTAL, 1.0, 8.0), "radius = 1.0 A and rim = 8.0 A"),
    # neighbours
    "cell of a list": (lambda: listed(cell=np.eye(4)), r"the cell has shape \(4, 4\)"),
    "periodicity": (lambda: listed(pbc=[True, False]), "one periodicity for each direction"),
    "wide cell": (lambda: listed(cell=1e7 * np.eye(3)), "too large for a cutoff of 4.4"),
    "positions of a list": (lambda: listed(positions=np.ones((4, 2))), "positions have shape"),
    "other sites": (lambda: PAIRS.vectors(CELL.positions[1:]), "53 positions: the list is of 54"),
    "a piece": (lambda: PAIRS.piece(CELL.positions[1:]), r"the list is of \(54, 3\)"),
    "values": (lambda: PAIRS.differences(np.ones(7)), r"values of shape \(7,\) for 54 sites"),
    "gradients": (lambda: PAIRS.divergence(np.ones((7, 3))), r"gradients of shape \(7, 3\) for"),
    # equilibria
    "room to move": (lambda: relax(W, HOLE, max_move=-1.0), r"max_move=-1.0"),
    "start": (lambda: relax(W, HOLE, start=np.ones((2, 3))), r"start has shape \(2, 3\)"),
    "displacements": (lambda: on_lattice(HOLE, np.ones((2, 3))), r"u of shape \(2, 3\)"),
    "stiff field": (
        lambda: LatticeStiffness(ForceConstantTable(*([np.zeros(0, int)] * 2), np.zeros((0, 3)),
                                                    np.zeros((0, 3, 3))), CELL)(np.ones((2, 3))),
        r"u of shape \(2, 3\): a real vector for each site, \(54, 3\)",
    ),
    "dipole": (
        lambda: lattice_prediction(LatticeGreen(W, CELL), HOLE, np.array([0.0, 0.0, 1.0])),
        r"a dipole of shape \(3,\)",
    ),
    "Green's origin": (lambda: green_gradient(np.ones((3,) * 4), np.zeros((2, 3))), "the origin"),
    "Green's plane": (lambda: green_gradient(np.ones((3,) * 4), np.ones((2, 2))), r"\(2, 2\)"),
    "which eigenvalue": (lambda: extreme_eigenvalue(abs, abs, abs, (2, 3), "middle"), "'middle'"),
    "guess of a response": (
        lambda: linear_response(abs, np.ones((2, 3)), abs, start=np.ones((3, 3))),
        r"forces of shape \(2, 3\), start of \(3, 3\)",
    ),
    "force": (lambda: linear_response(abs, np.full((2, 3), NAN), abs), "6 of 6 .* not finite"),
    "places": (lambda: match_labels(np.ones((2, 3)), np.ones((3, 3)), np.eye(3), 1.0), "as many"),
    # learning
    "dimension": (lambda: strains(4), "dimension=4"),
    "kinds": (lambda: parse_kinds(7), "observation set 7"),
    "sizes": (lambda: observed_rate([1, 1, 2], [1, 2, 3]), "a positive size for each error"),
    "study's cells": (lambda: study(cells=3), r"cells=3: give a tuple"),
    "study's cell": (lambda: study(cells=((3, 3, 3, 3),)), "one for each direction"),
    "study's defect": (lambda: study(defect="hole"), "defect 'hole' is unknown"),
    "study's weights": (lambda: study(weights={"Q": 1.0}), "weights=.*: a mapping of kinds"),
    # potentials
    "offsets": (lambda: W.sites(np.ones((2, 3)), ["0", "2"]), "offsets must be integers"),
    "broken offsets": (lambda: W.sites(np.ones((2, 3)), [0, 1.5]), "offsets must be integers"),
    "large basis": (lambda: ACEBasis(4.4, 40, 3, 2.7), "up to [0-9,]+ functions"),
    "coefficients": (lambda: LinearACE(BASIS, "ab", "W"), "theta is no list of numbers"),
    "nan": (lambda: LinearACE(BASIS, np.full(len(BASIS), NAN), "W"), "theta has nan"),
    "no symbol": (lambda: LinearACE(BASIS, FITTED["theta"], ""), "symbol=''"),
    "structure": (lambda: LinearACE(BASIS, **FITTED, structure="sc"), "structure='sc'"),
    "neighbourhood": (lambda: site_hessian(W, np.ones(3)), r"R has shape \(3,\)"),
    "no atoms": (lambda: SiteCalculator(W).calculate(None), "there are no atoms"),
    "one way": (lambda: symmetrised(lonely(), CRYSTAL), "has no reverse"),
    "name": (lambda: load_potential(3, "W"), "3 is no name of a potential"),
    "no model": (lambda: save_model(W, "x"), "EAM is no fitted model"),
    # numbers
    "object": (lambda: require_number("x", object(), 0, 1), "x=<object .*give a number from 0"),
    "huge": (lambda: require_whole("n", float("inf"), 0, 9), "n=inf: give an integer from 0 to 9"),
    # explorer
    "setting's weights": (lambda: Setting(3, 6, 1e-6, {"Q": 1.0}), r"weights for \['Q'\]"),
    "setting's forces": (lambda: Setting(3, 6, 1e-6, forces="soft"), "forces='soft'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name):
    call, words = REFUSED[name]
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=words):
        call()


def test_an_integer_list_of_whole_numbers_may_be_of_floats():
    V, _ = W.sites(np.full((2, 3), 1.6), [0.0, 2.0])
    assert V == W.sites(np.full((2, 3), 1.6), [0, 2])[0]
    assert [len(x) for x in CRYSTAL.stencil(4.4, [])] == [0, 1, 0, 0]


def test_what_eigenvalues_are_measured_by_is_positive():
    with pytest.raises(Unstable, match="measured by has a negative direction"):
        extreme_eigenvalue(lambda v: v, lambda v: -v, lambda v: v, (4, 3))


def test_a_supercell_beyond_memory_is_refused_before_it_is_made():
    with pytest.raises(TooLarge, match="a supercell of 2,000,000,000,000 atoms"):
        _ = Supercell(CRYSTAL, 10_000).positions


def test_verdicts_say_why():
    assert str(Verdict(Outcome.APPLIES)) == "applies"
    assert str(Verdict(Outcome.WIDE, "κ = 1")) == "does not apply: error bar too wide: κ = 1"
    assert str(Verdict(Outcome.LEFT)) == "does not apply: left the basin"


# --- files


def test_files_that_are_none(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="cannot read"):
        read_calculators(tmp_path)
    with pytest.raises(ValueError, match="not a model file but a folder"):
        load_model(tmp_path)
    path = tmp_path / "fit.json"
    path.write_text('{"theta": NaN}', encoding="utf-8")
    with pytest.raises(ValueError, match="NaN is no number"):
        load_model(path)
    monkeypatch.setattr("mlipgen.potentials.files.LARGEST", 3)
    with pytest.raises(ValueError, match="not a model file: it has 0 MB"):
        load_model(path)
    path.write_text("a: " * 5, encoding="utf-8")
    monkeypatch.setattr("yaml.safe_load", lambda text: (_ for _ in ()).throw(RecursionError))
    with pytest.raises(ValueError, match="nested too deeply"):
        read_yaml(path)


def test_a_model_goes_into_a_pipe(tmp_path):
    """As into /dev/stdout: nothing is put in its place."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    save_model(LinearACE(BASIS, **FITTED), pipe)
    assert os.read(reading, 100_000).startswith(b"{") and os.listdir(tmp_path) == ["pipe"]
    os.close(reading)


# --- the command line


@pytest.mark.parametrize(
    "error, status, words",
    [
        (MemoryError(), 2, "mlipgen relax: out of memory: take smaller cells"),
        (KeyboardInterrupt(), 130, "mlipgen relax: stopped"),
        (BrokenPipeError(), 141, ""),
        (OSError(28, "No space left on device", "/x/y"), 2, "relax: No space left on device: /x/y"),
    ],
)
def test_the_command_line_ends_without_a_traceback(monkeypatch, capsys, error, status, words):
    def fails(given):
        raise error

    monkeypatch.setattr(cli.COMMANDS["relax"], "run", fails)
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # a broken pipe replaces it
    assert cli.main(["relax"]) == status
    assert words in capsys.readouterr().err


def test_lengths_are_positive():
    assert options.length("4.5") == 4.5
    for text in ("x", "nan", "-1"):
        with pytest.raises(argparse.ArgumentTypeError, match="not a positive number"):
            options.length(text)


def test_a_scheduler_needs_dask(monkeypatch):
    given = SimpleNamespace(scheduler="tcp://127.0.0.1:1", workers=None)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match="needs dask"), options.executor_of(given):
        pass
    silent = SimpleNamespace(Client=lambda **_: (_ for _ in ()).throw(OSError("timed out")))
    monkeypatch.setitem(sys.modules, "distributed", silent)
    with pytest.raises(ValueError, match="no dask scheduler answers"), options.executor_of(given):
        pass


# --- the machine


def test_memory_that_the_system_does_not_tell(monkeypatch):
    def refuses(*_, **__):
        raise OSError

    monkeypatch.setattr(builtins, "open", refuses)
    assert limits.available_memory() > 0  # no /proc/meminfo: without what can be reclaimed
    monkeypatch.setattr(os, "sysconf", refuses)
    assert limits.available_memory() == np.inf


class Sick:
    """A cache of numba's that fails as often as it is told."""

    def __init__(self, times):
        self.times, self.flushed, self.kept = times, 0, []

    def flush(self):
        self.flushed += 1

    def load_overload(self, signature, context):
        raise EOFError

    def save_overload(self, signature, result):
        if len(self.kept) < self.times:
            self.kept.append(None)
            raise OSError
        self.kept.append(result)


def test_a_damaged_cache_of_kernels_means_that_they_are_compiled():
    once, never = (Sick(times) for times in (1, 9))
    for sick in (once, never):
        cache = _compiled._Cache(sick)
        assert cache.load_overload((), None) is None and cache.times == sick.times
        cache.save_overload((), "code")
    assert once.kept == [None, "code"] and never.kept == [None, None] and once.flushed == 1


def test_a_folder_that_cannot_be_written_means_no_cache(monkeypatch):
    def refuses(self):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(Dispatcher, "enable_caching", refuses)
    assert _compiled.njit(cache=True)(lambda x: x + 1)(1) == 2


# --- calculators


class Lacking(Calculator):
    """Says that it has a stress, and has none."""

    implemented_properties = ["energy", "stress"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        self.atoms, self.results = atoms.copy(), {"energy": 1.0}
        if "stress" in properties:
            raise NotImplementedError


@pytest.mark.parametrize("stand_in", [Enlarged, lambda inner: _Counting(inner, Plan(), None, "")])
def test_stand_ins_lack_what_their_calculator_lacks(stand_in):
    calculator, atoms = stand_in(Lacking()), bulk("W")
    assert calculator.get_property("energy", atoms) == 1.0
    with pytest.raises(PropertyNotImplementedError, match="stress"):
        calculator.get_property("stress", atoms)


def test_a_calculators_process_that_does_not_end_is_ended():
    waited, remote = [], RemoteCalculator.__new__(RemoteCalculator)

    def wait(timeout=None):
        waited.append(timeout)
        if timeout:
            raise subprocess.TimeoutExpired("x", timeout)

    kill = lambda: waited.append("killed")
    closed = SimpleNamespace(close=lambda: waited.append("closed"))
    remote._process, remote._connection = SimpleNamespace(wait=wait, kill=kill), closed
    remote._said = closed
    remote.close()
    assert waited == ["closed", 5, "killed", None, "closed"] and remote._process is None


def test_force_constants_without_a_reversal_take_both_displacements():
    """As with one, which in a lattice of inversion centres gives the second by symmetry."""
    calls = []

    def forces(x):
        calls.append(x)
        return energies_and_forces(W, PAIRS, x)[1]

    turned = next(g for g in operations(CRYSTAL, 0, 0) if np.allclose(g.rotation, -np.eye(3)))
    v = np.array([0.0, 0.0, 1.0])
    both, one = (_response(forces, CELL, 0, v, g, 1e-3) for g in (None, turned))
    assert len(calls) == 3 and both == pytest.approx(one, abs=1e-8)


def test_elastic_constants_of_a_plane():
    toy = Toy2D()
    crystal = Crystal.equilibrium(toy)
    C = elastic_constants(toy, crystal)
    assert C["C66"] == pytest.approx((C["C11"] - C["C12"]) / 2)  # isotropic
    A = elastic_tensor(toy, crystal) / GPa
    assert C["C11"] == pytest.approx(A[0, 0, 0, 0])


def test_a_saddle_point_has_no_bound():
    reference = SimpleNamespace(defect=HOLE, stability=-0.1)
    with pytest.raises(Unstable, match="stability constant -0.1 .* is a saddle point"):
        ForceWeights.of(reference)
    reference = SimpleNamespace(equilibrium=SimpleNamespace(u=np.ones((53, 3))))
    with pytest.raises(ValueError, match=r"forces of shape \(2, 3\): one for each atom"):
        dual_norm(np.ones((2, 3)), reference)


# --- what is shared


def test_each_study_has_a_folder_of_its_own(tmp_path):
    seen = []

    class Fake(SimpleNamespace):
        def run(self, folder, executor, progress):
            seen.append(folder)
            return [self.crystal], ["scan"]

    two = [Fake(crystal=c, defect="vacancy", trained="dipole", cell=(2, 4)) for c in ("W", "Fe")]
    assert data_contest.run(two, tmp_path) == (["W", "Fe"], ["scan", "scan"])
    assert dislocations.run(two, tmp_path) == [["W"], ["scan"], ["Fe"], ["scan"]]
    ranking.run(two, tmp_path), transfer.run(two)
    names = ["W-vacancy", "Fe-vacancy", "W-dipole-(2,4)", "Fe-dipole-(2,4)", "ranking-W"]
    assert seen == [*(tmp_path / n for n in (*names, "ranking-Fe")), None, None]


def test_widgets_come_by_name():
    for name in ("LookupFigure", "StudyFigure"):
        assert getattr(widgets, name).__name__ == name
    for name in ("Explorer", "explorer_data", "fit_setting"):
        assert getattr(explorer, name).__name__ == name
    for module in (widgets, explorer, loss_designer):
        with pytest.raises(AttributeError, match="has no attribute 'Lens'"):
            _ = module.Lens
