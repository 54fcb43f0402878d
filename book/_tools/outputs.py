"""Figures, tables, code and numbers from the stored outputs of the chapters, for slides, the figure
pack and assignments.
"""

import functools
import html
import re
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
GLUE = "application/papermill.record/text/plain"
TAKEN = re.compile(r"\{glue:text\}`(\w+)(?::([^`]+))?`")


@functools.cache
def notebook(name):
    """A chapter by the beginning of its file's name: notebook("01")."""
    found = sorted(BOOK.glob(f"{name}*.ipynb"))
    if len(found) != 1:
        raise ValueError(f"{name}: {len(found)} chapters begin like that")
    return nbformat.read(found[0], as_version=4)


def chapters():
    """The chapters' files, in the order of the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [c["file"] for part in toc["parts"] for c in part["chapters"] if "file" in c]
    return [path for path in (ROOT / f"{f}.ipynb" for f in files) if path.exists()]


def outputs(name, kind):
    """(cell, text) of every output of a MIME type."""
    for cell in notebook(name).cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {}).get(kind)
            if data is not None:
                yield cell, "".join(data)


def alternative(markup):
    return html.unescape(re.search(r'aria-label="([^"]*)"', markup)[1])


def figures(name):
    """{alternative text: HTML} of the chapter's still figures."""
    return {
        alternative(markup): markup
        for _, markup in outputs(name, "text/html")
        if 'class="mlip-figure"' in markup
    }


def one(found, name, what):
    if len(found) != 1:
        raise ValueError(f"chapter {name}: {len(found)} outputs or cells have {what!r}")
    return found[0]


def figure(name, beginning):
    """HTML of the figure whose description begins like this."""
    return one([m for a, m in figures(name).items() if a.startswith(beginning)], name, beginning)


def table(name, words):
    """Markdown of the table that holds these words."""
    own = (t for _, t in outputs(name, "text/markdown"))
    found = [t for t in own if words in t.replace("\N{NO-BREAK SPACE}", " ")]
    return one(found, name, words)


def code(name, words):
    """Source of the visible cell that holds these words."""
    cells = [c.source for c in notebook(name).cells if c.cell_type == "code" and words in c.source]
    return one(cells, name, words)


@functools.cache
def numbers(name):
    """What the chapter's cells have noted for its text: {name: number or text}."""
    found = {}
    for cell in notebook(name).cells:
        for output in cell.get("outputs", []):
            key = output.get("metadata", {}).get("scrapbook", {}).get("name")
            if key and GLUE in output.get("data", {}):
                found[key] = output["data"][GLUE]
    return found


def written(name, key, form=None):
    """A noted number as the text shows it."""
    if key not in numbers(name):
        raise ValueError(f"chapter {name} has noted no {key}: run `make refresh`")
    text = numbers(name)[key]
    if text[:1] in "'\"":
        return text[1:-1]
    value = int(text) if re.fullmatch(r"-?\d+", text) else float(text)
    return format(value, form or "").replace("-", "−")


def pasted(name, text):
    """Text with the numbers of its {glue:text} roles in their places."""
    return TAKEN.sub(lambda m: written(name, m[1], m[2]), text)
