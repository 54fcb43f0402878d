"""The same numbers everywhere, and nothing in the library that only one system has."""

import ast
import importlib
import json
import sys
from pathlib import Path

import pytest
from ase import Atoms

from mlipgen.learning import labels
from mlipgen.potentials import _worker, naming, remote

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import same_numbers  # noqa: E402


def without_encoding(source):
    """Lines that read or write text and do not name its encoding: it differs between systems."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if getattr(getattr(node.func, "value", None), "id", "") in ("os", "tarfile"):
            continue  # their `open` reads bytes
        words = {k.arg for k in node.keywords}
        given = [*node.args, *(k.value for k in node.keywords)]
        modes = [a.value for a in given if isinstance(a, ast.Constant)]
        binary = any(isinstance(m, str) and "b" in m and len(m) <= 3 for m in modes)
        named = "encoding" in words or "utf-8" in modes
        if name in ("read_text", "write_text") or (name == "open" and not binary):
            if not named:
                yield node.lineno
        elif name in ("run", "Popen", "check_output") and "text" in words and not named:
            yield node.lineno


def test_text_is_read_and_written_in_a_named_encoding():
    assert list(without_encoding("open(p)\nopen(p, 'rb')\np.read_text()\np.read_text('utf-8')"))
    bad = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("mlipgen", "binder", "benchmarks", "book", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in without_encoding(path.read_text(encoding="utf-8"))
    ]
    assert not bad


def test_modules_of_one_system_are_imported_where_they_are_used():
    """fcntl, resource and the like: at the top of a module they end its import on Windows."""
    foreign = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "posix"}
    for path in (ROOT / "mlipgen").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [a.name for a in getattr(node, "names", [])]
            names += [getattr(node, "module", None)]
            assert not foreign & set(names), path


def test_without_locks_nobody_removes_what_another_may_be_writing(monkeypatch, tmp_path):
    """As on Windows, which has no fcntl."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with open(tmp_path / "file", "ab+") as file, labels.locked(file) as alone:
        assert not alone
    atoms = Atoms("W", [[0, 0, 0]])
    path = tmp_path / "labels.jsonl"
    torn = b'{"check": 17, "lab'
    path.write_bytes(torn)
    store = labels.LabelStore(path)
    store.add("a", atoms, {"energy": 1.0})
    assert path.read_bytes().startswith(torn + b"\n{")
    with pytest.warns(UserWarning, match="1 lines"):
        kept = labels.LabelStore(path).get("a", labels.structure_key(atoms))
    assert kept["results"] == {"energy": 1.0}


def test_where_processes_inherit_no_pipe_calculators_share_ours(monkeypatch):
    monkeypatch.setattr(remote, "POSSIBLE", False)
    recipe = {"module": "ase.calculators.emt", "class_name": "EMT"}
    spec = naming.CalculatorSpec("emt", recipe)
    assert type(spec.calculator(own_process=True)).__name__ == "EMT"
    with pytest.raises(ValueError, match="needs Linux or macOS"):
        naming.CalculatorSpec("emt", recipe, python=sys.executable).calculator()
    monkeypatch.delattr("multiprocessing.connection.Connection")  # Windows has none
    importlib.reload(_worker)


def test_differences_are_relative_and_what_is_missing_counts(tmp_path, capsys):
    one = {"numbers": {"a": 1.0, "b": 2.0, "zero": 0.0}}
    other = {"numbers": {"a": 1.0 + 2e-9, "b": 2.0, "zero": 0.0}}
    found = same_numbers.compare(one, other)
    assert list(found) == ["a", "b", "zero"] and found["a"] == pytest.approx(2e-9, rel=1e-6)
    files = []
    for name, data in (("one", one), ("near", other), ("short", {"numbers": {"a": 1.0}})):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(data), encoding="utf-8")
    assert same_numbers.main([str(f) for f in files[:2]]) == 0
    assert same_numbers.main([str(f) for f in files]) == 1
    assert "3 numbers, 2 differ" in capsys.readouterr().out
    assert same_numbers.difference(1.0, float("nan")) == float("inf")
