"""numba's `njit`, for machines that are not as numba expects them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

# A function compiled without these takes them from the kernel that happens to call it first.
OWN: dict[str, Any] = {"fastmath": False, "error_model": "python", "forceinline": False}


def njit(*, cache: bool = False, apart: bool = False, **options: Any) -> Callable[[Callable], Any]:
    """`numba.njit` with the same machine code whether just compiled or from the cache, and whatever
    was compiled before it; it compiles anew where the cache cannot be read or written: in a
    read-only installation without a home, on a full disk, or after a file was damaged.

    apart : bool      no two of its arrays share memory, if one of them is written to: loops need no
                      test of that before each begins
    """

    def decorate(function: Callable) -> Any:
        compiled = numba.njit(
            pipeline_class=_ApartCompiler if apart else _Compiler, **{**OWN, **options}
        )(function)
        if cache and hasattr(compiled, "enable_caching"):  # else compilation is switched off
            try:
                compiled.enable_caching()
                compiled._cache._cache_file._source_stamp = _stamp()
                compiled._cache = _Cache(compiled._cache)
            except RuntimeError:  # no folder that can be written
                pass
        return compiled

    return decorate


@functools.cache
def _stamp() -> tuple:
    """When the files with kernels changed: numba looks at a kernel's own, but what it calls may be
    in another.
    """
    library = Path(__file__).parents[1]
    folders = library / "crystals", library / "potentials"
    files = sorted(f for folder in folders for f in folder.glob("_[a-z]*.py"))
    return tuple((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in files)


class _Library(JITCodeLibrary):
    """A kernel with its own copies of what it calls.

    Such copies are compiled with the kernel, sums in another order than in the function compiled by
    itself.  As "linkonce" or "weak" symbols they would give way to whatever has their name in the
    process, which after compiling is the function by itself, and from the cache is not.
    """

    def _optimize_final_module(self):
        super()._optimize_final_module()
        for function in self._final_module.functions:
            copied = function.linkage.name in ("linkonce_odr", "weak_odr")
            if copied and not function.is_declaration:
                function.linkage = "internal"


class _Compiler(Compiler):
    """numba's compiler, into a `_Library`."""

    def define_pipelines(self):
        state = self.state
        if state.library is None:
            state.library = _Library(state.targetctx.codegen(), state.func_id.func_qualname)
            state.library.enable_object_caching()
            # Complex products and the like: else those of the first kernel, with its `fastmath`.
            state.targetctx.cached_internal_func = {}
        return super().define_pipelines()


class _ApartCompiler(_Compiler):
    """The same, with arrays that share no memory."""

    def define_pipelines(self):
        self.state.flags.noalias = True
        return super().define_pipelines()


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
