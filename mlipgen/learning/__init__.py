"""What is observed, and the fit to it (chapter 6)."""

from .fitting import (
    RIDGE,
    Block,
    Fit,
    assemble,
    fit,
    fit_blocks,
    fitted_model,
    nested_basis,
    solve,
)
from .identify import (
    Identifiability,
    defect_response,
    identifiability,
    joint_ranks,
    labelling_cost,
    scaled_rows,
)
from .kinds import KINDS, Observation, default_tolerances, default_weights, parse_kinds
from .labelled import labelled_set
from .labels import CachedCalculator, LabelStore, with_store
from .observations import (
    WEIGHTS,
    Configuration,
    Energy,
    ForceConstants,
    Forces,
    Virial,
    WeightedForces,
)
from .planning import Plan, dry_run
from .training import (
    HELD_OUT,
    crystal_observations,
    defect_configurations,
    defect_observations,
    held_out_crystal_observations,
    held_out_set,
    strains,
    training_set,
)

__all__ = [
    "CachedCalculator",
    "LabelStore",
    "Plan",
    "dry_run",
    "labelled_set",
    "with_store",
    "KINDS",
    "Observation",
    "WeightedForces",
    "default_tolerances",
    "default_weights",
    "HELD_OUT",
    "RIDGE",
    "WEIGHTS",
    "Block",
    "Configuration",
    "Energy",
    "Fit",
    "ForceConstants",
    "Forces",
    "Identifiability",
    "Virial",
    "assemble",
    "crystal_observations",
    "defect_configurations",
    "defect_observations",
    "defect_response",
    "fit",
    "fit_blocks",
    "fitted_model",
    "held_out_crystal_observations",
    "held_out_set",
    "identifiability",
    "joint_ranks",
    "labelling_cost",
    "nested_basis",
    "parse_kinds",
    "scaled_rows",
    "solve",
    "strains",
    "training_set",
]
