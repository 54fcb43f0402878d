"""The figure pack: every still figure of the book as an SVG file of its own, with its description.

Called by build.py, or by itself: `python book/_tools/figure_pack.py FOLDER` writes FOLDER/*.svg,
figures.zip and figures.html, a page that shows them with their descriptions and a line to copy.

A figure of the page is a row of panels and a list of lines with their names, in the colours of the
page.  Here they are put together: one picture, colours written out, a title and a description for
screen readers, the licence as metadata.
"""

import html
import re
import sys
import zipfile
from pathlib import Path

import outputs

GAP, ROW, FONT = 18, 22, "Helvetica, Arial, sans-serif"
COLOURS = {
    "ink": "#1c2128", "muted": "#555f6b", "grid": "#d9dee4", "paper": "#ffffff", "1": "#0b5cad",
    "2": "#b34a00", "3": "#00795c", "4": "#963c8a", "5": "#8a6500", "6": "#007a94",
}  # fmt: skip
SVG = re.compile(r"<svg\b([^>]*)>(.*?)</svg>", re.S)
CREDIT = "How far can you trust a learned potential?, chapter {chapter}, CC BY 4.0"

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Figures of the book</title><link rel="icon" href="../favicon.svg">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem;
  color: #1c2128; background: #fff; }}
img {{ max-width: 100%; height: auto; border: 1px solid #d9dee4; }}
figure {{ margin: 0 0 2.5rem; }} figcaption {{ margin-top: .4rem; }}
a {{ color: #0a55bd; }}
code {{ background: #f4f5f7; padding: .1rem .3rem; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<main>
<h1>Figures of the book</h1>
<p>Every still figure as an SVG file, under CC BY 4.0: use them in your slides and lecture notes,
and name the source. <a href="figures.zip" download>All of them in one archive</a>. The chapters
also have figures that answer to controls; for those, link to the page.</p>
<p><a href="../../book/course/index.html">Back to the book</a></p>
{figures}
</main>
</body>
</html>
"""


def size(attributes):
    """Width and height of an SVG element."""
    _, _, width, height = re.search(r'viewBox="([^"]+)"', attributes)[1].split()
    return float(width), float(height)


def plain(markup):
    """The page's colours written out."""
    markup = re.sub(r"var\(--fig-(\w+)(?:, [^()]*)?\)", lambda m: COLOURS[m[1]], markup)
    return markup.replace("currentColor", COLOURS["ink"])


def placed(attributes, content, x, y):
    """An SVG element at a place within another one."""
    width, height = size(attributes)
    box = re.search(r'viewBox="[^"]+"', attributes)[0]
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" overflow="visible"'
    return f'<svg {place} {box} stroke-linejoin="round">{content}</svg>'


def legend(markup, width, top):
    """The list of lines and names below the panels, in rows, and its height."""
    keys = re.findall(r"<li[^>]*>(<svg.*?</svg>)\s*(.*?)</li>", markup, re.S)
    parts, x, y = [], 6.0, top
    for key, name in keys:
        name = html.unescape(re.sub(r"<[^>]+>", "", name))
        attributes, content = SVG.match(key).groups()
        needed = size(attributes)[0] + 8 + 7.0 * len(name) + 16  # 7: the width of a letter, about
        if x + needed > width and x > 6:
            x, y = 6.0, y + ROW
        parts.append(placed(attributes, content, x, y))
        parts.append(
            f'<text x="{x + size(attributes)[0] + 6:g}" y="{y + 11:g}" font-size="12px" '
            f'fill="{COLOURS["ink"]}">{html.escape(name)}</text>'
        )
        x += needed
    return parts, (y - top + ROW if keys else 0)


def standalone(markup, chapter):
    """The figure as one SVG document."""
    alt, (panels, _, names) = outputs.alternative(markup), markup.partition("<ul")
    boxes = SVG.findall(panels)
    sizes = [size(attributes) for attributes, _ in boxes]
    width = sum(w for w, _ in sizes) + GAP * (len(sizes) - 1)
    height, x, parts = max(h for _, h in sizes), 0.0, []
    for (attributes, content), (w, _) in zip(boxes, sizes):
        parts.append(placed(attributes, content, x, 0))
        x += w + GAP
    lines, more = legend(names, width, height + 6)
    title = f"{chapter}: {alt.split('. ')[0].rstrip('.')}"
    return plain(
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width:g} {height + more + 6:g}" width="{width:g}" '
        f'height="{height + more + 6:g}" role="img" aria-labelledby="t d" font-family="{FONT}">'
        f'<title id="t">{html.escape(title)}</title><desc id="d">{html.escape(alt)}</desc>'
        f"<metadata>{html.escape(CREDIT.format(chapter=chapter))}</metadata>"
        f'<rect width="100%" height="100%" fill="{COLOURS["paper"]}"/>'
        f"{''.join(parts + lines)}</svg>"
    )


def main(target):
    target.mkdir(parents=True, exist_ok=True)
    shown, files = [], []
    for path in outputs.chapters():
        number = int(path.stem[:2])
        for count, markup in enumerate(outputs.figures(path.stem).values(), 1):
            file = target / f"{path.stem}_{count}.svg"
            file.write_text(standalone(markup, number), encoding="utf-8")
            files.append(file)
            alt = html.escape(outputs.alternative(markup))
            shown.append(
                f'<figure><img src="{file.name}" alt="{alt}" loading="lazy"><figcaption>'
                f'<a href="{file.name}" download>{file.name}</a> · {alt}<br>'
                f"<code>{CREDIT.format(chapter=number)}</code></figcaption></figure>"
            )
    with zipfile.ZipFile(target / "figures.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    (target / "figures.html").write_text(PAGE.format(figures="\n".join(shown)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
