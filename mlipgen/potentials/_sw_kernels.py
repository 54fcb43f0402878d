"""The compiled loop of Stillinger-Weber silicon, for real and complex neighbour vectors."""

import numpy as np

from ..crystals._compiled import njit
from ._complex import _exp, _inverse, _root


@njit(cache=True, nogil=True, error_model="numpy")
def stillinger_weber_sites(R, offsets, par, p_power, q_power, V, G):
    """Half the pair energies and all triples centred at the site; par = (epsilon, sigma, a, lambda,
    gamma, cos0, A, B).
    """
    epsilon, sigma, a, lam, gamma, cos0, A, B = par
    cutoff = a * sigma
    for i in range(len(offsets) - 1):
        start, end = offsets[i], offsets[i + 1]
        energy = V[i] * 0.0
        near = np.empty(end - start, np.int64)
        h = np.empty(end - start, R.dtype)  # exp(gamma sigma / (r - a sigma))
        inv = np.empty(end - start, R.dtype)  # 1 / r
        dlog = np.empty(end - start, R.dtype)  # d log(h) / dr
        n = 0
        for p in range(start, end):
            for c in range(3):
                G[p, c] = 0.0
            r2 = R[p, 0] * R[p, 0] + R[p, 1] * R[p, 1] + R[p, 2] * R[p, 2]
            if r2.real >= cutoff * cutoff:
                continue
            r = _root(r2)
            if r.real >= cutoff:
                continue
            inv_r = _inverse(r)
            gap = _inverse(r - cutoff)
            x = sigma * inv_r
            xp = x**p_power
            xq = x**q_power
            tail = _exp(sigma * gap)
            phi = A * epsilon * (B * xp - xq) * tail
            dphi = (
                A * epsilon * (q_power * xq - p_power * B * xp) * inv_r * tail
                - phi * sigma * gap * gap
            )
            energy += 0.5 * phi
            for c in range(3):
                G[p, c] = 0.5 * dphi * inv_r * R[p, c]
            near[n] = p
            h[n] = _exp(gamma * sigma * gap)
            dlog[n] = -gamma * sigma * gap * gap
            inv[n] = inv_r
            n += 1
        for s in range(n):
            j = near[s]
            for t in range(s):
                k = near[t]
                both = inv[s] * inv[t]
                cos = (R[j, 0] * R[k, 0] + R[j, 1] * R[k, 1] + R[j, 2] * R[k, 2]) * both
                excess = cos - cos0
                weight = lam * epsilon * h[s] * h[t]
                term = weight * excess * excess
                d_cos = 2.0 * weight * excess
                energy += term
                along_j = (term * dlog[s] - d_cos * cos * inv[s]) * inv[s]
                along_k = (term * dlog[t] - d_cos * cos * inv[t]) * inv[t]
                cross = d_cos * both
                for c in range(3):
                    G[j, c] += along_j * R[j, c] + cross * R[k, c]
                    G[k, c] += along_k * R[k, c] + cross * R[j, c]
        V[i] = energy
