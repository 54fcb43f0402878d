"""What `mlipgen assess` is told: on the command line, in a YAML file, and what is sensible else."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from . import options

#: Where the candidate is used, and in which cells the reference is asked: some 3,500 atoms; 250
#: and 430 (fcc 256 and 500, diamond 216 and 512).
DOMAINS: dict[str, Any] = {"bcc": 12, "fcc": 10, "diamond": 8, "hcp": (14, 14, 9)}
CHECKS: dict[str, Any] = {"bcc": (5, 6), "fcc": (4, 5), "diamond": (3, 4)}
CHECKS["hcp"] = ((7, 7, 4), (8, 8, 5))

#: Keys of a settings file, those of the command line's options.
KEYS = (
    "candidate", "reference", "crystal", "structure", "defects", "domain", "checks", "lattices",
    "lattice_constant", "supercell", "candidate_phonopy", "reference_phonopy", "training", "truth",
    "out", "fail_above",
)  # fmt: skip


@dataclass(frozen=True)
class Given:
    """A potential that was named: a text as in `potentials.naming`, or an entry of a YAML file."""

    what: Any
    path: str = "the command line"

    def spec(self) -> Any:
        """The calculator's `CalculatorSpec`, or None for a potential of the library's own."""
        from ..potentials.naming import calculator_entry, calculator_spec

        if isinstance(self.what, dict):
            name = str(self.what.get("name") or self.what.get("class_name") or "calculator")
            return calculator_entry(name, self.what, self.path)
        return None if is_own(self.what) else calculator_spec(str(self.what))

    def load(self, symbol: str, own_process: bool, supercell: Any = None) -> Any:
        """The model for one element; its cutoff is asked for where it is not given."""
        spec = self.spec()
        if spec is None:
            from ..potentials.naming import load_potential

            return load_potential(str(self.what), symbol)
        model = spec.model(symbol, own_process, supercell=supercell)
        if not model.cutoff and not spec.recipe.get("file"):
            model.cutoff = float(getattr(model.calculator, "cutoff", None) or 0.0)
        return model

    def symbol(self) -> str | None:
        """The one element that it is for, if that can be told."""
        spec = self.spec()
        if spec is None:
            from ..potentials.naming import load_potential  # names its element itself

            text = str(self.what)
            kind, _, symbol = text.partition(":")
            return symbol if kind in ("EAM", "SW") else _symbol_of_model(text, load_potential)
        if spec.python or spec.recipe.get("module", "").split(".")[0] != "mlipgen":
            return None
        known = getattr(spec.calculator(), "parameters", {}).get("atom_types") or {}
        return next(iter(known)) if len(known) == 1 else None


def is_own(text: object) -> bool:
    """Is this a potential of the library, not a calculator?"""
    return str(text).startswith(("EAM:", "SW:")) or str(text).endswith(".json")


def _symbol_of_model(path, load):
    from ..potentials.files import load_model

    return load_model(path).symbol


def read_settings(path: str) -> dict[str, Any]:
    """The settings in a YAML file, checked; values as the command line's options have them.

    Raises
    ------
    ValueError      for what is no settings file, naming the key and the known ones
    """
    from ..potentials.naming import read_yaml

    data = read_yaml(path)
    if not isinstance(data, dict):
        raise ValueError(f"{path} holds no settings: two lines, candidate: ... and reference: ...")
    data = {str(key).replace("-", "_"): value for key, value in data.items()}
    if unknown := sorted(set(data) - set(KEYS)):
        raise ValueError(f"{path}: {', '.join(unknown)} unknown; known are {', '.join(KEYS)}")
    for key in ("candidate", "reference"):
        if key in data:
            data[key] = Given(data[key], path)
    readers = {
        "defects": names,
        "checks": options.sizes,
        "domain": options.size,
        "supercell": options.size,
        "lattice_constant": options.length,
        "lattices": lattices,
    }
    for key, read in readers.items():
        if key in data:
            value = data[key]
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            try:
                data[key] = read(text)
            except argparse.ArgumentTypeError as error:
                raise ValueError(f"{path}: {key}: {error}") from None
    return data


def names(text: str) -> tuple[str, ...]:
    """ "vacancy,dumbbell-110" -> names of defects."""
    from ..crystals import DEFECTS

    out = tuple(part.strip() for part in text.split(","))
    if bad := [n for n in out if n not in DEFECTS]:
        raise argparse.ArgumentTypeError(
            f"{bad[0]!r} is no defect; choose from {', '.join(DEFECTS)}, several with commas"
        )
    return out


def lattices(text: str) -> tuple[str, ...]:
    known = {"both": ("own", "reference"), "own": ("own",), "reference": ("reference",)}
    if text not in known:
        raise argparse.ArgumentTypeError(f"{text!r}: choose one of {', '.join(known)}")
    return known[text]


def element(given: dict[str, Any]) -> str:
    """The chemical symbol, given or told by the potentials."""
    if given.get("crystal"):
        return str(given["crystal"])
    for who in ("candidate", "reference"):
        if symbol := given[who].symbol():
            return symbol
    raise ValueError("which element? Neither potential says so: give --crystal, e.g. --crystal W")
