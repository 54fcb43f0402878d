"""Minimisers and their response: relaxation, energy norm, stability, far field (chapter 4)."""

from ..failures import LeftBasin, NotConverged, NotFinite, SaddleWarning, Unstable
from .eigenvalues import extreme_eigenvalue
from .elasticity import continuum_prediction, elastic_dipole, green_gradient, lattice_prediction
from .farfield import FarField, far_field, lattice_displacement, on_lattice, ramp
from .green import LatticeGreen, LatticeStiffness
from .landscape import Hessian, Landscape, SiteLandscape, landscape
from .norm import EnergyNorm, gram_table
from .relaxation import Equilibrium, formation_energy, relax
from .response import hessian_at, linear_response
from .stability import (
    Curvature,
    curvature_at,
    lattice_stability,
    lowest_curvature,
    soft_fields,
    stability_constant,
)

__all__ = [
    "LatticeStiffness",
    "lowest_curvature",
    "curvature_at",
    "Curvature",
    "landscape",
    "SiteLandscape",
    "Landscape",
    "Hessian",
    "SaddleWarning",
    "NotFinite",
    "EnergyNorm",
    "Equilibrium",
    "FarField",
    "LatticeGreen",
    "LeftBasin",
    "NotConverged",
    "Unstable",
    "continuum_prediction",
    "elastic_dipole",
    "extreme_eigenvalue",
    "far_field",
    "formation_energy",
    "gram_table",
    "green_gradient",
    "hessian_at",
    "lattice_displacement",
    "lattice_prediction",
    "lattice_stability",
    "linear_response",
    "on_lattice",
    "ramp",
    "relax",
    "soft_fields",
    "stability_constant",
]
