"""What an explorer page fits: R-factors of [A y xi] of every kind of observation, training data and
held out, from a prepared study and its basis in nested order.
"""

import numpy as np

from ...crystals import Supercell, build_defect
from ...equilibrium import LatticeGreen
from ...experiments.data_cells import dual_root
from ...learning import held_out_set, training_set
from .packing import echelon, r_factor

#: How a page names and explains the errors of its blocks.
ERRORS = [
    {
        "id": "energy",
        "block": "E",
        "label": "Energies",
        "symbol": "ε_E",
        "unit": "eV",
        "title": "defect cell minus perfect crystal, root mean square over configurations; held "
        "out: other rattles, largest cell",
    },
    {
        "id": "force",
        "block": "F",
        "label": "Forces",
        "symbol": "ε_F",
        "unit": "eV/Å",
        "title": "l2 norm over a cell, root mean square over configurations; held out: other "
        "rattles, largest cell",
    },
    {
        "id": "force-weighted",
        "block": "Fw",
        "label": "Forces × (1 + distance)",
        "symbol": "ε_Fw",
        "unit": "eV/Å",
        "title": "each force error times 1 + its distance from the defect in Å, l2 norm over a "
        "cell; held out: other rattles, largest cell",
    },
    {
        "id": "force-dual",
        "block": "Fd",
        "label": "Forces, dual norm",
        "symbol": "ε_Fd",
        "unit": "eV/Å",
        "title": "force errors times the square root of k G, with the lattice Green’s function G "
        "of the training cell and the on-site spring k, l2 norm over a cell; held out: other "
        "rattles, largest cell",
    },
    {
        "id": "virial",
        "block": "V",
        "label": "Virials",
        "symbol": "ε_V",
        "unit": "eV",
        "title": "l2 norm of the virial per atom, root mean square over strains; held out: other "
        "strains",
    },
    {
        "id": "force-constants",
        "block": "FC",
        "label": "Force constants",
        "symbol": "ε_FC",
        "unit": "eV/Å²",
        "title": "force-constant errors times (1 + range in Å) squared, l2 norm; "
        "held out: the crystal compressed and dilated by 1 % of its volume",
    },
]


def training_blocks(prepared, order, arrays, factors, kinds, cells):
    """R-factors of [A y xi] of every kind: of each training cell, and once of the crystal."""
    study = prepared.study
    store = _storing(prepared, order, arrays, factors, "train")
    for n in cells:
        observations = training_set(*_where(prepared), n, study.count, study.seed)
        root = _dual_root(prepared, n) if "Fd" in kinds else None
        store(n, observations, np.random.default_rng([study.seed, n]), kinds, root)
    store("any", observations, np.random.default_rng([study.seed, 0]), ("V", "FC"))


def held_out_blocks(prepared, order, arrays, factors, kinds):
    """The same of other rattles, strains and volumes."""
    study = prepared.study
    observations = held_out_set(*_where(prepared), study.largest, study.count, study.seed)
    store = _storing(prepared, order, arrays, factors, "held")
    root = _dual_root(prepared, study.largest) if "Fd" in kinds else None
    store("any", observations, np.random.default_rng(0), (*kinds, "V", "FC"), root)


def _where(prepared):
    return prepared.potential, prepared.crystal, prepared.study.defect


def _dual_root(prepared, n):
    """Square root of the Green's function of the training cell of size n, (n_atoms d,) * 2."""
    start = build_defect(prepared.study.defect, Supercell(prepared.crystal, n))
    return dual_root(LatticeGreen(prepared.potential, start.homogeneous), start)


def _storing(prepared, order, arrays, factors, role):
    """Function that reduces observations to R-factors in the arrays."""
    prior = arrays["prior"]
    counts = [len(prepared.basis.subset(d)) for d in prepared.study.degrees]
    models = (prepared.basis, prepared.potential)

    def store(cell, observations, rng, keep, root=None):
        draws, parts = {}, {}
        for o in observations:
            if o.kind in keep:
                rows = o.rows(*models)
                noise = _noise(o, len(rows), models, rng, draws)
                own = np.column_stack([rows[:, order], rows[:, -1], noise])
                parts.setdefault(o.kind, []).append(own)
                # as `DualForces`: one matrix for rows, labels and noise
                if o.kind == "F" and root is not None:
                    parts.setdefault("Fd", []).append(root @ own)
        for kind, rows in parts.items():
            name = f"R/{role}/{kind}/{cell}"
            arrays[name] = echelon(r_factor(np.concatenate(rows)), prior, counts)
            # root mean square over configurations, as Fit.errors
            factors[name] = 1.0 / np.sqrt(len(rows))

    return store


def _noise(o, count, models, rng, draws):
    """One noise draw in the units of the observation: sigma eV/A on forces, sigma eV on energies
    and virials, sigma eV/A^2 on force constants, each carried through the observation's own
    weights.
    """
    if o.kind == "F":
        draws[id(o.configuration)] = rng.standard_normal(count)
        return draws[id(o.configuration)]
    if o.kind == "Fw":  # the same labels, weighted
        c = o.configuration
        return draws[id(c)] * np.repeat(1.0 + c.distances(), c.positions.shape[1])
    xi = rng.standard_normal(count)
    if o.kind == "FC":
        xi *= np.repeat(o.tables(*models)[1], o.crystal.dimension**2)
    return xi
