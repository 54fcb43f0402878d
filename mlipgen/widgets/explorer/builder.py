"""From a study to the data of an explorer page: every factor the browser needs, computed once and
cached.
"""

import hashlib
import os
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...crystals import Supercell, build_defect
from ...experiments.study import Study
from ...generalisation import measure
from ...learning import WEIGHTS, fitted_model, nested_basis, parse_kinds
from .data import ExplorerData, Setting
from .factors import near_atoms, observation_blocks, responses, shell_factors, stiffness

#: The limits of the verdict: stiffness mismatch on the tested modes, predicted error as a fraction
#: of |D ubar|.
LIMITS = {"mismatch": 0.3, "geometry": 0.05}
ERRORS = [
    {
        "id": "energy",
        "block": "E",
        "label": "Energies",
        "symbol": "ε_E",
        "unit": "eV",
        "title": "defect cell minus perfect crystal, root mean square over configurations; held "
        "out: other rattles, largest cell",
    },
    {
        "id": "force",
        "block": "F",
        "label": "Forces",
        "symbol": "ε_F",
        "unit": "eV/Å",
        "title": "l2 norm over a cell, root mean square over configurations; held out: other "
        "rattles, largest cell",
    },
    {
        "id": "force-weighted",
        "block": "Fw",
        "label": "Forces × (1 + distance)",
        "symbol": "ε_Fw",
        "unit": "eV/Å",
        "title": "each force error times 1 + its distance from the defect in Å, l2 norm over a "
        "cell; held out: other rattles, largest cell",
    },
    {
        "id": "virial",
        "block": "V",
        "label": "Virials",
        "symbol": "ε_V",
        "unit": "eV",
        "title": "l2 norm of the virial per atom, root mean square over strains; held out: other "
        "strains",
    },
    {
        "id": "force-constants",
        "block": "FC",
        "label": "Force constants",
        "symbol": "ε_FC",
        "unit": "eV/Å²",
        "title": "force-constant errors times (1 + range in Å) squared, l2 norm; "
        "held out: the crystal compressed and dilated by 1 % of its volume",
    },
]
PYTHON = """from mlipgen.experiments import Study
from mlipgen.generalisation import defect_error

study = Study({crystal!r}, {defect!r}, cells={cells}, degrees={degrees},
              test_cell={test_cell}, count={count}, seed={seed}{pair}).prepare()
fit = study.fit({{cell}}, "{{kinds}}", {{degree}}, weights={{weights}}, ridge={{ridge}})
error = defect_error(fit.model, study.reference)
print(error.prediction.linear_geometry, error.measurement.geometry)"""


def explorer_data(
    study,
    *,
    grid=True,
    shells=None,
    near=60,
    modes=16,
    by_distance=True,
    noise_max=0.1,
    cache=None,
    progress=None,
):
    """Everything a page needs about one crystal and defect.

    Parameters
    ----------
    study : Study or Prepared   cells, degrees, observations, test domain, seeds
    grid : bool or list         relax every (cell, kinds, degree) of the study's grid for the
                                measured marks, or of the list
    shells : int                shells of distance in which the error is resolved; default 7, or 3
                                for more than 100 functions
    near : int                  atoms in the 3D view;  modes : soft modes for the stability test
    by_distance : bool          also carry the forces weighted by distance (large bases: leave out,
                                a page holds 1.5 MB)
    noise_max : float           eV/A, the right end of the noise control
    cache : path, optional      read from here if it was built from the same study by the same
                                sources, else write it
    progress : callable(text)

    Returns
    -------
    ExplorerData, with `.relax` set, so that an explorer with a kernel can relax for real
    """
    say = progress or (lambda text: None)
    if isinstance(study, Study):
        prepare = lru_cache(study.prepare)  # reading the cache must not cost a preparation
    else:
        prepared, study = study, study.study
        prepare = lambda: prepared
    points = [list(point) for point in (study.grid() if grid is True else grid or ())]
    key = [
        _sources(),
        study.key,
        list(study.cells),
        list(study.degrees),
        points,
        shells,
        near,
        modes,
        by_distance,
        noise_max,
    ]
    if cache is not None and Path(cache).exists():
        data = ExplorerData.unpack(Path(cache).read_text())
        if data.meta["key"] == key:
            data.relax = _relaxer(prepare, np.array(data.meta["order"]))
            return data
    say("reference and basis")
    prepared = prepare()
    basis, reference = prepared.basis, prepared.reference
    shells = shells or (7 if len(basis) <= 100 else 3)
    order = _nested_order(basis, study.degrees)
    arrays, factors = {"prior": basis.prior[order]}, {}
    say("observations")
    observation_blocks(
        prepared, order, arrays, factors, ("E", "F", "Fw") if by_distance else ("E", "F")
    )
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
        "title": f"{study.crystal} ({crystal.structure}), {study.defect}",
        "crystal": study.crystal,
        "defect": study.defect,
        "dimension": crystal.dimension,
        "degrees": list(study.degrees),
        "counts": [len(basis.subset(d)) for d in study.degrees],
        "cells": [{"size": n, "atoms": len(_defect(prepared, n))} for n in study.cells],
        "test_atoms": len(reference.defect),
        "factors": factors,
        "norm": reference.scale,
        "limits": LIMITS,
        "errors": [e for e in ERRORS if by_distance or e["block"] != "Fw"],
        "shells": shell_info,
        "stiffness": families,
        "weights": {k: WEIGHTS[k] for k in ("E", "F", "V", "FC")},
        "default": vars(default),
        "noise_unit": "eV/Å",
        "noise_max": noise_max,
        "colour_range": [1e-6, 1e-2],
        "python": PYTHON.format(
            crystal=study.crystal,
            defect=study.defect,
            cells=study.cells,
            degrees=study.degrees,
            test_cell=study.test_cell,
            count=study.count,
            seed=study.seed,
            pair=f", pair={study.pair}" if study.pair != 1 else "",
        ),
        "measured": [],
    }
    data = ExplorerData(meta, arrays, _relaxer(prepare, order))
    for cell, kinds, degree in points:
        say(f"relaxing {kinds}, cell {cell}, degree {degree}")
        setting = _grid_setting(study, cell, kinds, degree)
        meta["measured"].append({**vars(setting), **data.relax(data, setting)})
    if cache is not None:
        Path(cache).parent.mkdir(parents=True, exist_ok=True)
        own = Path(f"{cache}.{os.getpid()}")  # two chapters may build the same data at once
        own.write_text(data.pack())
        own.replace(cache)
    return data


def _sources():
    """Hash of the library's sources: a number from older code is never shown."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parents[2].rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _defect(prepared, n):
    return build_defect(prepared.study.defect, Supercell(prepared.crystal, n))


def _nested_order(basis, degrees):
    """Columns sorted so that each smaller basis is a prefix."""
    order = []
    for degree in degrees:
        order += [k for k in basis.subset(degree) if k not in set(order)]
    return np.array(order)


def _grid_setting(study, cell, kinds, degree):
    kinds = parse_kinds(kinds)
    weights = {("F" if k == "Fw" else k): float({**WEIGHTS, **study.weights}[k]) for k in kinds}
    return Setting(cell, degree, study.ridge, weights, "distance" if "Fw" in kinds else "uniform")


# ---------------------------------------------------------------------- the truth
def _relaxer(prepare, order):
    """relax(data, setting, progress, cancelled): fit, relax on the large domain, and measure."""

    def relax(data, setting, progress=None, cancelled=None):
        prepared = prepare()
        edges = [s["edges"][0] for s in data.meta["shells"]] + [np.inf]
        basis, index = (
            nested_basis(prepared.basis, setting.degree),
            prepared.basis.subset(setting.degree),
        )
        full, theta = np.zeros(len(order)), data.theta(setting)
        full[order[: len(theta)]] = theta
        model = fitted_model(basis, full[index], prepared.potential, prepared.crystal)
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
