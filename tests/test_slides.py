"""The lecture's slides and the figure pack: whole, described, nothing asked of others."""

import re
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest
from test_access import violations

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_tools"))
import figure_pack  # noqa: E402
import outputs  # noqa: E402
import slides  # noqa: E402

DECK, PACK = "_static/slides/lecture.html", "_static/figures/figures.html"
TALL = """() => [...document.querySelectorAll(".slides section")].flatMap((s) => {
  const shown = s.style.display;
  s.style.display = "block";
  const high = s.scrollHeight, wide = s.scrollWidth;
  s.style.display = shown;
  return high > 760 || wide > 1280 ? [[s.querySelector("h2").textContent, high, wide]] : [];
})"""


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    figure_pack.main(folder)
    return folder


def test_the_deck_is_made_of_the_chapters_outputs(tmp_path):
    slides.main(tmp_path)
    deck = (tmp_path / "lecture.html").read_text(encoding="utf-8")
    sections = re.findall(r"<section>(.*?)</section>", deck, re.S)
    assert 15 <= len(sections) <= 30
    assert all('<aside class="notes">' in s and "<h2>" in s for s in sections)
    assert sum("mlip-figure" in s for s in sections) >= 6
    ratio = outputs.written("01", "E_percent", ".0f")
    assert f"wrong by {ratio} %" in deck
    assert not re.search(r"\{\d\d:|\{glue", deck)
    with pytest.raises(ValueError):
        slides.slide({"title": "x", "notes": "", "figure": ["01", "No such figure"]})


@pytest.mark.parametrize("disk", [False, True])
def test_every_slide_fits_and_nothing_is_missing(open_page, disk):
    page = open_page(DECK, disk=disk, height=760)
    page.wait_for_selector("body[data-state=fitted]")
    assert page.evaluate(TALL) == []
    assert page.locator("mjx-merror, [data-mjx-error], mjx-mtext[style*=red]").count() == 0
    assert page.locator("section mjx-container").count() >= 8
    first = page.evaluate("Reveal.getCurrentSlide().querySelector('h2').textContent")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.getCurrentSlide().querySelector('h2').textContent") != first


def test_the_answer_comes_with_the_next_step(open_page):
    page = open_page(DECK)
    page.wait_for_function("() => window.Reveal && Reveal.isReady()")
    page.evaluate("""() => Reveal.slide([...document.querySelectorAll(".slides section")]
        .findIndex((s) => s.querySelector("ol[type=A]")))""")
    slide = page.locator("section.present")
    assert all(option.is_visible() for option in slide.locator("li").all())
    reason = slide.locator("p.fragment")
    assert reason.evaluate("e => getComputedStyle(e).opacity") == "0"
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("e => getComputedStyle(e).opacity === '1'", arg=reason.element_handle())


@pytest.mark.parametrize("path", [DECK, PACK])
def test_axe_finds_nothing(open_page, path):
    page = open_page(path)
    if path == DECK:
        page.wait_for_selector("body[data-state=fitted]")
    found = [v for v in violations(page) if v[0] in ("serious", "critical")]
    assert found == []


def test_every_figure_is_in_the_pack_with_description_and_licence(pack):
    expected = sum(len(outputs.figures(path.stem)) for path in outputs.chapters())
    files = sorted(pack.glob("*.svg"))
    assert len(files) == expected >= 20
    space = "{http://www.w3.org/2000/svg}"
    for file in files:
        text = file.read_text(encoding="utf-8")
        svg = ET.fromstring(text)
        assert len(svg.find(f"{space}desc").text) >= 40 and svg.find(f"{space}title").text
        assert "CC BY 4.0" in svg.find(f"{space}metadata").text
        assert "var(" not in text and "currentColor" not in text, file.name
    with zipfile.ZipFile(pack / "figures.zip") as archive:
        assert sorted(archive.namelist()) == [f.name for f in files]
    page = (pack / "figures.html").read_text(encoding="utf-8")
    assert len(re.findall(r'<img [^>]*alt="[^"]{40,}"', page)) == expected


def test_the_pack_is_shown(open_page):
    page = open_page(PACK)
    page.evaluate("document.querySelectorAll('img').forEach((i) => { i.loading = 'eager'; })")
    page.wait_for_function("() => [...document.images].every((i) => i.complete)")
    assert page.evaluate("document.images.length") > 10
    assert page.evaluate("[...document.images].every((i) => i.naturalWidth > 200)")
