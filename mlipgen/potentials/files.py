"""Files for fitted models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .ace import LinearACE


def save_model(model: LinearACE, path: str | Path) -> None:
    """Write a `LinearACE` as JSON (versioned, plain numbers, nothing executable)."""
    with open(path, "w") as out:
        json.dump(model.to_dict(), out)


def load_model(path: str | Path) -> LinearACE:
    """Read a model written by `save_model`; ValueError if the file is something else."""
    from .ace import LinearACE

    with open(path) as text:
        try:
            data = json.load(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not a model file: {error}") from None
    try:
        return LinearACE.from_dict(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is JSON but not a model file: {type(error).__name__} {error}"
        ) from None
