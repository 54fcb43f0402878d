"""What does not fit into memory is refused before memory is taken, however it is asked for."""

import pytest

from mlipgen.crystals import Crystal
from mlipgen.experiments.census import CensusStudy
from mlipgen.experiments.forecast_census import ForecastStudy
from mlipgen.experiments.study import Study
from mlipgen.failures import TooLarge
from mlipgen.generalisation.assess import assess
from mlipgen.generalisation.forecast import forecast
from mlipgen.potentials import EAM

W = EAM("W")
#: 54 million atoms, which may be counted but not relaxed.
HUGE = 300
STUDY = {"cells": (3,), "degrees": (4,), "observations": ("EF",), "test_cell": HUGE, "count": 1}


def a_forecast():
    forecast(W, W, Crystal("W", "bcc", 3.165), "vacancy", HUGE, (4, 5))


LONG = {
    "Study.run": lambda: Study(**STUDY).run(progress=False),
    "Study.prepare": lambda: Study(**STUDY).prepare(),
    "census": lambda: CensusStudy(**STUDY).run(progress=False),
    "census of forecasts": lambda: ForecastStudy(**STUDY).run(progress=False),
    "forecast": a_forecast,
    "assess": lambda: assess(W, W, domain=HUGE, checks=(4, 5)),
}


@pytest.mark.parametrize("name", LONG)
def test_a_huge_domain_is_refused_at_once(name, monkeypatch):
    """By the estimate, and not when its sites are made."""
    monkeypatch.setattr("mlipgen.crystals.supercell.MANY", 10**6)
    with pytest.raises(TooLarge, match=r"^relaxing 54,000,000 atoms needs about \d{3}\.\d GB"):
        LONG[name]()


def test_a_basis_that_does_not_fit_is_refused():
    with pytest.raises(TooLarge, match=r"fitting a basis of degree 4 .* needs about"):
        Study(**STUDY | {"test_cell": 3, "count": 1_000_000}).prepare()
