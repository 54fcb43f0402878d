"""A foundation model as the reference of a fit, assessed and recorded for the book and its tests.

SevenNet-0 (Park et al., J. Chem. Theory Comput. 20, 4857 (2024); its weights come in the package)
labels small cells of tungsten, an ACE basis is fitted to energies and forces of vacancies and to
virials of the strained crystal (without them it has no lattice constant of its own), and `assess`
forecasts the fit's error of the vacancy on 431 atoms; SevenNet-0 is then relaxed there as well, so
that the forecast stands beside the truth.  See record_foundation.py for the environment with torch:

    python benchmarks/assess_foundation.py foundation/bin/python [FOLDER]

Every label is kept in FOLDER at once; killed and started again nothing is computed twice.  Written
are book/data/sevennet_assessment.json (the report), sevennet_fit.json (the candidate) and
sevennet_labels.xyz: what the fit and the forecast ask, without the searches, the checks and the
relaxations.
"""

import sys
from pathlib import Path

import numpy as np
from ase.calculators.calculator import all_changes
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from mlipgen.crystals import Crystal
from mlipgen.generalisation.assess import assess
from mlipgen.generalisation.assess.shopping import Shop
from mlipgen.generalisation.forecast import forecast
from mlipgen.learning import assemble, fit_blocks
from mlipgen.learning.labels import CachedCalculator, LabelStore, structure_key
from mlipgen.learning.observations import Energy, ForceConstants, Forces, Virial
from mlipgen.learning.training import defect_configurations, strains
from mlipgen.potentials import ACEBasis, CalculatorModel
from mlipgen.potentials.files import save_model
from mlipgen.potentials.naming import calculator_entry

DATA = Path(__file__).parents[1] / "book" / "data"
SEVENNET = {
    "module": "sevenn.calculator",
    "class_name": "SevenNetCalculator",
    "kwargs": {"model": "7net-0"},
    "device": "cpu",
    "level_of_theory": "PBE(+U), MPtrj",
}
CELL, COUNT, DEGREE, CUTOFF, DOMAIN, CHECKS = 3, 10, 8, 4.7, 6, (4, 5)
#: A, of differences: float32 leaves 2e-6 eV/A, see `balanced_step`; fixed, so that labels are.
STEP = 0.005


def reference(python, store):
    """SevenNet-0 with its labels kept, and in mind; it starts when a label is missing."""
    spec = calculator_entry("SevenNet-0", {**SEVENNET, "python": python}, __file__)
    return CalculatorModel(
        Witness(spec.calculator, LabelStore(store), spec.fingerprint, True),
        "W",
        name=spec.name,
        step=STEP,
        fingerprint=spec.fingerprint,
        level_of_theory=spec.level_of_theory,
    )


class Witness(CachedCalculator):
    """A calculator with a store that also keeps in mind what it was asked: `frames`."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.frames = {}

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.frames[structure_key(self.atoms)] = (self.atoms.copy(), dict(self.results))


def fitted(model, crystal, configurations, kinds="EFV"):
    """The fit to labels of these configurations and, if asked for, of the perfect crystal."""
    basis = ACEBasis(CUTOFF, DEGREE, r0=float(crystal.shells[0]))
    observations = [kind(c) for c in configurations for kind in (Energy, Forces)]
    if "V" in kinds:
        # compressed and dilated as far as its lattice constant is searched for
        dilated = [(1 + s) * np.eye(3) for s in (-0.06, -0.04, -0.02, 0.02, 0.04, 0.06)]
        observations += [Virial(crystal, F) for F in (*strains(3), *dilated)]
    if "FC" in kinds:
        observations.append(ForceConstants(crystal))
    return fit_blocks(assemble(observations, basis, model), basis, kinds, model, crystal)


def write_labels(frames, path):
    """Extended XYZ; forces in the seven digits that float32 has, energies as sums over the atoms,
    which totals in float32 are not to better than 1e-4 eV.
    """
    out = []
    for atoms, results in frames:
        kept = {k: results[k] for k in ("energies", "stress")}
        kept["energy"] = float(np.sum(np.round(results["energies"], 8)))
        forces = np.asarray(results["forces"], np.float32).astype(float)
        atoms.calc = SinglePointCalculator(atoms, **kept, forces=forces)
        atoms.info = {"model": "SevenNet-0", "level": SEVENNET["level_of_theory"]}
        out.append(atoms)
    write(path, out, format="extxyz")


def main(model, data, truth=True):
    crystal = Crystal.equilibrium(model)
    configurations = defect_configurations(model, crystal, "vacancy", CELL, COUNT, saddle="ignore")
    model.forget()
    model.calculator.reset()
    frames = model.calculator.frames = {}
    candidate = fitted(model, crystal, configurations).model
    print(f"fitted to {model.calls} labels", flush=True)
    save_model(candidate, data / "sevennet_fit.json")
    model.calculator.frames = {}
    found = assess(
        candidate, model, domain=DOMAIN, checks=CHECKS, lattices=("reference",), truth=truth,
        lattice_constant=crystal.a, basin=False, shopping=Shop(), despite=True,
        tell=lambda text, stage=False: print(text, flush=True),
    )  # fmt: skip
    print("\n".join(found.verdict))
    main = found.defects[0].main
    print(main.truth)
    found.save(data / "sevennet_assessment.json")
    # once more the forecast alone: what it asks is what is recorded
    model.forget()
    model.calculator.reset()
    model.calculator.frames = frames
    target = Crystal("W", crystal.structure, *found.reference.lattice)
    alone = forecast(candidate, model, target, "vacancy", DOMAIN, CHECKS)
    print(f"{alone.geometry / main.geometry.value - 1:.1e}, {alone.energy - main.energy.value:.1e}")
    write_labels(frames.values(), data / "sevennet_labels.xyz")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else "foundation-labels")
    folder.mkdir(parents=True, exist_ok=True)
    main(reference(str(Path(sys.argv[1]).absolute()), folder / "labels.jsonl"), DATA)
