"""Files for fitted models."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .ace import LinearACE

#: Bytes; a model of 100,000 functions takes two million.
LARGEST = 50_000_000


def save_model(model: LinearACE, path: str | Path) -> None:
    """Write a `LinearACE` as JSON (versioned, plain numbers, nothing executable).

    The file is whole or the old one: it is written beside and then put in its place.
    """
    if not hasattr(model, "to_dict"):
        raise ValueError(f"{type(model).__name__} is no fitted model: only LinearACE has a file")
    path = Path(path)
    text = json.dumps(model.to_dict(), allow_nan=False)
    if path.exists() and not path.is_file():  # /dev/stdout, a pipe
        path.write_text(text, encoding="utf-8")
        return
    beside = path.with_name(f".{path.name[:100]}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def load_model(path: str | Path) -> LinearACE:
    """Read a model written by `save_model`.

    Nothing in the file is executed, and what it asks for is checked before memory is taken.

    Raises
    ------
    ValueError      if the file is something else, damaged or too large
    OSError         if it cannot be read
    """
    from .ace import LinearACE

    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a model file but a folder or a device")
    if (size := path.stat().st_size) > LARGEST:
        raise ValueError(f"{path} is not a model file: it has {size / 1e6:.0f} MB")
    try:
        data = json.loads(path.read_bytes(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, nested too deeply
        raise ValueError(f"{path} is not a model file: {error}") from None
    try:
        return LinearACE.from_dict(data)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(
            f"{path} is JSON but not a model file: {type(error).__name__} {error}"
        ) from None
    except ValueError as error:
        raise type(error)(f"{path}: {error}") from None


def _refuse(constant):
    raise ValueError(f"{constant} is no number")
