"""`mlipgen relax`: one defect, its formation energy and its lowest curvature."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from typing import Any

from . import options
from .options import announce, potential_of


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    relax = commands.add_parser(
        "relax",
        parents=[common],
        help="relax one defect",
        description="Relax one defect and report its formation energy, its lowest curvature and "
        "the cost.",
    )
    option = relax.add_argument
    option(
        "--cell",
        type=options.size,
        default=6,
        metavar="N",
        help="cell size in unit cells (default 6)",
    )
    option("--tolerance", type=float, default=1e-8, help="largest force left, eV/A (default 1e-8)")
    option(
        "--follow",
        action="store_true",
        help="where the relaxed defect is a saddle point, go on down to a minimum",
    )
    option("--json", action="store_true", help="print JSON")


def run(given: argparse.Namespace) -> int:
    from ..equilibrium.limits import check_relaxation
    from ..experiments.relaxations import relax_report

    potential, crystal = potential_of(given)
    announce(*check_relaxation(potential, crystal, given.cell), "atoms")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        report = relax_report(
            given.crystal,
            given.defect,
            given.cell,
            given.tolerance,
            potential,
            crystal,
            saddle="follow" if given.follow else "warn",
        )
    report["minimum"] = report["curvature"] > 0
    print(json.dumps(report, indent=1) if given.json else _as_text(report))
    for warning in warned:
        print(f"mlipgen relax: warning: {warning.message} (--follow)", file=sys.stderr)
    return 0


def _as_text(report):
    n = report["cell"]
    cells = "x".join(map(str, (n,) * 3 if isinstance(n, int) else n))
    kind = "a minimum" if report["minimum"] else "a SADDLE POINT"
    lines = [
        f"{report['crystal']} {report['defect']}, {cells} cells,"
        f" {report['atoms']} atoms, a = {report['lattice_constant']:.6f} A",
        f"formation energy   {report['formation_energy']:.6f} eV",
        f"|Du|               {report['geometry_norm']:.6f} A",
        f"lowest curvature   {report['curvature']:.3g} eV/A^2: {kind}",
        f"largest force      {report['max_force']:.1e} eV/A after {report['force_evaluations']} "
        f"force evaluations, {report['seconds']:.2f} s",
    ]
    if report["followed"]:
        fell = -report["followed"]
        lines.insert(4, f"                   reached from a saddle point {fell:.4f} eV above")
    return "\n".join(lines)
