"""Kernels give the same bits just compiled and from the cache, whatever was compiled before."""

import os
import subprocess
import sys

import pytest

KERNELS = """
import numpy as np
from mlipgen.crystals._compiled import njit

@njit(cache=True, fastmath={"reassoc", "contract", "nsz"})
def sums(A, x):
    y = np.empty(len(A))
    for i in range(len(A)):
        total = 0.0
        for j in range(i):
            total += A[i, j] * x[j] * A[i, j] * 0.3 * x[i] + x[i] * A[j, i]
        y[i] = total * x[i] * 0.7
    return y

@njit(cache=True)
def mixed(x):
    return x * x + 0.3 * x

@njit(cache=True)
def squares(A, x):
    return [complex(v, w) * complex(w, v) + mixed(v) for v, w in zip(A[0], x)]

@njit(cache=True, fastmath={"contract"})
def cubes(A, x):
    return [complex(v, w) * complex(w, w) * complex(w, v) + mixed(v) for v, w in zip(A[0], x)]
"""

RUN = """
import sys
import numpy as np
import kernels

rng = np.random.default_rng(0)
A, x = rng.standard_normal((37, 37)), rng.standard_normal(37)
found = {name: np.array(getattr(kernels, name)(A, x)).tobytes().hex() for name in sys.argv[1:]}
print(sorted(found.items()))
"""


@pytest.mark.slow
def test_compiled_and_cached_kernels_give_the_same_bits(tmp_path):
    """Sums that the compiler may reorder; complex products and a function without `fastmath`, used
    first by a kernel that may contract and first by one that may not.
    """
    (tmp_path / "kernels.py").write_text(KERNELS, encoding="utf-8")

    def run(cache, *names):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / cache)}
        environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *sys.path])
        command = [sys.executable, "-c", RUN, *names]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment, encoding="utf-8"
        ).stdout

    compiled = run("first", "squares", "cubes", "sums")
    assert len(compiled) > 3 * 37 * 16
    assert run("first", "cubes", "sums", "squares") == compiled
    assert run("second", "cubes", "sums", "squares") == compiled
