"""What a setting of the page stands for in the library: the fitted model, label noise included."""

from collections.abc import Iterator
from copy import copy
from dataclasses import replace

import numpy as np

from ...generalisation import Measurement, measure
from ...learning import fitted_model, nested_basis
from .blocks import training_blocks
from .data import FORCES, ExplorerData


def nested_order(basis, degrees):
    """Columns sorted so that each smaller basis is a prefix."""
    order = []
    for degree in degrees:
        order += [k for k in basis.subset(degree) if k not in set(order)]
    return np.array(order)


def model_of(data, setting, prepared):
    """The LinearACE that explorer data fit at a setting."""
    order = np.array(data.meta["order"])
    basis = nested_basis(prepared.basis, setting.degree)
    full, theta = np.zeros(len(order)), data.theta(setting)
    full[order[: len(theta)]] = theta
    index = prepared.basis.subset(setting.degree)
    return fitted_model(basis, full[index], prepared.potential, prepared.crystal)


def fit_setting(prepared, setting):
    """The LinearACE of a setting, from the labels themselves: the page's own, its noise as well.

    Parameters
    ----------
    prepared : Prepared     of the study behind the page
    setting : Setting
    """
    return model_of(_to_fit(prepared, [setting]), setting, prepared)


def _to_fit(prepared, settings):
    """The part of an explorer's data that fits at these settings need."""
    basis, degrees = prepared.basis, prepared.study.degrees
    order, cells = nested_order(basis, degrees), sorted({s.cell for s in settings})
    kinds = dict.fromkeys(("E", "F", *(FORCES[s.forces] for s in settings)))
    arrays = {"prior": basis.prior[order]}
    training_blocks(prepared, order, arrays, {}, tuple(kinds), cells)
    meta = {
        "order": order.tolist(),
        "degrees": list(degrees),
        "counts": [len(basis.subset(d)) for d in degrees],
        "cells": [{"size": n} for n in cells],
    }
    return ExplorerData(meta, arrays)


def rattled_again(prepared, settings, seeds) -> Iterator[list[Measurement]]:
    """For every other seed of the rattles the measured errors of fits at some settings.

    Parameters
    ----------
    prepared : Prepared     of the study behind the page
    settings : list of Setting
    seeds : iterable of int
    """
    for seed in seeds:
        other = copy(prepared)
        other.study = replace(prepared.study, seed=seed)
        data = _to_fit(other, settings)
        yield [measure(model_of(data, s, prepared), prepared.reference) for s in settings]
