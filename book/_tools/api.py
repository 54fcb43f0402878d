"""The library's reference, one page for each folder, made from its docstrings before the book is
built: writes book/api/*.md, which git does not track.
"""

import ast
import importlib
import inspect
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "book" / "api"
FOLDERS = (
    "crystals",
    "potentials",
    "equilibrium",
    "learning",
    "generalisation",
    "experiments",
    "widgets",
)
FRONT = """# The library

`mlipgen` is one folder for each part of the theory; each imports only from those above it. Units
are eV and Å throughout; arrays have sites first, neighbours second, components last. These pages
are made from the docstrings of version {version}.

| folder | what it is for |
|---|---|
{rows}
"""


def public(module):
    """Classes and functions that a module defines for others, in the order of the source."""
    order = [n.name for n in ast.parse(inspect.getsource(module)).body if hasattr(n, "name")]
    own = {
        name: thing
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(thing) or callable(thing))
        and getattr(thing, "__module__", "") == module.__name__
        and inspect.getdoc(thing)
    }
    return [(name, own[name]) for name in order if name in own]


def modules(folder):
    """Importable public modules of a folder, in the order in which they build on each other."""
    base = ROOT / "mlipgen" / folder
    names = sorted(
        ".".join(p.relative_to(ROOT).with_suffix("").parts)
        for p in base.rglob("*.py")
        if not any(part.startswith("_") for part in p.relative_to(base).parts)
    )
    return [importlib.import_module(name) for name in names]


def signature(name, thing):
    try:
        text = str(inspect.signature(thing))
    except (TypeError, ValueError):
        text = "(...)"
    return f"{name}{text}".replace("numpy.", "np.").replace("NoneType", "None")


def entry(name, thing, level="###"):
    """One heading, its signature and docstring, and the public methods of a class."""
    lines = [f"{level} {name}", "", "```text", signature(name, thing), "", inspect.getdoc(thing)]
    if inspect.isclass(thing):
        for method, member in vars(thing).items():
            function = getattr(member, "__func__", getattr(member, "fget", member))
            if method.startswith("_") or not callable(function) or not inspect.getdoc(function):
                continue
            head = method if isinstance(member, property) else signature(method, function)
            doc = inspect.getdoc(function).replace("\n", "\n    ")
            lines += ["", f".{head}", f"    {doc}"]
    return "\n".join([*lines, "```", ""])


def page(folder):
    """The page of one folder."""
    package = importlib.import_module(f"mlipgen.{folder}")
    parts = [f"# {folder}", "", inspect.getdoc(package), ""]
    for module in modules(folder):
        members = public(module)
        if members:
            parts += [f"## `{module.__name__}`", "", "```text", inspect.getdoc(module), "```", ""]
            parts += [entry(name, thing) for name, thing in members]
    return "\n".join(parts)


def main():
    sys.path.insert(0, str(ROOT))
    import mlipgen

    TARGET.mkdir(exist_ok=True)
    rows = []
    for folder in FOLDERS:
        text = page(folder)
        target = TARGET / f"{folder}.md"
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
        paragraphs = inspect.getdoc(importlib.import_module(f"mlipgen.{folder}")).split("\n\n")
        doc = " ".join(paragraphs[0].split())
        rows.append(f"| [{folder}]({folder}.md) | {doc} |")
    front = FRONT.format(version=mlipgen.__version__, rows="\n".join(rows))
    (TARGET / "index.md").write_text(front, encoding="utf-8")


if __name__ == "__main__":
    main()
