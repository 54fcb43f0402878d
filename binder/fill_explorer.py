"""Compute the explorer's data once, at the build of an image: chapters read them from
`_build/explorer`, and the first widget does not wait for them (a minute and more in chapter 11).

    python binder/fill_explorer.py [CHAPTER ...]

Each chapter that keeps such data is executed down to the last cell that names their folder.
"""

import argparse
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "_build/explorer"


def beginning(notebook):
    """Cut a notebook after the last code cell that names the folder; False if none does."""
    named = [
        i
        for i, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and FOLDER in cell.source
    ]
    notebook.cells = notebook.cells[: named[-1] + 1] if named else []
    return bool(named)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", type=Path, help="all of them if none is named")
    options = parser.parse_args()
    start = time.time()
    for path in options.chapters or sorted((ROOT / "book").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        if beginning(notebook):
            where = {"metadata": {"path": path.resolve().parent}}
            NotebookClient(notebook, timeout=1200, resources=where).execute()
            print(f"  {path.stem}: {time.time() - start:.0f} s", flush=True)
    print(f"The explorer's data are there ({time.time() - start:.0f} s).")


if __name__ == "__main__":
    main()
