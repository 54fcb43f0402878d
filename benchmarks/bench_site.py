"""First paint of the front page, and the time until an explorer can be used, in Chromium.

    .venv/bin/python benchmarks/bench_site.py        # after `make book`

Each load in a fresh browser profile, from a server on this machine, with nothing cached: from the
start of the navigation to the browser's first paint with contents (goal 1 s), and to the explorer's
first complete figure (goal 2.5 s), on the front page and in chapter 11.  The network is no part of
it: the weights of the pages are, which tests/test_site.py keeps within budgets.
"""

import contextlib
import functools
import http.server
import sys
import threading
from pathlib import Path

import numpy as np
import rows
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from conftest import FLAGS, HTML, _Quiet

PAGES = {
    "front page": "index.html",
    "chapter 11": "11_the_explorer.html",
}
LOADS = 7
WATCH = """addEventListener("DOMContentLoaded", () => {
  const look = () => {
    if (document.querySelector("[data-testid=explorer][data-state=ready]"))
      window.usable = performance.now();
  };
  new MutationObserver(look).observe(document.body,
    { subtree: true, childList: true, attributes: true, attributeFilter: ["data-state"] });
  look();
});"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


@contextlib.contextmanager
def server():
    """Address of the built book on a local server."""
    handler = functools.partial(_Quiet, directory=str(HTML))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as own:
        own.handle_error = lambda *_: None  # a page that is closed before all has come
        threading.Thread(target=own.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{own.server_address[1]}/some/where"
        own.shutdown()


def load(browser, address):
    """(first paint, explorer usable) of one load, in milliseconds."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(address)
    page.wait_for_function("() => window.usable")
    page.wait_for_function(f"() => {PAINT}")
    times = page.evaluate(PAINT), page.evaluate("window.usable")
    context.close()
    return times


def main():
    with server() as root, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name, path in PAGES.items():
            times = np.array([load(browser, f"{root}/book/{path}") for _ in range(LOADS)])
            for what, column, goal in (
                ("first paint", times[:, 0], 1000),
                ("explorer usable", times[:, 1], 2500),
            ):
                settings = f"median of {LOADS} loads; {column.min():.0f} to {column.max():.0f} ms"
                row = rows.Row(
                    f"{name}, {what}", float(np.median(column)), "ms", goal=goal, settings=settings
                )
                rows.report(row)
        browser.close()


if __name__ == "__main__":
    main()
