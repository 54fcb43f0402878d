"""Pages of the built book in Firefox, over http with the policy as a header and from disk.

    sudo apt-get install firefox-esr
    .venv/bin/python benchmarks/in_firefox.py [--book _build/html] [PAGE ...]

Not a timing.  Each page is opened without a window over WebDriver BiDi; its widgets have to
start, the first explorer on it has to answer to its first slider and to relax the defect.  Printed
are warnings and errors of the console, what the policy refuses and what is asked of other servers:
nothing is expected.
"""

import argparse
import functools
import http.server
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import websocket

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "book" / "_tools")]
from conftest import FOLDER, _Quiet  # noqa: E402

PAGES = ("book/index.html", "book/11_the_explorer.html", "book/14_designing_data_and_loss.html")
PREFERENCES = {
    "app.update.auto": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
}
REFUSED = """() => document.addEventListener("securitypolicyviolation", (e) =>
    console.error(`refused: ${e.violatedDirective} ${e.blockedURI}`))"""
STARTED = """new Promise((resolve) => {
  const look = () => {
    const places = [...document.querySelectorAll(".mlip-widget")];
    const sections = [...document.querySelectorAll("section[data-state]")];
    const done = places.every((p) => p.dataset.state) &&
      sections.every((s) => s.dataset.state !== "unpacking");
    const all = [...places, ...sections].map((e) => `${e.dataset.testid ?? ""} ${e.dataset.state}`);
    if (done && document.readyState === "complete") resolve(all.join(", "));
    else setTimeout(look, 200);
  };
  look();
})"""
MOVED = """new Promise((resolve) => {
  const root = document.querySelector("[data-testid=explorer]");
  if (!root) return resolve("no explorer");
  root.scrollIntoView();
  const shown = (id) => root.querySelector(`[data-testid=${id}-geometry-error]`).textContent;
  const before = shown("predicted");
  const slider = root.querySelector("input[type=range]");
  slider.focus();
  slider.value = Number(slider.value) + Number(slider.step || 1);
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  const look = () => {
    const ended = ["settled", "failed"].includes(root.dataset.relaxation);
    if (!ended || shown("predicted") === before) return setTimeout(look, 200);
    const verdict = root.querySelector("[data-testid=verdict]").textContent;
    resolve(`${before} -> ${shown("predicted")}, relaxed ${shown("measured")}; ${verdict}`);
  };
  look();
})"""


class Firefox:
    """A browser of its own, and what it reports."""

    def __init__(self, profile):
        lines = [f'user_pref("{k}", {json.dumps(v)});' for k, v in PREFERENCES.items()]
        Path(profile, "user.js").write_text("\n".join(lines), encoding="utf-8")
        command = ["firefox-esr", "--headless", "--remote-debugging-port=0", "--profile", profile]
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        said = next(line for line in self.process.stderr if "BiDi listening" in line)
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.socket = websocket.create_connection(
            said.split()[-1] + "/session", suppress_origin=True, timeout=300
        )
        self.count, self.events = 0, []
        print("Firefox", self.ask("session.new", capabilities={})["capabilities"]["browserVersion"])
        self.ask("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self.ask("script.addPreloadScript", functionDeclaration=REFUSED)

    def ask(self, method, **params):
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while (answer := json.loads(self.socket.recv())).get("id") != self.count:
            self.events.append(answer)
        if "result" not in answer:
            raise RuntimeError(answer)
        return answer["result"]

    def value(self, context, expression):
        target = {"context": context}
        found = self.ask("script.evaluate", expression=expression, target=target, awaitPromise=True)
        return found["result"]["value"]

    def look(self, root, page):
        """Open a page and print what it did."""
        context = self.ask("browsingContext.create", type="tab")["context"]
        self.ask("browsingContext.activate", context=context)
        self.events.clear()
        self.ask("browsingContext.navigate", context=context, url=f"{root}/{page}", wait="complete")
        print(f"{root[:4]} {page}: {self.value(context, STARTED)}")
        print(f"    {self.value(context, MOVED)}")
        for event in self.events:
            said = event["params"]
            if event["method"] == "log.entryAdded" and said["level"] in ("warn", "error"):
                print(f"    {said['level']}: {said['text']}")
            elif event["method"] == "network.beforeRequestSent":
                address = said["request"]["url"]
                if not address.startswith((root, "data:", "blob:")):
                    print(f"    asked of another server: {address}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--book", type=Path, default=ROOT / "_build" / "html")
    parser.add_argument("pages", nargs="*", default=PAGES, metavar="PAGE")
    options = parser.parse_args()
    handler = functools.partial(_Quiet, directory=str(options.book))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        firefox = Firefox(profile)
        try:
            for page in options.pages:
                firefox.look(f"http://127.0.0.1:{server.server_address[1]}{FOLDER}", page)
                firefox.look(options.book.resolve().as_uri(), page)
        finally:
            firefox.process.terminate()
            firefox.process.wait(30)
            server.shutdown()


if __name__ == "__main__":
    main()
