"""The library's reference, one page for each folder, made from its docstrings before the book is
built: writes book/api/*.md, which git does not track.
"""

import ast
import importlib
import inspect
import re
import sys
import textwrap
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
WIDTH = 90  # columns that a box of these pages holds beside the two sidebars
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


class Bare:
    """An annotation as a reader writes it: no quotes, no path before the name of a class."""

    def __init__(self, annotation):
        text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        self.text = re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Z])", "", text).replace("numpy.", "np.")

    def __repr__(self):
        return re.sub(r"ForwardRef\('([^']*)'\)", r"\1", self.text.replace("NoneType", "None"))


def signature(name, thing):
    """`name(a: type = default, ...) -> type`, broken between parameters."""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return f"{name}(...)"

    def bare(annotation):
        return annotation if annotation is found.empty else Bare(annotation)

    def value(default):  # a function's address is another in each build; long values are code
        text = "" if default is found.empty else repr(default)
        return Bare("...") if text.startswith("<") or len(text) > 60 else default

    own = [
        p.replace(annotation=bare(p.annotation), default=value(p.default))
        for p in found.parameters.values()
    ]
    text = f"{name}{found.replace(parameters=own, return_annotation=bare(found.return_annotation))}"
    kept = re.sub(r"(?<!,) (?!->)", "\0", text)
    lines = textwrap.wrap(
        kept, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines).replace("\0", " ")


def wrapped(doc, width=WIDTH):
    """Longer lines broken, and what is left of them put before the next: columns stay columns."""
    lines, out = doc.splitlines(), []
    while lines:
        line = lines.pop(0)
        gaps = [m.end() for m in re.finditer(r"(?<=[^\s.;:,])\s{2,}(?=\S)", line)]
        column = max((g for g in gaps if g < 0.6 * width), default=len(line) - len(line.lstrip()))
        cut = line.rfind(" ", column + 1, width + 1) if len(line) > width else -1
        if cut > 0:
            rest = line[cut:].strip()
            line = line[:cut].rstrip()
            after = lines[0] if lines else ""
            text = after.lstrip()
            if text and len(after) - len(text) == column and " : " not in text:
                rest = f"{rest} {lines.pop(0).lstrip()}"
            lines.insert(0, " " * column + rest)
        out.append(line)
    return "\n".join(out)


def entry(name, thing, level="###"):
    """One heading, its signature and docstring, and the public methods of a class."""
    head, doc = signature(name, thing), wrapped(inspect.getdoc(thing))
    lines = [f"{level} {name}", "", "```text", head, "", doc]
    if inspect.isclass(thing):
        for method, member in vars(thing).items():
            function = getattr(member, "__func__", getattr(member, "fget", member))
            if method.startswith("_") or not callable(function) or not inspect.getdoc(function):
                continue
            head = method if isinstance(member, property) else signature(method, function)
            doc = wrapped(inspect.getdoc(function), WIDTH - 4).replace("\n", "\n    ")
            lines += ["", f".{head}", f"    {doc}"]
    return "\n".join([*lines, "```", ""])


def page(folder):
    """The page of one folder."""
    package = importlib.import_module(f"mlipgen.{folder}")
    parts = [f"# {folder}", "", inspect.getdoc(package), ""]
    for module in modules(folder):
        members = public(module)
        if members:
            doc = wrapped(inspect.getdoc(module))
            parts += [f"## `{module.__name__}`", "", "```text", doc, "```", ""]
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
