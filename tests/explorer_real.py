"""Small real studies and their explorer data, prepared once for all tests of one process."""

from functools import cache

from mlipgen.experiments.study import Study
from mlipgen.widgets import ExplorerData
from mlipgen.widgets.explorer.builder import explorer_data

STUDIES = {
    "tungsten vacancy": Study(
        "W", "vacancy", cells=(3, 4), observations=("EF",), degrees=(5, 6), test_cell=5, count=4
    ),
    "copper divacancy": Study(
        "Cu", "divacancy", cells=(4,), degrees=(5, 6), test_cell=5, count=4, pair=2
    ),
    "silicon dumbbell": Study(
        "Si", "dumbbell-111", cells=(2, 3), degrees=(5, 6), test_cell=3, count=4
    ),
    "tungsten dumbbell": Study(
        "W", "dumbbell-110", cells=(3,), degrees=(5, 6), test_cell=5, count=4
    ),
}


@cache
def prepared(name):
    return STUDIES[name].prepare()


@cache
def real_data(name):
    """The data of a page, after packing and unpacking, with one measured point."""
    study = prepared(name)
    point = (study.study.cells[-1], "EF", 6)
    built = explorer_data(study, grid=[point], shells=3, near=20, modes=6)
    return ExplorerData.unpack(built.pack())
