"""Time of one slider event of the explorer in Chromium: solve, predict at every training-cell size, redraw.

    .venv/bin/python benchmarks/bench_explorer.py

Prints the median and the 90th percentile over 60 moves, beside the frame budgets 16 ms (73 functions) and 100 ms (165).
"""
import sys
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from conftest import FLAGS  # noqa: E402
from explorer_synthetic import synthetic  # noqa: E402
from test_explorer import CASES, HERE, mount  # noqa: E402

from mlipgen.widgets import Explorer  # noqa: E402

MOVES = """async () => {
    const slider = document.querySelector("[aria-label='Forces weight']"), root = document.querySelector(".mx"), out = [];
    for (let i = 0; i < 70; i++) {
        slider.value = -30 + i % 60;
        slider.dispatchEvent(new Event("input"));
        await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));
        out.push(Number(root.dataset.updateMs));
    }
    return out.slice(10);
}"""

with sync_playwright() as driver:
    browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
    for case, budget in (("73 functions", 16), ("165 functions", 100)):
        page = browser.new_page(viewport={"width": 920, "height": 1200})
        page.goto((HERE / "js/harness.html").as_uri())
        mount(page, Explorer(synthetic(**CASES[case])))
        times = np.array(page.evaluate(MOVES))
        print(f"{case}: median {np.median(times):.1f} ms, 90th percentile {np.quantile(times, 0.9):.1f} ms, budget {budget} ms")
    browser.close()
