"""Compiled loops of the reference potentials: energies of sites and gradients with respect to
neighbour vectors.

Every kernel runs for real and for complex neighbour vectors through the same lines, so that a
complex step gives second derivatives free of cancellation.  Comparisons therefore look at `.real`,
and reciprocals, roots and exponentials of complex numbers are written out: the general-purpose ones
guard against overflows that cannot occur here.  They release the GIL and keep nothing between
calls: threads may call them side by side.
"""

import math

import numpy as np

from ..crystals._compiled import njit
from ._complex import FLAT, _exp, _inverse, _root, smoothstep

BLOCK = 32  # sites of embedded atoms worked on together: long loops over pairs, and enough of them


@njit(cache=True, nogil=True, **FLAT)
def zhou_radial(r, par):
    """Pair energy phi, density f of Zhou et al. (2004), both faded, and their derivatives: phi,
    phi', f, f'.

    par = (1/r_e, alpha, beta, kappa, lambda, A, B, f_e, r_on, r_off).  phi's attraction and f share
    exp and denominator.
    """
    x = r * par[0]
    y = x - par[3]
    y2 = y * y
    y4 = y2 * y2
    y8 = y4 * y4
    y19 = y8 * y8 * y2 * y
    q = _inverse(1.0 + y19 * y)
    repulsion = par[5] * _exp(par[1] * (1.0 - x)) * q
    d_repulsion = -repulsion * (par[1] + 20.0 * y19 * q) * par[0]
    y = x - par[4]
    y2 = y * y
    y4 = y2 * y2
    y8 = y4 * y4
    y19 = y8 * y8 * y2 * y
    q = _inverse(1.0 + y19 * y)
    g = _exp(par[2] * (1.0 - x)) * q
    dg = -g * (par[2] + 20.0 * y19 * q) * par[0]
    phi = repulsion - par[6] * g
    dphi = d_repulsion - par[6] * dg
    f = par[7] * g
    df = par[7] * dg
    # Without a branch, so that a loop over pairs works on several at a time: before the fade s = 1,
    # beyond it s = 0, and ds = 0 exactly.
    width = 1.0 / (par[9] - par[8])
    t = (par[9] - r) * width
    t = 1.0 + 0.0 * t if t.real > 1.0 else t
    t = 0.0 * t if t.real < 0.0 else t
    s, ds = smoothstep(t)
    dphi = dphi * s - phi * ds * width
    df = df * s - f * ds * width
    phi = phi * s
    f = f * s
    return phi, dphi, f, df


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def zhou_embedding(rho, par):
    """Embedding energy F and F' with the three published branches blended.

    par = (rho_e, rho_n, rho_h, rho_s, width, eta, F_e, Fn0..Fn3, F0..F3), rho_h = rho_high rho_e.
    On |rho - rho_n| < width and on
    |rho - rho_h| < width: (1 - s) left branch + s right branch, s the C3 smoothstep across the
    window.
    """
    low = rho.real < par[1] + par[4]
    high = rho.real > par[2] - par[4]
    middle = rho.real > par[1] - par[4] and rho.real < par[2] + par[4]
    F = 0.0 * rho
    dF = 0.0 * rho
    if middle:
        x = rho / par[0] - 1.0
        F = par[11] + x * (par[12] + x * (par[13] + x * par[14]))
        dF = (par[12] + x * (2.0 * par[13] + x * 3.0 * par[14])) / par[0]
    if low:
        x = rho / par[1] - 1.0
        P = par[7] + x * (par[8] + x * (par[9] + x * par[10]))
        dP = (par[8] + x * (2.0 * par[9] + x * 3.0 * par[10])) / par[1]
        if middle:
            s, ds = smoothstep((rho - par[1] + par[4]) * (0.5 / par[4]))
            dF = dP + (dF - dP) * s + (F - P) * ds * (0.5 / par[4])
            F = P + (F - P) * s
        else:
            F = P
            dF = dP
    if high:
        x = np.log(rho / par[3])
        power = _exp(par[5] * x)
        P = par[6] * (1.0 - par[5] * x) * power
        dP = -par[6] * par[5] * par[5] * x * power * _inverse(rho)
        if middle:
            s, ds = smoothstep((rho - par[2] + par[4]) * (0.5 / par[4]))
            dF = dF + (dP - dF) * s + (P - F) * ds * (0.5 / par[4])
            F = F + (P - F) * s
        else:
            F = P
            dF = dP
    return F, dF


@njit(cache=True, nogil=True, **FLAT)
def toy_radial(r, par):
    """Morse pair energy D (m^2 - 2 m), m = exp(-a (r-1)), and density exp(-b (r-1)), faded; par =
    (D, a, b, r_on, r_off).
    """
    m = _exp(par[1] * (1.0 - r))
    phi = par[0] * m * (m - 2.0)
    dphi = -2.0 * par[0] * par[1] * m * (m - 1.0)
    f = _exp(par[2] * (1.0 - r))
    df = -par[2] * f
    if r.real > par[3]:
        width = 1.0 / (par[4] - par[3])
        s, ds = smoothstep((par[4] - r) * width)
        dphi = dphi * s - phi * ds * width
        df = df * s - f * ds * width
        phi = phi * s
        f = f * s
    return phi, dphi, f, df


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def toy_embedding(rho, par):
    """F = -c (sqrt(rho + rho_0) - sqrt(rho_0)) and F'; par = (c, rho_0): smooth down to the
    isolated atom.
    """
    root = _root(rho + par[1])
    return -par[0] * (root - math.sqrt(par[1])), -0.5 * par[0] * _inverse(root)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def pair_distances(R, longest, r):
    """|R_p| into r, for those beyond `longest` just that: powers of their distance may overflow."""
    farthest = longest * longest
    for p in range(R.shape[0]):
        r2 = R[p, 0] * R[p, 0] + R[p, 1] * R[p, 1]
        if R.shape[1] == 3:
            r2 += R[p, 2] * R[p, 2]
        r[p] = _root(farthest + 0.0 * r2 if r2.real > farthest else r2)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def pair_functions(toy, r, par, phi, dphi, f, df):
    """phi, phi' / r, f and f' / r of every pair."""
    for p in range(len(r)):
        phi[p], dp, f[p], d = toy_radial(r[p], par) if toy else zhou_radial(r[p], par)
        inverse = _inverse(r[p])
        dphi[p] = dp * inverse
        df[p] = d * inverse


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def eam_sites(toy, R, offsets, cutoff, radial_par, embedding_par, V, G):
    """Embedded-atom site energies into V, gradients into G; functions of Zhou et al., or of the
    toy.

    A flag chooses the functions: numba cannot cache kernels that take functions as arguments or
    close over them.
    """
    d = R.shape[1]
    r = np.empty(R.shape[0], R.dtype)
    phi = np.empty(R.shape[0], R.dtype)
    dphi = np.empty(R.shape[0], R.dtype)
    f = np.empty(R.shape[0], R.dtype)
    df = np.empty(R.shape[0], R.dtype)
    sites = len(offsets) - 1
    for block in range((sites + BLOCK - 1) // BLOCK):
        first, last = block * BLOCK, min(sites, (block + 1) * BLOCK)
        begin, end = offsets[first], offsets[last]
        pair_distances(R[begin:end], cutoff, r[begin:end])
        pair_functions(
            toy,
            r[begin:end],
            radial_par,
            phi[begin:end],
            dphi[begin:end],
            f[begin:end],
            df[begin:end],
        )
        for i in range(first, last):
            energy = V[i] * 0.0
            rho = V[i] * 0.0
            for p in range(offsets[i], offsets[i + 1]):
                energy += phi[p]
                rho += f[p]
            F, dF = toy_embedding(rho, embedding_par) if toy else zhou_embedding(rho, embedding_par)
            V[i] = 0.5 * energy + F
            for p in range(offsets[i], offsets[i + 1]):
                scale = 0.5 * dphi[p] + dF * df[p]
                for c in range(d):
                    G[p, c] = scale * R[p, c]


@njit(cache=True, nogil=True)
def zhou_radial_table(r, par):
    out = np.zeros((4, len(r)), r.dtype)
    for k in range(len(r)):
        if r[k].real < par[9]:
            out[0, k], out[1, k], out[2, k], out[3, k] = zhou_radial(r[k], par)
    return out


@njit(cache=True, nogil=True)
def zhou_embedding_table(rho, par):
    out = np.zeros((2, len(rho)), rho.dtype)
    for k in range(len(rho)):
        out[0, k], out[1, k] = zhou_embedding(rho[k], par)
    return out
