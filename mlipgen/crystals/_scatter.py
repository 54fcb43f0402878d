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


@njit(cache=True, nogil=True)
def by_site(i, j, S, n, d):
    """Pairs (i, j) with cell shifts S (n_pairs, 3) in the order of their site, by counting.

    Returns offsets (n + 1,), i, j, the number of each pair's shift among all between the lowest
    and the highest, the lowest (d,), and how many there are in each direction (d,).
    """
    low, high = np.zeros(d, np.int64), np.zeros(d, np.int64)
    offsets = np.zeros(n + 1, np.int64)
    for p in range(len(i)):
        offsets[np.int64(i[p]) + 1] += 1
        for k in range(d):
            low[k], high[k] = min(low[k], S[p, k]), max(high[k], S[p, k])
    for a in range(n):
        offsets[a + 1] += offsets[a]
    span, place = high - low + 1, offsets[:-1].copy()
    I, J = np.empty(len(i), np.int32), np.empty(len(i), np.int32)
    number = np.empty(len(i), np.int32)
    for p in range(len(i)):
        a, shift = np.int64(i[p]), 0
        for k in range(d):
            shift = shift * span[k] + S[p, k] - low[k]
        q = place[a]
        place[a] += 1
        I[q], J[q], number[q] = a, np.int64(j[p]), shift
    return offsets, I, J, number, low, span


@njit(cache=True, nogil=True)
def first_closer(x, i, j, image, images, distance):
    """The first pair closer than `distance`, or -1; arrays as in `gather_vectors`."""
    for p in range(len(i)):
        square = 0.0
        for k in range(x.shape[1]):
            square += (x[j[p], k] - x[i[p], k] + images[image[p], k]) ** 2
        if square < distance * distance:
            return p
    return -1


def outflow(G, i, j, n_sites):
    """The same into a new array (n_sites, m)."""
    out = np.zeros((n_sites, G.shape[1]), G.dtype)
    add_outflow(out, G, i, j)
    return out
