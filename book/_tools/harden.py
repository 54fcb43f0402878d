"""A strict Content-Security-Policy for the built pages, and what they need to live with it.

The theme and the extensions write scripts and event handlers into the pages.  Here they move into
files (scripts), become markup (what was written by a script) or attributes (handlers, book.js), and
each page gets the policy as a meta tag.  The same policy may be sent as a header; a server can then
add `frame-ancestors`, which a meta tag cannot have.

    script-src 'self'     no inline script, no eval, no blob:, no other site
    style-src             styles in elements: MathJax, figures and widgets set them
    img-src               pictures as data in style sheets and widgets; nglview's pictures as blobs
    worker-src blob:      the explorer relaxes in a worker, whose program it has with it; NGL too
    font-src data:        icons in the style sheets of Jupyter's widgets

Pages lose what they have no use for: MathJax without a formula, quizzes' scripts without a quiz,
the scripts of icons, which come as a font, and preloads, of which browsers refuse those of fonts to
pages opened from disk; every script but the first waits for the text.
"""

import re

import static_widgets

POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
CSP = "; ".join(f"{name} {sources}" for name, sources in POLICY.items())
META = f'<meta http-equiv="Content-Security-Policy" content="{CSP}">'
OLD = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
CHARSET = re.compile(r'<meta charset="utf-8"\s*/?>')

INLINE = re.compile(r"[ \t]*<script(?: data-cfasync=\"false\")?>(.*?)</script>\n?", re.S)
WRITTEN = re.compile(r"\s*document\.write\(`(.*)`\);?\s*", re.S)
PAGENAME = re.compile(r"\s*DOCUMENTATION_OPTIONS\.pagename = '([^']*)';\s*")
LOADED = re.compile(r"<script (?![^>]*\b(?:defer|type)\b)([^>]*\bsrc=)")
ICONS = re.compile(r'\s*<script src="[^"]*fontawesome[^"]*\.js[^"]*"></script>')
PRELOAD = re.compile(r'\s*<link rel="preload" as="(?:script|font)"[^>]*>')
MATHJAX = re.compile(r'\s*<script [^>]*src="[^"]*mathjax/tex-mml-chtml\.js[^"]*"></script>')
CONFIGURED = re.compile(r"\s*<script>window\.MathJax = .*?</script>", re.S)
PREVIEWS = re.compile(r'src="([^"]*_static/tippy/[^"]*\.js)"')
WANTED = {  # file: what in a page needs it
    r"viewer\.js": "mlip-scene",
    r"quiz\.(?:js|css)": "quiz-question",
    r"design-tabs\.js": "sd-tab-",
    r"(?:clipboard\.min|copybutton)\.(?:js|css)": 'class="highlight',
    r"togglebutton\.(?:js|css)": r'class="[^"]*\b(?:toggle|dropdown)\b',
}
REPLACED = {
    ' onclick="toggleFullScreen()"': ' data-does="fullscreen"',
    ' onclick="window.print()"': ' data-does="print"',
    '"fab fa-github"': '"fas fa-code-branch"',  # for this one a font of 118 kB would be fetched
}
THEME = """{ // in the reader's colours from the first picture on; the theme's script comes later
  const page = document.documentElement.dataset;
  if (page.mode === "auto")
    page.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}"""
TYPESET = (  # in the scripts of previews, which no longer find MathJax on every page
    "MathJax.typesetPromise([instance.popper]).then(() => {});",
    "window.MathJax?.typesetPromise?.([instance.popper]);",
)
LEFT = re.compile(r"<[a-zA-Z][^<>]*\s(on[a-z]+=|(?:href|src)=[\"']?javascript:)")
FIRST = "<!-- what is set before anything else -->"
DATA = re.compile(r"<script type=\"application/[^>]*>.*?</script>", re.S)


def harden(text, page, pages):
    """The page's text under the policy.

    page, pages : Path of the page and of the folder that holds them all
    """
    if OLD.search(text):  # an earlier build's, which Sphinx had no reason to write again
        return OLD.sub(META, text)
    up = "../" * (len(page.relative_to(pages).parts) - 1)
    static, folder = f"{up}_static/", pages / "_static"
    text = static_widgets.take_apart(text, static, folder / "widgets")
    text = PRELOAD.sub("", ICONS.sub("", text))
    if not formulas(text, page):
        text = CONFIGURED.sub("", MATHJAX.sub("", text))
    for file, sign in WANTED.items():
        if not re.search(sign, text):
            text = re.sub(rf"\s*<(?:script|link)\b[^>]*/{file}[^>]*>(?:</script>)?", "", text)
    for old, new in REPLACED.items():
        text = text.replace(old, new)
    text = LOADED.sub(r"<script defer \1", text)
    text = into_files(text, static, folder / "inline")
    text = CHARSET.sub(lambda m: f"{m[0]}\n    {META}", text, count=1)
    if left := LEFT.search(DATA.sub("", text)):
        raise ValueError(f"{page.name}: {left[0][-200:]} is not allowed by the policy")
    return text


def formulas(text, page):
    """Whether the page, or a preview of what it refers to, has a formula."""
    previews = PREVIEWS.search(text)
    preview = (page.parent / previews[1]).read_text(encoding="utf-8") if previews else ""
    return bool(re.search(r'class="[^"]*\bmath\b', text) or 'class=\\"math' in preview)


def into_files(text, static, folder):
    """Inline scripts as markup, as attributes or as files: one for the head, loaded first, because
    it chooses the theme and what it sets is read by all others; one for each of the rest.
    """
    head, body = text.split("</head>", 1)
    names, codes = [], []

    def file(code, stem, how="defer "):
        name = static_widgets.save(folder, stem, ".js", code)
        return f'    <script {how}src="{static}inline/{name}.js"></script>\n'

    def move(match):
        code = match[1].strip()
        if written := WRITTEN.fullmatch(code):
            return written[1]
        if found := PAGENAME.fullmatch(code):
            names.append(found[1])
            return ""
        if "DOCUMENTATION_OPTIONS" not in code and match.string is head:
            codes.append(code)
            return "" if len(codes) > 1 else FIRST
        return file(code + "\n", "body")

    head, body = INLINE.sub(move, head), INLINE.sub(move, body)
    if codes:
        together = "\n".join([*dict.fromkeys(codes), THEME]) + "\n"
        head = head.replace(FIRST, file(together, "head", ""))
    if names:
        head = head.replace("<html ", f'<html data-pagename="{names[0]}" ', 1)
    return f"{head}</head>{body}"


def main(pages):
    """Harden every page of the folder; the theme's templates, which are none, go."""
    for template in (pages / "_static").glob("*webpack-macros.html"):
        template.unlink()
    for page in sorted(pages.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        hardened = harden(text, page, pages)
        if hardened != text:
            page.write_text(hardened, encoding="utf-8")
    for preview in sorted((pages / "_static" / "tippy").rglob("*.js")):
        text = preview.read_text(encoding="utf-8")
        kept = text.replace(*TYPESET)
        if kept != text:
            preview.write_text(kept, encoding="utf-8")
