"""The lecture's slides: reveal.js, from book/slides/*.yml and the chapters' stored outputs.

Called by build.py, or by itself: `python book/_tools/slides.py FOLDER` writes FOLDER/*.html, which
expect the book's scripts in ../js (as in _static/slides).
"""

import html
import re
import sys
from pathlib import Path

import outputs
import quiz
import yaml
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

SOURCES = Path(__file__).resolve().parents[1] / "slides"
KEYS = {"title", "body", "notes", "figure", "table", "code", "quiz"}
NUMBER = re.compile(r"\{(\d\d):(\w+)(?::([^{}]+))?\}")

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="../favicon.svg">
<link rel="stylesheet" href="../js/reveal/reset.css">
<link rel="stylesheet" href="../js/reveal/reveal.css">
<link rel="stylesheet" href="../slides.css">
<script>MathJax = {{options: {{enableMenu: false}}, tex: {{macros: {{
  R: "\\\\mathbb{{R}}", eps: "\\\\varepsilon"}}}}}};</script>
<script defer src="../js/mathjax/tex-mml-chtml.js"></script>
</head>
<body>
<main class="reveal"><div class="slides">
{slides}
</div></main>
<script src="../js/reveal/reveal.js"></script>
<script src="../js/reveal/notes.js"></script>
<script src="../slides.js"></script>
</body>
</html>
"""


def markdown():
    """Markdown with tables and formulas, which are left to MathJax."""
    reader = MarkdownIt("commonmark").enable("table")
    reader.use(dollarmath_plugin, renderer=formula, double_inline=True)
    return reader


def formula(content, options):
    text = html.escape(content)
    return f"\\[{text}\\]" if options["display_mode"] else f"\\({text}\\)"


def noted(text):
    """A text with the numbers that the chapters have noted."""
    return NUMBER.sub(lambda m: outputs.written(m[1], m[2], m[3]), text)


def question(name, key):
    """A question of a quiz; the answer appears with the next step."""
    found = next(q for q in quiz.read(name) if q["id"] == key)
    inline = markdown().renderInline
    lines = [f"<p>{inline(found['ask'])}</p><ol type='A'>"]
    for option in found["options"]:
        mark = ' class="fragment custom highlight-answer"' if option.get("right") else ""
        lines.append(f"<li><span{mark}>{inline(option['say'])}</span></li>")
    why = next(o["why"] for o in found["options"] if o.get("right"))
    return "\n".join([*lines, f"</ol><p class='fragment'>{inline(why)}</p>"])


def slide(entry):
    """One slide as HTML."""
    if unknown := set(entry) - KEYS:
        raise ValueError(f"{entry['title']}: {', '.join(sorted(unknown))}")
    read = markdown().render
    parts = [f"<h2>{html.escape(entry['title'])}</h2>"]
    if "body" in entry:
        parts.append(read(noted(entry["body"])))
    if "code" in entry:
        source = outputs.code(*entry["code"])
        parts.append(highlight(source, PythonLexer(), HtmlFormatter(cssclass="code")))
    if "table" in entry:
        parts.append(f'<div class="table">{read(outputs.table(*entry["table"]))}</div>')
    if "figure" in entry:
        parts.append(outputs.figure(*entry["figure"]))
    if "quiz" in entry:
        parts.append(question(*entry["quiz"]))
    notes = read(noted(entry["notes"]))
    return "\n".join(["<section>", *parts, f'<aside class="notes">{notes}</aside>', "</section>"])


def main(target):
    target.mkdir(parents=True, exist_ok=True)
    for source in sorted(SOURCES.glob("*.yml")):
        deck = yaml.safe_load(source.read_text(encoding="utf-8"))
        slides = "\n".join(slide(entry) for entry in deck["slides"])
        page = PAGE.format(title=html.escape(deck["title"]), slides=slides)
        (target / f"{source.stem}.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
