"""What the chapters share: prose numbers, notes, tables, figures that follow the page's theme."""

import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from mlipgen import notebook

ALT = "Errors fall with the size of the training cell, those of EF faster."
CSS = Path(__file__).resolve().parents[1] / "book" / "_static" / "book.css"


@pytest.fixture
def shown(monkeypatch):
    """What a cell displays."""
    import IPython.display

    things = []
    monkeypatch.setattr(IPython.display, "display", lambda *objects: things.extend(objects))
    return things


@pytest.mark.parametrize(
    "value, digits, text",
    [
        (1999, 3, "1,999"),
        (-4, 3, "−4"),
        (np.int64(12345), 2, "12,345"),
        (0.0, 3, "0"),
        (0.0042, 3, "0.0042"),
        (0.99996, 3, "1"),
        (12.3456, 3, "12.3"),
        (12.0, 3, "12"),
        (123456.7, 3, "123,457"),
        (-0.5, 3, "−0.5"),
        (1e-9, 3, "10⁻⁹"),
        (-1e-9, 3, "−10⁻⁹"),
        (9.9999e-10, 3, "10⁻⁹"),
        (4.26e-5, 2, "4.3 × 10⁻⁵"),
        (2.5e8, 3, "2.5 × 10⁸"),
        (float("nan"), 3, "–"),
        (float("inf"), 3, "∞"),
        (99.96, 3, "100"),
        (9.996, 3, "10"),
        (0.00099999, 3, "0.001"),
        (1e-3, 1, "0.001"),
    ],
)
def test_numbers_read_like_prose(value, digits, text):
    assert notebook.number(value, digits) == text


@pytest.mark.parametrize("exponent", range(-12, 13))
def test_a_number_keeps_its_digits(exponent):
    x = 3.14159 * 10.0**exponent
    text = (
        notebook.number(x, 4)
        .replace(",", "")
        .replace(" × 10", "e")
        .translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    )
    assert float(text) == pytest.approx(x, rel=5e-4)


def test_value_and_standard_error():
    assert notebook.plus_minus((-1.994, 0.0123)) == "−1.99 ± 0.01"
    assert notebook.plus_minus((12.0, 0.5), 1) == "12.0 ± 0.5"


def test_note_keeps_types_and_refuses_what_prose_cannot_show(monkeypatch):
    import myst_nb

    kept = {}
    monkeypatch.setattr(myst_nb, "glue", lambda name, value, display: kept.update({name: value}))
    notebook.note(n=np.int32(3), x=np.float64(0.5), one=np.array([2.5]), text=notebook.number(1e-9))
    assert (
        kept == {"n": 3, "x": 0.5, "one": 2.5, "text": "10⁻⁹"}
        and type(kept["n"]) is int
        and type(kept["x"]) is float
    )
    for bad in (True, np.bool_(True), None, np.zeros(2), [1.0]):
        with pytest.raises(TypeError, match="gap"):
            notebook.note(gap=bad)
    for bad in (np.nan, -np.inf):
        with pytest.raises(ValueError, match="gap"):
            notebook.note(gap=bad)


def test_table():
    t = notebook.table(
        {"set": ["E", "EF"], "error": [11.24, 3.4e-5], "share": [0.5, None], "n": [53, 1999]},
        formats={"share": ".1%"},
    )
    assert t._repr_markdown_().splitlines() == [
        "| set | error | share | n |",
        "| :--- | ---: | ---: | ---: |",
        "| E | 11.2 | 50.0% | 53 |",
        "| EF | 3.4 × 10⁻⁵ |  | 1,999 |",
    ]
    assert repr(t).splitlines()[1] == "E          11.2  50.0%     53"
    both = notebook.table(
        {"measured": [0.39997, 0.9996, 2.00001e-5], "set": [0.1 + 0.2, 1.0, 20.0]}, digits=2
    )
    named = notebook.table({"Si dumbbell-110": ["W dumbbell-111", "vacancy"]})
    assert named.header == ["Si ⟨110⟩ dumbbell"] and named.rows[0] == ["W ⟨111⟩ dumbbell"]
    assert both.rows == [["0.40", "0.3"], ["1.0", "1"], ["2.0 × 10⁻⁵", "20"]]
    with pytest.raises(ValueError, match="lengths"):
        notebook.table({"a": [1], "b": [1, 2]})
    with pytest.raises(ValueError, match="c"):
        notebook.table({"a": [1]}, formats={"c": ".1f"})


def draw(panels=2):
    with notebook.figure(ALT, panels=panels, share="y") as axes:
        for k, kinds in enumerate(notebook.LOOKS):
            axes[0].loglog([3, 4, 6], [10, 5, 1 + k], **notebook.look(kinds))
        for k in range(6):
            axes[1].semilogy(
                [3, 4],
                [1e-5, 1e-4],
                **notebook.series(k),
                mfc=notebook.PAPER,
                label=f"number {k} < 6",
            )
        axes[0].set(title="geometry error, % of |Dū|", xlabel=r"$\rho$")


@pytest.mark.slow
def test_a_figure_takes_every_colour_from_the_page(shown):
    draw()
    markup = shown[0]._repr_html_()
    outside = re.sub(r"var\([^)]*\)", "", markup)
    assert not re.findall(r"(?:fill|stroke|color): #\w+", outside), (
        "a colour that dark mode cannot change"
    )
    used = set(re.findall(r"var\((--fig-[\w]+)", markup))
    sheet = CSS.read_text(encoding="utf-8")
    light, dark = (
        re.search(rule, sheet)[0]
        for rule in (r"html \{ --fig[^}]*\}", r'html\[data-theme="dark"\] \{ --fig[^}]*\}')
    )
    assert used == {f"--fig-{n}" for n in ("ink", "muted", "grid", "paper", 1, 2, 3, 4, 5, 6)}
    for name in used:
        assert f"{name}:" in light and f"{name}:" in dark


@pytest.mark.slow
def test_a_figure_is_valid_described_and_has_ids_of_its_own(shown):
    draw()
    draw()  # twice the same figure in one page: see below
    with notebook.figure(ALT + " Another one.") as ax:
        ax.plot([1, 2], [3, 4])
    pages = [ET.fromstring(f"<div>{thing._repr_html_()}</div>") for thing in shown]
    assert pages[0].find(".//*[@role='img']").get("aria-label") == ALT
    assert [len(p.findall(".//*[@role='img']//svg")) for p in pages] == [2, 2, 1]
    ids = [[e.get("id") for e in page.iter() if e.get("id")] for page in pages]
    assert ids[0] == ids[1] and len(set(ids[0])) == len(ids[0]) and not set(ids[0]) & set(ids[2])
    for page, own in zip(pages, ids):
        links = re.findall(r'(?:href="|url\()#([^")]+)', ET.tostring(page, encoding="unicode"))
        assert links and set(links) <= set(own)
    assert shown[0]._repr_html_() == shown[1]._repr_html_(), (
        "the same figure is the same text: stored outputs stay"
    )
    assert "<style" not in shown[0]._repr_html_(), "a style sheet inside would rule the whole page"
    assert ALT in repr(shown[0])


@pytest.mark.slow
def test_the_text_of_a_figure_is_text_in_the_font_of_the_page(shown):
    draw()
    markup = shown[0]._repr_html_()
    assert (
        ">geometry error, % of |Dū|</text>" in markup
        and "font-family" not in markup
        and "DejaVu" not in markup
    )
    assert set(map(float, re.findall(r"font-size: ([\d.]+)px", markup))) <= {12.0, 13.0}
    assert "number 1 &lt; 6</li>" in markup
    ticks = re.findall(r">([^<>]+)</text>", markup)
    assert {"10⁻³", "10⁻¹", "10"} <= set(ticks)


def test_an_axis_of_small_numbers_counts_in_powers_throughout(shown):
    with notebook.figure(ALT) as ax:
        ax.loglog([10, 100, 1000], [1e-4, 0.1, 1.0])
    ticks = re.findall(r">([^<>]+)</text>", shown[0]._repr_html_())
    assert {"10⁻⁴", "10⁻³", "10⁻²", "1", "10", "100"} <= set(ticks) and "0.01" not in ticks


def test_shared_axes_and_failures(shown):
    with notebook.figure(ALT, panels=2, share="xy") as (a, b):
        a.plot([0, 1], [0, 1])
        b.plot([5, 9], [7, 8])
        a.set_ylabel("error")
    assert b.get_ylabel() == "error"  # below the first on a phone
    assert a.get_xlim() == b.get_xlim() and a.get_ylim() == b.get_ylim()
    assert (
        a.get_xlim()[0] < 0 and a.get_xlim()[1] > 9 and a.get_ylim()[0] < 0 and a.get_ylim()[1] > 8
    )
    shown.clear()
    with pytest.raises(ZeroDivisionError), notebook.figure(ALT):
        _ = 1 / 0
    assert not shown
    with pytest.raises(ValueError, match="describe"), notebook.figure("a plot"):
        pass
    with pytest.raises(ValueError, match=r"'FV'.*EFV\+FC"):
        notebook.look("FV")
    with pytest.raises(ValueError, match="at most 6"):
        notebook.series(6)


def test_ticks_of_one_axis_are_written_in_one_way(shown):
    with notebook.figure(ALT) as ax:
        ax.semilogy([1, 2], [1.5e-4, 5.4e-3])
    ticks = set(re.findall(r">([^<>]+)</text>", shown[0]._repr_html_()))
    assert {"0.0005", "0.001", "0.005"} <= ticks and not any("10" in t for t in ticks)


def test_ticks(shown):
    with notebook.figure(ALT) as ax:
        ax.loglog([3, 4, 6], [1, 2, 3], **notebook.series(0))
        notebook.ticks(ax.xaxis, [3, 4, 6])
    found = re.findall(r">([^<>]+)</text>", shown[0]._repr_html_())
    assert found[:3] == ["3", "4", "6"] and {"1", "2"} <= set(found[3:])


def test_numbers_stand_to_the_right():
    columns = {"a": ["2D vacancy"], "b": ["−1.99 ± 0.01"], "c": ["0.99 to 1.01"], "d": ["10⁻⁹"]}
    columns |= {"e": [""], "f": ["53, 127"], "g": ["4 cells"], "h": ["∞"], "i": ["3 of 4"]}
    rule = notebook.table(columns)._repr_markdown_().splitlines()[1]
    assert [c == " ---: " for c in rule.split("|")[1:-1]] == [0, 1, 1, 1, 0, 1, 0, 1, 1]


def test_a_shaded_table_is_darker_for_larger_numbers():
    columns = {"set": ["E", "<b>"], "a": [1e-6, 0.0], "b": [1e-3, 50.0]}
    markup = notebook.shaded(columns, limits=(1e-6, 1), digits=2)._repr_html_()
    assert [float(a) for a in re.findall(r"rgba\([^)]*, ([\d.]+)\)", markup)] == [0, 0.25, 0, 0.5]
    rows = ET.fromstring(markup).findall(".//tbody/tr")
    assert [[c.text for c in r] for r in rows] == [["E", "10⁻⁶", "0.001"], ["<b>", "0", "50"]]
    assert rows[0][0].get("scope") == "row"
    noted = notebook.shaded(columns, limits=(1e-6, 1), notes={"b": ["x\n<y>", ""]})
    cells = ET.fromstring(noted._repr_html_()).findall(".//tbody/tr/td")
    assert [[s.text for s in c] for c in cells] == [[], ["x", "<y>"], [], []]
    assert "0.001 (x, <y>)" in repr(noted)


def test_bars_of_a_measure_do_not_split_the_table():
    text = notebook.table({"|Dū|": ["a | b"], "set": ["EF"]})._repr_markdown_()
    assert text.splitlines()[0] == r"| \|Dū\| | set |" and r"a \| b" in text
    text = notebook.table({"off, k = n + 2 (%)": ["$a + b$", "EF + V", "3 × 3"]})._repr_markdown_()
    assert "= −dE/dx" in repr(notebook.table({"check": ["forces = -dE/dx"]}))
    kept = text.replace("\N{NO-BREAK SPACE}", "~")
    assert (
        "off, k~=~n~+~2 (%)" in kept and "$a + b$" in kept and "EF + V" in kept and "3~×~3" in kept
    )


def test_a_scene_has_a_scale_and_a_description(shown):
    from ase import Atoms

    atoms = Atoms("W3", positions=np.eye(3))
    notebook.scene(atoms, [0.005, 0.05, 5.0], "Three <atoms>.", (0.005, 0.5), "Å", log=True)
    view, key = shown
    assert 'data-label="Three &lt;atoms&gt;."' in key._repr_html_() and "0.005 Å" in repr(key)
    assert view._ngl_msg_archive, "a view with its representation"
    with pytest.raises(ValueError, match="2 values for 3 atoms"):
        notebook.scene(atoms, [1, 2], "Three atoms.", (0, 1), "Å")


def palette(theme):
    rule = {
        "light": r"html \{ (--fig[^}]*)\}",
        "dark": r'html\[data-theme="dark"\] \{ (--fig[^}]*)\}',
    }[theme]
    pairs = re.findall(r"--fig-(\w+): (#\w+)", re.search(rule, CSS.read_text(encoding="utf-8"))[1])
    full = {name: c if len(c) == 7 else "#" + "".join(2 * x for x in c[1:]) for name, c in pairs}
    return {
        name: np.array([int(c[k : k + 2], 16) for k in (1, 3, 5)]) / 255 for name, c in full.items()
    }


def linear(c):
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_reach_three_to_one(theme):
    colours = {name: linear(c) @ [0.2126, 0.7152, 0.0722] for name, c in palette(theme).items()}
    ground = colours.pop("paper")
    colours.pop("grid")
    for name, c in colours.items():
        high, low = max(c, ground), min(c, ground)
        assert (high + 0.05) / (low + 0.05) >= (4.5 if name in ("ink", "muted") else 3), name


def test_looks_differ_without_colour():
    looks = [v[1:] for v in notebook.LOOKS.values()]
    for (m, d), (n, e) in itertools.combinations(looks, 2):
        assert m != n and d != e


def test_solver_is_the_explorers():
    from explorer_synthetic import synthetic

    from mlipgen.learning import WEIGHTS
    from mlipgen.widgets import Setting

    data = synthetic()
    solve, error = notebook.solver(data)
    cell, degree = data.meta["cells"][0]["size"], data.meta["degrees"][-1]
    own = data.solve(
        Setting(
            cell, degree, 1e-5, {"E": 3.0, "F": WEIGHTS["F"], "FC": WEIGHTS["FC"]}, "uniform", 1e-3
        )
    )
    assert (
        solve(cell, "EF+FC", degree, ridge=1e-5, noise=1e-3, E=3.0)["geometry"]
        == own["geometry"]
        > 0
    )
    assert (
        error(cell, "EF+FC", degree, ridge=1e-5, noise=1e-3, E=3.0)
        == own["geometry"] / data.meta["norm"]
    )
    with pytest.raises(ValueError, match="Q"):
        solve(cell, "EQ", degree)
