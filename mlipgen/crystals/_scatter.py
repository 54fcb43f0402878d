"""Gather from sites to pairs and scatter back (numba; compiled once and cached)."""

import numpy as np

from ._compiled import njit


@njit(cache=True, nogil=True)
def add_outflow(out, G, i, j):
    """out[i] += G, out[j] -= G for G of shape (n_pairs, m), out (n_sites, m); float64 or
    complex128.
    """
    if G.shape[1] == 3:  # by far the most frequent: without the inner loop
        for p in range(G.shape[0]):
            a, b = np.uint32(i[p]), np.uint32(j[p])
            x, y, z = G[p, 0], G[p, 1], G[p, 2]
            out[a, 0] += x
            out[a, 1] += y
            out[a, 2] += z
            out[b, 0] -= x
            out[b, 1] -= y
            out[b, 2] -= z
        return
    for p in range(G.shape[0]):
        a, b = np.uint32(i[p]), np.uint32(j[p])
        for k in range(G.shape[1]):
            out[a, k] += G[p, k]
            out[b, k] -= G[p, k]


@njit(cache=True, nogil=True)
def gather_vectors(x, i, j, image, images):
    """x[j] - x[i] + images[image] for x (n_sites, d), images (n_images, d), float64: one pass over
    memory instead of four.
    """
    out = np.empty((len(i), x.shape[1]))
    if x.shape[1] == 3:
        for p in range(len(i)):
            a, b, s = np.uint32(i[p]), np.uint32(j[p]), np.uint32(image[p])
            out[p, 0] = x[b, 0] - x[a, 0] + images[s, 0]
            out[p, 1] = x[b, 1] - x[a, 1] + images[s, 1]
            out[p, 2] = x[b, 2] - x[a, 2] + images[s, 2]
        return out
    for p in range(len(i)):
        a, b, s = np.uint32(i[p]), np.uint32(j[p]), np.uint32(image[p])
        for k in range(x.shape[1]):
            out[p, k] = x[b, k] - x[a, k] + images[s, k]
    return out


def outflow(G, i, j, n_sites):
    """The same into a new array (n_sites, m)."""
    out = np.zeros((n_sites, G.shape[1]), G.dtype)
    add_outflow(out, G, i, j)
    return out
