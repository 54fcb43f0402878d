"""The instructor's guide: prepared settings open as promised, plans and outcomes add up."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_tools"))
from explorer_link import EXPLORERS, fragment, kinds_of, parse  # noqa: E402

BOOK = ROOT / "book"
PAGES = sorted((BOOK / "course").glob("*.md"))
TEXT = {p.stem: p.read_text(encoding="utf-8") for p in PAGES}
LINKS = sorted(
    {
        target
        for text in TEXT.values()
        for target in re.findall(r"\{explorer\}`[^`<]*<(.+?)>`", text)
    }
)


def python_call(page, name):
    """What the explorer says its setting is: its own `copy as Python`."""
    explorer = page.locator('[data-testid="explorer"][data-state="ready"]')
    explorer.wait_for()
    page.evaluate("""() => [...document.querySelectorAll("[data-testid=explorer] button")]
        .find((b) => b.textContent === "Copy as Python").click()""")
    return page.locator(".mx-code").text_content()


@pytest.mark.parametrize("link", LINKS)
def test_a_link_opens_the_explorer_at_its_setting(open_page, link):
    from mlipgen.learning import WEIGHTS

    place, setting = parse(link)
    page = open_page(EXPLORERS[place][0] + ".html" + fragment(place, setting))
    call = python_call(page, EXPLORERS[place][1])
    read = {
        key: re.search(rf"\b{key}=([^,)]+|\{{.*?\}})", call)[1]
        for key in ("cell", "degree", "ridge", "noise")
    }
    assert int(read["cell"]) == setting["cell"] and int(read["degree"]) == setting["degree"]
    assert float(read["ridge"]) == pytest.approx(setting["ridge"], rel=0.4)
    assert float(read["noise"]) == pytest.approx(setting["noise"], rel=0.15)
    weights = dict(
        re.findall(r'"(E|F|V|FC)": ([\d.e+-]+)', re.search(r"weights=\{(.*?)\}", call)[1])
    )
    assert list(weights) == kinds_of(setting["observations"])
    for kind, weight in weights.items():
        assert float(weight) == pytest.approx(setting.get(kind, WEIGHTS[kind]), rel=0.13)
    crystal = {"tungsten": "W", "copper": "Cu", "silicon": "Si"}[setting["crystal"]]
    assert f'crystal="{crystal}"' in call or f"'{crystal}'" in call or f'"{crystal}"' in call


def test_each_plan_opens_the_explorer():
    for plan in ("lecture", "workshop", "module"):
        assert "{explorer}`" in TEXT[plan]


def test_every_weighting_of_forces_has_its_letter():
    """Those of the page, read from its own list."""
    page = (ROOT / "mlipgen/widgets/explorer/page/state.js").read_text(encoding="utf-8")
    block = re.search(r"const WEIGHTINGS = \[(.*?)\];", page, re.S)[1]
    letters = dict(re.findall(r'\["(\w+)", "[^"]+", "(\w)"\]', block))
    assert {"uniform", "distance", "dual"} <= set(letters)
    for name, letter in letters.items():
        assert f"_{letter}_d8_" in fragment(*parse(f"explorer forces={name}"))
    assert "_u_d8_" in fragment(*parse("explorer"))


@pytest.mark.parametrize(
    "wrong", ["nowhere cell=3", "explorer cells=3", "explorer cell=x", "explorer forces=dua"]
)
def test_a_wrong_setting_is_refused(wrong):
    with pytest.raises(ValueError):
        parse(wrong)


def test_the_timetable_has_no_gap():
    """Each line of the day begins where the one before it ends, on a quarter of an hour."""
    times = re.findall(r"^\| (\d+):(\d\d) to (\d+):(\d\d) \|", TEXT["workshop"], re.M)
    minutes = [[60 * int(h) + int(m) for h, m in (t[:2], t[2:])] for t in times]
    assert len(minutes) > 8 and minutes[-1][1] - minutes[0][0] >= 8 * 60
    for (begin, end), (following, _) in zip(minutes, minutes[1:]):
        assert begin < end == following
    assert all(time % 15 == 0 for pair in minutes for time in pair)


def test_the_lecture_takes_ninety_minutes():
    spans = [
        [int(a), int(b)] for a, b in re.findall(r"^\| (\d+) to (\d+) \|", TEXT["lecture"], re.M)
    ]
    assert spans[0][0] == 0 and spans[-1][1] == 90
    assert all(a[1] == b[0] for a, b in zip(spans, spans[1:]))


def test_every_outcome_is_practised_and_the_project_names_only_those():
    rows = re.findall(r"^\| (O\d+) \| (.*?) \| (.*?) \| (.*?) \|(.*)$", TEXT["outcomes"], re.M)
    assert [name for name, *_ in rows] == [f"O{n}" for n in range(1, len(rows) + 1)]
    for _, _, chapter, practised, plans in rows:
        assert "[](chap-" in chapter and ("{ref}`ex-" in practised or "project" in practised)
        assert "●" in plans
    named = set(re.findall(r"\bO\d+\b", TEXT["project"]))
    assert named <= {name for name, *_ in rows}


def test_the_rubric_adds_up():
    assert (
        sum(int(n) for n in re.findall(r"^\| \*\*.*?\*\* \((\d+)\) \|", TEXT["project"], re.M))
        == 100
    )


def test_the_citation_agrees_with_the_file_for_machines():
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    own, paper = re.findall(
        r"@\w+\{.*?^\}", (BOOK / "cite.md").read_text(encoding="utf-8"), re.M | re.S
    )
    words = " ".join(re.search(r"title\s*= \{(.*?)\}", own, re.S)[1].split())
    assert words == cff["title"] and str(cff["version"]) in own and cff["repository-code"] in own
    reference = cff["references"][0]
    assert reference["doi"] in paper and str(reference["year"]) in paper
    for key in ("volume", "start", "end"):
        assert str(reference[key]) in paper


def test_every_chapter_has_its_row_on_the_status_page():
    """Counted from the notebooks; when and how long come from the build's cache."""
    import pages

    rows = pages.status(None)
    assert [title for title, *_ in rows[:-1]] == [
        f"[{title}](/{path.relative_to(ROOT)})" for path, title in pages.titles().items()
    ]
    for title, executed, counted in rows:
        assert executed is None  # there is no cache here
        assert counted["cells"] >= 20 and counted["asserted"] >= 5, title
        assert counted["compared"] >= 1 and counted["exercises"] >= 3, title
    total = rows[-1][2]
    assert total["questions"] == sum(r[2]["questions"] for r in rows[:-1]) >= 24


def test_executions_are_those_of_the_builds_cache(tmp_path):
    import pages
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn
    from nbformat.v4 import new_code_cell, new_notebook

    cache = get_cache(tmp_path)
    cell = new_code_cell("1", execution_count=1)
    notebook = new_notebook(cells=[cell])
    bundle = CacheBundleIn(notebook, "/x/01_the_puzzle.ipynb", data={"execution_seconds": 7.0})
    cache.cache_notebook_bundle(bundle, check_validity=False)
    cache.db.dispose()
    ((name, (when, took)),) = pages.executions(tmp_path).items()
    assert (name, took) == ("01_the_puzzle", 7.0)
    assert abs(datetime.now(UTC).replace(tzinfo=None) - when) < timedelta(minutes=5)
    assert pages.executions(tmp_path / "none") == {}


def test_built_pages_show_status_versions_and_index(html):
    shown = (html / "book" / "build_status.html").read_text(encoding="utf-8")
    table = shown[shown.index("<table") : shown.index("</table>")]
    chapters = len(list(BOOK.glob("[0-9]*.ipynb")))
    assert table.count("<tr") == chapters + 2  # head and sum
    assert len(re.findall(r">20\d\d-\d\d-\d\d \d\d:\d\d<", table)) == chapters + 1
    versions = (html / "book" / "changes.html").read_text(encoding="utf-8")
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lines = [line.partition(";")[0] for line in lines if line and not line.startswith("#")]
    pinned = [line.split("==") for line in lines]
    rows = re.findall(r"<tr.*?</tr>", versions, re.S)
    for package, version in pinned:
        name = package.partition("[")[0]
        assert any(f">{name}</p>" in r and f">{version}</p>" in r for r in rows), package
    index = (html / "genindex.html").read_text(encoding="utf-8")
    for entry in ("Energy norm", "Strong stability", "dumbbell", "dual norm", "Complex step"):
        assert entry in index, entry
    assert ">(" not in index  # titles of theorems without their brackets
