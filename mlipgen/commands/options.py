"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def sizes(text: str) -> tuple:
    """ "3,4,4x4x6" -> (3, 4, (4, 4, 6))."""
    try:
        return tuple(size(part) for part in text.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of positive integers; write cell sizes as 3,4,5 or 3x3x4,4x4x5"
        ) from None


def size(text: str) -> int | tuple[int, ...]:
    """ "6" -> 6, "6x6x8" -> (6, 6, 8)."""
    parts = text.lower().split("x")
    if not all(p.strip().isdecimal() and int(p) > 0 for p in parts) or len(parts) > 3:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no cell size; write a positive integer or for example 6x6x8"
        )
    numbers = tuple(int(p) for p in parts)
    return numbers[0] if len(numbers) == 1 else numbers


def integers(text: str) -> tuple[int, ...]:
    """ "6,8" -> (6, 8)."""
    try:
        return tuple(positive(part) for part in text.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of positive integers; write for example 6,8,10"
        ) from None


def positive(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def length(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1e3:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def observations(text: str) -> tuple[str, ...]:
    from ..learning import parse_kinds

    try:
        for part in text.split(","):
            parse_kinds(part)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return tuple(text.split(","))


def symbol(text: str) -> str:
    from ..experiments.study import reference_potential

    try:
        reference_potential(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def common_options() -> argparse.ArgumentParser:
    from ..crystals import DEFECTS

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--crystal",
        type=symbol,
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


def potential_of(options: Any) -> tuple[Any, Any]:
    """The potential that was asked for and its crystal."""
    from ..crystals import Crystal
    from ..experiments.study import reference_potential

    potential: Any
    if options.potential is None:
        potential = reference_potential(options.crystal)
    else:
        from ..potentials.naming import load_potential

        potential = load_potential(options.potential, options.crystal)
    return potential, Crystal.equilibrium(potential)


def announce(count: int, memory: float, seconds: float, what: str) -> None:
    """Say what a long run will take before it begins."""
    if seconds > 20:
        print(
            f"{count:,} {what}: about {seconds / 60:.0f} min and {memory / 1e9:.1f} GB",
            file=sys.stderr,
        )


def executor_options(parser: argparse.ArgumentParser, what: str = "points") -> None:
    """Where the points of a sweep, or labels, are computed."""
    parser.add_argument(
        "--workers", type=positive, metavar="N", help=f"local processes that share the {what}"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help=f"of dask, whose workers share the {what}: tcp://host:8786, or its scheduler file "
        "(.json)",
    )


@contextmanager
def executor_of(given: argparse.Namespace) -> Iterator[Any]:
    """The executor that was asked for, or None: this process."""
    if given.scheduler is not None:
        with _client(given.scheduler) as client:
            yield client
    elif given.workers is not None and given.workers > 1:
        from ..experiments.sweep import local_processes

        with local_processes(given.workers) as pool:
            yield pool
    else:
        yield None


def _client(address):
    try:
        from distributed import Client
    except ImportError:
        raise ValueError("--scheduler needs dask: pip install 'mlipgen[cluster]'") from None
    file = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
    if "scheduler_file" in file and not Path(address).is_file():
        raise ValueError(f"--scheduler: there is no file {address}")
    try:
        return Client(**file, timeout=20)
    except Exception as error:  # whatever its transports raise
        raise ValueError(
            f"--scheduler: no dask scheduler answers at {address!r} ({type(error).__name__}); "
            "start `dask scheduler` and give the address that it prints"
        ) from None
