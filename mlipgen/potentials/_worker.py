"""A calculator in a process of its own; also run as a file, by a Python that lacks this library.

It needs NumPy and ASE only.  Messages are NumPy archives of plain arrays and text (no pickles),
sent through a pipe that was opened before; see `remote`.
"""

import importlib
import importlib.util
import inspect
import io
import json
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

#: Of a calculator's results, what is sent back.
RESULTS = ("energy", "free_energy", "energies", "forces", "stress")


def pack(**arrays) -> bytes:
    """Named arrays and texts as bytes."""
    out = io.BytesIO()
    named: dict[str, Any] = {k: np.asarray(v) for k, v in arrays.items()}
    np.savez(out, **named)
    return out.getvalue()


def unpack(message: bytes) -> dict:
    """The arrays of `pack`; texts and numbers as arrays without axes."""
    with np.load(io.BytesIO(message), allow_pickle=False) as data:
        return {k: data[k] for k in data.files}


def build(recipe: dict):
    """The ASE calculator of a recipe: plain data, so that it can go to another process.

    recipe : {"module", "class_name", "kwargs", "device", "dtype"}, or {"file", "attribute"}

    Raises
    ------
    ValueError      in one line, for whatever is missing or is no calculator
    """
    where = recipe.get("file") or recipe["module"]
    name = recipe.get("attribute") or recipe["class_name"]
    module = _loaded(recipe)
    if not hasattr(module, name):
        near = [n for n in dir(module) if name.lower() in n.lower() or n.lower() in name.lower()]
        more = f"; it has {', '.join(near[:5])}" if near else ""
        raise ValueError(f"{where} has no {name}{more}")
    made = getattr(module, name)
    if not hasattr(made, "get_potential_energy") or inspect.isclass(made):
        if not callable(made):
            raise ValueError(f"{name} of {where} is {made!r}: neither a calculator nor makes one")
        made = made(**_arguments(made, recipe))
    if hasattr(made, "calculator") and not hasattr(made, "get_potential_energy"):
        made = made.calculator()  # a potential of this library
    if not hasattr(made, "get_potential_energy"):
        raise ValueError(f"{name} of {where} made {type(made).__name__}: no ASE calculator")
    return made


def _loaded(recipe):
    """The module of a recipe, imported by name or from its file."""
    if "file" not in recipe:
        try:
            return importlib.import_module(recipe["module"])
        except ImportError as error:
            raise ValueError(
                f"{recipe['module']} cannot be imported ({error}): install the package it is of"
            ) from None
    path = Path(recipe["file"])
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"_mlipgen_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"{path} does not run: {type(error).__name__}: {error}") from error
    return module


def _arguments(made, recipe):
    """The recipe's keyword arguments; device and precision where the class takes them."""
    arguments = dict(recipe.get("kwargs") or {})
    try:
        parameters = inspect.signature(made).parameters
    except (TypeError, ValueError):
        return arguments
    for key, value in (("device", _device(recipe)), ("default_dtype", recipe.get("dtype"))):
        if value and key in parameters:
            arguments.setdefault(key, value)
    return arguments


def _device(recipe):
    """ "auto" is a CUDA device if torch has one."""
    device = recipe.get("device")
    if device != "auto":
        return device
    try:
        import torch
    except ImportError:
        return "cpu"
    return "cuda" if torch.cuda.is_available() else "cpu"


def serve(recipe: dict, connection) -> None:
    """Answer calculations until the other side closes."""
    from ase import Atoms

    try:
        calculator = build(recipe)
    except Exception as error:
        connection.send_bytes(_failure(error))
        return
    offers = list(getattr(calculator, "implemented_properties", ("energy", "forces", "stress")))
    connection.send_bytes(pack(offers=json.dumps(offers)))
    atoms, held = None, list[np.ndarray]()
    while True:
        try:
            question = unpack(connection.recv_bytes())
        except EOFError:
            return
        try:
            frame = [question[k] for k in ("numbers", "cell", "pbc")]
            # the same Atoms for as long as only positions change: neighbour lists live on
            if atoms is None or any(not np.array_equal(a, b) for a, b in zip(frame, held)):
                held = frame
                atoms = Atoms(frame[0], cell=frame[1], pbc=frame[2])
                atoms.calc = calculator
            atoms.positions[:] = question["positions"]
            answer = _results(calculator, atoms, json.loads(str(question["properties"])))
        except Exception as error:
            atoms = None
            connection.send_bytes(_failure(error))
        else:
            connection.send_bytes(pack(**answer))


def _results(calculator, atoms, properties):
    """What was asked for, and what the calculator computed along with it."""
    asked = {name: calculator.get_property(name, atoms) for name in properties}
    results = {**getattr(calculator, "results", {}), **asked}
    return {k: np.asarray(results[k]) for k in RESULTS if results.get(k) is not None}


def _failure(error):
    last = "".join(traceback.format_exception(error)[-2:])
    return pack(error=type(error).__name__, message=str(error), traceback=last)


if __name__ == "__main__":
    # arguments: pipe, recipe.  What libraries print must not be taken for an answer, so the pipe is
    # none of the standard ones.
    from multiprocessing.connection import Connection  # Windows has none

    serve(json.loads(sys.argv[-1]), Connection(int(sys.argv[-2])))
