"""Are the numbers the same everywhere?  Some from every part of the library, with all digits.

    python benchmarks/same_numbers.py numbers.json          compute and write
    python benchmarks/same_numbers.py a.json b.json ...     compare all with the first, to 1e-8

Compute in each environment that is to be compared (another Python, NUMBA_NUM_THREADS=2, an empty
NUMBA_CACHE_DIR), then compare.  Half a minute, and a minute more where the kernels are compiled.
"""

import argparse
import datetime
import json
import math
import os
import platform
import sys
from pathlib import Path

LIMIT = 1e-8
VERSIONS = ("numpy", "scipy", "numba", "llvmlite", "ase", "vesin")


def crystals():
    """Lattice constants, energies, elastic and force constants, the lattice Green's function."""
    import numpy as np

    from mlipgen import EAM, Crystal, LatticeGreen, StillingerWeber, Supercell, Toy2D
    from mlipgen.potentials.derivatives import cubic_constants, elastic_tensor, force_constants

    potentials = {s: EAM(s) for s in ("W", "Fe", "Mo", "Cu", "Al", "Pb", "Mg")}
    for name, p in {**potentials, "Si": StillingerWeber("Si"), "2D": Toy2D()}.items():
        crystal = Crystal.equilibrium(p)
        yield f"{name} a", crystal.a
        yield f"{name} energy per atom", crystal.energy_per_atom(p)
        if name not in ("Mg", "2D"):
            for label, C in zip(("C11", "C12", "C44"), cubic_constants(p, crystal)):
                yield f"{name} {label}", C
        yield f"{name} trace of C", np.einsum("ijij", elastic_tensor(p, crystal))
        K = force_constants(p, crystal)
        yield f"{name} norm of K", np.linalg.norm(K.K)
        wave = np.array([0.31, 0.17, 0.05])[: crystal.dimension]
        for i, value in enumerate(np.linalg.eigvalsh(K.dynamical_matrix(wave))):
            yield f"{name} branch {i}", value
        if name in ("W", "Si"):
            cell = Supercell(crystal, 4)
            push = np.random.default_rng(0).standard_normal(cell.positions.shape)
            yield f"{name} Green", np.linalg.norm(LatticeGreen(p, cell)(push))


def learning():
    """A relaxed vacancy, a fit with its errors, Newton's estimate, the measured error."""
    import numpy as np

    from mlipgen import Study, measure, predict
    from mlipgen.equilibrium import formation_energy

    study = Study("W", "vacancy", (3,), ("EFV",), (6,), test_cell=5).prepare()
    state = study.reference.equilibrium
    yield "vacancy formation energy", formation_energy(study.potential, state)
    yield "vacancy |Du|", study.reference.scale
    yield "vacancy lowest curvature", study.reference.stability
    yield "vacancy largest displacement", np.linalg.norm(state.u, axis=1).max()
    fit = study.fit(3, "EFV", 6)
    for kind, error in fit.errors.items():
        yield f"fit error {kind}", error
    yield "fit largest singular value", fit.singular_values.max()
    yield "fit rank", fit.rank
    predicted, found = predict(fit.model, study.reference), measure(fit.model, study.reference)
    for part in ("geometry", "energy", "relaxation", "linear_geometry", "kappa", "curvature"):
        yield f"predicted {part}", getattr(predicted, part)
    for part in ("geometry", "energy", "relaxation", "curvature"):
        yield f"measured {part}", getattr(found, part)


def beyond():
    """A forecast from small cells, a controlled rate, a screw dislocation."""
    import numpy as np

    from mlipgen import EAM, Crystal, Reference, StillingerWeber, Supercell, Toy2D, divacancy
    from mlipgen.crystals.dislocation import Cylinder
    from mlipgen.equilibrium.cylinder import CylinderReference
    from mlipgen.experiments.controlled import measure_rates
    from mlipgen.generalisation.forecast import forecast

    candidate = StillingerWeber(lam=19.0)
    told = forecast(
        candidate, StillingerWeber(), Crystal.equilibrium(candidate), "dumbbell-110", 4, (2, 3)
    )
    for part in ("geometry", "energy", "kappa", "scale"):
        yield f"forecast {part}", getattr(told, part)
    toy = Toy2D()
    reference = Reference(toy, divacancy(Supercell(Crystal.equilibrium(toy), 60)), tolerance=1e-9)
    run = measure_rates(reference, "E,F,V", np.geomspace(3.2, 6.4, 4), nonlinear=False)
    yield "rate of the geometry", run.rate("geometry")[0]
    yield "rate of the energy", run.rate("energy")[0]
    yield "smallest error", run.geometry[-1]
    iron = EAM("Fe")
    screw = CylinderReference(iron, Cylinder(Crystal.equilibrium(iron), 14.0, 2 * iron.cutoff))
    yield "screw energy", screw.equilibrium.energy
    yield "screw energy factor", screw.volterra.energy_factor


def compute():
    """{name: number} and what computed it."""
    from importlib.metadata import version

    import numba

    numbers = {k: float(v) for part in (crystals, learning, beyond) for k, v in part()}
    about = {"date": f"{datetime.date.today()}", "python": platform.python_version()}
    about |= {name: version(name) for name in VERSIONS} | {"machine": platform.machine()}
    return {"about": about | {"threads": numba.get_num_threads()}, "numbers": numbers}


def difference(a, b):
    """|a - b| relative to the larger; infinite if one is missing or not finite."""
    if a is None or b is None or not (math.isfinite(a) and math.isfinite(b)):
        return math.inf
    return abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0


def compare(first, other):
    """Relative differences {name: difference} of the numbers of two files, largest first."""
    a, b = first["numbers"], other["numbers"]
    found = {name: difference(a.get(name), b.get(name)) for name in {*a, *b}}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="one to write, or several to compare")
    files = parser.parse_args(arguments).files
    if len(files) == 1:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        text = json.dumps(compute(), indent=1, allow_nan=False)
        files[0].write_text(text + "\n", encoding="utf-8")
        return 0
    first, *others = (json.loads(path.read_text(encoding="utf-8")) for path in files)
    worst = 0.0
    for path, other in zip(files[1:], others):
        found = compare(first, other)
        worst = max(worst, *found.values())
        over = sum(d > LIMIT for d in found.values())
        print(f"{path}: {len(found)} numbers, {over} differ by more than {LIMIT:g}; the largest:")
        for name in list(found)[: max(3, over)]:
            print(f"  {found[name]:.1e}  {name}")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
