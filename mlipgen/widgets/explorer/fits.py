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
    basis, degrees = prepared.basis, prepared.study.degrees
    order = nested_order(basis, degrees)
    arrays = {"prior": basis.prior[order]}
    training_blocks(prepared, order, arrays, {}, ("E", "F", FORCES[setting.forces]), [setting.cell])
    meta = {
        "order": order.tolist(),
        "degrees": list(degrees),
        "counts": [len(basis.subset(d)) for d in degrees],
        "cells": [{"size": setting.cell}],
    }
    return model_of(ExplorerData(meta, arrays), setting, prepared)


def rattled_again(prepared, settings, seeds) -> Iterator[list[Measurement]]:
    """For every other seed of the rattles the measured errors of fits at some settings.

    Parameters
    ----------
    prepared : Prepared     of the study behind the page
    settings : list of Setting
    seeds : iterable of int
    """
    order = nested_order(prepared.basis, prepared.study.degrees)
    kinds = ("E", "F", *{FORCES[s.forces] for s in settings} - {"F"})
    cells = sorted({s.cell for s in settings})
    meta = {
        "order": order.tolist(),
        "degrees": list(prepared.study.degrees),
        "counts": [len(prepared.basis.subset(d)) for d in prepared.study.degrees],
        "cells": [{"size": n} for n in cells],
    }
    for seed in seeds:
        other = copy(prepared)
        other.study = replace(prepared.study, seed=seed)
        arrays = {"prior": prepared.basis.prior[order]}
        training_blocks(other, order, arrays, {}, kinds, cells)
        data = ExplorerData(meta, arrays)
        yield [measure(model_of(data, s, prepared), prepared.reference) for s in settings]
