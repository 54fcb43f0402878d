"""Addresses that open the explorer at a setting; the twin of the page's state.js.

The explorer keeps the positions of its controls in the address of its page:

    #explorer_L4_E10_F0_Vx_FCx_u_d8_r-24_n0

is the explorer named `explorer`, training cell 4, energies with weight 10 (ten tenths of a decade),
forces with weight 1, no virials, no force constants, forces weighed uniformly (`h`: by distance,
`g`: in the dual norm),
degree 8, ridge 10⁻⁶ (a quarter of a decade for each step), no noise, and the first set of data
(else `_s1`, `_s2`).
"""

import math

KINDS = ("E", "F", "V", "FC")
# Page, name in the address, and the sets of data in the order of the page.
EXPLORERS = {
    "front": ("book/index", "front", ("tungsten",)),
    "puzzle": ("book/01_the_puzzle", "puzzle", ("tungsten",)),
    "cells": ("book/08_training_cell_size", "cells", ("tungsten",)),
    "observe": ("book/09_what_you_observe", "observe", ("tungsten",)),
    "accuracy": ("book/10_how_accurately_you_fit", "accuracy", ("tungsten",)),
    "explorer": ("book/11_the_explorer", "explorer", ("tungsten", "copper", "silicon")),
}
# Ways to weight forces and their letters in the address.
FORCES = {"uniform": "u", "distance": "h", "dual": "g"}
NOISE_MAX = 0.1  # eV/A, the upper end of the noise control
DEFAULTS = {"cell": 4, "observations": "EF", "degree": 8, "ridge": 1e-6, "noise": 0.0}


def parse(text):
    """`explorer copper cell=5 observations=EFV+FC noise=0.01` as (place, setting)."""
    place, *words = text.split()
    if place not in EXPLORERS:
        raise ValueError(f"{place}: the explorers are {', '.join(EXPLORERS)}")
    setting = {"crystal": EXPLORERS[place][2][0], **DEFAULTS}
    for word in words:
        key, found, value = word.partition("=")
        if not found:
            setting["crystal"] = key
        elif key in DEFAULTS:
            setting[key] = type(DEFAULTS[key])(value)
        elif key in KINDS:  # a weight
            setting[key] = float(value)
        elif key == "forces" and value in FORCES:
            setting[key] = value
        else:
            raise ValueError(f"{word}: not a control of the explorer")
    return place, setting


def kinds_of(observations):
    """EFV+FC -> E, F, V, FC"""
    letters, _, springs = observations.partition("+")
    return [*letters, springs] if springs else list(letters)


def fragment(place, setting):
    """The part of the address after the number sign, with it."""
    from mlipgen.learning import WEIGHTS

    _, name, crystals = EXPLORERS[place]
    kinds = kinds_of(setting["observations"])
    tenths = {
        kind: round(10 * math.log10(setting.get(kind, WEIGHTS[kind]))) if kind in kinds else "x"
        for kind in KINDS
    }
    noise = setting["noise"]
    steps = max(1, round(30 + 10 * math.log10(noise / NOISE_MAX))) if noise else 0
    index = crystals.index(setting["crystal"])
    return (
        f"#{name}_L{setting['cell']}_"
        + "_".join(f"{kind}{tenth}" for kind, tenth in tenths.items())
        + f"_{FORCES[setting.get('forces', 'uniform')]}_d{setting['degree']}"
        + f"_r{round(4 * math.log10(setting['ridge']))}_n{steps}"
        + (f"_s{index}" if index else "")
    )
