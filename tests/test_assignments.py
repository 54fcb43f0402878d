"""Assignments: solutions are out, answers are checked, right and wrong ones are told apart."""

import ast
import copy
import re
import sys
from pathlib import Path

import nbformat
import pytest
from cell_names import needed

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_tools"))
import assignments  # noqa: E402
import outputs  # noqa: E402

STEMS = [path.stem for path in outputs.chapters()]
GRADED = "03_potentials_and_derivatives"


def by_grade_id(notebook):
    cells = [c for c in notebook.cells if "nbgrader" in c.metadata]
    return {c.metadata["nbgrader"]["grade_id"]: c for c in cells}


def defined(code):
    """Names that a piece of code assigns, defines or imports at its top level."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
    return found


@pytest.mark.parametrize("stem", STEMS)
def test_students_get_no_solution(stem):
    student, teacher = (assignments.assignment(stem, own) for own in (False, True))
    given, solved = by_grade_id(student), by_grade_id(teacher)
    assert list(given) == list(solved) and given
    text = "\n".join(c.source for c in student.cells)
    assert "HIDDEN TESTS" not in text and "BEGIN SOLUTION" not in text and "{solution" not in text
    assert not any(c.get("outputs") for c in student.cells)
    pieces = assignments.pieces(outputs.notebook(stem))
    chapter = "\n".join(p[1].source for p in pieces if p[0] == "code")  # may say the same
    for parts in (p for p in pieces if p[0] == "solution"):
        for kind, part in parts[2]:
            source = part.source if kind == "code" else part
            longest = max((line.strip() for line in source.splitlines()), key=len, default="")
            own = longest not in chapter and not longest.startswith((":", "`"))
            if len(longest) > 50 and own:
                assert longest not in text, f"{parts[1]}: {longest[:60]}"


@pytest.mark.parametrize("stem", STEMS)
def test_a_notebook_is_read_without_the_book(stem):
    for cell in assignments.assignment(stem, False).cells:
        if cell.cell_type == "markdown":
            left = re.findall(
                r"^[`:]{3,}\{|\{(?:glue|prf|cite|ref|eq|term|quiz)[\w:]*\}`", cell.source
            )
            assert not left, cell.source[:200]
            assert "[](" not in cell.source


@pytest.mark.parametrize("stem", STEMS)
def test_what_is_asked_for_is_not_in_the_chapter_already(stem):
    """Otherwise a student who wrote nothing could pass."""
    notebook = assignments.assignment(stem, False)
    given = [
        c.source for c in notebook.cells if c.cell_type == "code" and not c.metadata.get("nbgrader")
    ]
    known = set().union(*(defined(re.sub(r"^[%!].*", "", code, flags=re.M)) for code in given))
    for label, check in assignments.checks(stem).items():
        assert not set(check["names"]) & known, label
        assert set(check) == {"names", "answer", "seen", "hidden"}, label
        assert "assert" in check["hidden"] and "assert" in check["seen"], label


def test_the_chapters_have_checks():
    written = sum(len(assignments.checks(stem)) for stem in STEMS)
    assert written >= 40
    assert {p.stem for p in assignments.CHECKS.glob("*.yml")} <= set(STEMS)


def submitted(answers, stem=GRADED):
    """The students' notebook of a chapter with these answers, by grade id, in the code cells."""
    notebook = copy.deepcopy(assignments.assignment(stem, False))
    for grade_id, code in answers.items():
        by_grade_id(notebook)[grade_id].source = code
    return notebook


def hand_in(folder, student, notebook, stem=GRADED):
    (folder / student).mkdir(parents=True)
    nbformat.write(notebook, folder / student / f"{stem}.ipynb")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # nbgrader's own: SQLAlchemy, zmq
def test_right_and_wrong_submissions_are_graded(tmp_path):
    """By nbgrader, hidden checks included: full points, some, none; and removed checks return."""
    pytest.importorskip("nbgrader", reason='pip install ".[course]"')
    import grading

    root, box = tmp_path / "course", tmp_path / "handed in"
    assignments.write(GRADED, root)
    ours = by_grade_id(assignments.assignment(GRADED, False))
    solved = by_grade_id(assignments.assignment(GRADED, True))
    right = {k: c.source for k, c in solved.items() if k.endswith(("-code", "-text"))}
    hand_in(box, "right", submitted(right))
    wrong = {**right}
    wrong["potentials-silicon-code"] += "\nformation_in_epsilon = 3.0"  # passes what is seen
    wrong["potentials-gradient-code"] = "complex_step, from_gradient = 1.0, 1.1\ndR = R"
    cheating = submitted(wrong)
    by_grade_id(cheating)["potentials-silicon-check"].source = "pass"
    hand_in(box, "wrong", cheating)
    hand_in(box, "blank", submitted({}))

    found = grading.grade(root, GRADED, box)
    possible = assignments.POINTS["machine"] * len(assignments.checks(GRADED))
    explanations = sum(k.endswith("-text") for k in ours)
    assert found["right"] == (possible, possible, explanations)
    assert found["wrong"] == (possible - 2 * assignments.POINTS["machine"], possible, explanations)
    assert found["blank"][:2] == (0, possible)

    # what nbgrader hands out is what we hand out
    path = root / "release" / GRADED / f"{GRADED}.ipynb"
    theirs = by_grade_id(nbformat.read(path, as_version=4))
    assert {k: c.source.strip() for k, c in theirs.items()} == {
        k: c.source.strip() for k, c in ours.items()
    }


#: What a student may get wrong, after the model answer; all of it passes what students can run.
WRONG = {
    "13_without_the_answer": {"forecast-cost": "with_forecast = 1.2 * with_forecast"},
    "14_designing_data_and_loss": {
        "design-target": "common_good = set(common_good) ^ {WITHOUT[0]}",
        "design-sizes": "larger_alone = [1 / v for v in larger_alone]",
    },
    "15_other_defects_other_crystals": {"transfer-worst": "qualifies = not qualifies"},
    "16_assess_your_own_potential": {"assess-read": "largest_parts = largest_parts[1:] + ['fit']"},
    "17_dislocations": {
        "dislo-scale": "extra_growth = extra_growth / 1000",
        "dislo-edge": "screw_bulk, edge_bulk = edge_bulk, screw_bulk",
        "dislo-accuracy": "accuracy_needed = {k: v / 10 for k, v in accuracy_needed.items()}",
    },
}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # nbgrader's own: SQLAlchemy, zmq
@pytest.mark.parametrize("stem", WRONG)
def test_checks_tell_right_from_wrong(tmp_path, monkeypatch, stem):
    """By nbgrader, in chapters that compute for long: of what is handed in only cells are left that
    the exercises need, a few of the chapter.
    """
    pytest.importorskip("nbgrader", reason='pip install ".[course]"')
    import grading

    monkeypatch.setattr(assignments, "check", lambda *a: None)  # the one who is right proves it
    root, box = tmp_path / "course", tmp_path / "handed in"
    assignments.write(stem, root)
    solved = by_grade_id(assignments.assignment(stem, True))
    right = {f"{name}-code": solved[f"{name}-code"].source for name in WRONG[stem]}
    wrong = {f"{name}-code": f"{right[f'{name}-code']}\n{w}" for name, w in WRONG[stem].items()}
    asked = {f"{name}-{kind}" for name in WRONG[stem] for kind in ("code", "check")}
    for student, answers in (("right", right), ("wrong", wrong)):
        notebook = submitted(answers, stem)
        mine = lambda c: c.metadata.get("nbgrader", {}).get("grade_id") in asked
        given = [c for c in notebook.cells if mine(c) or "nbgrader" not in c.metadata]
        notebook.cells = needed(given, mine)
        for name in WRONG[stem]:  # what students can run, once more, where it may not fail
            seen = assignments.checks(stem)[f"ex-{name}"]["seen"]
            by_grade_id(notebook)[f"{name}-code"].source += f"\n{seen}"
        hand_in(box, student, notebook, stem)
    found = grading.grade(root, stem, box)
    possible = assignments.POINTS["machine"] * len(assignments.checks(stem))
    assert found["right"][:2] == (assignments.POINTS["machine"] * len(right), possible)
    assert found["wrong"][:2] == (0, possible)
    graded = nbformat.read(root / "autograded" / "wrong" / stem / f"{stem}.ipynb", as_version=4)
    failed = [
        c.metadata.get("nbgrader", {}).get("grade_id")
        for c in graded.cells
        if any(output.output_type == "error" for output in c.get("outputs", []))
    ]
    assert failed == [f"{name}-check" for name in WRONG[stem]]  # by what students do not see
