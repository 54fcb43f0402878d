"""Command line: `mlipgen study` and `mlipgen relax`."""

import argparse
import json
import sys


def _integers(text):
    try:
        values = tuple(int(v) for v in text.split(","))
        assert values and min(values) > 0
        return values
    except (ValueError, AssertionError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of positive integers; write for example 3,4,5"
        ) from None


def _positive(text):
    try:
        value = int(text)
        assert value > 0
        return value
    except (ValueError, AssertionError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer") from None


def _observations(text):
    from .learning import parse_kinds

    try:
        for part in text.split(","):
            parse_kinds(part)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return tuple(text.split(","))


def _symbol(text):
    from .experiments.study import reference_potential

    try:
        reference_potential(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def parser():
    """The command line's parser; its help is the reference."""
    main = argparse.ArgumentParser(
        "mlipgen",
        description="Fit a machine-learned potential on small cells; predict and measure "
        "its error on a defect in a far larger one. Units: eV, angstrom.",
    )
    commands = main.add_subparsers(dest="command", required=True, metavar="{study,relax}")
    from .crystals import DEFECTS

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--crystal",
        type=_symbol,
        default="W",
        help="chemical symbol: one of the 16 EAM metals, or Si (default W)",
    )
    common.add_argument(
        "--defect", choices=list(DEFECTS), default="vacancy", help="point defect (default vacancy)"
    )
    study = commands.add_parser(
        "study",
        parents=[common],
        help="sweep training-cell size x observations x degree",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Fit every combination, predict the defect error, relax and measure it. "
        "Finished points are saved at "
        "once in OUT/points.jsonl: start the same command again and it goes on where it was.",
    )
    study.add_argument(
        "--cells",
        type=_integers,
        default=(3, 4, 5, 6),
        metavar="N,N,...",
        help="training-cell sizes in unit cells",
    )
    study.add_argument(
        "--observations",
        type=_observations,
        default=("E", "EF", "EFV", "EF+FC", "EFV+FC"),
        metavar="SET,SET,...",
        help="sets made of E energies, F forces, V virials, +FC force constants, +Fw "
        "distance-weighted forces",
    )
    study.add_argument(
        "--degree",
        type=_integers,
        default=(6, 8, 10),
        metavar="D,D,...",
        help="total degrees of the ACE basis",
    )
    study.add_argument(
        "--test-cell",
        type=_positive,
        default=10,
        metavar="N",
        help="size of the domain where the error is measured",
    )
    study.add_argument(
        "--count", type=_positive, default=10, help="training configurations per cell"
    )
    study.add_argument("--seed", type=int, default=0, help="of the rattled configurations")
    study.add_argument("--ridge", type=float, default=1e-6, help="regularisation strength")
    study.add_argument(
        "--pair",
        type=int,
        default=1,
        help="pair functions reach n = PAIR * degree: 2 fits metals several times better",
    )
    study.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="folder for points.jsonl, study.csv, study.json, study.png",
    )
    study.add_argument("--quiet", action="store_true", help="no progress bar")
    relax = commands.add_parser(
        "relax",
        parents=[common],
        help="relax one defect with the reference potential",
        description="Relax one defect and report its formation energy and the cost.",
    )
    relax.add_argument(
        "--cell", type=_positive, default=6, metavar="N", help="cell size in unit cells (default 6)"
    )
    relax.add_argument(
        "--tolerance", type=float, default=1e-8, help="largest force left, eV/A (default 1e-8)"
    )
    relax.add_argument("--json", action="store_true", help="print JSON")
    return main


def main(argv=None):
    """Entry point; returns the exit status."""
    options = parser().parse_args(argv)
    from .equilibrium import LeftBasin, NotConverged, Unstable

    try:
        return _study(options) if options.command == "study" else _relax(options)
    except (ValueError, Unstable, LeftBasin, NotConverged) as error:
        print(f"mlipgen {options.command}: {error}", file=sys.stderr)
        return 2


def _relax(options):
    from .experiments.study import relax_report

    report = relax_report(options.crystal, options.defect, options.cell, options.tolerance)
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        print(
            "{crystal} {defect}, {cell}x{cell}x{cell} cells, {atoms} atoms, a = "
            "{lattice_constant:.6f} A\n"
            "formation energy   {formation_energy:.6f} eV\n|Du|               "
            "{geometry_norm:.6f} A\n"
            "largest force      {max_force:.1e} eV/A after {force_evaluations} force "
            "evaluations, {seconds:.2f} s".format(**report)
        )
    return 0


def _study(options):
    from .experiments.study import Study

    study = Study(
        options.crystal,
        options.defect,
        options.cells,
        options.observations,
        options.degree,
        options.test_cell,
        options.count,
        options.seed,
        options.ridge,
        pair=options.pair,
    )
    rows = study.run(options.out, progress=not options.quiet)
    bad = sum(r["verdict"] != "applies" for r in rows)
    print(
        f"{len(rows)} points in {options.out}: study.csv, study.json, study.png; the prediction "
        f"does not apply to {bad}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
