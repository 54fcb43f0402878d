"""Quizzes on the page: a Sphinx directive that shows the questions of a YAML file.

    ```{quiz} 01_the_puzzle
    ```

shows book/quizzes/01_the_puzzle.yml:

    questions:
      - id: puzzle-training-error          # unique in the book; its anchor on the page
        ask: What does ... say about ...?  # Markdown, formulas between dollars
        options:                           # two to five, exactly one of them right
          - say: Nothing by itself
            right: true
            why: The energies were fitted to rounding, and ...
          - say: ...
            why: ...                       # what is wrong with this choice, and what to read again

The questions are forms of radio buttons: they work by keyboard and with a screen reader, from disk,
and without a script, which only shows the reader's own answer beside the choice (quiz.js).  All
explanations are in the page, folded away under each question, unfolded in print.
"""

import html
from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

FOLDER = Path(__file__).resolve().parents[1] / "quizzes"
LETTERS = "ABCDE"


def problems(quiz):
    """What is wrong with a quiz as read from YAML; an empty list if nothing is."""
    if not isinstance(quiz, dict) or set(quiz) != {"questions"}:
        return ["one key, questions, is expected"]
    found = []
    for number, question in enumerate(quiz["questions"], 1):
        name = question.get("id", f"question {number}")
        if set(question) != {"id", "ask", "options"}:
            found.append(f"{name}: id, ask and options are expected, not {sorted(question)}")
            continue
        options = question["options"]
        if not 2 <= len(options) <= len(LETTERS):
            found.append(f"{name}: {len(options)} options")
        if sum(option.get("right", False) is True for option in options) != 1:
            found.append(f"{name}: exactly one option must be right")
        for option in options:
            if not {"say", "why"} <= set(option) <= {"say", "why", "right"}:
                found.append(f"{name}: an option has say, why and perhaps right: {option}")
            elif len(option["why"]) < 40:
                found.append(f"{name}: {option['why']!r} explains nothing")
    return found


def read(name):
    """The checked questions of a quiz."""
    path = FOLDER / f"{name}.yml"
    if not path.exists():
        raise ExtensionError(f"there is no quiz {path}")
    quiz = yaml.safe_load(path.read_text(encoding="utf-8"))
    if wrong := problems(quiz):
        raise ExtensionError(f"{path}: {'; '.join(wrong)}")
    return quiz["questions"]


def raw(markup):
    return nodes.raw("", markup, format="html")


class Quiz(SphinxDirective):
    """The questions of one file, in its order."""

    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        self.env.note_dependency(str(FOLDER / f"{name}.yml"))
        questions = read(name)
        key = html.escape(name.replace("/", "-"))
        out = [raw(f'<section class="quiz" id="quiz-{key}" aria-label="Questions">')]
        for number, question in enumerate(questions, 1):
            out += self.question(question, number, len(questions))
        out.append(raw('<p class="quiz-score" role="status"></p></section>'))
        return out

    def question(self, question, number, count):
        key = html.escape(question["id"])
        right = next(i for i, o in enumerate(question["options"]) if o.get("right"))
        out = [
            raw(
                f'<form class="quiz-question" id="{key}" data-right="{right}"><fieldset><legend>'
                f'<span class="quiz-number">Question {number} of {count}</span> '
            ),
            *self.inline(question["ask"]),
            raw("</legend>"),
        ]
        for i, option in enumerate(question["options"]):
            out += [
                raw(
                    f'<div class="quiz-option"><input type="radio" name="{key}" value="{i}"'
                    f' id="{key}-{i}"><label for="{key}-{i}"><span class="quiz-letter">'
                    f"{LETTERS[i]}</span><span>"
                ),
                *self.inline(option["say"]),
                raw("</span></label></div>"),
            ]
        out.append(
            raw(
                '</fieldset><p class="quiz-row"><button type="submit" hidden>Check</button></p>'
                '<div class="quiz-feedback" role="status"></div>'
                f'<details class="quiz-answers"><summary>All answers, question {number}</summary>'
            )
        )
        for i, option in enumerate(question["options"]):
            verdict = "right" if i == right else "wrong"
            out += [
                raw(
                    f'<p data-option="{i}"><span class="quiz-verdict">{LETTERS[i]} is {verdict}.'
                    "</span> "
                ),
                *self.inline(option["why"]),
                raw("</p>"),
            ]
        return [*out, raw("</details></form>")]

    def inline(self, text):
        """A line of Markdown as nodes, without the paragraph around it."""
        box = nodes.container()
        lines = StringList(text.strip().splitlines(), self.get_source_info()[0])
        self.state.nested_parse(lines, self.content_offset, box)
        if [type(child) for child in box.children] != [nodes.paragraph]:
            raise self.error(f"not one paragraph: {text!r}")
        return [nodes.inline("", "", *box.children[0].children)]


def setup(app):
    app.add_directive("quiz", Quiz)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
