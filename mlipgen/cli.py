"""Command line: `mlipgen relax` and `mlipgen study`."""

import argparse
import json
import sys
import warnings


def _sizes(text):
    """ "3,4,4x4x6" -> (3, 4, (4, 4, 6))."""
    try:
        return tuple(_size(part) for part in text.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of cell sizes; write for example 3,4,5 or 3x3x4,4x4x5"
        ) from None


def _size(text):
    """ "6" -> 6, "6x6x8" -> (6, 6, 8)."""
    parts = text.lower().split("x")
    if not all(p.strip().isdecimal() and int(p) > 0 for p in parts) or len(parts) > 3:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no cell size; write a positive integer or for example 6x6x8"
        )
    numbers = tuple(int(p) for p in parts)
    return numbers[0] if len(numbers) == 1 else numbers


def _integers(text):
    return tuple(_positive(part) for part in text.split(","))


def _positive(text):
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _length(text):
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1e3:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


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
    commands = main.add_subparsers(dest="command", required=True, metavar="command")
    common = _common_options()
    _add_study(commands, common)
    _add_relax(commands, common)
    return main


def _common_options():
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
    common.add_argument(
        "--potential",
        metavar="NAME",
        help="another source of labels than the crystal's own potential: a model file (.json), "
        "an entry of a file of calculators (calculators.yaml:name), or file.py:name",
    )
    return common


def _add_study(commands, common):
    study = commands.add_parser(
        "study",
        parents=[common],
        help="sweep training-cell size x observations x degree",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Fit every combination, predict the defect error, relax and measure it. "
        "Finished points are saved at once in OUT/points.jsonl: start the same command again and "
        "it goes on where it was.",
    )
    add = study.add_argument
    add(
        "--cells",
        type=_sizes,
        default=(3, 4, 5, 6),
        metavar="N,N,...",
        help="training-cell sizes in unit cells, e.g. 3,4 or 3x3x4,4x4x5",
    )
    add(
        "--observations",
        type=_observations,
        default=("E", "EF", "EFV", "EF+FC", "EFV+FC"),
        metavar="SET,SET,...",
        help="sets made of E energies, F forces, V virials, +FC force constants, +Fw "
        "distance-weighted forces",
    )
    add(
        "--degree",
        type=_integers,
        default=(6, 8, 10),
        metavar="D,D,...",
        help="total degrees of the ACE basis",
    )
    add(
        "--test-cell",
        type=_size,
        default=10,
        metavar="N",
        help="size of the domain where the error is measured",
    )
    add("--count", type=_positive, default=10, help="training configurations per cell")
    add("--seed", type=int, default=0, help="of the rattled configurations")
    add("--ridge", type=float, default=1e-6, help="regularisation strength")
    add(
        "--pair",
        type=_positive,
        default=1,
        help="pair functions reach n = PAIR * degree: 2 fits metals several times better",
    )
    add("--cutoff", type=_length, metavar="A", help="of the ACE basis, if not the potential's")
    add(
        "--out",
        required=True,
        metavar="DIR",
        help="folder for points.jsonl, study.csv, study.json, study.png",
    )
    add("--quiet", action="store_true", help="no progress bar")


def _add_relax(commands, common):
    relax = commands.add_parser(
        "relax",
        parents=[common],
        help="relax one defect",
        description="Relax one defect and report its formation energy, its lowest curvature and "
        "the cost.",
    )
    add = relax.add_argument
    add("--cell", type=_size, default=6, metavar="N", help="cell size in unit cells (default 6)")
    add("--tolerance", type=float, default=1e-8, help="largest force left, eV/A (default 1e-8)")
    add(
        "--follow",
        action="store_true",
        help="where the relaxed defect is a saddle point, go on down to a minimum",
    )
    add("--json", action="store_true", help="print JSON")


def main(argv=None):
    """Entry point; returns the exit status."""
    options = parser().parse_args(argv)
    from .failures import NoEquilibrium

    try:
        return _study(options) if options.command == "study" else _relax(options)
    except (ValueError, NoEquilibrium) as error:
        print(f"mlipgen {options.command}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"mlipgen {options.command}: {error.strerror}: {error.filename}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"mlipgen {options.command}: stopped", file=sys.stderr)
        return 130


def _potential(options):
    """The potential that was asked for and its crystal."""
    from .crystals import Crystal
    from .experiments.study import reference_potential

    if options.potential is None:
        potential = reference_potential(options.crystal)
        return potential, Crystal.equilibrium(potential)
    from .potentials.naming import load_potential

    potential = load_potential(options.potential, options.crystal)
    return potential, Crystal.equilibrium(potential)


def _relax(options):
    from .experiments.limits import check_relaxation
    from .experiments.relaxations import relax_report

    potential, crystal = _potential(options)
    _announce(*check_relaxation(potential, crystal, options.cell), "atoms")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        report = relax_report(
            options.crystal,
            options.defect,
            options.cell,
            options.tolerance,
            potential,
            crystal,
            saddle="follow" if options.follow else "warn",
        )
    report["minimum"] = report["curvature"] > 0
    print(json.dumps(report, indent=1) if options.json else _as_text(report))
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


def _study(options):
    from .experiments.limits import check_study
    from .experiments.study import Study

    potential, crystal = (None, None)
    if options.potential is not None:
        potential, crystal = _potential(options)
    study = Study(
        crystal=options.crystal,
        defect=options.defect,
        cells=options.cells,
        observations=options.observations,
        degrees=options.degree,
        test_cell=options.test_cell,
        count=options.count,
        seed=options.seed,
        ridge=options.ridge,
        pair=options.pair,
        cutoff=options.cutoff,
        potential=potential,
    )
    if potential is None:
        potential, crystal = _potential(options)
    _announce(*check_study(study, potential, crystal), "points")
    rows = study.run(options.out, progress=not options.quiet)
    bad = sum(r["verdict"] != "applies" for r in rows)
    print(
        f"{len(rows)} points in {options.out}: study.csv, study.json, study.png; the prediction "
        f"does not apply to {bad}"
    )
    return 0


def _announce(count, memory, seconds, what):
    """Say what a long run will take before it begins."""
    if seconds > 20:
        print(
            f"{count:,} {what}: about {seconds / 60:.0f} min and {memory / 1e9:.1f} GB",
            file=sys.stderr,
        )


if __name__ == "__main__":
    sys.exit(main())
