"""The explorers of the built chapters without scripts and on paper."""

import re
from pathlib import Path

import pytest


def chapters_with_an_explorer():
    """Paths of the built pages whose notebook makes an explorer."""
    book = Path(__file__).parents[1] / "book"
    return [
        f"book/{n.stem}.html"
        for n in sorted(book.glob("*.ipynb"))
        if re.search(r"\bExplorer\(", n.read_text(encoding="utf-8"))
    ]


def test_six_chapters_have_an_explorer():
    assert [p[5:7] for p in chapters_with_an_explorer()] == ["01", "08", "09", "10", "11", "14"]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("path", chapters_with_an_explorer())
def test_without_javascript_there_is_a_still_figure(open_page, path, width):
    """One figure with a caption in the place of each explorer, nothing of it beyond its box or the
    page.
    """
    page = open_page(path, wait=False, width=width, java_script_enabled=False)
    source = Path(__file__).parents[1] / path.replace(".html", ".ipynb")
    figures = page.locator("figure.mx-still").all()
    assert len(figures) == source.read_text(encoding="utf-8").count(".fallback_figure(") >= 1
    for figure in figures:
        assert figure.is_visible()
        box, caption = figure.bounding_box(), figure.locator("figcaption")
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        assert len(caption.inner_text()) > 100 and caption.is_visible()
        panels = [svg.bounding_box() for svg in figure.locator("svg").all()]
        assert len(panels) == 2
        for panel in panels:
            assert panel["width"] > 220, "too small to read"
            right = panel["x"] + panel["width"]
            assert panel["x"] >= box["x"] and right <= box["x"] + box["width"] + 0.5
            assert panel["y"] + panel["height"] <= caption.bounding_box()["y"] + 0.5
        if width > 1000:
            assert panels[0]["y"] == panels[1]["y"], "side by side where there is room"
    page.wait_for_load_state("networkidle")
    # the browser gives up the scripts that it had begun to fetch
    page.errors = [e for e in page.errors if ".js" not in e]


@pytest.mark.parametrize("path", chapters_with_an_explorer())
def test_explorer_on_paper(open_page, path):
    """In print: the figure as it stands, on one page, with its setting as the caption; no controls,
    nothing twice, nothing cut off.
    """
    page = open_page(path, width=720, scheme="dark")
    explorer = page.locator("[data-testid=explorer][data-state=ready]")
    explorer.wait_for()
    page.emulate_media(media="print")
    page.wait_for_selector(".mx-print", state="visible")
    assert (
        explorer.locator(".mx-print").is_visible()
        and "Training cell" in explorer.locator(".mx-print").inner_text()
    )
    assert page.locator("figure.mx-still").count() == 0
    assert explorer.locator("input:visible, button:visible").count() == 0
    box = explorer.bounding_box()
    assert box["height"] < 1000, "higher than a page of A4"
    for part in explorer.locator(".mx-plot svg, .mx-table, .mx-space:visible, .mx-print").all():
        inner = part.bounding_box()
        assert (
            inner["x"] >= box["x"] - 1
            and inner["x"] + inner["width"] <= box["x"] + box["width"] + 1
        )
    assert explorer.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(255, 255, 255)"
