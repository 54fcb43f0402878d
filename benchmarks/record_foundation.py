"""Labels of a foundation model, recorded: energy, forces and stress of extended XYZ structures.

The book and its tests use such labels without the models and without torch, which is larger than
everything else together.  This script makes them, in an environment of its own:

    python3.11 -m venv foundation
    foundation/bin/pip install torch==2.13.0        # a CPU build is enough; first, so that it stays
    foundation/bin/pip install sevenn==0.13.0 chgnet==0.4.2 diep==2.0.0
    foundation/bin/python benchmarks/record_foundation.py --list
    foundation/bin/python benchmarks/record_foundation.py sevennet-0 STRUCTURES labels.xyz

STRUCTURES is a folder of .xyz and .extxyz files, or one such file; each may hold many structures.
The weights come inside the packages: nothing is downloaded.  The output is extended XYZ, one
structure after the other in the order of the input, with energy (eV), forces (eV/A), stress
(eV/A^3, ASE's sign) and, in each structure's comment line,

    source, structure       the file and its index in it; SHA-256 of the structure
    model, level, dtype     name here; level of theory it was trained on; arithmetic
    weights, versions       SHA-256 of the weights' file; packages

Positions and cells are rounded to the 1e-8 A that the format keeps *before* they are labelled.
Killed and started again it labels only what is missing.  It refuses to add to a file of another
provenance.  One process per model: float64 is had by patching packages that fix float32, and stays
for the rest of the process.  The weights remain those trained in float32; --dtype float64 (two to
three times the time) is the same model without its rounding, which is 2e-6 eV/A (SevenNet) to
3e-5 eV/A (CHGNet, DIEP) and up to 5e-4 eV, in 53 atoms of tungsten.
"""

import argparse
import functools
import hashlib
import importlib.metadata
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import iread
from ase.io.extxyz import read_xyz, write_xyz

SUFFIXES = (".xyz", ".extxyz")


class Model:
    """A package, the level of theory it was trained on, and how to make its ASE calculator."""

    def __init__(self, package, level, make, weights):
        self.package, self.level, self.make, self.weights = package, level, make, weights


def sevennet(name, level, folder, modal=None):
    def make():
        from sevenn.calculator import SevenNetCalculator

        return SevenNetCalculator(name, device="cpu", modal=modal)

    return Model("sevenn", level, make, f"sevenn/pretrained_potentials/{folder}/*.pth")


def chgnet(name, level):
    def make():
        from chgnet.model import CHGNet, CHGNetCalculator

        model = CHGNet.load(model_name=name, use_device="cpu", verbose=False)
        return CHGNetCalculator(model, use_device="cpu", on_isolated_atoms="error")

    return Model("chgnet", level, make, f"chgnet/pretrained/{name}/*.pth.tar")


def diep():
    from diep.pretrained import make_calculator

    return make_calculator()


MODELS = {
    "sevennet-0": sevennet("7net-0", "PBE(+U), MPtrj", "SevenNet_0__11Jul2024"),
    "sevennet-0-22may2024": sevennet("7net-0_22may2024", "PBE(+U), MPtrj", "SevenNet_0__22May2024"),
    "sevennet-l3i5": sevennet("7net-l3i5", "PBE(+U), MPtrj", "SevenNet_l3i5"),
    "sevennet-mf-0-pbe": sevennet("7net-mf-0", "PBE(+U)", "SevenNet_MF_0", "PBE"),
    "sevennet-mf-0-r2scan": sevennet("7net-mf-0", "r2SCAN", "SevenNet_MF_0", "R2SCAN"),
    "chgnet-0.2.0": chgnet("0.2.0", "PBE(+U), MPtrj"),
    "chgnet-0.3.0": chgnet("0.3.0", "PBE(+U), MPtrj"),
    "chgnet-r2scan": chgnet("r2scan", "r2SCAN, by transfer from PBE(+U)"),
    "diep": Model("diep", "r2SCAN, MatPES", diep, "diep/pretrained_models/diep_fold1/state.pt"),
}


def load(name, dtype):
    """The ASE calculator of a model, evaluated in float32 as its package does, or in float64."""
    import torch

    model = MODELS[name]
    if dtype == "float32":
        return model.make()
    if model.package == "sevenn":  # compares its tables in float32 while it loads
        calculator = model.make()
        import sevenn.util

        sevenn.util.dtype_correct.__defaults__ = (
            torch.float64,
            *sevenn.util.dtype_correct.__defaults__[1:],
        )
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    if model.package == "chgnet":
        from chgnet.graph import converter, crystalgraph
        from chgnet.model import model as network

        for module in (converter, crystalgraph, network):
            module.TORCH_DTYPE = torch.float64
    if model.package == "diep":
        import diep.config

        diep.config.float_th, diep.config.float_np = torch.float64, np.float64
    if model.package != "sevenn":
        calculator = model.make()
    (calculator.potential if model.package == "diep" else calculator.model).double()
    return calculator


def provenance(name, dtype):
    """What the labels depend on besides the structure."""
    model = MODELS[name]
    site = Path(importlib.metadata.distribution(model.package).locate_file(""))
    (weights,) = site.glob(model.weights)
    packages = [model.package, "torch", "ase", "numpy"]
    return {
        "model": name,
        "level": model.level,
        "dtype": dtype,
        "weights": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "versions": ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages),
    }


def structures(path):
    """Each structure of a file or folder, rounded to what the format keeps, with its source."""
    path = Path(path)
    files = [path] if path.is_file() else sorted(p for p in path.glob("*") if p.suffix in SUFFIXES)
    if not files:
        raise SystemExit(f"{path} holds no .xyz or .extxyz file")
    for file in files:
        for k, read in enumerate(iread(file, format="extxyz")):
            atoms = read.copy()  # without labels of somebody else
            atoms.positions = atoms.positions.round(8)
            atoms.set_cell(np.asarray(atoms.cell).round(8))
            atoms.info = {"source": f"{file.name}#{k}", "structure": fingerprint(atoms)}
            for key in set(atoms.arrays) - {"numbers", "positions"}:
                del atoms.arrays[key]
            yield atoms


def fingerprint(atoms):
    parts = (atoms.numbers.astype("<i8"), atoms.pbc, atoms.cell.array + 0.0, atoms.positions + 0.0)
    return hashlib.sha256(b"".join(np.ascontiguousarray(p).tobytes() for p in parts)).hexdigest()


def recorded(path, expected):
    """Structures that a file already holds; what a kill left of its last one is cut off."""
    if not path.exists():
        return set()
    lines = path.read_bytes().splitlines(keepends=True)
    end = 0
    while end < len(lines) and lines[end].strip().isdigit():
        after = end + 2 + int(lines[end])
        if after > len(lines) or not lines[after - 1].endswith(b"\n"):
            break
        end = after
    with open(path, "r+b") as file:
        file.truncate(sum(map(len, lines[:end])))
    with open(path, encoding="utf-8") as file:
        frames = [atoms.info for atoms in read_xyz(file, slice(None))] if end else []
    for info in frames:
        for key, value in expected.items():
            if info.get(key) != value:
                raise SystemExit(
                    f"{path} holds labels with {key}={info.get(key)!r}, these have {value!r}: give "
                    "another output file"
                )
    return {info["structure"] for info in frames}


def record(source, path, make, origin):
    """Label what is missing; each structure is on disk before the next begins.

    make : callable     makes the ASE calculator, once it is known that there is something to do
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    done = recorded(path, origin)
    everything = list(structures(source))
    calculator = None
    for k, atoms in enumerate(everything, start=1):
        if atoms.info["structure"] in done:
            continue
        calculator = calculator or make()
        start = time.perf_counter()
        labelled = atoms.copy()
        labelled.info |= origin
        labelled.calc = SinglePointCalculator(labelled, **labels(calculator, atoms))
        with open(path, "a", encoding="utf-8") as file:
            write_xyz(file, labelled)
        done.add(atoms.info["structure"])
        seconds = time.perf_counter() - start
        place = f"{k}/{len(everything)}  {atoms.info['source']}"
        print(f"{place}  {len(atoms)} atoms  {seconds:.2f} s", flush=True)


def labels(calculator, atoms):
    atoms.calc = calculator
    result = {
        "energy": float(atoms.get_potential_energy()),
        "forces": np.asarray(atoms.get_forces(), float),
        "stress": np.asarray(atoms.get_stress(), float),
    }
    bad = [key for key, value in result.items() if not np.isfinite(value).all()]
    if bad:
        raise SystemExit(f"{atoms.info['source']}: {', '.join(bad)} not finite")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", choices=MODELS, metavar="MODEL")
    parser.add_argument("structures", nargs="?", help="folder of extended XYZ files, or one file")
    parser.add_argument("output", nargs="?", help="extended XYZ file to write or to go on with")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--list", action="store_true", help="print the models")
    options = parser.parse_args()
    if options.list:
        for name, model in MODELS.items():
            print(f"{name:22s} {model.package:8s} {model.level}")
        return
    if options.output is None:
        parser.error("MODEL, STRUCTURES and OUTPUT are needed")
    import torch

    warnings.simplefilter("ignore")  # on accelerators that are not there
    torch.set_num_threads(options.threads)
    origin = provenance(options.model, options.dtype)
    make = functools.partial(load, options.model, options.dtype)
    record(options.structures, options.output, make, origin)


if __name__ == "__main__":
    sys.exit(main())
