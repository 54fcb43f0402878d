"""What is observed, and the fit to it (chapter 6)."""
from .fitting import RIDGE, WEIGHTS, Block, Fit, assemble, fit, fit_blocks, fitted_model, nested_basis, parse_kinds, solve
from .identify import Identifiability, defect_response, identifiability, joint_ranks, labelling_cost, scaled_rows
from .observations import Configuration, Energy, ForceConstants, Forces, Virial
from .training import (
    HELD_OUT, crystal_observations, defect_configurations, defect_observations, held_out_crystal_observations, held_out_set, strains,
    training_set,
)

__all__ = [
    "HELD_OUT", "RIDGE", "WEIGHTS", "Block", "Configuration", "Energy", "Fit", "ForceConstants", "Forces", "Identifiability", "Virial",
    "assemble", "crystal_observations", "defect_configurations", "defect_observations", "defect_response", "fit",
    "fit_blocks", "fitted_model", "held_out_crystal_observations", "held_out_set", "identifiability", "joint_ranks", "labelling_cost",
    "nested_basis", "parse_kinds", "scaled_rows", "solve", "strains", "training_set",
]
