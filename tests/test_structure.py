"""The library's folders stand in the order of the theory: imports go back, never forth."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "mlipgen"
FOLDERS = ("mlipgen", "tests", "benchmarks", "book")
ORDER = (
    ["failures", "rates", "contracts"]
    + ["crystals", "potentials", "equilibrium", "learning", "generalisation", "experiments"]
    + ["widgets", "report", "notebook", "commands", "cli"]
)
MODULES = sorted(p for p in LIBRARY.rglob("*.py") if p.parent != LIBRARY or p.stem != "__init__")


def room(module):
    """The folder, or top-level module, that a file belongs to."""
    return module.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imported(module):
    """(room, module within the package) of every import of the library, wherever it stands."""
    own = ("mlipgen", *module.relative_to(LIBRARY).with_suffix("").parts)
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = own[: -node.level] if node.level else ()
            name = (*base, *(node.module.split(".") if node.module else ()))
            names = (
                [name]
                if node.module or node.level != len(own) - 1
                else [(*name, a.name) for a in node.names]
            )
        elif isinstance(node, ast.Import):
            names = [tuple(a.name.split(".")) for a in node.names]
        else:
            continue
        yield from (n[1:] for n in names if n[:1] == ("mlipgen",) and len(n) > 1)


@pytest.mark.parametrize("module", MODULES, ids=lambda p: str(p.relative_to(LIBRARY)))
def test_imports_go_to_earlier_folders_only(module):
    own = ORDER.index(room(module))
    for name in imported(module):
        if name[0] != "__version__":
            assert ORDER.index(name[0]) <= own, f"{module.name} imports mlipgen.{'.'.join(name)}"


def test_no_circles_within_a_folder():
    """Imports at the top of modules; what a function imports when it is called makes no circle."""
    graph = {}
    for module in MODULES:
        tree = ast.parse(module.read_text(encoding="utf-8"))
        key = module.relative_to(LIBRARY).with_suffix("").parts
        own = ("mlipgen", *key)
        graph[key] = {
            (*own[: -n.level], *(n.module.split(".") if n.module else ()))[1:]
            for n in tree.body
            if isinstance(n, ast.ImportFrom) and n.level
        }
    done = set()

    def visit(key, path):
        assert key not in path, f"a circle: {' -> '.join('.'.join(k) for k in (*path, key))}"
        if key in graph and key not in done:
            for other in graph[key]:
                if other != key[:-1]:  # a folder's own __init__ gathers its modules
                    visit(other, (*path, key))
            done.add(key)

    for key in graph:
        if key[-1] != "__init__":
            visit(key, ())


@pytest.mark.parametrize("module", MODULES, ids=lambda p: str(p.relative_to(LIBRARY)))
def test_modules_are_short(module):
    text = module.read_text(encoding="utf-8").splitlines()
    assert len(text) <= 300, f"{module.name} has {len(text)} lines: two ideas, two modules"


def sources(pattern):
    """The repository's own files of this name: not what is installed, built or downloaded."""
    downloaded = ROOT / "book/_static/js"  # by `make javascript`
    files = [f for folder in FOLDERS for f in (ROOT / folder).rglob(pattern)]
    files += ROOT.glob(pattern)
    return sorted(f for f in files if downloaded not in f.parents)


@pytest.mark.parametrize("pattern", ["*.py", "*.js"])
def test_no_line_is_over_100_columns(pattern):
    long = [
        f"{file.relative_to(ROOT)}:{n}"
        for file in sources(pattern)
        for n, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 100
    ]
    assert not long


def test_every_folder_says_what_it_is_for():
    for folder in (p for p in LIBRARY.iterdir() if p.is_dir() and p.name[0] not in "._"):
        doc = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
        assert doc and len(doc.splitlines()[0]) > 20, f"{folder.name}/__init__.py says nothing"
