"""Compiled kernels as plain Python, with scratch memory that shows when it is read too early."""

import numpy as np


class Poisoned:
    """numpy, but `empty` gives nan, or an index far out of range."""

    def __getattr__(self, attribute):
        return getattr(np, attribute)

    def empty(self, shape, dtype=float):
        return np.full(shape, 77 if dtype == np.int64 else np.nan, dtype)


def plain_and_poisoned(monkeypatch, kernels, name, model, environments):
    """Pairs (poisoned, expected) of the results of the ACE kernel `name` in the module `kernels`.

    environments : R (n_pairs, d), offsets
    """
    (R, offsets), basis, kernel = environments, model.basis, getattr(kernels, name)

    def run(function):
        if name == "linear_sites":
            return function(R, offsets, *basis._tables, *model._contracted)
        out = np.zeros((len(offsets) - 1, len(basis))), np.zeros((*R.shape, len(basis)))
        function(R, offsets, *basis._tables, *basis._products, *out)
        return out

    expected = run(kernel)
    run(kernel.py_func)  # compiles what it calls for its types of integers
    monkeypatch.setattr(kernels, "np", Poisoned())
    return list(zip(run(kernel.py_func), expected, strict=True))
