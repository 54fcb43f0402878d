"""Fits to a foundation model, each with its forecast and the truth: book/data/sevennet_fits.json.

The same ACE basis as in assess_foundation.py, fitted to SevenNet-0's labels of other cells and of
other kinds; of each fit the forecast of its error of the vacancy on 431 atoms, and the error.
SevenNet-0 is relaxed there once, from where the first forecast says that it is.  All live in its
lattice: energies and forces of vacancies alone give a fit none of its own.

    python benchmarks/fit_foundation.py foundation/bin/python [FOLDER]

Every label is kept in FOLDER at once; killed and started again nothing is computed twice.
"""

import sys
from datetime import date
from pathlib import Path

from assess_foundation import CHECKS, COUNT, DATA, DOMAIN, fitted, reference
from recording import write_record

from mlipgen.crystals import Crystal
from mlipgen.equilibrium import EnergyNorm, formation_energy, relax
from mlipgen.generalisation.assess.crystal import elastic_constants
from mlipgen.generalisation.composite import same_defect
from mlipgen.generalisation.forecast import forecast
from mlipgen.learning.training import defect_configurations

#: Kinds of observation, and the training cell; the first is the fit of assess_foundation.py.
FITS = (("EFV", 3), ("EF", 3), ("EFV+FC", 3), ("EF", 4))
#: eV/A, where SevenNet-0's relaxation stops: float32 leaves 2e-6 of a component.
TOLERANCE = 1e-5


def fit_and_labels(model, crystal, kinds, cell):
    """The fit to `kinds` from ten vacancies in cell^3 cells, and how many labels it took."""
    configurations = defect_configurations(model, crystal, "vacancy", cell, COUNT, saddle="ignore")
    model.forget()
    model.calculator.reset()
    return fitted(model, crystal, configurations, kinds), model.calls


def own_crystal(potential):
    """Lattice constant (A) and C44 (GPa) of a fit; None where it has no crystal of its own."""
    try:
        crystal = Crystal.equilibrium(potential)
    except ValueError:
        return None, None
    return crystal.a, elastic_constants(potential, crystal)["C44"]


def tell(evaluations, force):
    print(f"{evaluations} evaluations, {force:.1e} eV/A", flush=True)


def main(model):
    crystal = Crystal.equilibrium(model)
    large, truth, out = same_defect("vacancy", crystal, DOMAIN), None, []
    for kinds, cell in FITS:
        fit, labels = fit_and_labels(model, crystal, kinds, cell)
        print(f"{kinds} {cell}: fitted to {labels} labels", flush=True)
        model.forget()
        model.calculator.reset()
        found = forecast(fit.model, model, crystal, "vacancy", DOMAIN, CHECKS)
        print(f"forecast {found.geometry:.3f} A {1e3 * found.energy:.0f} meV", flush=True)
        own = relax(fit.model, large, tolerance=1e-8)
        if truth is None:  # a minimum, as assess_foundation.py found: not searched for again
            start = own.positions + found.steps[-1].du
            truth = relax(model, large, start, tolerance=TOLERANCE, saddle="ignore", progress=tell)
        du = truth.positions - own.positions
        geometry = EnergyNorm(own)(du - du.mean(axis=0))
        energy = formation_energy(fit.model, own) - formation_energy(model, truth)
        print(f"truth {geometry:.3f} A {1e3 * energy:.0f} meV", flush=True)
        a, C44 = own_crystal(fit.model)
        out.append(
            {
                "kinds": kinds, "cell": cell, "labels": labels, "date": date.today().isoformat(),
                "rms": fit.rmse, "lattice": a, "C44": C44,
                "outcome": found.verdict.outcome.value, "why": found.verdict.why,
                "atoms": found.atoms, "scale": found.scale, "kappa": found.kappa,
                "geometry": [found.geometry, found.error_bar],
                "energy": [found.energy, found.energy_bar],
                "truth": {"geometry": geometry, "energy": energy},
            }
        )  # fmt: skip
        write_record(DATA / "sevennet_fits.json", fits=out)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else "foundation-labels")
    folder.mkdir(parents=True, exist_ok=True)
    main(reference(str(Path(sys.argv[1]).absolute()), folder / "labels.jsonl"))
