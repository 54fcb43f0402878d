"""Build the book: execute what changed, write _build/html, say where it is.  Called by `make book`.

Chapters are executed into a cache (Jupyter Book's), which only notices changes of the notebooks
themselves.  Here the cache is dropped as soon as anything else that the chapters compute with has
changed: the library, its data, the pinned packages.  So the pages never show a number that this
checkout does not give.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import api
import execute
import figure_pack
import harden
import slides

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "_build"
PAGES = BUILD / "html"


def fingerprint(*folders, files=()):
    """Hash of the files in these folders and of the other files."""
    found = [ROOT / name for name in files]
    for folder in folders:
        found += [f for f in (ROOT / folder).rglob("*") if f.is_file()]
    digest = hashlib.sha256(sys.version.encode())
    for file in sorted(f for f in found if "__pycache__" not in f.parts):
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def is_new(stamp, now):
    """Whether this is another state than the last build's; it is noted."""
    if stamp.exists() and stamp.read_text(encoding="utf-8") == now:
        return False
    BUILD.mkdir(exist_ok=True)
    stamp.write_text(now, encoding="utf-8")
    return True


REDIRECT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><title>How far can you trust a learned potential?</title>
<meta http-equiv="refresh" content="0; url=book/index.html"><link rel="icon" href="data:,">
</head>
<body><p><a href="book/index.html">How far can you trust a learned potential?</a></p></body>
</html>
"""


CONTENTS = re.compile(r'<nav class="bd-toc-nav page-toc">\s*(<ul.*?</ul>)\s*</nav>', re.S)
MAP = """
<details class="page-map"><summary>On this page</summary>
<nav aria-label="Sections of this page">
{}
</nav></details>"""


def with_contents(text):
    """The page with its own contents below its title, folded: shown where there is no room for them
    beside the text (book.css).
    """
    found = CONTENTS.search(text)
    if not found or found[1].count("<a ") < 4 or 'class="page-map"' in text:
        return text
    article = text.index("<article")
    end = text.index("</h1>", article) + len("</h1>")
    entries = re.sub(r' class="[^"]*"', "", found[1])
    return text[:end] + MAP.format(entries) + text[end:]


VERBATIM = re.compile(
    r"(<(?:script|style|pre|code|head)\b.*?</(?:script|style|pre|code|head)>)", re.S
)
PLAIN = r"(?![^<]*\\[)\]]</)"  # not within a formula


def _kept(found):
    before, formula, behind = found.groups()
    return f'<span class="kept">{found[0]}</span>' if before or behind else formula


JOINED = {
    # a number and its unit; its factors and its error bar; its minus sign; a symbol and its value
    re.compile(r"(\d|</span>) (%|m?Å|[mµ]?eV|GPa|THz)(?!\w)"): "\\1\u00a0\\2",
    re.compile(r"(?<=[\d⁰¹²³⁴⁵⁶⁷⁸⁹)]) ([×±]) (?=[\d(])" + PLAIN): "\u00a0\\1\u00a0",
    re.compile(r'(</span>) ([×±]) (?=<span class="pasted)'): "\\1\u00a0\\2\u00a0",
    re.compile(r"(?<=[\s(>])-(?=\d[^<>]*<)" + PLAIN): "−",
    re.compile(r"(?<![\w.])([A-Za-zα-ωε]) = (?=[\d−])" + PLAIN): "\\1\u00a0=\u00a0",
    re.compile(r"(?<=eV)/(?=Å[^<>]*<)" + PLAIN): "/\u2060",
    # a formula, which is a box, and the brackets and signs that touch it
    re.compile(r'([(“‘]?)(<span class="math[^>]*>[^<]*</span>)([.,;:!?)’”]*)'): _kept,
    # a table's cell of a few words
    re.compile(r"(<td[^>]*><p)(>[^<]{0,16}</p></td>)"): r'\1 class="short"\2',
}


def joined(text):
    """The page with what belongs together kept on one line."""
    parts = VERBATIM.split(text)
    for sign, kept in JOINED.items():
        parts[::2] = [sign.sub(kept, part) for part in parts[::2]]
    return "".join(parts)


def finish():
    """Small repairs of what the tools write: the same id for every exercise, solution and theorem
    of a page; roles that screen readers do not know (bibliography) or miss (the sidebar); hyphens
    before numbers from cells, which are minus signs; a front page without a title; static files
    that changed while no chapter did, which Sphinx does not copy again; a page's own contents in
    its text, for phones; line breaks within what belongs together."""
    shutil.copytree(ROOT / "book" / "_static", PAGES / "_static", dirs_exist_ok=True)
    repeated = re.compile(
        r'(<section[^>]*) id="(?:exercise|solution|proof)-content"|(<div class="proof '
        r'admonition") id="proof"'
    )
    roles = {
        ' role="doc-biblioentry"': "",
        '<div role="list" class="citation-list">': '<div class="citation-list">',
        '<div class="bd-sidebar-primary '
        'bd-sidebar">': '<div class="bd-sidebar-primary bd-sidebar" role="complementary" '
        'aria-label="Book">',
        ' data-bs-spy="scroll"': "",  # book.js marks the section that is being read
        '<summary><span class="toctree-toggle"': '<summary aria-label="Pages of this section">'
        '<span class="toctree-toggle"',
    }
    minus = re.compile(r'(<span class="pasted-text">)-(?=\d)')
    for page in PAGES.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        repaired = repeated.sub(lambda m: m[1] or m[2], text)
        repaired = minus.sub(r"\1−", repaired)
        for old, new in roles.items():
            repaired = repaired.replace(old, new)
        repaired = joined(with_contents(repaired))
        if repaired != text:
            page.write_text(repaired, encoding="utf-8")
    (PAGES / "index.html").write_text(REDIRECT, encoding="utf-8")


def main():
    start = time.time()
    chapters = sorted((ROOT / "book").glob("*.ipynb"))
    # what a chapter computes and shows, and what makes pages of it
    pinned = ("requirements.txt", "requirements.lock", "pyproject.toml")
    computed = fingerprint("mlipgen", files=pinned)
    written = fingerprint("book/_tools", files=("_config.yml",))
    executing = is_new(BUILD / "fingerprint", computed)
    if is_new(BUILD / "fingerprint-pages", written) or executing:
        for stale in (BUILD / ".doctrees", PAGES):
            shutil.rmtree(stale, ignore_errors=True)
    if executing:
        shutil.rmtree(BUILD / ".jupyter_cache", ignore_errors=True)
        print(
            f"Building the book: executing {len(chapters)} chapters, up to a minute each ...",
            flush=True,
        )
    else:
        print("Building the book: executing only chapters that changed ...", flush=True)
    api.main()
    if not execute.execute(chapters):
        sys.exit("Chapters failed, see above.")
    command = [
        str(Path(sys.executable).parent / "jupyter-book"),
        "build",
        str(ROOT),
        "-W",
        "--keep-going",
        "-n",
        "-q",
    ]
    if code := subprocess.run(command, cwd=ROOT).returncode:
        sys.exit(code)
    finish()
    slides.main(PAGES / "_static" / "slides")
    figure_pack.main(PAGES / "_static" / "figures")
    harden.main(PAGES)
    python = Path(sys.executable)
    if python.is_relative_to(ROOT):
        python = python.relative_to(ROOT)
    print(f"""Built in {time.time() - start:.0f} s.  Open it straight from disk,
    file://{PAGES / "index.html"}
or serve it,
    {python} -m http.server --directory _build/html 8000
and open http://localhost:8000""")


if __name__ == "__main__":
    main()
