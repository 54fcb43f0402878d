"""Fixtures for tests of the built book in a real browser: `site`, `browser`, `open_page`.

    def test_something(open_page):
        page = open_page("book/11_the_explorer.html", scheme="dark", width=360)
        page.get_by_label("Training cell size").press("ArrowRight")
        ...

Whatever a page asks of another server and whatever it reports as an error is collected while it is
open, and fails the test at its end; `page.external`, `page.errors` hold the lists, `page.asked` all
addresses that it has asked for.
`open_page(path, disk=True)` opens the file from disk instead of over http.  Over http the book
lies in a folder of the server, and its Content-Security-Policy comes as a header too.
`opener` is the same for fixtures that keep a page open for several tests.
`pytest --slow-cpu 8 -m browser` runs all pages eight times slower: what looks at a page too early
fails there first.
"""

import contextlib
import functools
import http.server
import shutil
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_tools"))
import harden  # noqa: E402

BROWSING = {"browser", "html", "site", "open_page"}
HTML = ROOT / "_build" / "html"
FOLDER = "/some/where"  # of the test server
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOCAL = {"data", "blob", "about", "chrome"}


def built_pages():
    """Paths, relative to the built book, of all its pages but the redirecting front page; empty
    before `make book`.
    """
    if not HTML.is_dir():
        return []
    paths = sorted(p.relative_to(HTML) for p in HTML.rglob("*.html"))
    return [
        str(p)
        for p in paths
        if not {"_static", "_sources"} & set(p.parts) and str(p) != "index.html"
    ]


def pytest_addoption(parser):
    parser.addoption("--slow-cpu", type=float, default=1.0, help="slow down all browser pages")


def pytest_collection_modifyitems(items):
    """What asks for the browser or for the built book is marked `browser`."""
    for item in items:
        if BROWSING & set(getattr(item, "fixturenames", ())):
            item.add_marker("browser")


@pytest.fixture(scope="session")
def html():
    """The folder of the built book.  A missing book fails: skipping would let `pytest` pass on
    nothing.
    """
    if not (HTML / "index.html").exists():
        pytest.fail(
            f"the book is not built: {HTML}/index.html is missing; run `make book` first",
            pytrace=False,
        )
    return HTML


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """The book in a folder of a server, with its policy as a header."""

    def log_message(self, *arguments):
        pass

    def translate_path(self, path):
        inside = path.startswith(f"{FOLDER}/")
        return super().translate_path(path.removeprefix(FOLDER) if inside else "/not/there")

    def end_headers(self):
        self.send_header("Content-Security-Policy", harden.CSP)
        super().end_headers()


@pytest.fixture(scope="session")
def site(html):
    """Address of a local server of the built book, without a trailing slash."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(html))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}{FOLDER}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def browser(request):
    """The system's Chromium, driven by playwright."""
    from playwright.sync_api import sync_playwright

    executable = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if executable is None:
        pytest.fail("Chromium is missing: sudo apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        if (rate := request.config.getoption("--slow-cpu")) != 1:
            _slow_down(chromium, rate)
        yield chromium
        chromium.close()


def _slow_down(chromium, rate):
    """Give every page of new contexts 1 / rate of the processor."""
    new_context = chromium.new_context

    def slowed(**options):
        context = new_context(**options)
        setting = {"rate": rate}
        context.on(
            "page",
            lambda page: context.new_cdp_session(page).send(
                "Emulation.setCPUThrottlingRate", setting
            ),
        )
        return context

    chromium.new_context = slowed
    chromium.new_page = lambda **options: slowed(**options).new_page()


@contextlib.contextmanager
def opener(browser, html, site):
    """The function `open_page`; what its pages complain about fails at the end.

    site : () -> address of the server
    """
    opened = []

    def open(
        path="book/index.html",
        disk=False,
        scheme="light",
        width=1280,
        height=900,
        wait=True,
        before=None,
        **context,
    ):
        root = html.as_uri() if disk else site()
        own = browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": height}, **context
        )
        page = own.new_page()
        page.set_default_timeout(30_000)
        page.external, page.errors, page.asked = [], [], []
        origin = urlsplit(root)

        def check(address):
            parts = urlsplit(address)
            page.asked.append(address)
            if parts.scheme not in LOCAL and (parts.scheme, parts.netloc) != (
                origin.scheme,
                origin.netloc,
            ):
                page.external.append(address)

        def console(message):
            if message.type == "error":
                page.errors.append(
                    f"console error: {message.text} ({message.location.get('url', '')})"
                )

        page.on("request", lambda r: check(r.url))
        page.on("websocket", lambda s: page.external.append(s.url))
        page.on(
            "response",
            lambda r: r.status >= 400 and page.errors.append(f"status {r.status}: {r.url}"),
        )
        page.on("requestfailed", lambda r: page.errors.append(f"failed: {r.url}"))
        page.on("pageerror", lambda e: page.errors.append(f"page error: {e}"))
        page.on("console", console)
        page.add_init_script(REFUSED)
        opened.append((own, page))
        if before:
            before(page)
        page.goto(f"{root}/{path}", wait_until="load")
        if wait:
            settle(page)
        return page

    yield open
    problems = [
        problem
        for _, page in opened
        for problem in [f"request to another server: {a}" for a in page.external] + page.errors
    ]
    for own, _ in opened:
        own.close()
    assert not problems, "\n".join(problems)


# what the policy refuses, as an error of the console
REFUSED = """document.addEventListener("securitypolicyviolation", (e) =>
  console.error(`refused: ${e.violatedDirective} ${e.blockedURI}`))"""


@pytest.fixture
def open_page(request, browser, html):
    """Function opening a page of the book; see the top of this file."""
    with opener(browser, html, lambda: request.getfixturevalue("site")) as open:
        yield open


def settle(page):
    """Wait until formulas are typeset, all widgets are drawn and the network is idle."""
    page.wait_for_function("() => !window.MathJax || (MathJax.startup && MathJax.startup.promise)")
    page.evaluate("() => window.MathJax && MathJax.startup.promise.then(() => true)")
    # each widget of ours says that it is shown; html-manager puts an element beside the script
    page.wait_for_function("""() => {
        const ours = [...document.querySelectorAll(".mlip-widget")];
        if (!ours.every((place) => place.dataset.state)) return false;
        const script = 'script[type="application/vnd.jupyter.widget-view+json"]';
        const drawn = ".jupyter-widgets, .lm-Widget, .widget-subarea *, .mlip-broken";
        return [...document.querySelectorAll(script)]
            .every((s) => s.parentElement.querySelector(drawn));
    }""")
    page.wait_for_load_state("networkidle")


def fits_a_phone(figure):
    """A widget within 360 px, the labels of its chart large enough to read."""
    box = figure.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    heights = figure.locator("svg[role=img] text").evaluate_all(
        "t => t.map(e => e.getBoundingClientRect().height)"
    )
    assert heights and min(heights) >= 11
