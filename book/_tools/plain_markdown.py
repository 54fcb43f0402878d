"""A chapter's Markdown as JupyterLab shows it: directives and roles as plain text.

The book's pages are MyST; a notebook that is handed out must also read well where only Markdown is
understood.  Numbers that cells have noted are put in their places, references become titles.
"""

import functools
import re

import outputs

OPEN = re.compile(r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w:-]+)\}[ ]*(?P<title>.*)$")
OPTION = re.compile(r"^:[\w-]+:")
NAMES = {
    "exercise": "Exercise", "exercise-start": "Exercise", "solution-start": "Solution",
    "prf:definition": "Definition", "prf:theorem": "Theorem", "prf:proposition": "Proposition",
    "prf:lemma": "Lemma", "prf:remark": "Remark", "prf:proof": "Proof",
}  # fmt: skip


@functools.cache
def labels():
    """What every label of the book refers to: chapter titles, theorems, exercises."""
    found = {}
    for path in outputs.chapters():
        prose = "\n".join(
            c.source for c in outputs.notebook(path.stem).cells if c.cell_type == "markdown"
        )
        for label, title in re.findall(r"^\(([\w-]+)\)=\n+#+ (.+)$", prose, re.M):
            found[label] = title
        block = r"^[`:]{3,}\{([\w:-]+)\} ?(.*)\n(?::\w+:.*\n)*?:label: *(\S+)"
        for name, title, label in re.findall(block, prose, re.M):
            found[label] = f"{NAMES.get(name, name)} ({title})" if title else NAMES.get(name, name)
    return found


def roles(text):
    """Roles as text: references by title, citations by key, terms of the glossary as they are."""
    named = lambda label: labels().get(label, label)
    text = re.sub(r"\{(?:prf:)?ref\}`([^`<]+?) *<[^`>]+>`", r"\1", text)
    text = re.sub(r"\{(?:prf:ref|ref|eq)\}`([^`]+)`", lambda m: named(m[1]), text)
    text = re.sub(r"\{term\}`([^`<]+?)(?: *<[^`>]+>)?`", r"\1", text)
    text = re.sub(r"\[\]\(([\w-]+)\)", lambda m: f"*{named(m[1])}*", text)
    text = re.sub(r"\[([^\]]+)\]\(((?:chap|sec|ex)-[\w-]+)\)", r"\1", text)
    text = re.sub(r"\[\]\(([^)]+)\)", r"\1", text)
    return re.sub(r"\{cite(?::\w+)?\}`([^`]+)`", r"(\1)", text)


def plain(text, chapter):
    """Markdown without directives and roles."""
    lines, out, fences = text.splitlines(), [], []
    i = 0
    while i < len(lines):
        line, opened = lines[i], OPEN.match(lines[i])
        if opened:
            options = 0
            while i + 1 + options < len(lines) and OPTION.match(lines[i + 1 + options]):
                options += 1
            i += options
            name, title = opened["name"], opened["title"].strip()
            if name.endswith("-end"):
                heading = None
            elif name == "quiz":  # needs the page; the self-checks are for reading
                heading = None
            elif name in ("math",):
                heading = "$$"
            elif name in ("exercise", "exercise-start"):
                heading = f"### Exercise: {title}"
            elif name in NAMES:
                heading = f"**{NAMES[name]}{f' ({title})' if title else ''}.**"
            else:  # admonitions, dropdowns
                heading = f"**{title}**" if title else None
            fences.append((opened["fence"], "$$" if name == "math" else None))
            if heading:
                out += [heading, ""] if heading != "$$" else ["$$"]
        elif fences and line.strip() == fences[-1][0]:
            _, close = fences.pop()
            if close:
                out.append(close)
        elif not re.match(r"^\([\w-]+\)=$", line):
            out.append(line)
        i += 1
    joined = re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()
    return roles(outputs.pasted(chapter, joined))
