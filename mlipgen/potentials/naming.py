"""Potentials and calculators by name: on the command line, or in a file.

    EAM:W   SW:Si              the library's own
    LAMMPS:Mo_Zuo_JPCA2020.snap    one that LAMMPS ships
    fit.json                   a fitted model (`files.save_model`)
    models.yml:mace-mp-0a      an entry of a YAML file, in the form of ml-peg's models.yml
    labels.xyz                 the labels of the structures in a file (extended XYZ)
    script.py:name             a calculator in a Python file, or a function that returns one

An entry of a YAML file has `module` and `class_name` (the class or function that makes the
calculator) and, where they are needed, `kwargs`, `device`, `overwrite_dtype` and
`level_of_theory`; this library adds `cutoff` (A), `python` (another Python to run it with) and
`file` in the place of `module`.  YAML is read safely; a named class or Python file is imported, so
name only what you trust.  Form: github.com/ddmms/ml-peg.
"""

import difflib
import functools
import hashlib
import importlib.metadata
import json
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml

from . import _worker, remote
from .calculator_model import CalculatorModel
from .eam import EAM
from .files import load_model
from .remote import RemoteCalculator
from .site import SitePotential
from .stillinger_weber import StillingerWeber

_USED = (
    "name", "module", "file", "class_name", "kwargs", "device", "overwrite_dtype",
    "level_of_theory", "cutoff", "python",
)  # fmt: skip
#: ml-peg's, of no consequence here: dispersion corrections are added by its benchmarks only.
_IGNORED = (
    "datasets", "trained_on_dispersion", "dispersion_kwargs", "additional_supported_elements",
    "load_path",
)  # fmt: skip
_FORMS = "EAM:W, SW:Si, LAMMPS:file, fit.json, labels.xyz, models.yml:entry or script.py:name"


@dataclass(frozen=True)
class CalculatorSpec:
    """A calculator that can be made, here or in a process of its own.

    recipe : what `_worker.build` takes: plain data
    level_of_theory : str or None      what it imitates; two of different levels must not be mixed
    cutoff : A, 0 if it is not known;  python : another Python to run it with
    """

    name: str
    recipe: dict = field(hash=False)
    level_of_theory: str | None = None
    cutoff: float = 0.0
    python: str | None = None

    def calculator(self, own_process: bool = False):
        """The ASE calculator; in a process of its own if asked, or if it needs another Python.

        On Windows those of this Python share its process.
        """
        if (own_process and remote.POSSIBLE) or self.python:
            return RemoteCalculator(self.recipe, self.python, self.name)
        return _worker.build(self.recipe)

    def model(self, symbol: str, own_process: bool = False, **options) -> CalculatorModel:
        """The calculator as a model of one element; `options` as in `CalculatorModel`."""
        calculator = self.calculator(own_process)
        known = {
            "cutoff": self.cutoff,
            "name": self.name,
            "fingerprint": self.fingerprint,
            "level_of_theory": self.level_of_theory
            or getattr(calculator, "level_of_theory", None),  # of recorded labels
        }
        model = CalculatorModel(calculator, symbol, **{**known, **options})
        model.make_calculator = functools.partial(self.calculator, own_process)
        return model

    @property
    def fingerprint(self) -> str:
        """The same for the same calculator: its recipe, the contents of the files that it names,
        and the version of the package that it is of.
        """
        parts: dict = {"recipe": self.recipe, "python": self.python, "files": {}}
        texts = [self.recipe.get("file"), *_texts(self.recipe.get("kwargs"))]
        for text in filter(None, texts):
            path = Path(text)
            if len(text) < 1000 and path.is_file():
                parts["files"][text] = hashlib.sha256(path.read_bytes()).hexdigest()
        if "module" in self.recipe and not self.python:
            parts["version"] = _version(self.recipe["module"])
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return f"{self.name} {digest[:16]}"


def load_potential(
    text: str, symbol: str, own_process: bool = False, **options
) -> SitePotential | CalculatorModel:
    """The potential or calculator of this name, for one element.

    Parameters
    ----------
    text : str              see this module
    symbol : str            chemical symbol of the element
    own_process : bool      calculators compute in a process of their own
    **options               of `CalculatorModel`

    Raises
    ------
    ValueError      in one line: what is missing, or what the names are
    """
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no name of a potential; write {_FORMS}")
    own = _own_potential(text)
    if own is None:
        return calculator_spec(text).model(symbol, own_process, **options)
    if own.symbol != symbol:
        raise ValueError(f"{text} is for {own.symbol}, not for {symbol}")
    return own


def calculator_spec(text: str) -> CalculatorSpec:
    """The calculator of this name, not yet made."""
    path, colon, entry = text.rpartition(":")
    if path == "LAMMPS":
        recipe = {"module": "mlipgen.potentials.lammps", "class_name": "LammpsCalculator"}
        return CalculatorSpec(entry, recipe | {"kwargs": {"shipped": entry}})
    if not colon:
        path, entry = text, ""
    if path.endswith(".py"):
        if not entry:
            raise ValueError(f"{text}: name the calculator in that file, as in {path}:calculator")
        recipe = {"file": str(Path(path).resolve()), "attribute": entry}
        if not Path(path).is_file():
            raise ValueError(f"there is no file {path}")
        return CalculatorSpec(f"{Path(path).name}:{entry}", recipe)
    if text.endswith((".xyz", ".extxyz")):
        recipe = {"module": "mlipgen.potentials.recorded", "class_name": "RecordedCalculator"}
        return CalculatorSpec(Path(text).name, recipe | {"kwargs": {"path": text}})
    if path.endswith((".yml", ".yaml")):
        specs = read_calculators(path)
        if not entry and len(specs) == 1:
            return next(iter(specs.values()))
        if entry not in specs:
            near = difflib.get_close_matches(entry, specs, n=3, cutoff=0.3) or list(specs)[:5]
            raise ValueError(f"{path} has no entry {entry!r}; it has {', '.join(near)}")
        return specs[entry]
    raise ValueError(f"{text!r} is no potential; write {_FORMS}")


def read_calculators(path: str | Path) -> dict[str, CalculatorSpec]:
    """All calculators of a YAML file, by name: a mapping of names to entries, or a list of entries
    with `name`.
    """
    try:
        data = read_yaml(path)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    if isinstance(data, list):
        if not all(isinstance(e, dict) and "name" in e for e in data):
            raise ValueError(f"{path}: every entry of a list needs a name")
        data = {e["name"]: e for e in data}
    if not isinstance(data, dict) or not data:
        raise ValueError(f"{path} holds no calculators: give a mapping of names to entries")
    return {str(name): calculator_entry(str(name), entry, path) for name, entry in data.items()}


def read_yaml(path: str | Path) -> Any:
    """The plain data of a YAML file; nothing in it is executed.

    Raises ValueError for what is not YAML, not UTF-8, or nested too deeply, and OSError.
    """
    text = Path(path).read_bytes()
    steps = accumulate((c in b"[{") - (c in b"]}") for c in text)
    # a reader of YAML takes time with the square of the depth
    if len(text) > 1_000_000 or max(steps, default=0) > 100:
        raise ValueError(f"{path} is not plain YAML: it is too large, or nested too deeply")
    try:
        return yaml.safe_load(text.decode("utf-8"))
    except RecursionError:
        raise ValueError(f"{path} is not plain YAML: it is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: dates and numbers that are none
        raise ValueError(f"{path} is not plain YAML: {' '.join(str(error).split())}") from None


def calculator_entry(name: str, entry: object, path: str | Path) -> CalculatorSpec:
    """The calculator of one entry, plain data, of the YAML file at `path`."""
    at = f"entry {name!r} of {path}"
    if not isinstance(entry, dict):
        raise ValueError(f"{at} is {entry!r}: give it module and class_name")
    for key in set(entry) - {*_USED, *_IGNORED}:
        near = difflib.get_close_matches(str(key), _USED, n=1)
        raise ValueError(f"{at}: {key!r} is unknown" + (f"; {near[0]}?" if near else ""))
    if ("module" in entry) == ("file" in entry) or "class_name" not in entry:
        raise ValueError(f"{at} needs class_name, and either module or file")
    for key in ("module", "file", "class_name"):
        if not isinstance(entry.get(key, ""), str):
            raise ValueError(f"{at}: {key} is {entry[key]!r}, no text")
    if not entry["class_name"].isidentifier():
        raise ValueError(f"{at}: class_name is {entry['class_name']!r}; give the name alone")
    if not isinstance(entry.get("kwargs") or {}, dict):
        raise ValueError(f"{at}: kwargs are {entry['kwargs']!r}, no mapping")
    try:
        json.dumps(entry.get("kwargs"))
        cutoff = float(entry.get("cutoff") or 0.0)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{at}: {error}") from None
    if "file" in entry:
        # as the YAML file says, from where it stands
        file = (Path(path).parent / entry["file"]).resolve()
        recipe = {"file": str(file), "attribute": entry["class_name"]}
    else:
        recipe = {"module": entry["module"], "class_name": entry["class_name"]}
    recipe |= {"kwargs": entry.get("kwargs") or {}, "device": entry.get("device")}
    recipe["dtype"] = entry.get("overwrite_dtype")
    return CalculatorSpec(name, recipe, entry.get("level_of_theory"), cutoff, entry.get("python"))


def _own_potential(text):
    kind, _, symbol = text.partition(":")
    if kind in ("EAM", "SW"):
        return (EAM if kind == "EAM" else StillingerWeber)(symbol)
    if text.endswith(".json"):
        try:
            return load_model(text)
        except OSError as error:
            raise ValueError(f"cannot read {text}: {error.strerror}") from None
    return None


def _texts(value):
    """All texts anywhere in plain data."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [t for v in value for t in _texts(v)]
    return [value] if isinstance(value, str) else []


@functools.lru_cache(maxsize=64)
def _version(module):
    top = module.partition(".")[0]
    names = importlib.metadata.packages_distributions().get(top, [])
    # this library's own wrappers are of another package's potentials
    names = [*names, "lammps"] if module == "mlipgen.potentials.lammps" else names
    known = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    return {n: known[n] for n in names if n in known}
