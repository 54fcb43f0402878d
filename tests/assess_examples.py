"""A small fit of tungsten and its assessment, for the tests of assessments and of reports."""

from functools import cache

from mlipgen.crystals import Crystal
from mlipgen.generalisation.assess import assess
from mlipgen.generalisation.assess.shopping import Shop
from mlipgen.learning import assemble, fit_blocks, training_set
from mlipgen.potentials import EAM, ACEBasis

W = EAM("W")
CRYSTAL = Crystal.equilibrium(W)
DOMAIN, CHECKS = 7, (4, 5)


@cache
def training(degree=6, n=3):
    """Blocks of energies and forces of the vacancy in n-cells, and their basis."""
    basis = ACEBasis(W.cutoff, degree, r0=float(CRYSTAL.shells[0]))
    blocks = assemble(training_set(W, CRYSTAL, "vacancy", n, count=6), basis, W)
    return {k: blocks[k] for k in "EF"}, basis


@cache
def fitted(degree=6, n=3):
    """A fit to them: right about the vacancy to 1 %, and without a dumbbell."""
    blocks, basis = training(degree, n)
    return fit_blocks(blocks, basis, "EF", W, CRYSTAL).model


@cache
def assessed():
    """The fit assessed for a vacancy and a divacancy, with the truth and an exact shopping list."""
    return assess(
        fitted(),
        W,
        defects=("vacancy", "divacancy"),
        domain=DOMAIN,
        checks=CHECKS,
        truth=True,
        shopping=Shop(training()[0]),
    )
