"""Assignments made of the chapters, for students and for the instructor.

    python book/_tools/assignments.py [CHAPTER ...]            writes _build/assignments
    python book/_tools/assignments.py --check [CHAPTER ...]    executes the instructor's notebooks
    python book/_tools/assignments.py --grade FOLDER CHAPTER   grades FOLDER/<student>/*.ipynb

`release/` is for students: the worked solutions are taken out, each exercise is followed by a cell
for the code, a check that the student can run, and a cell for the explanation.  `source/` is the
same with model answers, the worked solutions, and checks that students do not see.  The notebooks
carry nbgrader's marks; nbgrader itself (the extra `course`) is needed for grading only.

What is checked is in book/assignments/<chapter>.yml; book/course/assignments.md says how.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

import nbformat
import outputs
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from plain_markdown import OPEN, plain

ROOT = Path(__file__).resolve().parents[2]
CHECKS = ROOT / "book" / "assignments"
TARGET = ROOT / "_build" / "assignments"
POINTS = {"machine": 2, "explanation": 2, "open": 4}
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
WRITE = "YOUR ANSWER HERE"
TASK = "*Explain in two to four sentences: what do you see, and why?*"


def pieces(notebook):
    """The chapter in order: ("text", source), ("code", cell), ("exercise", label, source),
    ("solution", label, [text or cell, ...]).
    """
    found, solution = [], None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            (found if solution is None else solution).append(("code", cell))
            continue
        for kind, label, text in blocks(cell.source):
            if kind == "solution-start":
                solution = []
                found.append(("solution", label, solution))
            elif kind == "solution-end":
                solution = None
            elif kind == "exercise":
                found.append(("exercise", label, text))
            elif text.strip():
                (found if solution is None else solution).append(("text", text))
    return found


def blocks(source):
    """(kind, label, text) of the parts of a Markdown cell, split at exercises and solutions."""
    lines, i, text = source.splitlines(), 0, []
    while i < len(lines):
        opened = OPEN.match(lines[i])
        name = opened["name"] if opened else ""
        if name.startswith(("exercise", "solution")):
            yield "text", None, "\n".join(text)
            text, start = [], i
            fence = opened["fence"]
            i = next(j for j in range(i + 1, len(lines)) if lines[j].strip() == fence) + 1
            if name == "exercise-start":  # the text stands between two directives
                end = next(j for j in range(i, len(lines)) if "{exercise-end}" in lines[j])
                i = next(j for j in range(end + 1, len(lines)) if lines[j].strip() == fence) + 1
            block = "\n".join(lines[start:i])
            label = re.search(r":label: *(\S+)", block)
            if name.startswith("exercise"):
                nonumber = ":nonumber:" in block
                yield "text" if nonumber else "exercise", label and label[1], block
            else:
                yield name, opened["title"].strip(), block
        else:
            text.append(lines[i])
            i += 1
    yield "text", None, "\n".join(text)


def marks(grade_id, points=None, solution=False, locked=False):
    """nbgrader's metadata of a cell."""
    own = {"schema_version": 3, "grade_id": grade_id, "locked": locked, "task": False}
    own |= {"grade": points is not None, "solution": solution}
    if points is not None:
        own["points"] = points
    return {"nbgrader": own}


def shown(cell):
    """A code cell of the chapter without outputs, folded where the book folds it."""
    hidden = {"hide-input", "remove-input", "remove-cell", "hide-cell"}
    folded = hidden & set(cell.metadata.get("tags", []))
    metadata = {"jupyter": {"source_hidden": True}} if folded else {}
    return new_code_cell(cell.source, metadata=metadata)


def model(parts):
    """Code of a worked solution; checks and noted numbers are the book's own business."""
    cells = [p[1] for p in parts if p[0] == "code"]
    kept = [c.source for c in cells if "remove-cell" not in c.metadata.get("tags", [])]
    return "\n\n".join(kept)


def worked(parts, chapter):
    """Prose of a worked solution."""
    return "\n\n".join(plain(text, chapter) for kind, text in parts if kind == "text")


def answered(label, parts, check, chapter, instructor):
    """Cells that follow an exercise."""
    code, name = model(parts), label.removeprefix("ex-")
    if check:
        what = "\n".join(f"# {n}: {meaning}" for n, meaning in check["names"].items())
        code = f"{code}\n\n{check['answer'].strip()}" if code else check["answer"].strip()
        head = f"# Define:\n{what}\n"
        points = None
    else:
        head, points = "", POINTS["open"]
    body = f"### BEGIN SOLUTION\n{code}\n### END SOLUTION" if instructor else STUB
    yield new_code_cell(head + body, metadata=marks(f"{name}-code", points, solution=True))
    if check:
        test = f'"""Check: {", ".join(check["names"])}"""\n{check["seen"].strip()}'
        if instructor:
            hidden = check["hidden"].strip()
            test += f"\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
        yield new_code_cell(test, metadata=marks(f"{name}-check", POINTS["machine"], locked=True))
    text = worked(parts, chapter) or "(No text.)"
    yield new_markdown_cell(TASK)
    yield new_markdown_cell(
        text if instructor else WRITE,
        metadata=marks(f"{name}-text", POINTS["explanation"], solution=True),
    )


def checks(stem):
    path = CHECKS / f"{stem}.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def assignment(stem, instructor):
    """The notebook of a chapter."""
    parts, known = pieces(outputs.notebook(stem)), checks(stem)
    solutions = {p[1]: p[2] for p in parts if p[0] == "solution"}
    exercises = [p[1] for p in parts if p[0] == "exercise"]
    if unknown := set(known) - set(exercises):
        raise ValueError(f"{stem}: checks of unknown exercises: {', '.join(sorted(unknown))}")
    cells = []
    for kind, *rest in parts:
        if kind == "code":
            cells.append(shown(rest[0]))
        elif kind == "text":
            cells.append(new_markdown_cell(plain(rest[0], stem)))
        elif kind == "exercise":
            label, text = rest
            cells.append(new_markdown_cell(plain(text, stem)))
            cells += answered(label, solutions[label], known.get(label), stem, instructor)
    cells = [c for c in cells if c.source.strip()]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number:03d}"  # the same in every build
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def write(stem, target=TARGET):
    """Both notebooks of a chapter; the folders are those of an nbgrader course."""
    for folder, instructor in (("source", True), ("release", False)):
        path = target / folder / stem / f"{stem}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(assignment(stem, instructor), path)
        # files, for nbgrader follows no links to folders, nor does a student's disk
        if (path.parent / "data").is_symlink():  # of older versions
            (path.parent / "data").unlink()
        for name in re.findall(r"\bdata/([\w.]+)", path.read_text(encoding="utf-8")):
            if (file := ROOT / "book" / "data" / name).exists():
                (path.parent / "data").mkdir(exist_ok=True)
                shutil.copy(file, path.parent / "data" / name)


def check(stem, target=TARGET):
    """Execute the instructor's notebook; the message of the cell that failed, or None."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    path = target / "source" / stem / f"{stem}.ipynb"
    try:
        NotebookClient(
            nbformat.read(path, as_version=4),
            timeout=600,
            resources={"metadata": {"path": path.parent}},
        ).execute()
    except CellExecutionError as failed:
        return str(failed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="all of them if none is named")
    parser.add_argument("--check", action="store_true", help="execute the instructor's notebooks")
    parser.add_argument("--grade", type=Path, metavar="FOLDER", help="submissions, one folder each")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    stems = options.chapters or [path.stem for path in outputs.chapters()]
    for stem in stems:
        write(stem, options.out)
    print(f"{len(stems)} chapters in {options.out}/release (students) and source (instructor)")
    if options.grade:
        import grading

        if len(stems) != 1:
            parser.error("name the one chapter that is graded")
        sys.exit(grading.main(options.out, stems[0], options.grade))
    failed = 0
    for stem in stems if options.check else ():
        problem = check(stem, options.out)
        failed += problem is not None
        print(f"  {stem}: {problem or 'all model answers pass'}", flush=True)
    sys.exit(min(failed, 1))


if __name__ == "__main__":
    main()
