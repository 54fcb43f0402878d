"""What pages of the book take from the repository itself, as a Sphinx extension.

    {explorer}`a bad fit <explorer tungsten cell=3 observations=E>`    a link to that setting
    ```{build-status}      each chapter: seconds, cells, checks, exercises, questions
    ```{benchmarks}        the last run of benchmarks/run_all.py, beside its peers
    ```{versions}          every package that the book is made with, and its version
    ```{course-file} slides/lecture.html the slides      a link to a file that the build makes

Titles of definitions, theorems, propositions and lemmas go into the index; pasted numbers get
a minus sign.
"""

import ast
import importlib.metadata
import json
import platform
import re
from pathlib import Path

import lock
import nbformat
import quiz
import vendor
import yaml
from docutils import nodes
from docutils.statemachine import StringList
from explorer_link import EXPLORERS, fragment, parse
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective, SphinxRole

from mlipgen.notebook.prose import number

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
EXERCISE = re.compile(
    r"^[`:]{3,}\{exercise(?:-start)?\}[^\n]*\n((?::\w+:[^\n]*\n)*)", re.M
)  # with its options
# the record is plain text
SIGNS = {r"\^3\b": "³", r"\bus\b": "µs", r"(?<=\d) A\b": " Å", r"(?<=\b\d)(?=\d{3} atoms)": ","}
HEAD = (
    "chapter", "executed (UTC)", "seconds", "cells", "outputs compared", "assertions", "exercises",
    "questions",
)  # fmt: skip


class ExplorerLink(SphinxRole):
    """A link that opens an explorer of the book at a prepared setting."""

    def run(self):
        match = re.fullmatch(r"(.+?)\s*<([^<>]+)>", self.text, re.S)
        if match is None:
            raise ValueError(f"{{explorer}}`{self.text}`: text <place setting> is expected")
        place, setting = parse(match[2])
        page = self.env.app.builder.get_relative_uri(self.env.docname, EXPLORERS[place][0])
        link = nodes.reference("", match[1], internal=True, refuri=page + fragment(place, setting))
        link["classes"].append("explorer-link")
        return [link], []


class CourseFile(SphinxRole):
    """A link to a file under _static that the build makes: {course-file}`text <slides/...>`."""

    def run(self):
        text, _, target = self.text.rstrip(">").rpartition(" <")
        up = "../" * self.env.docname.count("/")
        link = nodes.reference("", text, internal=True, refuri=f"{up}_static/{target}")
        return [link], []


def assertions(code):
    """Number of assert statements in a cell; cells with magics are left out."""
    try:
        return sum(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(code)))
    except SyntaxError:
        return 0


def counts(chapter):
    """What is in a chapter: code cells, checked outputs, assertions, exercises, questions."""
    notebook = nbformat.read(chapter, as_version=4)
    code = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
    prose = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    opened = re.findall(
        r"^[`:]{3,}\{exercise(?:-start)?\}[^\n]*\n((?::\w+:[^\n]*\n)*)", prose, re.M
    )
    questions = BOOK / "quizzes" / f"{chapter.stem}.yml"
    return {
        "cells": len(code),
        "compared": sum("nbval-check-output" in c.metadata.get("tags", []) for c in code),
        "asserted": sum(assertions(c.source) for c in code),
        "exercises": sum(":nonumber:" not in options for options in opened),
        "questions": len(quiz.read(chapter.stem)) if questions.exists() else 0,
    }


def executions(cache):
    """When each chapter was executed and how long it took, s, by its name: the build's cache."""
    from jupyter_cache import get_cache

    if not cache or not Path(cache, "global.db").exists():
        return {}
    kept = get_cache(cache)
    records = kept.list_cache_records()  # the newest last
    kept.db.dispose()  # an open database is a warning, and warnings are errors
    return {Path(r.uri).stem: (r.created, r.data["execution_seconds"]) for r in records if r.data}


def titles():
    """Chapters in the order of the table of contents: {path: title}."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [c["file"] for part in toc["parts"] for c in part["chapters"] if "file" in c]
    found = {}
    for path in (ROOT / f"{name}.ipynb" for name in files):
        if path.exists():
            text = nbformat.read(path, as_version=4).cells[0].source
            found[path] = re.search(r"^# (.+)$", text, re.M)[1]
    return found


def status(cache):
    """Rows of the status page: title, (when, seconds) or None, counts; the last one the sums."""
    found, rows = executions(cache), []
    for path, title in titles().items():
        rows.append((f"[{title}](/{path.relative_to(ROOT)})", found.get(path.stem), counts(path)))
    total = {key: sum(c[key] for *_, c in rows) for key in rows[0][2]}
    times = [execution for _, execution, _ in rows if execution]
    complete = len(times) == len(rows)
    last = (max(when for when, _ in times), sum(s for _, s in times)) if complete else None
    return [*rows, ("all", last, total)]


class FromMarkdown(SphinxDirective):
    """A directive that writes Markdown."""

    def run(self):
        self.env.note_reread()  # what it shows is not in the page's own source
        box = nodes.container()
        lines = StringList(self.markdown().splitlines(), "made by the build")
        self.state.nested_parse(lines, self.content_offset, box)
        return box.children


class BuildStatus(FromMarkdown):
    """One row for each chapter: what was executed and checked, and how long it took."""

    def markdown(self):
        rows = [
            f"| {title} | "
            + (f"{execution[0]:%Y-%m-%d %H:%M} | {execution[1]:.0f}" if execution else "– | –")
            + "".join(f" | {n}" for n in c.values())
            + " |"
            for title, execution, c in status(self.env.mystnb_config.execution_cache_path)
        ]
        return "\n".join([f"| {' | '.join(HEAD)} |", "|:---|" + (len(HEAD) - 1) * "---:|", *rows])


class Versions(FromMarkdown):
    """Every pinned package, with the version that this build has used."""

    def markdown(self):
        rows = [f"| Python | | {platform.python_version()} |"]
        for name, pinned in lock.pins((ROOT / "requirements.txt").read_text(encoding="utf-8")):
            try:
                used = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                used = "not installed"
            rows.append(f"| {name} | {pinned} | {used} |")
        scripts = [f"| {name} | {entry[0]} |" for name, entry in vendor.NPM.items()]
        return "\n".join(
            ["| Python package | pinned | in this build |", "|:---|:---|:---|", *rows, ""]
            + ["| script | version |", "|:---|:---|", *scripts]
        )


class Benchmarks(FromMarkdown):
    """The recorded benchmarks: ours, a named peer's, their ratio and the goal for it."""

    def markdown(self):
        record = json.loads((BOOK / "data" / "benchmarks.json").read_text(encoding="utf-8"))
        written = lambda x, digits=3: "–" if x is None else number(float(x), digits, zeros=True)
        force = lambda m: f"{number(float(m[1]), 1)} eV/Å"
        rows = []
        for row in record["rows"]:
            ratio = row["ours"] if row["ratio"] is None else row["ratio"]
            missed = row["goal"] is not None and ratio > row["goal"]
            goal = (
                "–" if row["goal"] is None else f"≤ {number(row['goal'], 2)}" + " (missed)" * missed
            )
            ours, theirs = written(row["ours"]), written(row["theirs"])
            peer = f"{theirs} ({row['peer']})" if row["peer"] else "–"
            cells = (row["what"], row["unit"], ours, peer, written(row["ratio"], 2), goal)
            settings = re.sub(r"\b(\d[\d.]*e-\d+) eV/A\b", force, row["settings"])
            line = f"| {' | '.join(cells)} | {settings} |"
            for plain, sign in SIGNS.items():
                line = re.sub(plain, sign, line)
            rows.append(line)
        used = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
        return "\n".join(
            [f"Measured on {record['date']}, {record['processor']}; {used}.", ""]
            + ["| what | in | here | peer | ratio | goal | settings |"]
            + ["|:---|:---|---:|---:|---:|---:|:---|", *rows]
        )


class IndexOfTheorems(SphinxTransform):
    """Titles of definitions, theorems, propositions and lemmas as entries of the index."""

    default_priority = 400
    indexed = ("definition", "theorem", "proposition", "lemma")

    def apply(self):
        for node in list(self.document.findall(nodes.Element)):
            title = node.get("title", "")
            if node.get("realtype") not in self.indexed or not title or "$" in title:
                continue
            entry = ("single", title.strip(" ()"), node["ids"][0], "", None)
            node.parent.insert(node.parent.index(node), addnodes.index(entries=[entry]))


class MinusSigns(SphinxPostTransform):
    """A number pasted from a cell has a minus sign, as those in tables, and no hyphen."""

    default_priority = 900  # pasted from other pages, too

    def run(self, **_):
        for node in self.document.findall(nodes.inline):
            if "pasted-text" in node["classes"]:
                text = re.sub(r"(?<!\w)-(?=\d)", "−", node.astext())
                node.children = [nodes.Text(text)]


def setup(app):
    app.add_role("explorer", ExplorerLink())
    app.add_role("course-file", CourseFile())
    app.add_directive("build-status", BuildStatus)
    app.add_directive("versions", Versions)
    app.add_directive("benchmarks", Benchmarks)
    app.add_transform(IndexOfTheorems)
    app.add_post_transform(MinusSigns)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
