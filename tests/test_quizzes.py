"""The quizzes: well made, answerable by keyboard, every choice explained, from disk too."""

import re
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from conftest import HTML, built_pages
from test_access import violations

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_tools"))
import quiz  # noqa: E402

NAMES = sorted(p.stem for p in quiz.FOLDER.glob("*.yml"))
QUESTIONS = [q for name in NAMES for q in quiz.read(name)]
# without a book the one page fails with the hint to build it
WITH_QUIZ = [
    p for p in built_pages() if 'class="quiz"' in (HTML / p).read_text(encoding="utf-8")
] or ["book/self_check_1.html"]


@pytest.mark.parametrize("name", [n for n in NAMES if n[0].isdigit()])
def test_each_chapter_has_two_to_four_questions(name):
    assert (ROOT / "book" / f"{name}.ipynb").exists()
    assert 2 <= len(quiz.read(name)) <= 4


def test_every_chapter_shows_its_own_quiz():
    for chapter in (ROOT / "book").glob("*.ipynb"):
        shown = re.findall(r"\{quiz\} (\w+)", chapter.read_text(encoding="utf-8"))
        assert shown == [chapter.stem], chapter.name


def test_every_part_ends_with_its_self_check():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = [part["chapters"] for part in toc["parts"] if part["caption"].startswith("Part ")]
    for number, chapters in enumerate(parts, 1):
        under = [[page["file"] for page in c.get("sections", ())] for c in chapters]
        assert under == [[]] * (len(chapters) - 1) + [[f"book/self_check_{number}"]]
        page = (ROOT / "book" / f"self_check_{number}.md").read_text(encoding="utf-8")
        assert f"```{{quiz}} part_{number}\n" in page


def test_questions_are_told_apart_and_the_right_answers_stand_anywhere():
    identifiers = [q["id"] for q in QUESTIONS]
    assert len(set(identifiers)) == len(identifiers)
    places = Counter(
        next(i for i, o in enumerate(q["options"]) if o.get("right")) for q in QUESTIONS
    )
    assert max(places.values()) < 0.5 * len(QUESTIONS) and len(places) >= 3
    # the longest answer is not the giveaway either
    longest = sum(max(q["options"], key=lambda o: len(o["say"])).get("right", 0) for q in QUESTIONS)
    assert longest < 0.75 * len(QUESTIONS)


@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda q: q["options"][0].pop("why"), "an option has"),
        (lambda q: [o.pop("right", 0) for o in q["options"]], "exactly one"),
        (lambda q: q.update(options=q["options"][:1]), "options"),
        (lambda q: q["options"][0].update(why="No."), "explains nothing"),
        (lambda q: q.pop("ask"), "expected"),
    ],
)
def test_a_faulty_question_is_named(spoil, says):
    question = quiz.read(NAMES[0])[0]
    spoil(question)
    assert any(says in problem for problem in quiz.problems({"questions": [question]}))


@pytest.mark.parametrize("disk", [False, True])
@pytest.mark.parametrize("path", WITH_QUIZ)
def test_by_keyboard_with_an_explanation_for_every_choice(open_page, path, disk):
    page = open_page(path, disk=disk)
    for form in page.locator(".quiz-question").all():
        right = int(form.get_attribute("data-right"))
        options, feedback = form.locator("input"), form.locator(".quiz-feedback")
        options.first.focus()
        page.keyboard.press("Space")
        for i in range(options.count()):
            if i:
                page.keyboard.press("ArrowDown")
            assert options.nth(i).is_checked()
            assert feedback.inner_text() == ""  # nothing is said before it is asked for
            page.keyboard.press("Enter")  # submits the form, as in any form
            said = feedback.inner_text()
            assert said.startswith("Right." if i == right else "No.") and len(said) > 40
            assert feedback.get_attribute("role") == "status"
    score = page.locator(".quiz-score").first.inner_text()
    assert score.split(" of ")[1] == f"{page.locator('.quiz-question').count()} right."


def test_without_a_choice_it_says_so(open_page):
    page = open_page("book/self_check_1.html")
    form = page.locator(".quiz-question").first
    form.get_by_role("button", name="Check").press("Enter")
    assert "Choose" in form.locator(".quiz-feedback").inner_text()


def test_without_a_script_the_answers_are_there(open_page):
    page = open_page("book/self_check_1.html", wait=False, java_script_enabled=False)
    form = page.locator(".quiz-question").first
    assert not form.get_by_role("button", name="Check").is_visible()
    form.locator("summary").click()
    assert "is right." in form.locator(".quiz-answers").inner_text()
    page.wait_for_load_state("networkidle")
    # the browser gives up the scripts that it had begun to fetch
    page.errors = [e for e in page.errors if ".js" not in e]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_an_answered_quiz(open_page, scheme):
    page = open_page("book/self_check_3.html", scheme=scheme, width=360)
    for form in page.locator(".quiz-question").all():
        form.locator("input").first.check()
        form.get_by_role("button", name="Check").click()
        form.locator("summary").click()
    page.emulate_media(reduced_motion="reduce")
    assert violations(page, ".quiz") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
