"""The built book in a real browser: nothing leaves the site, nothing breaks, everything is
readable.
"""

import re
from pathlib import Path

import pytest
from conftest import built_pages
from javascript import script

# without a book the one page fails with the hint to build it
PAGES = built_pages() or ["book/index.html"]
# by Sphinx, not ours to write
GENERATED = {"genindex.html", "search.html", "py-modindex.html", "prf-prf.html", "proof-proof.html"}

CONTRAST = script("colour", "article_contrast")
ACCESS = script("article_access")


def article_is_whole(page, path):
    """One visible heading, formulas typeset without errors, tracebacks nowhere."""
    if path in GENERATED:
        return
    assert page.locator("article h1").count() == 1
    assert page.locator("article h1").is_visible()
    formulas = page.locator("article .math")
    assert page.locator("article mjx-container").count() >= formulas.count(), (
        "formulas left untypeset"
    )
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0, "a formula with an error"
    assert "Traceback (most recent call last)" not in page.locator("article").inner_text()
    assert page.locator("article p", has_text=re.compile(r"^\s*\| .* \|")).count() == 0, (
        "a table shown as text"
    )
    assert page.get_by_text("Failed to load model").count() == 0, "a widget did not load"


@pytest.mark.parametrize("path", PAGES)
def test_page_over_http(open_page, path):
    page = open_page(path)
    article_is_whole(page, path)
    if path not in GENERATED:
        assert page.evaluate(ACCESS) == []
        assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("path", PAGES)
def test_page_from_disk(open_page, path):
    article_is_whole(open_page(path, disk=True), path)


@pytest.mark.parametrize("path", PAGES)
def test_page_in_the_dark_on_a_phone(open_page, path):
    page = open_page(path, scheme="dark", width=360, height=740, has_touch=True)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360, f"the page is {wide} px wide on a phone of 360"
    article_is_whole(page, path)
    if path not in GENERATED:
        assert page.evaluate(CONTRAST) == []


# Formulas and visible code: [what, how far beyond their box, text], and how they are cut in height.
OVERFLOW = """() => {
  const seen = [...document.querySelectorAll('article mjx-container, article .cell_input pre')]
    .filter((e) => e.checkVisibility());
  const right = document.querySelector('article').getBoundingClientRect().right + 1;
  return seen.flatMap((e) => {
    const formula = e.matches('mjx-container'), display = e.getAttribute('display') === 'true';
    const beyond = e.getBoundingClientRect().right - right;
    const wide = formula && !display ? (e.closest('table, [data-scrolls]') ? 0 : beyond)
      : e.scrollWidth - e.clientWidth;
    const cut = formula && display ? e.scrollHeight - e.clientHeight : 0;
    const scrolls = e.tabIndex === 0 && getComputedStyle(e).overflowX === 'auto'
      && e.hasAttribute('data-more');
    const size = formula ? parseFloat(getComputedStyle(e).fontSize) : 0;
    return [{ formula, wide, cut, scrolls, size, text: e.textContent.slice(0, 60) }];
  });
}"""


@pytest.mark.parametrize("path", PAGES)
def test_formulas_and_code_fit_the_page(open_page, path):
    """On a screen nothing is wider than its place; on a phone what is wider says so and scrolls."""
    if path in GENERATED:
        return
    for e in open_page(path).evaluate(OVERFLOW):
        assert e["wide"] <= 1 and e["cut"] <= 2, e
    for e in open_page(path, width=360, height=740).evaluate(OVERFLOW):
        assert e["cut"] <= 2, e
        assert e["wide"] <= 1 or e["scrolls"], e
        assert not e["formula"] or e["size"] >= 10, e


def figures(page):
    """(font size in pixels on the screen, text) of every label of the static figures."""
    return page.evaluate("""() => [...document.querySelectorAll('.mlip-figure svg text')]
      .filter((t) => t.checkVisibility() && t.textContent.trim()).map((t) => {
        const svg = t.ownerSVGElement, styled = t.querySelector('tspan') ?? t;
        const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
        return [parseFloat(getComputedStyle(styled).fontSize) * scale, t.textContent]; })""")


@pytest.mark.parametrize("path", PAGES)
def test_figures_can_be_read_and_follow_the_theme(open_page, path):
    phone = open_page(path, width=360, height=740, scheme="dark")
    if not phone.locator(".mlip-figure").count():
        return
    small = [label for label in figures(phone) if label[0] < 9]
    assert not small, small
    ink = "getComputedStyle(document.querySelector('.mlip-figure svg text')).fill"
    wide = open_page(path)
    assert [label for label in figures(wide) if label[0] < 9] == []
    assert phone.evaluate(ink) != wide.evaluate(ink), "dark ink on a dark page"


@pytest.mark.parametrize("path", ["book/01_the_puzzle.html", "book/02_crystals_and_defects.html"])
def test_nglview_leaves_the_wheel_to_the_page_and_takes_the_keys(open_page, path):
    page = open_page(path)
    view = page.locator(".mlip-view")
    view.wait_for()
    assert len(view.get_attribute("aria-label")) > 80 and view.get_attribute("tabindex") == "0"
    view.scroll_into_view_if_needed()
    box, before = view.bounding_box(), page.evaluate("scrollY")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, 100)
    page.wait_for_function("y => scrollY === y + 100", arg=before)
    page.mouse.move(0, 0)
    view.focus()
    page.keyboard.press("Shift")  # from now on with the ring of the keyboard's focus
    for keys in (["ArrowRight"] * 4, ["+"] * 6):
        picture = view.screenshot()
        for key in keys:
            page.keyboard.press(key)
        for _ in range(120):  # software WebGL draws when it has time
            if view.screenshot() != picture:
                break
            page.wait_for_timeout(250)
        assert view.screenshot() != picture, keys
        assert view.evaluate("e => e === document.activeElement")


@pytest.mark.parametrize("disk", [False, True])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_reference_shows_what_it_refers_to(open_page, disk, scheme):
    """By mouse and by keyboard, from another page, formulas typeset, in the page's theme."""
    page = open_page("book/07_the_theorem.html", disk=disk, scheme=scheme)
    link, preview = page.locator('article a[href$="#def-energy-norm"]'), page.locator(".tippy-box")
    link.first.hover()
    preview.wait_for()
    assert "Each pair is counted from both ends" in preview.inner_text()
    page.wait_for_selector(".tippy-box mjx-container")
    ground = "e => getComputedStyle(e).backgroundColor"
    assert preview.evaluate(ground) == page.locator("body").evaluate(ground)
    page.mouse.move(0, 0)
    preview.wait_for(state="detached")
    page.locator("article a.internal[href*='bibliography']").first.focus()
    preview.wait_for()
    assert "Ortner" in preview.inner_text()


@pytest.mark.parametrize("path", PAGES)
def test_links_inside_the_book_lead_somewhere(open_page, html, path):
    page = open_page(path)
    targets = page.evaluate("() => [...document.querySelectorAll('a[href]')].map(a => a.href)")
    root = page.url[: -len(path)]
    for target in {t for t in targets if t.startswith(root)}:
        file, _, anchor = target[len(root) :].partition("#")
        file = html / (file.partition("?")[0] or "index.html")
        assert file.is_file(), f"{path} links to {target}, which does not exist"
        setting = re.match(r"[a-z]+_L\d+_E", anchor)  # of the explorer, not a place in the page
        if anchor and file.suffix == ".html" and not setting:
            assert f'id="{anchor}"' in file.read_text(), f"{path} links to {target}: no such anchor"


def chapters_with_an_explorer():
    """Paths of the built pages whose notebook makes an explorer."""
    book = Path(__file__).parents[1] / "book"
    return [
        f"book/{n.stem}.html"
        for n in sorted(book.glob("*.ipynb"))
        if re.search(r"\bExplorer\(", n.read_text())
    ]


def test_five_chapters_have_an_explorer():
    assert [p[5:7] for p in chapters_with_an_explorer()] == ["01", "08", "09", "10", "11"]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("path", chapters_with_an_explorer())
def test_without_javascript_there_is_a_still_figure(open_page, path, width):
    """One figure with a caption in the place of the explorer, nothing of it beyond its box or the
    page.
    """
    page = open_page(path, wait=False, width=width, java_script_enabled=False)
    figure = page.locator("figure.mx-still")
    assert figure.count() == 1 and figure.is_visible()
    box, caption = figure.bounding_box(), figure.locator("figcaption")
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert len(caption.inner_text()) > 100 and caption.is_visible()
    panels = [
        figure.locator("svg").nth(i).bounding_box() for i in range(figure.locator("svg").count())
    ]
    assert len(panels) == 2
    for panel in panels:
        assert panel["width"] > 220, "too small to read"
        assert (
            panel["x"] >= box["x"] and panel["x"] + panel["width"] <= box["x"] + box["width"] + 0.5
        )
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
    page.wait_for_timeout(300)
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


@pytest.mark.parametrize("disk", [False, True])
def test_front_page_leads_into_the_book(open_page, disk):
    page = open_page("index.html", disk=disk, wait=False)
    page.wait_for_url("**/book/index.html")
    assert page.locator("article h1").inner_text().startswith("How far can you trust")


def test_launch_buttons_are_links_to_the_configured_repository(open_page):
    chapters = [p for p in PAGES if p.startswith("book/0")]
    assert chapters, "no chapter is in the built book"
    page = open_page(chapters[0])
    for host in ("mybinder.org", "colab.research.google.com"):
        assert page.locator(f'a[href^="https://{host}"][href*="mlipgen"]').count() >= 1


def test_what_the_fixture_watches_for_is_noticed(open_page):
    page = open_page()
    page.evaluate(
        "() => { new Image().src = 'https://192.0.2.1/pixel.png'; setTimeout(() => { throw new "
        "Error('on purpose') }); }"
    )
    page.evaluate("() => console.error('also on purpose')")
    page.wait_for_timeout(300)
    found, page.external, errors, page.errors = page.external, [], page.errors, []
    page.context.close()
    page.errors.clear()  # closing cuts the pending request off
    assert found == ["https://192.0.2.1/pixel.png"]
    assert [
        text in "\n".join(errors)
        for text in ("page error: on purpose", "console error: also on purpose")
    ] == [True, True]
