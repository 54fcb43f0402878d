"""mlipgen: why machine-learned interatomic potentials generalise.  Units: eV, angstrom.

Nothing heavy is imported here; each name loads its module when first used.
"""

from importlib import import_module

__version__ = "0.1.0"

_MODULES = {
    "crystals": ("Crystal", "Supercell", "Defect", "vacancy", "divacancy", "dumbbell"),
    "potentials": (
        "EAM",
        "StillingerWeber",
        "Toy2D",
        "ACEBasis",
        "LinearACE",
        "save_model",
        "load_model",
    ),
    "equilibrium": ("LatticeGreen", "relax"),
    "learning": ("Energy", "Forces", "Virial", "ForceConstants", "training_set", "fit"),
    "generalisation": ("Reference", "defect_error", "predict", "measure"),
    "rates": ("observed_rate",),
    "experiments.study": ("Study",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"mlipgen.{_HOME[name]}"), name)
    raise AttributeError(f"module 'mlipgen' has no attribute {name!r}")


def __dir__():
    return __all__
