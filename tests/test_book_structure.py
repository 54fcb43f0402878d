"""Every chapter keeps the book's promises: executed, checked, exercised, readable."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
CHAPTERS = sorted(BOOK.glob("**/*.ipynb"))
CHAPTERS = [c for c in CHAPTERS if ".ipynb_checkpoints" not in c.parts]
HIDDEN = {"hide-input", "remove-input", "remove-cell", "hide-cell"}
CHECKED = "nbval-check-output"
PHYSICS = re.compile(r"\b(fit|relax|predict|measure|defect_error|training_set)\(")


def chapters(test):
    return pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)(test)


def listed():
    """Files named in the table of contents, without endings."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))

    def walk(node):
        if isinstance(node, dict):
            yield from (node[key] for key in ("root", "file") if key in node)
            for value in node.values():
                yield from walk(value)
        elif isinstance(node, list):
            for value in node:
                yield from walk(value)

    return list(walk(toc))


def read(path):
    nb = nbformat.read(path, as_version=4)
    nbformat.validate(nb)
    return nb


def code(nb):
    return [c for c in nb.cells if c.cell_type == "code" and c.source.strip()]


def prose(nb):
    return "\n\n".join(c.source for c in nb.cells if c.cell_type == "markdown")


def tags(cell):
    return set(cell.metadata.get("tags", []))


def where(path, nb, cell):
    return f"{path.name}, cell {nb.cells.index(cell)}: {cell.source.splitlines()[0][:60]!r}"


def test_there_are_chapters():
    assert CHAPTERS


def test_table_of_contents_lists_every_page_once():
    files = listed()
    assert len(files) == len(set(files))
    written = [p for p in BOOK.rglob("*.md") if p.parent != BOOK / "api"]  # that is made
    pages = {str(p.relative_to(ROOT).with_suffix("")) for p in [*CHAPTERS, *written]}
    files = [f for f in files if not f.startswith("book/api/")]
    assert set(files) == pages, (
        f"only in _toc.yml: {set(files) - pages}; missing there: {pages - set(files)}"
    )


@chapters
def test_executed_in_order_without_errors(path):
    nb = read(path)
    assert code(nb)
    assert [c.execution_count for c in code(nb)] == list(range(1, len(code(nb)) + 1)), (
        f"run `make refresh`: {path.name}"
    )
    for cell in code(nb):
        for output in cell.outputs:
            assert output.output_type != "error", where(path, nb, cell)
            assert output.get("name") != "stderr", f"writes to stderr: {where(path, nb, cell)}"


@chapters
def test_checked_cells_hold_outputs(path):
    nb = read(path)
    marked = [c for c in code(nb) if CHECKED in tags(c) or "# NBVAL_CHECK" in c.source]
    assert marked, f"{path.name} has no cell tagged {CHECKED}"
    for cell in marked:
        assert cell.outputs, f"checks nothing: {where(path, nb, cell)}"


@chapters
def test_checks_are_out_of_sight(path):
    """The reader sees no assert, no glue, no marker, no test's True or False, no padded print."""
    nb = read(path)
    padded = re.compile(r"print\(.*\{[^{}]*:[<>^+]?\d+[.,]?\d*[a-z%]?\}")
    compared = re.compile(r"print\([^\n]*(?:\s[<>]=?\s|==)")
    for cell in code(nb):
        assert "NBVAL" not in cell.source, f"tags say it: {where(path, nb, cell)}"
        if "remove-cell" not in tags(cell):
            for scaffold in (r"^\s*assert\b", r"^\s*note\(", r"\bglue\("):
                assert not re.search(scaffold, cell.source, re.M), where(path, nb, cell)
            assert not padded.search(cell.source), f"a table: {where(path, nb, cell)}"
            assert not compared.search(cell.source), f"a check: {where(path, nb, cell)}"


@chapters
def test_claims_are_asserted(path):
    nb = read(path)
    assert any(re.search(r"^\s*assert\b", c.source, re.M) for c in code(nb)), (
        f"{path.name} asserts nothing"
    )
    for cell in code(nb):
        assert not re.search(r"except\s*(Exception)?\s*:\s*(\n\s*)?pass", cell.source), (
            f"swallows errors: {where(path, nb, cell)}"
        )
        assert not tags(cell) & {"raises-exception", "skip-execution", "nbval-skip"}, where(
            path, nb, cell
        )
        assert "NBVAL_SKIP" not in cell.source and "NBVAL_IGNORE" not in cell.source, where(
            path, nb, cell
        )


@chapters
def test_at_least_three_exercises_each_with_a_solution(path):
    text = prose(read(path))
    exercise = re.compile(r"^[`:]{3,}\{exercise(?:-start)?\}[^\n]*\n((?::\w+:[^\n]*\n)*)", re.M)
    # Those without a number ask for a guess before a figure, which then answers it.
    labels = [
        re.search(r":label: *(\S+)", options)
        for options in exercise.findall(text)
        if ":nonumber:" not in options
    ]
    assert all(labels), f"an exercise without a label in {path.name}"
    labels = [label[1] for label in labels]
    solved = re.findall(r"^[`:]{3,}\{solution(?:-start)?\} *(\S+)", text, re.M)
    assert len(labels) >= 3, f"{path.name} has {len(labels)} exercises"
    assert len(set(labels)) == len(labels)
    assert sorted(solved) == sorted(labels), (
        f"exercises and solutions differ: {set(labels) ^ set(solved)}"
    )
    for kind in ("exercise", "solution"):
        assert len(re.findall(rf"\{{{kind}-start\}}", text)) == len(
            re.findall(rf"\{{{kind}-end\}}", text)
        )
    assert "break it" in text.lower(), f'{path.name} has no "break it" exercise'


@chapters
def test_visible_code_is_short(path):
    nb = read(path)
    for cell in code(nb):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        longest = max(map(len, lines))
        if tags(cell) & HIDDEN:
            assert longest <= 120, f"{longest} columns: {where(path, nb, cell)}"
        else:
            assert len(lines) <= 15, f"{len(lines)} lines: {where(path, nb, cell)}"
            assert longest <= 75, f"{longest} columns: {where(path, nb, cell)}"


@chapters
def test_exercises_carry_their_difficulty(path):
    """One to three stars before the title of each numbered exercise."""
    opened = r"^[`:]{3,}\{exercise(?:-start)?\} *([^\n]*)\n((?::\w+:[^\n]*\n)*)"
    for title, options in re.findall(opened, prose(read(path)), re.M):
        assert ":nonumber:" in options or re.match(r"★{1,3} \S", title), f"{path.name}: {title}"


@chapters
def test_figures_have_one_look(path):
    """Drawn by `mlipgen.notebook.figure`: SVG in the page, no pictures of pixels."""
    nb = read(path)
    for cell in code(nb):
        assert "pyplot" not in cell.source and "plt." not in cell.source, where(path, nb, cell)
        for output in cell.outputs:
            kinds = [kind for kind in output.get("data", {}) if kind.startswith("image/")]
            assert not kinds, f"{kinds}: {where(path, nb, cell)}"


@chapters
def test_figures_have_alternative_text(path):
    nb = read(path)
    described = []
    for cell in code(nb):
        for output in cell.outputs:
            markup = output.get("data", {}).get("text/html", "")
            if 'class="mlip-figure"' in markup:
                described += re.findall(r'role="img" aria-label="([^"]*)"', markup)
                assert described and len(described[-1]) >= 40, where(path, nb, cell)
    assert len(set(described)) == len(described), f"two figures described alike: {path.name}"
    for alt in re.findall(r"!\[([^\]]*)\]\(", prose(nb)):
        assert len(alt) >= 20, f"a picture without a description in {path.name}"
    for options in re.findall(
        r"^[`:]{3,}\{(?:image|figure|glue:figure)\}[^\n]*\n((?::\w+:[^\n]*\n)*)", prose(nb), re.M
    ):
        assert ":alt:" in options, f"a figure without alternative text in {path.name}"


@chapters
def test_opens_with_a_question_and_closes_with_advice(path):
    nb = read(path)
    text = prose(nb)
    first = nb.cells[0].source
    assert re.search(r"^# \S", first, re.M), f"{path.name} does not start with its title"
    assert len(re.findall(r"^# \S", text, re.M)) == 1, f"{path.name} has more than one title"
    assert "?" in first, f"{path.name} does not open with a question"
    assert "minutes" in first, f"{path.name} does not say how long it takes"
    assert re.search(r"^## What this means for your next fit", text, re.M)


@chapters
def test_set_up_may_be_hidden_but_never_the_physics(path):
    nb = read(path)
    for cell in code(nb):
        if tags(cell) & {"remove-input", "remove-cell", "hide-cell"}:
            assert not PHYSICS.search(cell.source), f"hides physics: {where(path, nb, cell)}"


@chapters
def test_carries_a_widget_or_figure(path):
    data = [o.get("data", {}) for c in code(read(path)) for o in c.outputs]
    assert any(
        "application/vnd.jupyter.widget-view+json" in d or "mlip-figure" in d.get("text/html", "")
        for d in data
    )


@chapters
def test_references_are_known(path):
    known = set(
        re.findall(
            r"^@\w+\{([^,\s]+),", (BOOK / "references.bib").read_text(encoding="utf-8"), re.M
        )
    )
    cited = {
        key.strip()
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", prose(read(path)))
        for key in keys.split(",")
    }
    assert cited <= known, f"not in references.bib: {cited - known}"


@chapters
def test_no_traces_of_the_machine(path):
    text = path.read_text(encoding="utf-8")
    for trace in ("/home/", "/root/", "/tmp/", "Traceback"):
        assert trace not in text, f"{path.name} contains {trace!r}"


def test_spelling(tmp_path):
    """The chapters' prose and the comments of their code; formulas and names in code are left out.

    The other files are `make lint`'s.
    """
    formula = re.compile(r"(`{3,})\{math\}.*?\1|\$\$.*?\$\$|\$[^$]*\$|`[^`\n]*`", re.S)
    for path in CHAPTERS:
        nb = read(path)
        comments = re.findall(r"(?:^|\s)#.*", "\n".join(c.source for c in code(nb)))
        text = formula.sub(" ", prose(nb)) + "\n" + "\n".join(comments)
        (tmp_path / f"{path.stem}.txt").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "codespell_lib", "--toml", ROOT / "pyproject.toml", tmp_path]
    found = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert not found.stdout and found.returncode == 0, found.stdout + found.stderr
    (tmp_path / "wrong.txt").write_text("the".replace("th", "ht"), encoding="utf-8")
    assert (
        subprocess.run(command, capture_output=True, text=True, encoding="utf-8").stdout.count(
            "==>"
        )
        == 1
    )
