"""What the tests of the kernels in two and in three dimensions share: kernels as plain Python, with
scratch memory that shows when it is read too early, and sites with any number of neighbours.
"""

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


def any_number_of_neighbours(model, environments, most):
    """A fit's sites against the rows of its basis: none, fewer neighbours than are worked on at a
    time, more (`most` excluded); and blocks of sites that are not full.
    """
    rng = np.random.default_rng(most)
    for n_sites in (1, 15, 16, 17, 33):
        offsets = np.append(0, np.cumsum(rng.integers(0, most, size=n_sites)))
        R = environments(most, 1, max(offsets[-1], 1))[0][: offsets[-1]]
        for vectors in (R, R + 0j):
            V, G = model.sites(vectors, offsets)
            B, dB = model.basis.sites(vectors, offsets)
            off = np.abs(V - B @ model.theta - model.offset).max()
            assert off < 1e-12 * (1 + np.abs(V).max())
            assert G.shape == vectors.shape
            assert np.abs(G - dB @ model.theta).max(initial=0) <= 1e-12 * np.abs(G).max(initial=0)
