"""What is installed is whole: data, scripts and extras in the wheel, the recipes of images."""

import email
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel that `pip install .` builds, from a copy of the sources."""
    work = tmp_path_factory.mktemp("sources")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "mlipgen", work / "mlipgen", ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, work)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*command, "--no-deps", "--no-build-isolation", "-w", str(work / "dist"), str(work)],
        check=True,
    )
    return next((work / "dist").glob("*.whl"))


@pytest.mark.slow
def test_every_file_of_the_library_is_in_the_wheel(wheel):
    wanted = {
        str(p.relative_to(ROOT))
        for p in (ROOT / "mlipgen").rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("mlipgen/")}
    assert packed == wanted


def test_the_extras_are_there(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith("METADATA"))
        metadata = email.message_from_string(archive.read(name).decode())
    extras = set(metadata.get_all("Provides-Extra"))
    assert (
        {"book", "cluster", "assess", "course", "test"}
        <= extras
        == set(PROJECT["optional-dependencies"])
    )
    guide = (ROOT / "book" / "course" / "run_anywhere.md").read_text(encoding="utf-8")
    assert set(re.findall(r'`pip install "\.\[(\w+)\]"`', guide)) == extras


USE = """
import sys
import mlipgen
assert mlipgen.__file__.startswith(sys.argv[1]), mlipgen.__file__
from mlipgen import EAM, Crystal, StillingerWeber, Supercell, relax, vacancy
from mlipgen.generalisation.assess import schema
from mlipgen.widgets import Explorer
from mlipgen.widgets.lookup import LookupFigure
W = EAM("W")
crystal = Crystal.equilibrium(W)
hole = relax(W, vacancy(Supercell(crystal, 3)))
assert abs(crystal.a - 3.165) < 1e-2 and hole.curvature > 0
assert "fragmentOf" in str(Explorer._esm) and len(str(LookupFigure._esm)) > 1000 and schema()
print(crystal.a)
"""


@pytest.mark.slow
def test_the_installed_library_works_without_its_sources(wheel, tmp_path):
    target = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "--no-deps", "--target", str(target), str(wheel)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(target), "NUMBA_NUM_THREADS": "1"}
    run = lambda *a: subprocess.run(
        [sys.executable, *a],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    used = run("-c", USE, str(target))
    assert used.returncode == 0, used.stderr[-2000:]
    helped = run("-m", "mlipgen.cli", "--help")
    script = (target / "bin" / "mlipgen").exists()
    assert script and (helped.returncode == 0), helped.stderr


def test_what_the_chapters_import_comes_with_the_extra_book():
    """Colab has this extra and nothing else of the book."""
    names = {re.match(r"[\w-]+", r)[0].lower() for r in PROJECT["dependencies"]}
    names |= {re.match(r"[\w-]+", r)[0].lower() for r in PROJECT["optional-dependencies"]["book"]}
    imported = set()
    for chapter in (ROOT / "book").glob("*.ipynb"):
        for cell in json.loads(chapter.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                code = "".join(cell["source"])
                imported |= set(re.findall(r"^\s*(?:from|import) (\w+)", code, re.M))
    others = imported - set(sys.stdlib_module_names) - {"mlipgen", "IPython"}
    assert {"numpy"} <= others <= {n.replace("-", "_") for n in names}


def test_the_images_are_made_of_the_books_pins():
    binder = ROOT / "binder"
    assert "-r ../requirements.txt" in (binder / "requirements.txt").read_text(encoding="utf-8")
    post = binder / "postBuild"
    steps = post.read_text(encoding="utf-8")
    assert os.access(post, os.X_OK)
    assert steps.index("pip install") < steps.index("compile_kernels.py")
    assert steps.index("compile_kernels.py") < steps.index("fill_explorer.py")
    version = (binder / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert version in {"3.11", "3.12", "3.13"}
    container = json.loads(
        (ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    )
    assert "make setup" in container["postCreateCommand"]


@pytest.mark.slow
def test_every_kernel_is_compiled_at_the_build_of_an_image(tmp_path):
    """After compile_kernels.py a chapter's first calls compile nothing: the cache has it all."""
    source = shutil.copytree(
        ROOT / "mlipgen", tmp_path / "mlipgen", ignore=shutil.ignore_patterns("__pycache__")
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_NUM_THREADS": "1"}
    run = lambda *a: subprocess.run(
        [sys.executable, *a], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    run(str(ROOT / "binder" / "compile_kernels.py"))
    kernels = re.compile(r"^@njit\((?!.*inline)cache=True[^\n]*\)\ndef (\w+)", re.M)
    named = {m for p in source.rglob("*.py") for m in kernels.findall(p.read_text("utf-8"))}
    cached = {p.name.split(".")[1].rpartition("-")[0] for p in source.rglob("*.nbi")}
    assert named and named <= cached, named - cached


def test_the_image_fills_what_chapters_read_from_the_explorers_folder():
    """No chapter names the folder after the cells that are executed; 10 and 11 open with it."""
    sys.path.insert(0, str(ROOT / "binder"))
    import fill_explorer

    filled = []
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        whole = [c.source for c in notebook.cells if c.cell_type == "code"]
        if fill_explorer.beginning(notebook):
            filled.append(path.stem[:2])
        kept = [c.source for c in notebook.cells if c.cell_type == "code"]
        assert kept == whole[: len(kept)]
        assert not any("explorer_data(" in code for code in whole[len(kept) :]), path.stem
    assert {"01", "08", "09", "10", "11", "14"} <= set(filled)


@pytest.mark.slow
def test_filling_executes_a_chapter_down_to_the_last_cell_with_data(tmp_path):
    (tmp_path / "book").mkdir()
    cells = [
        "made = ['first']",
        "from pathlib import Path\nPath('../_build/explorer').mkdir(parents=True)",
        "made.append('between')",
        "Path('../_build/explorer/a.txt').write_text(' '.join(made))",
        "raise SystemError('too far')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(notebook, tmp_path / "book" / "x.ipynb")
    command = [sys.executable, str(ROOT / "binder" / "fill_explorer.py")]
    subprocess.run([*command, str(tmp_path / "book" / "x.ipynb")], check=True)
    assert (tmp_path / "_build" / "explorer" / "a.txt").read_text(
        encoding="utf-8"
    ) == "first between"


def test_the_link_for_a_hub_opens_a_chapter_of_the_repository():
    """nbgitpuller clones `repo` into a folder of its last name; `urlpath` begins at the home."""
    page = (ROOT / "book" / "course" / "run_anywhere.md").read_text(encoding="utf-8")
    (link,) = re.findall(r"https://YOUR\.HUB/\S+", page)
    parts = urlsplit(link)
    assert parts.path == "/hub/user-redirect/git-pull"
    asked = {name: value for name, (value,) in parse_qs(parts.query, strict_parsing=True).items()}
    where = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    assert asked.keys() == {"repo", "branch", "urlpath"}
    assert (asked["repo"], asked["branch"]) == (where["url"], where["branch"])
    folder = f"lab/tree/{asked['repo'].rpartition('/')[2]}/"
    assert asked["urlpath"].startswith(folder)
    assert (ROOT / asked["urlpath"].removeprefix(folder)).suffix == ".ipynb"
    assert (ROOT / asked["urlpath"].removeprefix(folder)).exists()
