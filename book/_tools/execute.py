"""Execute the chapters that the build's cache does not have, as many side by side as there are
processors: Jupyter Book itself takes one after the other.
"""

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import nbformat
import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "_build" / ".jupyter_cache"
TIMEOUT = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["execute"]["timeout"]


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
    """Fill the cache; says whether all chapters ran, and prints what failed."""
    cache = get_cache(CACHE)
    todo = [c for c in chapters if _missing(cache, c)]
    failed = []
    # a worker may hold 2 GB: more side by side than processors would only swap
    with ProcessPoolExecutor(min(len(todo) or 1, os.cpu_count() or 1, 4)) as pool:
        running = {pool.submit(_execute, chapter): chapter for chapter in todo}
        for done in as_completed(running):
            chapter, error = running[done], done.exception()
            result = None if error else done.result()
            if result is None or result.err is not None:
                failed.append(chapter)
                print(f"  {chapter.name} FAILED", error or result.exc_string)
                continue
            bundle = CacheBundleIn(result.nb, str(chapter), data={"execution_seconds": result.time})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            print(f"  {chapter.name}: {result.time:.0f} s", flush=True)
    return not failed
