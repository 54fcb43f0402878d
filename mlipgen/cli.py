"""Command line: `mlipgen relax`, `study`, `assess`, `compare`; `mlipgen --help` tells of each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .commands import assess, compare, relax, study
from .commands.options import common_options

COMMANDS = {"study": study, "relax": relax, "assess": assess, "compare": compare}


def parser() -> argparse.ArgumentParser:
    """The command line's parser; its help is the reference."""
    main = argparse.ArgumentParser(
        "mlipgen",
        description="Fit a machine-learned potential on small cells; predict and measure "
        "its error on a defect in a far larger one. Units: eV, angstrom.",
    )
    commands = main.add_subparsers(
        dest="command", required=True, metavar=f"{{{','.join(COMMANDS)}}}"
    )
    common = common_options()
    for command in COMMANDS.values():
        command.add(commands, common)
    return main


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    options = parser().parse_args(argv)
    from .failures import CalculatorFailed, NoEquilibrium, WorkerDied

    try:
        return COMMANDS[options.command].run(options)
    except (ValueError, NoEquilibrium, CalculatorFailed, WorkerDied) as error:
        print(f"mlipgen {options.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # who read our output has gone, as `head` does
        sys.stdout = None  # type: ignore[assignment]  # nothing is left to flush at exit
        return 141
    except OSError as error:
        what = [error.strerror or str(error), error.filename]
        told = ": ".join(str(w) for w in what if w is not None)
        print(f"mlipgen {options.command}: {told}", file=sys.stderr)
        return 2
    except MemoryError:
        print(
            f"mlipgen {options.command}: out of memory: take smaller cells or a lower degree",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print(f"mlipgen {options.command}: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
