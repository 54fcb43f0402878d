"""The pages under their Content-Security-Policy, and with data or programs that are damaged.

That every page lives with the policy, as a meta tag and as a header, is part of every test that
opens one: the test server sends it (conftest.py), and what it refuses is an error of the console.
"""

import re

import harden
import pytest

SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.S)


def test_policy_is_strict():
    assert harden.POLICY["script-src"] == harden.POLICY["default-src"] == "'self'"
    assert harden.POLICY["object-src"] == "'none'" and harden.POLICY["base-uri"] == "'self'"
    assert "unsafe-eval" not in harden.CSP and "http" not in harden.CSP


def test_no_page_has_inline_scripts_or_handlers(html):
    """Of the files themselves: every page, slides and figures too, has the policy before all else,
    and only data in its text.
    """
    for page in sorted(html.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        head = text.split("</title>")[0]
        assert head.count(harden.META) == 1 and "<script" not in head.split(harden.META)[0], page
        for attributes, code in SCRIPT.findall(text):
            data = re.search(r'type="application/[\w.+-]*json"', attributes)
            assert data or (not code.strip() and "src=" in attributes), f"{page}: {code[:80]}"
        markup = SCRIPT.sub("", text)
        assert not re.search(r"<[a-z][^<>]*\s(?:on[a-z]+=|href=\"javascript:)", markup), page


FORBIDDEN = """() => {
  const add = (tag, change) => {
    const e = document.createElement(tag);
    change(e);
    document.body.append(e);
  };
  add("script", (e) => { e.textContent = "window.inline = true"; });
  add("p", (e) => { e.setAttribute("onclick", "window.handler = true"); e.click(); });
  add("script", (e) => { e.src = "https://192.0.2.1/a.js"; });
  add("script", (e) => { e.src = URL.createObjectURL(new Blob(["window.blob = true"])); });
  // not at once: what a test evaluates may compile text
  setTimeout(() => { try { eval("window.evaluated = true"); } catch {} });
}"""
REFUSALS = {
    "script-src-elem inline", "script-src-attr inline", "script-src-elem https", "script-src eval",
    "script-src-elem blob",
}  # fmt: skip


@pytest.mark.parametrize("disk", [False, True], ids=["http", "disk"])
def test_what_the_policy_refuses_is_noticed(open_page, disk):
    page = open_page("book/cite.html", disk=disk, wait=False)
    page.evaluate(FORBIDDEN)
    found = set()
    while found != REFUSALS:
        with page.expect_event("console", timeout=10_000):
            page.evaluate("() => console.log('more?')")
        found = {m[1] for e in page.errors if (m := re.search(r"refused: (\S+ \w+)", e))}
    done = "() => ['inline', 'handler', 'blob', 'evaluated'].filter((w) => w in window)"
    assert page.evaluate(done) == []
    page.errors.clear()
    page.external.clear()


def test_what_needs_workers_and_jupyter_works_under_the_policy(open_page):
    """Chapter 11: the page relaxes in a worker, and nglview opens in the details."""
    page = open_page("book/11_the_explorer.html")
    explorer = page.get_by_test_id("explorer")
    explorer.scroll_into_view_if_needed()
    page.wait_for_selector("[data-testid=explorer][data-relaxation=settled]", timeout=60_000)
    explorer.locator(".mx-details summary").first.click()
    page.wait_for_function(
        """() => [...document.querySelectorAll("[data-testid=explorer] *")]
            .some((e) => e.stage?.compList?.length)""",
        timeout=60_000,
    )


def test_speaker_view_opens_under_the_policy(open_page):
    page = open_page("_static/slides/lecture.html")
    page.wait_for_function("() => window.Reveal && Reveal.isReady()")
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    view = opened.value
    view.wait_for_function(
        "() => document.querySelector('.speaker-controls-notes .value')?.textContent.trim()"
    )


WHERE = {
    "explorer": "book/index.html",
    "study figure": "book/01_the_puzzle.html",
    "lookup": "book/04_equilibrium.html",
    "forecast figure": "book/13_without_the_answer.html",
    "nglview": "book/02_crystals_and_defects.html",
}
BLOCK = re.compile(
    r'(<script type="application/[\w.+-]*json" data-sum="\d+">)(.*?)(</script>)', re.S
)


def altered(text, damage, kind):
    """The page with the data of its first figure of a kind changed."""
    code = kind.replace(" ", "_")
    start = text.index("widget-state+json" if kind == "nglview" else f'data-code="{code}-')
    block = BLOCK.search(text, max(text.rfind("<", 0, start) - 1, 0))
    whole, data = block[0], block[2]
    digit = re.search(r"(?<=\d)\d(?=\d)", data)
    other = data[: digit.start()] + str(9 - int(digit[0])) + data[digit.end() :]
    new = {
        "one digit": whole.replace(data, other),
        "cut short": whole.replace(data, data[: len(data) // 2]),
        "empty": whole.replace(data, ""),
        "missing": "",
    }[damage]
    return text.replace(whole, new)


@pytest.mark.parametrize("damage", ["one digit", "cut short", "empty", "missing"])
@pytest.mark.parametrize("kind", WHERE)
def test_damaged_data_are_said_to_be_damaged(open_page, html, kind, damage):
    """A clear message in the figure's place, the rest of the page as before, nothing thrown."""
    if damage in ("cut short", "empty") and kind not in ("explorer", "nglview"):
        return
    text = (html / WHERE[kind]).read_text(encoding="utf-8")
    body = altered(text, damage, kind)
    assert body != text
    page = open_page(
        WHERE[kind],
        before=lambda page: page.route(
            f"**/{WHERE[kind]}",
            lambda route: route.fulfill(body=body, content_type="text/html; charset=utf-8"),
        ),
    )
    message = page.locator(".mlip-broken").first
    message.wait_for()
    assert "cannot be shown" in message.inner_text()
    said = "damaged" if damage in ("one digit", "cut short") else "missing"
    assert f"data {'in the page ' if said == 'damaged' else ''}are {said}" in message.inner_text()
    assert message.get_attribute("role") == "alert" and message.bounding_box()["height"] > 30


def test_a_program_that_does_not_come_is_said_to_be_missing(open_page):
    page = open_page(
        "book/04_equilibrium.html",
        before=lambda page: page.route("**/_static/widgets/lookup-*.js", lambda r: r.abort()),
    )
    assert "its program could not be loaded" in page.locator(".mlip-broken").inner_text()
    assert all("lookup-" in e or "ERR_FAILED" in e for e in page.errors) and page.errors
    page.errors.clear()
