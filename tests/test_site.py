"""The built book in a real browser: nothing leaves the site, nothing breaks, everything is
readable.
"""

import functools
import re
import zlib
from pathlib import Path
from urllib.parse import unquote

import pytest
from conftest import built_pages, opener
from javascript import script
from test_access import TOLERATED, violations

# without a book the one page fails with the hint to build it
PAGES = built_pages() or ["book/index.html"]
# by Sphinx, not ours to write
GENERATED = {"genindex.html", "search.html", "py-modindex.html", "prf-prf.html", "proof-proof.html"}

CONTRAST = script("colour", "page_contrast")
ACCESS = script("article_access")
CONTRAST_BY_AXE = {
    "book/index.html", "book/self_check_1.html", "book/cite.html", "search.html", "genindex.html",
}  # fmt: skip


# Formulas and visible code: [what, how far beyond their box, text], and how they are cut in height.
# A formula counts by what is drawn of it, part by part, against the line that it stands in.
OVERFLOW = """() => {
  const seen = [...document.querySelectorAll('article mjx-container, article .cell_input pre')]
    .filter((e) => e.checkVisibility());
  return seen.flatMap((e) => {
    const formula = e.matches('mjx-container'), display = e.getAttribute('display') === 'true';
    const line = e.closest('p, li, dd, dt, div').getBoundingClientRect().right;
    const parts = [...e.querySelectorAll('.formula-part')];
    const drawn = (parts.length ? parts : [e.querySelector('mjx-math')])
      .map((part) => part?.getBoundingClientRect().right - line);
    const wide = formula ? (e.closest('table') ? 0 : Math.max(...drawn))
      : e.scrollWidth - e.clientWidth;
    const cut = formula && display ? e.scrollHeight - e.clientHeight : 0;
    const scrolls = !formula && e.tabIndex === 0 && getComputedStyle(e).overflowX === 'auto'
      && e.hasAttribute('data-more');
    const size = formula ? parseFloat(getComputedStyle(e).fontSize) : 0;
    return [{ formula, wide, cut, scrolls, size, text: e.textContent.slice(0, 60) }];
  });
}"""


def figures(page):
    """Of the static figures: (font size in pixels on the screen, text) of every label, and how
    light their ink is.
    """
    return page.evaluate(r"""() => {
      const seen = [...document.querySelectorAll('.mlip-figure svg text')]
        .filter((t) => t.checkVisibility() && t.textContent.trim());
      const labels = seen.map((t) => {
        const svg = t.ownerSVGElement, styled = t.querySelector('tspan') ?? t;
        const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
        return [parseFloat(getComputedStyle(styled).fontSize) * scale, t.textContent]; });
      const light = (t) => Math.max(...getComputedStyle(t).fill.match(/\d+/g).map(Number)) / 255;
      return [labels, seen.slice(0, 1).map(light)]; }""")


# How every page is seen; each is loaded once for all checks of what it looks like.
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740, "scheme": "dark", "has_touch": True}
LOOKS = {"wide": WIDE, "phone": PHONE, "disk": {"disk": True}}


@pytest.fixture(
    scope="module",
    params=[(path, look) for path in PAGES for look in LOOKS],
    ids=lambda p: f"{p[0]}-{p[1]}",
)
def seen(request, browser, html, site):
    """A page as it is seen, with `path`, `look` and `ours`: not made by Sphinx.  Its errors and
    requests to others fail at the end of its last test.
    """
    path, look = request.param
    with opener(browser, html, lambda: site) as open_one:
        page = open_one(path, **LOOKS[look])
        page.path, page.look, page.ours = path, look, path not in GENERATED
        yield page


def test_article_is_whole(seen):
    """One visible heading, formulas typeset without errors, tracebacks nowhere, widgets shown."""
    if not seen.ours:
        return
    assert seen.locator("article h1").count() == 1
    assert seen.locator("article h1").is_visible()
    formulas = seen.locator("article .math")
    assert seen.locator("article mjx-container").count() >= formulas.count(), (
        "formulas left untypeset"
    )
    assert seen.locator("mjx-merror, [data-mjx-error], mjx-mtext[style*=red]").count() == 0, (
        "a formula with an error"
    )
    assert "Traceback (most recent call last)" not in seen.locator("article").inner_text()
    assert seen.locator("article p", has_text=re.compile(r"^\s*\| .* \|")).count() == 0, (
        "a table shown as text"
    )
    assert seen.locator(".mlip-broken").count() == 0, "a widget is not shown"
    hyphen = re.compile(r"(?<!\w)-\d")
    assert seen.locator(".pasted-text", has_text=hyphen).count() == 0, "a hyphen for a minus sign"
    if seen.locator("[data-testid=explorer]").count():
        seen.wait_for_selector("[data-testid=explorer][data-state=ready]")


def test_page_fits_and_can_be_read(seen):
    """Nothing wider than the page, contrast, names, labels of figures, in the scheme's colours."""
    if seen.look == "disk":
        return
    assert seen.evaluate("document.documentElement.dataset.theme") == LOOKS[seen.look].get(
        "scheme", "light"
    )
    wide = seen.evaluate("document.documentElement.scrollWidth")
    assert wide <= LOOKS[seen.look]["width"], f"the page is {wide} px wide"
    if not seen.ours:
        return
    assert seen.evaluate(ACCESS) == []
    assert seen.evaluate(CONTRAST) == []
    labels, ink = figures(seen)
    assert [label for label in labels if label[0] < 9] == []
    assert (min(ink, default=1) > 0.6) if seen.look == "phone" else (max(ink, default=0) < 0.2)


def test_formulas_and_code_fit_the_page(seen):
    """Nothing is wider than its place; on a phone code may be, which says so and scrolls."""
    if not seen.ours or seen.look == "disk":
        return
    for e in seen.evaluate(OVERFLOW):
        assert e["cut"] <= 2, e
        assert e["wide"] <= 1 or (e["scrolls"] and seen.look == "phone"), e
        assert seen.look == "wide" or not e["formula"] or e["size"] >= 10, e


def test_axe_finds_nothing(seen):
    if seen.look == "disk":
        return
    # its rule of contrast takes longer than all others; on most pages CONTRAST stands for it
    found = violations(seen, contrast=seen.path in CONTRAST_BY_AXE)
    assert [v for v in found if v[0] in ("serious", "critical") or v[1] not in TOLERATED] == []


def test_sections_are_listed(seen):
    """The page's own contents: beside the text with the current section marked, or, on a phone,
    folded below the title.
    """
    if not seen.ours or seen.look == "disk":
        return
    sections = seen.evaluate("""() => [...document.querySelectorAll(
        "article > section > section > :is(h2, h3)")].map((h) => "#" + h.parentElement.id)""")
    where = ".bd-toc-nav" if seen.look == "wide" else ".page-map"
    listed = seen.evaluate(
        "(w) => [...document.querySelectorAll(`${w} a`)].map((a) => a.getAttribute('href'))", where
    )
    if not listed and (len(sections) < 4 or seen.locator(".front").count()):
        return  # the front page is its own contents
    assert set(sections) <= set(listed)
    if seen.look == "phone":
        box = seen.locator(".page-map").bounding_box()
        assert box["y"] < 740, "near the top"
        seen.locator(".page-map summary").click()
        assert seen.locator(".page-map a").first.is_visible()
        return
    assert not seen.locator(".page-map").is_visible()
    # the longest section, in the middle of it
    if seen.evaluate(LONGEST):
        seen.wait_for_function("""() => {
            const current = document.querySelector(".bd-toc-nav [aria-current]")?.hash.slice(1);
            return current && longest.contains(document.getElementById(current)); }""")


LONGEST = """() => {
    const high = (section) => section.getBoundingClientRect().height;
    const sections = [...document.querySelectorAll("article > section > section")];
    window.longest = sections.sort((a, b) => high(b) - high(a))[0];
    if (!longest || high(longest) < 1.5 * innerHeight) return false;
    longest.scrollIntoView({ block: "center", behavior: "instant" });
    return true; }"""


# Megabytes of a page with all that it asks for: as it stands on the disk, and compressed.
BUDGETS = {
    "nglview": (11, 3.2),  # Jupyter's scripts and NGL
    "explorer": (6, 2.8),
    "figure": (3.5, 1.1),
    "text": (2.9, 0.9),
}


@functools.cache
def weight(file):
    data = file.read_bytes()
    return len(data) / 1e6, len(zlib.compress(data, 6)) / 1e6


def test_page_is_not_too_heavy(seen, html):
    """Of each kind of page; everything counted that was asked for until nothing moved."""
    if seen.look != "wide":
        return
    root = seen.url[: -len(seen.path)]
    files = {unquote(a.removeprefix(root)).partition("?")[0] for a in seen.asked}
    weights = {f: weight(html / f) for f in files if (html / f).is_file()}
    kind = (
        "nglview" if seen.locator(".mlip-view").count()
        else "explorer" if seen.get_by_test_id("explorer").count()
        else "figure" if seen.locator(".mlip-widget").count()
        else "text"
    )  # fmt: skip
    for i, how in enumerate(("on disk", "compressed")):
        total = sum(w[i] for w in weights.values())
        heaviest = sorted(weights, key=lambda f: -weights[f][i])[:4]
        assert total <= BUDGETS[kind][i], (
            f"{seen.path} weighs {total:.2f} MB {how}, a page with {kind} may weigh "
            f"{BUDGETS[kind][i]}; the heaviest: "
            + ", ".join(f"{f} {weights[f][i]:.2f}" for f in heaviest)
        )
    if kind != "nglview":
        assert not [f for f in files if "embed-amd" in f or "nglview" in f]


def test_links_inside_the_book_lead_somewhere(seen, html):
    if seen.look != "wide":
        return
    targets = seen.evaluate("() => [...document.querySelectorAll('a[href]')].map(a => a.href)")
    root = seen.url[: -len(seen.path)]
    for target in {t for t in targets if t.startswith(root)}:
        file, _, anchor = target[len(root) :].partition("#")
        file = html / (file.partition("?")[0] or "index.html")
        assert file.is_file(), f"{seen.path} links to {target}, which does not exist"
        setting = re.match(r"[a-z]+_L\d+_E", anchor)  # of the explorer, not a place in the page
        if anchor and file.suffix == ".html" and not setting:
            assert f'id="{anchor}"' in read(file), f"{seen.path} links to {target}: no such anchor"


# Of each wide table of a page: whether its rows are cards, whether it is laid out as a table, the
# heads of its columns, what each cell says of its column (if that is seen), how far it scrolls.
TABLES = """() => [...document.querySelectorAll('.pst-scrollable-table-container > table')]
  .filter((t) => t.checkVisibility() && t.tHead?.rows[0].cells.length > 4)
  .map((t) => ({
    cards: 'cards' in t.dataset,
    laid: getComputedStyle(t).display === 'table' && t.tHead.checkVisibility(),
    heads: [...t.tHead.rows[0].cells].map((c) => c.textContent.trim()),
    names: [...t.tBodies[0].rows].map((row) => [...row.cells].map((c) => {
      const name = c.querySelector('.column');
      return name?.checkVisibility() ? name.textContent.trim() : '';
    })),
    beyond: t.parentElement.scrollWidth - t.parentElement.clientWidth,
  }))"""


# Words of the columns' names that go on in a second line.
BROKEN = r"""() => [...document.querySelectorAll('table[data-cards] .column')].flatMap((name) => {
  const walk = document.createTreeWalker(name, NodeFilter.SHOW_TEXT), words = [];
  while (walk.nextNode())
    for (const word of walk.currentNode.data.matchAll(/[\p{L}\p{N}]+/gu)) {
      const range = new Range();
      range.setStart(walk.currentNode, word.index);
      range.setEnd(walk.currentNode, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1)
        words.push(word[0]);
    }
  return words;
})"""


@pytest.mark.parametrize(
    "chapter",
    ["11_the_explorer", "13_without_the_answer", "14_designing_data_and_loss",
     "16_assess_your_own_potential"],
)  # fmt: skip
def test_names_of_columns_on_cards_break_between_words(open_page, chapter):
    page = open_page(f"book/{chapter}.html", width=360)
    page.wait_for_selector("table[data-cards]")
    assert page.evaluate(BROKEN) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_table_too_wide_for_a_phone_becomes_cards_that_name_their_columns(open_page):
    page = open_page("book/12_predicting_the_error.html", width=360)
    page.wait_for_selector("table[data-cards]")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.pst-scrollable-table-container')]"
        ".every((box) => box.scrollWidth <= box.clientWidth + 1)"
    )
    tables = page.evaluate(TABLES)
    for table in tables:
        assert table["beyond"] <= 1, table
        for row in table["names"]:
            assert row == (table["heads"] if table["cards"] else [""] * len(row))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1280, "height": 800})
    page.wait_for_function("() => !document.querySelector('table[data-cards]')")
    wide = page.evaluate(TABLES)
    assert len(wide) == len(tables) and all(t["laid"] and t["beyond"] <= 1 for t in wide)
    assert not any(name for t in wide for row in t["names"] for name in row)


read = functools.cache(Path.read_text)


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
    asked = "() => { new Image().src = 'https://192.0.2.1/pixel.png'; }"
    with page.expect_event("request", lambda r: r.url.endswith("pixel.png")):
        page.evaluate(asked)
    with page.expect_event("pageerror"):
        page.evaluate("() => { setTimeout(() => { throw new Error('on purpose'); }); }")
    with page.expect_event("console", lambda m: "also" in m.text):
        page.evaluate("() => console.error('also on purpose')")
    found, page.external, errors, page.errors = page.external, [], page.errors, []
    page.context.close()
    page.errors.clear()  # closing cuts the pending request off
    assert found == ["https://192.0.2.1/pixel.png"]
    assert [
        text in "\n".join(errors)
        for text in ("page error: on purpose", "console error: also on purpose")
    ] == [True, True]
