"""Site potentials and what follows from them: reference and learned models alike (chapters 3 and
5).
"""

from .ace import ACEBasis, LinearACE
from .calculator_model import CalculatorModel
from .calculators import SiteCalculator
from .check import Finding, check_potential
from .derivatives import (
    cubic_constants,
    elastic_tensor,
    energies_and_forces,
    force_constants,
    hessian_vector,
    site_hessian,
    virial,
)
from .eam import EAM
from .files import load_model, save_model
from .naming import load_potential
from .phonopy_files import read_phonopy
from .site import SitePotential
from .stillinger_weber import StillingerWeber
from .toy import Toy2D

__all__ = [
    "Finding",
    "check_potential",
    "EAM",
    "ACEBasis",
    "CalculatorModel",
    "LinearACE",
    "SiteCalculator",
    "SitePotential",
    "StillingerWeber",
    "Toy2D",
    "cubic_constants",
    "elastic_tensor",
    "energies_and_forces",
    "force_constants",
    "hessian_vector",
    "load_model",
    "load_potential",
    "read_phonopy",
    "save_model",
    "site_hessian",
    "virial",
]
