"""Gather from sites to pairs and scatter back (numba; compiled once and cached)."""

import numpy as np

from ._compiled import njit


@njit(cache=True, nogil=True)
def add_outflow(out, G, i, j):
    """out[i] += G, out[j] -= G for G of shape (n_pairs, m), out (n_sites, m); float64 or
    complex128.
    """
    for p in range(G.shape[0]):
        a, b = i[p], j[p]
        for k in range(G.shape[1]):
            out[a, k] += G[p, k]
            out[b, k] -= G[p, k]


@njit(cache=True, nogil=True)
def gather_vectors(x, i, j, shift):
    """x[j] - x[i] + shift for x (n_sites, d), shift (n_pairs, d), float64: one pass over memory
    instead of four.
    """
    out = np.empty_like(shift)
    for p in range(shift.shape[0]):
        a, b = i[p], j[p]
        for k in range(shift.shape[1]):
            out[p, k] = x[b, k] - x[a, k] + shift[p, k]
    return out


def outflow(G, i, j, n_sites):
    """The same into a new array (n_sites, m)."""
    out = np.zeros((n_sites, G.shape[1]), G.dtype)
    add_outflow(out, G, i, j)
    return out
