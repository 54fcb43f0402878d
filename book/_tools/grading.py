"""Grading of handed-in assignments by nbgrader (the extra `course`); see assignments.py."""

import os
import shutil
import sys
from pathlib import Path

import assignments


def course(root):
    """nbgrader's interface to the course in a folder, with its database there."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    # nbgrader sets its database up by calling `alembic`, which stands beside this Python
    own = str(Path(sys.executable).parent)
    if own not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = own + os.pathsep + os.environ["PATH"]
    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.db_url = f"sqlite:///{root}/gradebook.db"
    config.ExecutePreprocessor.timeout = 600
    config.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError()"}
    return NbGraderAPI(config=config)


def collect(submissions, root, stem):
    """Copy every student's notebook to where nbgrader expects it; the students' names."""
    students = []
    for folder in sorted(p for p in Path(submissions).iterdir() if p.is_dir()):
        notebooks = sorted(folder.glob("*.ipynb"))
        if len(notebooks) != 1:
            sys.exit(f"{folder} holds {len(notebooks)} notebooks; one is expected")
        target = root / "submitted" / folder.name / stem
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        shutil.copy(notebooks[0], target / f"{stem}.ipynb")
        students.append(folder.name)
    return students


def grade(root, stem, submissions):
    """{student: (points by machine, points possible by machine, cells that wait for a reader)}."""
    from nbgrader.api import Gradebook

    root, api = Path(root).resolve(), course(Path(root).resolve())
    if problem := assignments.check(stem, root):  # or everybody would get nothing, silently
        raise RuntimeError(f"the model answers of {stem} do not pass here:\n{problem}")
    made = api.generate_assignment(stem, force=True)
    if not made["success"]:
        raise RuntimeError(made.get("error") or made.get("log"))
    found = {}
    for student in collect(submissions, root, stem):
        done = api.autograde(stem, student, force=True, create=True)
        if not done["success"]:
            raise RuntimeError(f"{student}: {done.get('error') or done.get('log')}")
        with Gradebook(f"sqlite:///{root}/gradebook.db") as book:
            grades = book.find_submission(stem, student).notebooks[0].grades
            machine = [g for g in grades if g.cell.cell_type == "code" and "-check" in g.cell.name]
            waiting = sum(g.needs_manual_grade for g in grades)
            points = sum(g.auto_score or 0 for g in machine), sum(g.max_score for g in machine)
            found[student] = *points, waiting
    return found


def main(root, stem, submissions):
    """Print one line for each student."""
    try:
        found = grade(root, stem, submissions)
    except ModuleNotFoundError as missing:
        if missing.name and missing.name.partition(".")[0] != "nbgrader":
            raise
        print('nbgrader is missing: pip install ".[course]"', file=sys.stderr)
        return 1
    print(f"{'student':24} points  of  to read by hand")
    for student, (points, possible, waiting) in found.items():
        print(f"{student:24} {points:6g} {possible:3g}  {waiting}")
    return 0
