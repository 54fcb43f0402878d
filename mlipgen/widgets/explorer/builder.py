"""From a study to the data of an explorer page: every factor the browser needs, computed once and
cached.
"""

import hashlib
import os
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...crystals import Supercell, build_defect
from ...crystals.defects import in_words
from ...experiments.study import Study
from ...generalisation import measure
from ...learning import WEIGHTS, parse_kinds
from ...learning.kinds import default_weights
from ...rates import ROWS, predicted_rates
from .blocks import ERRORS, held_out_blocks, training_blocks
from .data import FORCES, ExplorerData, Setting
from .factors import near_atoms, responses, shell_factors, stiffness
from .fits import model_of, nested_order, rattled_again
from .in_page import LIMITS as RELAXATION_LIMITS
from .in_page import can_relax, relaxation_data

#: The limits of the verdict: stiffness mismatch on the tested modes, predicted error as a fraction
#: of |D ubar|.
LIMITS = {"mismatch": 0.3, "geometry": 0.05}
PYTHON = """from mlipgen.experiments.study import Study
from mlipgen.generalisation import defect_error
from mlipgen.widgets.explorer import Setting, fit_setting

study = Study({arguments}).prepare()
setting = Setting({{setting}})
error = defect_error(fit_setting(study, setting), study.reference)
p, m = error.prediction, error.measurement
print("geometry (Å): linear", p.linear_geometry, "Newton", p.geometry, "relaxed", m.geometry)
print("energy (eV): Newton", p.energy, "relaxed", m.energy)"""


def explorer_data(
    study,
    *,
    grid=None,
    shells=None,
    near=60,
    modes=16,
    by_distance=True,
    by_dual=False,
    noise_max=0.1,
    relax_in_page=True,
    seeds=None,
    cache=None,
    progress=None,
):
    """Everything a page needs about one crystal and defect.

    Parameters
    ----------
    study : Study or Prepared   cells, degrees, observations, test domain, seeds
    grid : bool or list         relax every (cell, kinds, degree) of the study's grid for the
                                measured marks, or of the list; default: of the largest degree,
                                which the still figure shows, where the page relaxes all others
                                itself, else every one
    shells : int                shells of distance in which the error is resolved; default 7, or 3
                                for more than 100 functions
    near : int                  atoms in the 3D view;  modes : soft modes for the stability test
    by_distance : bool          also carry the forces weighted by distance (large bases: leave out,
                                a page holds 1.5 MB)
    by_dual : bool              also carry the forces in the dual norm, observations `Fd`
    noise_max : float           eV/A, the right end of the noise control
    relax_in_page : bool        let the page relax the defect by itself at every setting; only for
                                bases and test cells up to `in_page.LARGEST`
    seeds : int                 other sets of rattles, of the seeds after the study's, that the
                                measured marks' fits are repeated with; the chart shows their band.
                                Default 2 with the default grid, else none
    cache : path, optional      read from here if it was built from the same study by the same
                                sources, else write it
    progress : callable(text)

    Returns
    -------
    ExplorerData, with `.relax` set, so that an explorer with a kernel can relax for real
    """
    say = progress or (lambda text: None)
    if seeds is None:
        seeds = 2 if grid is None else 0
    if isinstance(study, Study):
        prepare = lru_cache(study.prepare)  # reading the cache must not cost a preparation
    else:
        prepared, study = study, study.study
        prepare = lambda: prepared
    key = [
        _sources(),
        study.key,
        list(study.cells),
        list(study.degrees),
        grid if isinstance(grid, (bool, type(None))) else [list(point) for point in grid],
        shells,
        near,
        modes,
        by_distance,
        by_dual,
        noise_max,
        relax_in_page,
        seeds,
    ]
    if cache is not None and Path(cache).exists():
        data = ExplorerData.unpack(Path(cache).read_text(encoding="utf-8"))
        if data.meta["key"] == key:
            data.relax = _relaxer(prepare)
            return data
    say("reference and basis")
    prepared = prepare()
    basis, reference = prepared.basis, prepared.reference
    shells = shells or (7 if len(basis) <= 100 else 3)
    order = nested_order(basis, study.degrees)
    arrays, factors = {"prior": basis.prior[order]}, {}
    say("observations")
    kinds = ("E", "F", *("Fw",) * by_distance, *("Fd",) * by_dual)
    training_blocks(prepared, order, arrays, factors, kinds, study.cells)
    held_out_blocks(prepared, order, arrays, factors, kinds)
    say("linear response")
    du = responses(prepared, order, arrays)
    shell_info = shell_factors(reference, du, shells, arrays)
    near_atoms(reference, du, near, arrays)
    say("stability tests")
    families = stiffness(prepared, order, modes, arrays)
    crystal = prepared.crystal
    default = _grid_setting(
        study, study.cells[min(1, len(study.cells) - 1)], "EF", study.degrees[-1]
    )
    meta = {
        "key": key,
        "order": order.tolist(),
        "title": f"{study.crystal} ({crystal.structure}), {in_words(study.defect)}",
        "crystal": study.crystal,
        "defect": study.defect,
        "dimension": crystal.dimension,
        "degrees": list(study.degrees),
        "counts": [len(basis.subset(d)) for d in study.degrees],
        "cell": crystal.cell.ravel().tolist() if crystal.dimension == 3 else None,
        "cells": [{"size": n, "atoms": len(_defect(prepared, n))} for n in study.cells],
        "test_atoms": len(reference.defect),
        "factors": factors,
        "norm": reference.scale,
        "limits": {**LIMITS, **RELAXATION_LIMITS},
        "errors": [e for e in ERRORS if e["block"] in (*kinds, "V", "FC")],
        "shells": shell_info,
        "stiffness": families,
        "rates": _rates(crystal.dimension),
        "weights": {k: WEIGHTS[k] for k in ("E", "F", "V", "FC")},
        "default": vars(default),
        "noise_unit": "eV/Å",
        "noise_max": noise_max,
        "colour_range": [1e-6, 1e-2],
        "python": PYTHON.format(arguments=_arguments(study)),
        "measured": [],
    }
    itself = relax_in_page and can_relax(prepared)
    if itself:
        meta["relax"] = relaxation_data(prepared, order, arrays)
    data = ExplorerData(meta, arrays, _relaxer(prepare))
    settings = [_grid_setting(study, *point) for point in _to_relax(study, grid, itself)]
    for s in settings:
        say(f"relaxing {'+'.join(s.weights)}, cell {s.cell}, degree {s.degree}")
        meta["measured"].append({**vars(s), **data.relax(data, s)})
    others = range(study.seed + 1, study.seed + 1 + seeds)
    for found in rattled_again(prepared, settings, others):
        say("relaxing fits to other rattles")
        for point, m in zip(meta["measured"], found):
            own = [None, None] if m.du is None else [m.geometry, m.energy]
            point.setdefault("others", []).append(own)
    if cache is not None:
        Path(cache).parent.mkdir(parents=True, exist_ok=True)
        own = Path(f"{cache}.{os.getpid()}")  # two chapters may build the same data at once
        own.write_text(data.pack(), encoding="utf-8")
        own.replace(cache)
    return data


def _rates(dimension):
    """Exponents of the theory's worst case [geometry, energy], by what is fitted."""
    names = {"E,F": "F", "E,F,V": "FV", "E,F,FC": "F+FC", "E,F,FC,V": "FV+FC"}
    return {name: list(predicted_rates(ROWS[row], dimension)) for row, name in names.items()}


def _arguments(study):
    """The study as code: what differs from its defaults, and what the page's numbers hang on."""
    default, always = Study(), ("cells", "degrees", "test_cell", "count", "seed")
    own = {k: getattr(study, k) for k in vars(default) if k not in ("crystal", "defect")}
    own = {k: v for k, v in own.items() if k in always or v != getattr(default, k)}
    for hidden in ("observations", "potential"):
        own.pop(hidden, None)
    lines, texts = [f"{study.crystal!r}, {study.defect!r}"], [f"{k}={v!r}" for k, v in own.items()]
    for text in texts:
        if len(lines[-1]) + len(text) > 70:
            lines.append(text)
        else:
            lines[-1] += f", {text}"
    return ",\n              ".join(lines)


def _sources():
    """Hash of the library's sources: a number from older code is never shown."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parents[2].rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _to_relax(study, grid, itself):
    """The points of a study that are relaxed while the data are made."""
    if grid is None:
        return [p for p in study.grid() if p[2] == study.degrees[-1] or not itself]
    return study.grid() if grid is True else grid or ()


def _defect(prepared, n):
    return build_defect(prepared.study.defect, Supercell(prepared.crystal, n))


def _grid_setting(study, cell, kinds, degree):
    kinds = parse_kinds(kinds)
    named = {block: name for name, block in FORCES.items()}
    weights = {
        ("F" if k in named else k): float({**default_weights(), **study.weights}[k]) for k in kinds
    }
    forces = next((named[k] for k in kinds if k in named), "uniform")
    return Setting(cell, degree, study.ridge, weights, forces)


# ---------------------------------------------------------------------- the truth
def _relaxer(prepare):
    """relax(data, setting, progress, cancelled): fit, relax on the large domain, and measure."""

    def relax(data, setting, progress=None, cancelled=None):
        prepared = prepare()
        edges = [s["edges"][0] for s in data.meta["shells"]] + [np.inf]
        model = model_of(data, setting, prepared)
        report = None
        if progress is not None:

            def report(evaluations, force):
                progress(None, f"{evaluations} force evaluations, largest force {force:.1e} eV/Å")

        m = measure(model, prepared.reference, progress=report)
        if m.du is None:
            return {
                "geometry": None,
                "energy": None,
                "note": "The model’s relaxation left the basin of the reference defect.",
            }
        return {
            "geometry": m.geometry,
            "energy": m.energy,
            "note": "",
            "evaluations": m.force_evaluations,
            "shells": prepared.reference.norm.shells(m.du, edges).tolist(),
        }

    return relax
