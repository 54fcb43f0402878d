"""Where atoms are: lattices, supercells, point defects, neighbour lists (the book's chapter 2)."""

from .cells import minimum_image, require_thickness, thickness
from .defects import DEFECTS, Defect, build_defect, divacancy, dumbbell, vacancy
from .lattice import STRUCTURES, Crystal
from .neighbours import Neighbours
from .supercell import Supercell, as_atoms, translated, translations

__all__ = [
    "DEFECTS",
    "STRUCTURES",
    "Crystal",
    "Defect",
    "Neighbours",
    "Supercell",
    "as_atoms",
    "build_defect",
    "divacancy",
    "dumbbell",
    "minimum_image",
    "require_thickness",
    "thickness",
    "translated",
    "translations",
    "vacancy",
]
