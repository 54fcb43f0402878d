"""Scatter pair quantities to sites (numba; compiled once and cached)."""
import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def outflow(G, i, j, n_sites):
    """out[i] += G, out[j] -= G for G of shape (n_pairs, m); float64 or complex128."""
    out = np.zeros((n_sites, G.shape[1]), G.dtype)
    for p in range(G.shape[0]):
        a, b = i[p], j[p]
        for k in range(G.shape[1]):
            out[a, k] += G[p, k]
            out[b, k] -= G[p, k]
    return out
