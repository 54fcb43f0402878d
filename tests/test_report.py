"""The report: one page that asks no server for anything, in light, dark and on a phone, for eyes
and screen readers; tables; limits; numbers.
"""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from assess_examples import assessed
from test_access import violations

from mlipgen.generalisation.assess.defect_sections import Basin, Comparison, Estimate
from mlipgen.generalisation.assess.numbers import energy, length, percent, short, with_bar
from mlipgen.report.compare import _of_defect
from mlipgen.report.page import _basin, report_page, write_page
from mlipgen.report.plot import Axis, Series, bars, plot, span
from mlipgen.report.scene import TILT, TURN, colour
from mlipgen.report.terminal import WIDTH, as_text
from mlipgen.report.thresholds import check, parse_limits

OUTCOMES = "applies", "left the basin", "error bar too wide"
LOOKS = [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)]


def with_defect(**changes):
    """The example with its first defect's main comparison changed."""
    a = assessed()
    section = a.defects[0]
    main = replace(section.main, **changes)
    section = replace(section, comparisons=[main, *section.comparisons[1:]])
    return replace(a, defects=[section, *a.defects[1:]])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    target = tmp_path_factory.mktemp("report") / "report.html"
    write_page(assessed(), target, check(assessed(), parse_limits("20meV,0.001A")))
    return target


@pytest.fixture
def open_report(browser, path):
    """Function opening the report from disk; any request, error or warning fails the test."""
    opened = []

    def open(scheme="light", width=1280, file=path):
        own = browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True
        )
        page = own.new_page()
        page.asked, page.told = [], []
        page.on("request", lambda r: page.asked.append(r.url))
        page.on("console", lambda m: page.told.append(m.text))
        page.on("pageerror", lambda e: page.told.append(str(e)))
        opened.append((own, page))
        page.goto(file.as_uri(), wait_until="load")
        return page

    yield open
    for own, page in opened:
        asked, told = page.asked, page.told
        own.close()
        assert len(asked) == 1 and asked[0].startswith("file:"), asked
        assert told == []


# In the browser


@pytest.mark.parametrize("scheme, width", LOOKS)
def test_the_page_is_accessible_and_fits(open_report, scheme, width):
    page = open_report(scheme, width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for summary in page.locator("summary").all():
        summary.click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_dark_is_dark(open_report):
    def ground(scheme):
        text = open_report(scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", text)[:3]))

    assert ground("light") > 700 and ground("dark") < 100


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_marks_and_letters_of_figures_have_contrast(open_report, scheme):
    """WCAG 1.4.11 and 1.4.3: 3 to 1 for what is drawn, 4.5 to 1 for what is read."""
    found = open_report(scheme).evaluate("""() => {
        const parse = (c) => c.match(/[\\d.]+/g).map(Number);
        const luminance = (c) => { const f = (x) => (x /= 255) <= 0.04045 ? x / 12.92
            : ((x + 0.055) / 1.055) ** 2.4; return 0.2126 * f(c[0]) + 0.7152 * f(c[1])
            + 0.0722 * f(c[2]); };
        const ground = luminance(parse(getComputedStyle(document.body).backgroundColor));
        const ratio = (c) => { const l = luminance(parse(c));
            return (Math.max(l, ground) + 0.05) / (Math.min(l, ground) + 0.05); };
        const of = (selector, property, least) => [...document.querySelectorAll(selector)].map(
            (e) => [ratio(getComputedStyle(e)[property]) / least, selector]);
        return [...of(".plot .line, .plot .errorbar, .frame", "stroke", 3),
            ...of(".plot .mark, rect.bar", "fill", 3), ...of("svg text", "fill", 4.5),
            ...of("svg.scene circle", "stroke", 3)]; }""")
    assert len(found) > 300 and [f for f in found if f[0] < 1] == []


def test_series_differ_in_more_than_colour(open_report):
    looks = open_report().evaluate("""() => [1, 2, 3].map((k) => {
        const line = document.querySelector(`.plot .line.look${k}`);
        const mark = document.querySelector(`.plot .mark.look${k}`);
        return [getComputedStyle(line).strokeDasharray,
                mark.getAttribute("d").replace(/[\\d.-]+/g, "")].join(); })""")
    assert len(set(looks)) == 3


def test_the_defect_turns_by_buttons_keys_and_pointer(open_report):
    page = open_report(width=360)
    figure = page.locator(".turnable").first
    picture = figure.locator("svg.scene")
    places = lambda: picture.evaluate("s => [...s.children].map(c => c.getAttribute('cx')).join()")
    before = places()
    right = figure.get_by_role("button", name="Turn the picture right")
    right.focus()
    page.keyboard.press("Enter")
    turned = places()
    assert turned != before
    figure.get_by_role("button", name="Turn the picture left").click()
    assert places() != turned
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    start = places()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 130, steps=4)
    page.mouse.up()
    assert places() != start
    assert picture.locator("circle").count() == len(assessed().defects[0].scene.positions)


def test_the_script_draws_what_python_drew(open_report):
    """Turned once around, the picture is the static one."""
    page = open_report()
    figure = page.locator(".turnable").first
    read = """s => [...s.querySelectorAll('circle')].map(c => ['cx', 'cy', 'r'].map(
        n => Number(c.getAttribute(n))))"""
    static = figure.locator("svg.scene").evaluate(read)
    figure.get_by_role("button", name="Turn the picture right").click()
    figure.get_by_role("button", name="Turn the picture left").click()
    drawn = figure.locator("svg.scene").evaluate(read)
    assert len(drawn) == len(static)
    for a in drawn:  # the order of what stands at one depth is free
        assert min(max(abs(x - y) for x, y in zip(a, b)) for b in static) < 0.11
    colours = "s => [...s.querySelectorAll('circle')].map(c => getComputedStyle(c).fill)"
    largest = max(assessed().defects[0].scene.error)
    hexes = {colour(e / largest) for e in assessed().defects[0].scene.error}
    wanted = {tuple(int(h[k : k + 2], 16) for k in (1, 3, 5)) for h in hexes}
    found = {
        tuple(map(int, re.findall(r"\d+", c)))
        for c in figure.locator("svg.scene").evaluate(colours)
    }
    assert all(min(max(abs(x - y) for x, y in zip(f, w)) for w in wanted) <= 1 for f in found)


# The page as text


class Outline(HTMLParser):
    """Tags that must be closed in order, ids, and everything that could ask for something."""

    VOID = {"meta", "link", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.problems = [], [], [], []

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        if "id" in known:
            self.ids.append(known["id"])
        self.links += [known[k] for k in ("src", "href", "srcset", "data") if known.get(k)]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(tag)


def outline(text):
    parsed = Outline()
    parsed.feed(text)
    return parsed


def test_the_page_is_whole_and_self_contained():
    text = report_page(assessed())
    parsed = outline(text)
    assert parsed.problems == [] and parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert parsed.links == ["data:,"]
    assert "url(" not in text and "@import" not in text and "http://" not in text
    assert "default-src 'none'" in text
    # every figure has a name, and its numbers as a table
    assert text.count('role="img"') == text.count("<title id=")
    plots = text.count('class="plot"')
    assert plots == text.count("The numbers of this figure") == 2 * 4 + 2


def test_the_page_says_what_the_assessment_says():
    from html import unescape

    a, text = assessed(), unescape(report_page(assessed()))
    for sentence in a.verdict:
        assert sentence in text
    main = a.defects[0].main
    assert length(main.geometry.value, main.geometry.bar) in text
    assert energy(main.energy.value, main.energy.bar) in text
    assert energy(main.truth.energy) in text
    for offer in a.shopping.offers:
        assert offer.structure in text
    for e in a.crystal.elastic:
        assert short(e.candidate) in text and short(e.reference) in text


def test_names_are_text_and_no_markup():
    evil = "<script>alert(1)</script>"
    a = assessed()
    a = replace(a, candidate=replace(a.candidate, name=evil), verdict=[evil])
    section = replace(a.defects[0], name="</script><b>")
    text = report_page(replace(a, defects=[section]))
    assert evil not in text and "<b>" not in text
    assert outline(text).problems == []


def test_a_defect_without_a_forecast_has_a_page():
    a = with_defect(
        outcome="left the basin", why="it is gone", geometry=None, energy=None, steps=[],
        shells=[], budget=None, truth=None, scale=None, formation_energy=None,
    )  # fmt: skip
    section = replace(a.defects[0], basin=None, scene=None)
    a = replace(a, defects=[section], ranking=[], shopping=None)
    text = report_page(a)
    assert "No forecast:" in text and "it is gone" in text
    assert outline(text).problems == []
    assert "left the basin" in as_text(a)


def test_the_script_data_are_those_of_the_scene():
    text = report_page(assessed())
    data = json.loads(re.search(r'id="scene-1">(.*?)</script>', text, re.S)[1])
    scene = assessed().defects[0].scene
    assert data == {
        "positions": scene.positions, "error": scene.error, "turn": TURN, "tilt": TILT,
    }  # fmt: skip


def test_the_text_for_a_terminal():
    text = as_text(assessed())
    assert max(map(len, text.split("\n"))) <= WIDTH + 10
    for word in ("vacancy", "divacancy", "C44", "κ", "forecast / measured", "gain"):
        assert word in text


# Figures


def test_points_stand_where_their_numbers_say():
    x, y = Axis("x", 0.0, 10.0), Axis("y", 1e-3, 10.0, log=True)
    svg = plot("a", "what it shows", x, y, [Series("s", [0, 5, 10], [1e-3, 0.1, 10.0])]).svg
    d = re.search(r'class="line look1" d="M([^"]*)"', svg)[1]
    points = [tuple(map(float, p.split())) for p in d.split("L")]
    # halfway along both axes in the middle, and the ends at the ends
    assert points[1] == pytest.approx([(a + b) / 2 for a, b in zip(points[0], points[2])], abs=0.11)
    assert points[0][0] < points[2][0] and points[0][1] > points[2][1]
    assert svg.count('class="mark') == 3 and '<title id="a">what it shows</title>' in svg


def test_a_line_is_broken_where_its_path_jumps():
    x = [0.0, 1.0, 1.0, 2.0]
    one = [Series("s", x, [0.0, 1.0, 5.0, 6.0], marks=False)]
    svg = plot("a", "what it shows", Axis("x", 0.0, 2.0), Axis("y", 0.0, 6.0), one).svg
    assert re.sub(r"[\d. ]", "", re.search(r'class="line look1" d="([^"]*)"', svg)[1]) == "MLML"


def test_error_bars_reach_as_far_as_they_say():
    y = Axis("y", 0.0, 10.0)
    one = [Series("s", [5], [4.0], [3.0])]
    svg = plot("a", "what it shows", Axis("x", 0.0, 10.0), y, one).svg
    low, high = map(
        float, re.search(r'errorbar look1" d="M[\d.]+ ([\d.]+)V([\d.]+)m', svg).groups()
    )
    top, bottom = map(float, re.search(r'class="frame" d="M\d+ (\d+)V(\d+)H', svg).groups())
    assert (low - high) / (bottom - top) == pytest.approx(0.6, abs=0.01)


def test_ticks_are_round_and_few():
    for low, high in ((0, 1), (0.003, 0.0171), (-96, 12), (0, 4000)):
        ticks = Axis("", *span([low, high])).ticks()
        assert 2 < len(ticks) < 9
        steps = {
            round((b[0] - a[0]) / (ticks[1][0] - ticks[0][0]), 6) for a, b in zip(ticks, ticks[1:])
        }
        assert steps == {1.0}
    labels = [text for _, text in Axis("", 1e-6, 10, log=True).ticks()]
    assert labels[0] == "10⁻⁶" and len(labels) < 7


def test_bars_are_in_proportion():
    figure = bars("b", "what it shows", "Å", [("one", 2.0), ("two", 1.0)])
    sizes = [float(w) for w in re.findall(r'width="([\d.]+)" height="12"', figure.svg)]
    assert sizes[0] == pytest.approx(2 * sizes[1], abs=0.2)
    assert figure.rows == [["one", "2.00"], ["two", "1.00"]]


# Limits


@pytest.mark.parametrize(
    "value, bar, limit, passed",
    [
        (-0.010, 0.005, "20meV", True),
        (-0.010, 0.011, "20meV", False),
        (0.021, 0.0, "20meV", False),
        (0.010, None, "20meV", False),
        (0.010, 0.005, "0.02eV", True),
    ],
)
def test_what_is_not_shown_to_be_within_a_limit_does_not_pass(value, bar, limit, passed):
    e = Estimate(value, 0.0, bar, 0.0)
    results = check(with_defect(energy=e), parse_limits(limit))
    assert len(results) == 2 and results[0].passed is passed
    assert ("within it" in str(results[0])) or not passed


def test_limits_on_the_geometry():
    g = Estimate(0.10, 0.01, 0.02, 0.0)
    a = with_defect(geometry=g, scale=1.0)
    passed = lambda text: check(a, parse_limits(text))[0].passed
    assert passed("0.14A") and not passed("0.12A")
    assert passed("140mÅ") and passed("14%") and not passed("12%")
    gone = with_defect(outcome="left the basin", geometry=None, energy=None)
    assert not any(check(gone, parse_limits(text))[0].passed for text in ("9eV", "99%", "9A"))


def test_an_axis_without_a_number_has_ends():
    assert span([float("nan"), -1.0], log=True) == (0.1, 1.0)


def test_what_the_reference_finds_is_told():
    known = dict(kept=False, same=False, why="it falls down", cells=[4, 4, 4], calls=9)
    basin = Basin(**known, energy=9.1, curvature=0.1, followed=-0.3)
    assert _basin("dumbbell", basin) == (
        "The reference's own dumbbell in 4 × 4 × 4 cells costs 9.10 eV. (Its symmetric state is a "
        "saddle point, 300 meV higher.) It falls down."
    )


def test_a_verdict_that_changes_is_better_worse_or_neither():
    applies, left, wide = (Comparison("own", o, "", 53) for o in OUTCOMES)
    states = [_of_defect("vacancy", *pair)[0] for pair in ((left, applies), (applies, wide))]
    assert [s.state for s in states] == ["better", "worse"]
    neither = _of_defect("vacancy", left, wide)
    assert [s.state for s in neither] == ["not known"] * 3
    assert (neither[0].before, neither[1].before) == ("left the basin", "–")


@pytest.mark.parametrize(
    "text", ["", "20", "meV", "0meV", "-1eV", "1 furlong", "20meV,", "1.2.3eV"]
)
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(ValueError, match="is no limit; write an energy"):
        parse_limits(text)


# Numbers


@pytest.mark.parametrize(
    "found, wanted",
    [
        (with_bar(9.302, 0.282), "9.30 ± 0.28"),
        (with_bar(0.01698, 0.0041), "0.0170 ± 0.0041"),
        (with_bar(12345.0, 120.0), "12,345 ± 120"),
        (with_bar(6.781312, 0.00035), "6.78131 ± 0.00035"),
        (with_bar(1.5, None), "1.50"),
        (with_bar(3.0, 1e-9), "3.000 ± 1e−09"),
        (energy(-0.0093, 0.00028), "(−9.30 ± 0.28) meV"),
        (energy(2.5), "2.50 eV"),
        (energy(None), "–"),
        (length(0.017, 0.0041), "(0.0170 ± 0.0041) Å"),
        (percent(0.7392), "74 %"),
        (short(0.0), "0"),
        (short(1.234e-7), "1.23e−07"),
        (short(float("nan")), "–"),
    ],
)
def test_numbers_have_as_many_digits_as_they_deserve(found, wanted):
    assert found == wanted
