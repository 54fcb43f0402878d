"""The explorer with a kernel behind it, in a real JupyterLab: refit and relax on request, progress,
cancel.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

CODE = """import time
from mlipgen.experiments.study import Study
from mlipgen.widgets import Explorer
from mlipgen.widgets.explorer.builder import explorer_data

where = dict(cells=(3, 4), test_cell=6)
study = Study("W", "vacancy", **where, observations=("EF",), degrees=(6,), count=5)
options = dict(grid=False, shells=4, near=30, modes=8, relax_in_page=False)
data = explorer_data(study, **options)


def noisy_slowly(data, setting, progress, cancelled):
    def report(fraction, text):
        time.sleep(1.0 if setting.noise else 0.0)  # long enough to press Cancel
        progress(fraction, text)
    return data.relax(data, setting, report, cancelled)


Explorer(data, on_relax=noisy_slowly, atoms="nglview", unfolded=True)"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address of a JupyterLab, without a token and on this machine only, with one notebook
    open.ipynb.
    """
    folder = tmp_path_factory.mktemp("lab")
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "a",
        "metadata": {},
        "outputs": [],
        "source": CODE,
    }
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    (folder / "open.ipynb").write_text(
        json.dumps(
            {
                "cells": [cell],
                "metadata": {"kernelspec": kernel},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        ),
        encoding="utf-8",
    )
    port_file = folder / "runtime"
    environment = {
        **os.environ,
        "JUPYTER_RUNTIME_DIR": str(port_file),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    log = open(folder / "log", "w", encoding="utf-8")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            "--port=0",
            "--IdentityProvider.token=",
            "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.extension_manager=readonly",
            f"--ServerApp.root_dir={folder}",
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=log,
    )
    try:
        for _ in range(300):
            files = list(port_file.glob("jpserver-*.json"))
            if files and "url" in (text := files[0].read_text(encoding="utf-8")):
                address = json.loads(text)["url"]
                try:
                    urllib.request.urlopen(address + "api/status", timeout=2).read()
                    break
                except OSError:
                    pass
            assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
            time.sleep(0.2)
        else:
            pytest.fail((folder / "log").read_text(encoding="utf-8"))
        yield address
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_refit_and_relax_for_real(lab, browser):
    context = browser.new_context(viewport={"width": 1300, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(90_000)
    page.goto(lab + "lab/tree/open.ipynb")
    page.get_by_text("explorer_data", exact=False).first.wait_for()
    page.get_by_text("| Idle").first.wait_for()  # the kernel is up
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    explorer = page.locator("[data-testid=explorer][data-state=ready][data-kernel=live]")
    explorer.wait_for()
    address = page.url
    # nglview's, opened through JupyterLab's widget manager
    viewer = page.locator("[data-testid=viewer][data-state=ready]")
    viewer.wait_for()
    bfactors = """() => {
        const { structure } = document.querySelector("[data-testid=viewer]").stage.compList[0];
        const found = [];
        structure.eachAtom((atom) => atom.resname === "ATM" && found.push(atom.bfactor));
        return found;
    }"""
    before = page.evaluate(bfactors)
    assert viewer.get_attribute("aria-label").startswith(f"The {len(before)} atoms")
    assert len(set(before)) > 2, "each shell of neighbours has a colour of its own"

    def measured():
        return page.get_by_test_id("measured-geometry-error").get_attribute("data-value")

    predicted = float(page.get_by_test_id("predicted-geometry-error").get_attribute("data-value"))
    assert measured() == ""
    button = page.get_by_role("button", name="Refit and relax for real")
    button.click()
    page.wait_for_function(
        "document.querySelector('[data-testid=measured-geometry-error]').dataset.value !== ''"
    )
    assert float(measured()) == pytest.approx(predicted, rel=0.1)
    # Off the first setting the mark is gone; another relaxation, the code now warm, brings a new
    # one.
    page.get_by_label("Virials", exact=True).check()
    page.wait_for_function(
        "document.querySelector('[data-testid=measured-geometry-error]').dataset.value === ''"
    )
    assert page.evaluate(bfactors) != before
    begin = time.perf_counter()
    button.click()
    page.wait_for_function(
        "document.querySelector('[data-testid=measured-geometry-error]').dataset.value !== ''"
    )
    print(f"refit and relaxation of 431 atoms: {time.perf_counter() - begin:.2f} s")
    page.get_by_label("Noise", exact=True).press("ArrowRight")
    button.click()
    page.locator(".mx-live").get_by_text("force evaluations").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.locator(".mx-live").get_by_text("Cancelled.").wait_for()
    assert measured() == ""
    assert page.url == address  # JupyterLab's address is its own
    context.close()
