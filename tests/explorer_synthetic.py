"""Random explorer data with the structure, scales and conditioning of a real study, for tests
without a study.
"""

import numpy as np

from mlipgen.widgets.explorer.data import ExplorerData
from mlipgen.widgets.explorer.packing import r_factor

COUNTS = {6: 30, 8: 73, 10: 165}


def synthetic(
    degrees=(6, 8),
    cells=(3, 4, 5, 6),
    n_shells=6,
    modes=16,
    wave_vectors=20,
    multilattice=False,
    seed=0,
    n_near=60,
):
    rng = np.random.default_rng(seed)
    K = COUNTS[degrees[-1]]
    prior = 1.0 + np.linspace(0, 6, K) ** 2
    # smooth functions matter, the last hardly
    scale = 10.0 ** np.linspace(0, -4, K)
    truth = rng.normal(size=K) / prior
    missing = 1e-3

    def factor(rows, size, target_scale):
        A = rng.normal(size=(rows, K)) * scale * target_scale
        # collinear, as real designs are
        A += 0.3 * target_scale * rng.normal(size=(rows, 1)) * scale
        y = A @ truth + missing * target_scale * rng.normal(size=rows) / size
        return r_factor(np.column_stack([A, y, rng.normal(size=rows)])), np.linalg.norm(y)

    arrays, factors = {}, {}

    def block(role, kind, cell, rows, size, target_scale):
        name = f"R/{role}/{kind}/{cell}"
        arrays[name], _ = factor(rows, size, target_scale)
        factors[name] = 1 / np.sqrt(rows)

    for role in ("train", "held"):
        for L in cells:
            block(role, "E", L, 10, L, 3.0)
            block(role, "F", L, 60 * L, L, 1.0)
            block(role, "Fw", L, 60 * L, L, 5.0)
            block(role, "Fd", L, 60 * L, L, 1.5)
        block(role, "V", "any", 42, 4, 10.0)
        block(role, "FC", "any", 3 * K, 6, 0.3)

    def affine(rows, size):
        A = rng.normal(size=(rows, K)) * scale * size
        return np.column_stack([A, -A @ truth + missing * size * rng.normal(size=rows) * 0.01])

    for s in range(n_shells):
        arrays[f"R/S/{s}"] = r_factor(affine(40 + 60 * s, 0.3 / (1 + s) ** 2))
    arrays["R/T"] = r_factor(affine(400, 0.3))
    arrays["energy"] = affine(1, 1.0)[0]
    arrays["prior"] = prior

    def stiffness(name, count, m, complex_, few=None):
        n = m * (m + 1) // 2 + (m * (m - 1) // 2 if complex_ else 0)
        identity = np.zeros(n)
        identity[np.cumsum(np.r_[0, np.arange(m, 1, -1)])] = 1.0
        flat, right = rng.normal(size=(count, K, n)) * scale[:, None] * 0.3, truth
        # symmetric crystals: few combinations of the functions
        if few:
            arrays[f"{name}/map"] = rng.normal(size=(few, K)) * scale
            flat, right = rng.normal(size=(count, few, n)) * 0.3, arrays[f"{name}/map"] @ truth
        last = identity - np.einsum("cbn,b->cn", flat, right) + 0.02 * rng.normal(size=(count, n))
        arrays[name] = np.concatenate([flat, last[:, None]], axis=1)

    stiffness("stiffness/0", 1, modes, False)
    m = 6 if multilattice else 3
    stiffness("stiffness/1", wave_vectors, m, multilattice, few=8 if multilattice else None)
    near = rng.normal(size=(n_near, 3))
    near *= (2.5 + 5 * np.sort(rng.random(n_near)) ** (1 / 3) / 1)[:, None] / np.linalg.norm(
        near, axis=1
    )[:, None]
    arrays["near/positions"] = near
    arrays["near/U"] = affine(3 * n_near, 0.1)
    r = 2.7 * (1 + np.arange(n_shells))
    meta = {
        "title": "Synthetic vacancy",
        "crystal": "W",
        "defect": "vacancy",
        "dimension": 3,
        "cell": (3.2 * np.eye(3)).ravel().tolist(),
        "rates": {"F": [1.5, 3], "FV": [3.5, 5], "F+FC": [4.5, 6], "FV+FC": [6.5, 8]},
        "degrees": list(degrees),
        "counts": [COUNTS[d] for d in degrees],
        "cells": [{"size": L, "atoms": 2 * L**3 - 1} for L in cells],
        "factors": factors,
        "norm": 1.2016,
        "limits": {"mismatch": 0.3, "geometry": 0.05},
        "errors": [
            {"id": "energy", "label": "Energies", "symbol": "ε_E", "unit": "eV", "block": "E"},
            {"id": "force", "label": "Forces", "symbol": "ε_F", "unit": "eV/Å", "block": "F"},
            {"id": "virial", "label": "Virials", "symbol": "ε_V", "unit": "eV", "block": "V"},
            {
                "id": "force-constants",
                "label": "Force constants",
                "symbol": "ε_FC",
                "unit": "eV/Å²",
                "block": "FC",
            },
        ],
        "shells": [
            {"r": float(x), "sites": int(8 * (1 + i) ** 2), "reference": float(1.2 / (1 + i) ** 2)}
            for i, x in enumerate(r)
        ],
        "stiffness": [
            {"what": "the defect", "size": modes, "complex": False},
            {"what": "the perfect crystal", "size": m, "complex": multilattice},
        ],
        "default": {
            "cell": cells[min(1, len(cells) - 1)],
            "degree": degrees[-1],
            "ridge": 1e-6,
            "noise": 0.0,
            "forces": "uniform",
            "weights": {"E": 1.0, "F": 1.0, "V": 0.0, "FC": 0.0},
        },
        "weights": {"E": 1.0, "F": 1.0, "V": 1.0, "FC": 1.0},
        "python": 'fit({cell}, "{kinds}", degree={degree}, weights={weights}, ridge={ridge})',
        "colour_range": [1e-5, 1e-1],
        "noise_unit": "eV/Å",
        "noise_max": 0.1,
        "measured": [],
    }
    data = ExplorerData(meta, arrays)
    # Stand-ins for relaxed errors, so that marks can be seen: the prediction, moved by a few per
    # cent.
    from mlipgen.widgets.explorer.data import Setting

    for kinds in ("E", "EF", "EFV", "EF+FC", "EFV+FC"):
        for L in cells:
            for degree in degrees:
                weights = {k: 1.0 for k in ("E", "F", "V") if k in kinds.split("+")[0]}
                if "FC" in kinds:
                    weights["FC"] = 1.0
                s = data.solve(Setting(L, degree, 1e-6, weights))
                wiggle = 1 + 0.05 * rng.normal()
                fine = kinds != "E"
                meta["measured"].append(
                    {
                        "cell": L,
                        "degree": degree,
                        "ridge": 1e-6,
                        "noise": 0.0,
                        "forces": "uniform",
                        "weights": weights,
                        "geometry": s["geometry"] * wiggle if fine else None,
                        "energy": s["energy"] * wiggle if fine else None,
                        "note": ""
                        if fine
                        else "The relaxation left the basin of the reference defect.",
                    }
                )
    return data


def random_setting(data, rng):
    """Any position of the controls: every observation on or off, weights over six decades."""
    from mlipgen.widgets.explorer.data import FORCES, KINDS, Setting

    meta = data.meta
    blocks = {name.split("/")[2] for name in data.arrays if name.startswith("R/train/")}
    weightings = [name for name, block in FORCES.items() if block in blocks]
    on = rng.random(4) < 0.65
    if not on.any():
        on[rng.integers(4)] = True
    weights = {k: float(10 ** rng.uniform(-3, 3)) for k, o in zip(KINDS, on) if o}
    return Setting(
        cell=int(rng.choice([c["size"] for c in meta["cells"]])),
        degree=int(rng.choice(meta["degrees"])),
        ridge=float(10 ** rng.uniform(-8, 0)),
        weights=weights,
        forces=str(rng.choice(weightings)),
        noise=float(rng.choice([0.0, 10 ** rng.uniform(-4, -1)])),
    )
