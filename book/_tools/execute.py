"""Execute the chapters that the build's cache does not have, as many side by side as there are
processors: Jupyter Book itself takes one after the other.
"""

import os
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "_build" / ".jupyter_cache"
TIMEOUT = 300


def _execute(chapter):
    notebook = nbformat.read(chapter, as_version=4)
    return single_nb_execution(
        notebook, cwd=str(chapter.parent), timeout=TIMEOUT, allow_errors=False
    )


def _missing(cache, chapter):
    try:
        cache.match_cache_notebook(nbformat.read(chapter, as_version=4))
    except KeyError:
        return True
    return False


def execute(chapters):
    """Fill the cache; the exit code: 1 where a chapter failed, which is printed."""
    cache = get_cache(CACHE)
    todo = [c for c in chapters if _missing(cache, c)]
    # a worker may hold 2 GB: more side by side than processors would only swap
    with ProcessPoolExecutor(min(len(todo) or 1, os.cpu_count() or 1, 4)) as pool:
        running = {pool.submit(_execute, chapter): chapter for chapter in todo}
        failed = 0
        for done in as_completed(running):
            chapter = running[done]
            try:
                result = done.result()
            except Exception:
                result, text = None, traceback.format_exc()
            if result is None or result.err is not None:
                failed += 1
                print(f"  {chapter.name} FAILED", text if result is None else result.exc_string)
                continue
            bundle = CacheBundleIn(result.nb, str(chapter), data={"execution_seconds": result.time})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            print(f"  {chapter.name}: {result.time:.0f} s", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(execute(sorted((ROOT / "book").glob("*.ipynb"))))
