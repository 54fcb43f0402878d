"""numba's `njit` and calls of parallel kernels, for machines that are not as numba expects them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numba


def njit(*, cache: bool = False, **options: Any) -> Callable[[Callable], Any]:
    """`numba.njit`, which compiles anew where its cache cannot be read or written: in a read-only
    installation without a home, on a full disk, or after a file was damaged.
    """

    def decorate(function: Callable) -> Any:
        compiled = numba.njit(**options)(function)
        if cache and hasattr(compiled, "enable_caching"):  # else compilation is switched off
            try:
                compiled.enable_caching()
                compiled._cache = _Cache(compiled._cache)
            except RuntimeError:  # no folder that can be written
                pass
        return compiled

    return decorate


class _Cache:
    """A cache of numba's whose troubles mean that nothing is cached."""

    def __init__(self, cache):
        self._cache = cache

    def __getattr__(self, name):
        return getattr(self._cache, name)

    def load_overload(self, signature, context):
        try:
            return self._cache.load_overload(signature, context)
        except Exception:  # truncated, or not what it says: whatever unpickling raises
            return None

    def save_overload(self, signature, result):
        try:
            self._cache.save_overload(signature, result)
        except Exception:
            try:
                self._cache.flush()  # a damaged index is begun anew
                self._cache.save_overload(signature, result)
            except Exception:  # a full disk: the next process compiles again
                pass


_turn = threading.RLock()
_together = False


def call(kernel: Callable, *arguments: Any) -> Any:
    """kernel(*arguments) for a parallel kernel, one thread at a time where numba's own threads
    ("workqueue") would end the process if two called together.
    """
    global _together
    if _together:
        return kernel(*arguments)
    with _turn:
        out = kernel(*arguments)
        try:
            _together = numba.threading_layer() != "workqueue"
        except ValueError:  # no parallel kernel has run: compilation is switched off
            pass
        return out
