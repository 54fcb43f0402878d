"""Every package that is needed is pinned, inside its range; every platform can use the pins."""

import sys
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_tools"))
import lock  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
REQUIREMENTS = (ROOT / "requirements.txt").read_text(encoding="utf-8")
RANGES = [*PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), [])]


@pytest.mark.parametrize("text", sorted(set(RANGES)))
def test_what_the_project_asks_for_is_pinned_inside_its_range(text):
    wanted, pins = Requirement(text), lock.pinned(LOCK)
    name = lock.canonical(wanted.name)
    assert name in pins, f"{name} is not in requirements.lock: make lock"
    assert wanted.specifier.contains(pins[name]), f"{name} {pins[name]} is outside {text}"


def test_the_lock_goes_with_requirements_txt():
    asked, pins = lock.pinned(REQUIREMENTS), lock.pinned(LOCK)
    assert len(asked) > 30 and asked.items() <= pins.items(), "make lock"
    missing = {lock.canonical(Requirement(r).name) for r in RANGES} - asked.keys() - {"myst-nb"}
    assert not missing, f"{missing} not in requirements.txt"


def test_the_lock_holds_versions_and_nothing_of_one_machine():
    """No addresses, hashes or paths: any index, any platform; one line for a package."""
    lines = [line for line in LOCK.splitlines() if not line.startswith("#")]
    pins = lock.pinned(LOCK)
    assert lines == [f"{name}=={version}" for name, version in sorted(pins.items())]
    assert len(pins) > 150
    for line in lines:
        wanted = Requirement(line)
        assert not wanted.url and not wanted.extras and not wanted.marker, line
        assert [s.operator for s in wanted.specifier] == ["=="], line
    for line in (*REQUIREMENTS.splitlines(), *lines):
        assert not line.startswith("-") and "://" not in line, line


def test_setup_binder_and_their_readers_use_the_lock():
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-r requirements.txt -c requirements.lock" in make
    assert "$(STAMP): requirements.txt requirements.lock" in make
    binder = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert {"-r ../requirements.txt", "-c ../requirements.lock"} <= set(binder)
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_windows_is_not_asked_for_what_it_has_not():
    """mpich has no wheels there."""
    texts = [*RANGES, *(r for r in REQUIREMENTS.splitlines() if not r.startswith("#"))]
    asked = [Requirement(r) for r in texts if r.startswith("mpich")]
    assert len(asked) >= 3
    for wanted in asked:
        marker = Marker(str(wanted.marker))
        assert not marker.evaluate({"sys_platform": "win32"})
        assert marker.evaluate({"sys_platform": "darwin"})


def test_names_are_compared_as_pip_does():
    text = "PyYAML==6.0\ndask[distributed]==1; python_version > '3'\n# a==2\n"
    assert lock.pinned(text) == {"pyyaml": "6.0", "dask": "1"}
