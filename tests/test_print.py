"""Pages on paper: the text alone, light, nothing folded, still figures in place of the widgets."""

import re

import pytest

PAGES = ["book/04_equilibrium.html", "book/self_check_1.html", "book/course/lecture.html"]
GONE = (
    ".bd-header-article, .bd-sidebar-primary, .bd-sidebar-secondary, .prev-next-footer, .headerlink"
)
FOLDED = """() => document.querySelectorAll(
  "article details:not(.hide):not([open]), article .toggle-hidden.admonition").length"""


def to_paper(page):
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_only_the_text_is_printed_and_in_black_on_white(open_page, path, scheme):
    page = open_page(path, scheme=scheme, width=720)
    to_paper(page)
    assert [e for e in page.locator(GONE).all() if e.is_visible()] == []
    colours = page.evaluate("""() => [document.body, document.querySelector("article p")].map(
        (e) => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color])""")
    assert colours[0] == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"] and colours[1][1] == "rgb(0, 0, 0)"
    article = page.locator("article").bounding_box()
    assert article["x"] < 40 and article["width"] > 600, "the text has the page's width"
    assert page.evaluate("document.documentElement.scrollWidth") <= 720


@pytest.mark.parametrize("path", PAGES[:2])
def test_nothing_is_folded_on_paper_and_all_is_folded_again(open_page, path):
    page = open_page(path)
    before = page.evaluate(FOLDED)
    assert before > 2
    to_paper(page)
    assert page.evaluate(FOLDED) == 0
    if "self_check" in path:
        assert "is right." in page.locator(".quiz-answers").first.inner_text()
        assert not page.get_by_role("button", name="Check").first.is_visible()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(FOLDED) == before


def test_a_printed_chapter_is_a_whole_document(open_page, tmp_path):
    """Chromium's own printing: pages of paper, with the solutions' text on them."""
    page = open_page("book/self_check_3.html")
    data = page.pdf(format="A4")
    assert data.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", data)) in (2, 3, 4)


@pytest.mark.parametrize(
    "path", [f"book/{n}.html" for n in ("13_without_the_answer", "14_designing_data_and_loss")]
)
def test_widgets_are_still_figures_on_paper(open_page, path):
    """All that was folded is drawn; no bar of folded code, nothing wider than the paper."""
    page = open_page(path, width=720)
    page.wait_for_function("""() => [...document.querySelectorAll("[data-testid=explorer]")]
        .every((e) => e.dataset.state === "ready")""")
    to_paper(page)
    page.wait_for_function("""() => [...document.querySelectorAll("figure .mx-plot > svg")].every(
        (svg) => svg.querySelector("path, circle, .mx-message"))""")
    folded = page.locator("details.hide:not([open])")
    assert folded.count() > 0 and not any(e.is_visible() for e in folded.all())
    assert page.evaluate("document.documentElement.scrollWidth") <= 720
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) < 45


def test_links_to_other_sites_show_their_address(open_page):
    page = open_page("book/course/assignments.html")
    to_paper(page)
    content = page.evaluate("""() => getComputedStyle(
        document.querySelector('article a[href^="http"]'), "::after").content""")
    assert "href" in content or "http" in content
