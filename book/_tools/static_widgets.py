"""Widgets of the built pages without Jupyter's: data beside the figure, code in files of its own.

Jupyter Book writes the state of all widgets of a page, their programs included, into one block in
the page's head, and needs 3.6 MB of Jupyter's scripts to show it, which compile code from text.
Here each anywidget becomes a place in the text with its data inside,

    <div class="widget-subarea mlip-widget" data-code="lookup-1a2b3c4d">
      <script type="application/json" data-sum="...">{"state": {...}}</script></div>

its program and style files under _static/widgets, the same for all pages, and widgets.js runs it.
Only what remains (nglview's viewers) still needs Jupyter's scripts, which widgets.js fetches last.
"""

import hashlib
import json
import re
import zlib

STATE = re.compile(
    r'\s*<script type="application/vnd\.jupyter\.widget-state\+json">(.*?)</script>', re.S
)
VIEW = re.compile(
    r'<script type="application/vnd\.jupyter\.widget-view\+json">(.*?)</script>', re.S
)
JUPYTER = re.compile(
    r'\s*<script src="[^"]*_static/(?:js/require|widgets-local|js/embed-amd)\.js[^"]*"></script>'
)
OURS = ("_esm", "_css", "_anywidget_id", "layout", "tabbable", "tooltip")
HEADLESS = re.compile(r"^_(?:model|view|dom)_")


def as_script(code, name):
    """An ES module that imports nothing, as a script that leaves its default export behind."""
    code = re.sub(r"^export \{[^{}]*\};?$", "", code, flags=re.M)
    code, found = re.subn(
        r"^export default ([^;]*);?$", f'window.mlipWidgets["{name}"] = \\1;', code, flags=re.M
    )
    if found != 1 or re.search(r"^(?:import|export)\b", code, re.M):
        raise ValueError(f"{name}: one `export default` and no imports are expected")
    return f'window.mlipWidgets ??= {{}};\n(function () {{\n"use strict";\n{code}\n}})();\n'


def block(data, kind="application/json"):
    """A data block with the checksum (Adler-32) by which widgets.js knows that it is whole."""
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")  # ASCII
    return f'<script type="{kind}" data-sum="{zlib.adler32(text.encode())}">{text}</script>'


def save(folder, stem, suffix, text):
    """Write text to folder/stem-HASH.suffix; the name without the suffix."""
    name = f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}{suffix}").write_text(text, encoding="utf-8")
    return name


def program(state, folder):
    """Files of an anywidget's program and style: their common beginning, (script, style)."""
    stem = state["_anywidget_id"].split(".")[-2]
    stem = stem if stem != "widget" else state["_anywidget_id"].split(".")[-3]
    name = f"{stem}-{hashlib.sha256(state['_esm'].encode()).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.js").write_text(as_script(state["_esm"], name), encoding="utf-8")
    return name, save(folder, stem, ".css", state["_css"])


def take_apart(text, static, folder):
    """The page with its anywidgets taken out of Jupyter's block of state.

    static : relative address of _static/ from the page, with a slash at the end
    folder : Path of _static/widgets
    """
    found = STATE.search(text)
    if not found:
        return JUPYTER.sub("", text)
    models = json.loads(found[1])["state"]
    own = {k: m for k, m in models.items() if m["model_module"] == "anywidget"}
    layouts = {m["state"]["layout"].removeprefix("IPY_MODEL_") for m in own.values()}
    rest = {k: m for k, m in models.items() if k not in own and k not in layouts}
    scripts, styles = [], []

    def place(match):
        model = own.get(json.loads(match[1])["model_id"])
        if model is None:
            return match[0]
        if model.get("buffers"):
            raise ValueError("widgets.js knows no binary traits")
        name, style = program(model["state"], folder)
        scripts.append(name)
        styles.append(style)
        kept = {k: v for k, v in model["state"].items() if k not in OURS and not HEADLESS.match(k)}
        data = {"state": kept}
        if "IPY_MODEL_" in json.dumps(kept):
            data["models"] = rest
        return f'<div class="widget-subarea mlip-widget" data-code="{name}">{block(data)}</div>'

    head, body = text[: found.start()], text[found.end() :]
    head, body = JUPYTER.sub("", head), JUPYTER.sub("", body)
    body = VIEW.sub(place, body)
    if VIEW.search(body):
        state = {"version_major": 2, "version_minor": 0, "state": rest}
        head += "\n    " + block(state, "application/vnd.jupyter.widget-state+json")
    links = [f'<link rel="stylesheet" href="{static}widgets/{s}.css" />' for s in _once(styles)]
    links += [f'<script defer src="{static}widgets/{s}.js"></script>' for s in _once(scripts)]
    links.append(f'<script defer src="{static}widgets.js"></script>')
    # before MathJax and the theme's scripts: the figures first
    first = re.search(r"\n *<script src=", head)
    return head[: first.start()] + "\n    " + "\n    ".join(links) + head[first.start() :] + body


def _once(names):
    return list(dict.fromkeys(names))
