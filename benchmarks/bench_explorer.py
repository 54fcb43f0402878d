"""Times of the explorer: slider events, the page's own relaxation, "refit and relax" in the kernel.

    .venv/bin/python benchmarks/bench_explorer.py

A slider event is solve, predict at every training-cell size, redraw, in Chromium: over 60 moves,
folded as the page begins and unfolded, beside the frame budget of 16 ms; the last line is while the
page relaxes.  The page's own relaxation of a vacancy in tungsten, 1,023 atoms and 73 functions:
from the last move on, the rest of 200 ms included, to Newton's estimate, to the relaxed state and
to its lowest curvature; budget 1 s without the rest.  In the kernel: the widget's own answer to its
button, from the message to the measured point, compiled code warm; budget 1 s.
"""

import sys
import time
from pathlib import Path

import numpy as np
import rows
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from conftest import FLAGS
from explorer_synthetic import synthetic
from test_explorer import CASES, HERE, mount

import mlipgen.widgets.explorer
from mlipgen.experiments.study import Study
from mlipgen.widgets import Explorer
from mlipgen.widgets.explorer.builder import explorer_data

PAGE = Path(mlipgen.widgets.explorer.__file__).parent / "page"

MOVES = """async () => {
    const slider = document.querySelector("[aria-label='Forces weight']");
    const root = document.querySelector(".mx"), out = [];
    for (let i = 0; i < 70; i++) {
        slider.value = -30 + i % 60;
        slider.dispatchEvent(new Event("input"));
        await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));
        out.push(Number(root.dataset.updateMs));
    }
    return out.slice(10);
}"""

RELAX = """async () => {
    const slider = document.querySelector("[aria-label='Forces weight']");
    const root = document.querySelector(".mx");
    const until = (done) => new Promise((resolve) => {
        const look = () => (done() ? resolve(performance.now()) : setTimeout(look, 1));
        look();
    });
    const shown = (id) => root.querySelector(`[data-testid=${id}-geometry-error]`).dataset.value;
    const out = [];
    for (let i = 0; i < 6; i++) {
        slider.value = 1 + i;
        slider.dispatchEvent(new Event("input"));
        const begin = performance.now();
        await until(() => root.dataset.relaxation !== "settled");
        const times = [];
        times.push(await until(() => shown("newton")), await until(() => shown("measured")));
        times.push(await until(() => root.dataset.relaxation === "settled"));
        out.push(times.map((t) => t - begin));
    }
    return out.slice(1);
}"""


#: Merging one triangle of forces into another, most of an event; beside its rate that of loops that
#: do the same, half products and half updates, on numbers in the first-level cache.
MERGE = """(K) => {
    const W = K + 2, best = (job) => {
        let least = Infinity;
        for (let i = 0; i < 60; i++) {
            const begin = performance.now();
            job();
            least = Math.min(least, performance.now() - begin);
        }
        return least;
    };
    const data = Float64Array.from({ length: (W * (W + 1)) / 2 }, () => Math.random() - 0.5);
    let flops = 0, sum = 0;
    for (let k = 0; k < K; k++) flops += 4 * (k + 1) * (W - k - 1);
    const prior = new Float64Array(W).fill(1);
    const merge = best(() => mergeBlock(priorTriangle(prior, 1, K), K, { shape: [W, W], data }, 1));
    const a = new Float64Array(1024).fill(1), b = new Float64Array(1024).fill(1);
    const loops = best(() => {
        for (let repeat = 0; repeat < 200; repeat++) {
            let s = 0, t = 0, u = 0, v = 0;
            for (let i = 0; i < 1024; i += 4) {
                s += a[i] * b[i];
                t += a[i + 1] * b[i + 1];
                u += a[i + 2] * b[i + 2];
                v += a[i + 3] * b[i + 3];
            }
            sum += s + t + u + v;
            for (let i = 0; i < 1024; i++) a[i] -= 1e-9 * b[i];
        }
    });
    return [merge, flops / merge / 1e6, (4 * 1024 * 200) / loops / 1e6, sum];
}"""


def merging(browser, functions):
    """What the page's factorisation of some size takes and how near to the limit that is."""
    page = browser.new_page()
    parts = [(PAGE / name).read_text(encoding="utf-8") for name in ("unpack.js", "solver.js")]
    page.add_script_tag(content="\n".join(parts))
    time, rate, limit, _ = page.evaluate(MERGE, functions)
    settings = f"at {rate:.1f} GFlop/s; the same loops in the first-level cache reach {limit:.1f}"
    what = f"merging the forces of one cell size, {functions} functions"
    rows.report(rows.Row(what, time, "ms", settings=settings))


def report(what, times, budget):
    settings = f"median; 90th percentile {np.quantile(times, 0.9):.1f} ms"
    rows.report(rows.Row(what, float(np.median(times)), "ms", goal=budget, settings=settings))


study = Study("W", "vacancy", cells=(3, 4), observations=("EF",), degrees=(6, 8), test_cell=8)
widget = Explorer(explorer_data(study, grid=False, shells=4, near=20, modes=8))

with sync_playwright() as driver:
    browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)

    def show(shown, unfolded=True):
        page = browser.new_page(viewport={"width": 920, "height": 1200})
        page.goto((HERE / "js/harness.html").as_uri())
        mount(page, shown, unfolded)
        return page

    for case, budget in (("73 functions", 16), ("165 functions", 16)):
        page = show(Explorer(synthetic(**CASES[case])), unfolded=False)
        report(f"slider event, {case}", page.evaluate(MOVES), budget)
        page = show(Explorer(synthetic(**CASES[case])))
        report(f"slider event, {case}, unfolded", page.evaluate(MOVES), budget)
    merging(browser, 165)
    page = show(widget)
    page.wait_for_selector("[data-relaxation=settled]")
    for what, times in zip(("Newton", "relaxed", "judged"), np.transpose(page.evaluate(RELAX))):
        report(f"page's own relaxation, {what}", times, 1200)
    # every move cancels the relaxation that the last one began, so begin it at once
    page.evaluate(
        "() => { const wait = setTimeout; "
        "window.setTimeout = (f, t) => wait(f, t === 200 ? 0 : t); }"
    )
    report("slider event while the page relaxes", page.evaluate(MOVES), 16)
    browser.close()

answers = []
widget.send = answers.append
times = []
# the first one compiles
for i, weight in enumerate((1.0, 2.0, 3.0, 5.0, 8.0, 13.0)):
    message = {
        "id": str(i),
        "dataset": 0,
        "setting": {
            "cell": 3 + i % 2,
            "degree": 8,
            "ridge": 1e-6,
            "weights": {"E": weight, "F": 1.0},
        },
    }
    begin = time.perf_counter()
    widget._receive(widget, {"type": "relax", **message}, [])
    while not (
        answers and answers[-1]["id"] == str(i) and answers[-1]["type"] in ("measured", "failed")
    ):
        time.sleep(0.002)
    times.append(time.perf_counter() - begin)
    assert answers[-1]["type"] == "measured" and answers[-1]["point"]["geometry"] > 0, answers[-1]
report(
    f"refit and relax in the kernel, {widget.data[0].meta['test_atoms']} atoms",
    1e3 * np.array(times[1:]),
    1000,
)
