"""The Python of the book's plain pages runs as it stands there."""

import re
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parents[1] / "book"
PAGES = [
    p
    for p in [*sorted(BOOK.glob("*.md")), *sorted(BOOK.glob("course/*.md"))]
    if "```python" in p.read_text(encoding="utf-8")
]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_code_runs(page, capsys):
    code = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    scope = {"__name__": "page"}
    for block in code:
        assert max(map(len, block.splitlines())) <= 100
        exec(compile(block, str(page), "exec"), scope)
    if page.stem == "your_own_potential":
        assert len(scope["findings"]) == 5 and scope["hole"].curvature > 0
        row = scope["row"]
        assert row["verdict"] == "applies"
        assert row["predicted_geometry"] == pytest.approx(row["measured_geometry"], rel=0.02)
