"""`mlipgen study`: a sweep over training-cell size, observations and degree."""

from __future__ import annotations

import argparse
from typing import Any

from . import options
from .options import announce, potential_of


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    study = commands.add_parser(
        "study",
        parents=[common],
        help="sweep training-cell size x observations x degree",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Fit every combination, predict the defect error, relax and measure it. "
        "Finished points are saved at once in OUT/points.jsonl: start the same command again and "
        "it goes on where it was.",
    )
    option = study.add_argument
    option(
        "--cells",
        type=options.sizes,
        default=(3, 4, 5, 6),
        metavar="N,N,...",
        help="training-cell sizes in unit cells, e.g. 3,4 or 3x3x4,4x4x5",
    )
    option(
        "--observations",
        type=options.observations,
        default=("E", "EF", "EFV", "EF+FC", "EFV+FC"),
        metavar="SET,SET,...",
        help="sets made of E energies, F forces, V virials, +FC force constants, +Fw "
        "distance-weighted forces",
    )
    option(
        "--degree",
        type=options.integers,
        default=(6, 8, 10),
        metavar="D,D,...",
        help="total degrees of the ACE basis",
    )
    option(
        "--test-cell",
        type=options.size,
        default=10,
        metavar="N",
        help="size of the domain where the error is measured",
    )
    option("--count", type=options.positive, default=10, help="training configurations per cell")
    option("--seed", type=int, default=0, help="of the rattled configurations")
    option("--ridge", type=float, default=1e-6, help="regularisation strength")
    option(
        "--pair",
        type=options.positive,
        default=1,
        help="pair functions reach n = PAIR * degree: 2 fits metals several times better",
    )
    option(
        "--cutoff",
        type=options.length,
        metavar="A",
        help="of the ACE basis, if not the potential's",
    )
    option(
        "--out",
        required=True,
        metavar="DIR",
        help="folder for points.jsonl, study.csv, study.json, study.png",
    )
    option("--quiet", action="store_true", help="no progress bar")
    options.executor_options(study)


def run(given: argparse.Namespace) -> int:
    from ..experiments.limits import check_study
    from ..experiments.study import Study

    potential: Any = None
    crystal: Any = None
    if given.potential is not None:
        potential, crystal = potential_of(given)
    study = Study(
        crystal=given.crystal,
        defect=given.defect,
        cells=given.cells,
        observations=given.observations,
        degrees=given.degree,
        test_cell=given.test_cell,
        count=given.count,
        seed=given.seed,
        ridge=given.ridge,
        pair=given.pair,
        cutoff=given.cutoff,
        potential=potential,
    )
    if potential is None:
        potential, crystal = potential_of(given)
    announce(*check_study(study, potential, crystal), "points")
    with options.executor_of(given) as executor:
        rows = study.run(given.out, progress=not given.quiet, executor=executor)
    bad = sum(r["verdict"] != "applies" for r in rows)
    print(
        f"{len(rows)} points in {given.out}: study.csv, study.json, study.png; the prediction "
        f"does not apply to {bad}"
    )
    return 0
