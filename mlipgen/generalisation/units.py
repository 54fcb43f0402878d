"""Wrong units and signs, found by scale.

A number that is off by the ratio of two units says which they are.  Conversion factors from
`ase.units` (CODATA 2014); bulk moduli from Kittel, Introduction to Solid State Physics, 8th ed.
(2005), table 3 of chapter 3.
"""

from ase import units

#: One eV in other units of energy.
ENERGY = {
    "kcal/mol": units.mol / units.kcal,
    "kJ/mol": units.mol / units.kJ,
    "Ry": 1 / units.Ry,
    "Ha": 1 / units.Ha,
}
#: Numbers that forces come out as, relative to minus the slope of the energy in eV.
FORCE = {
    "forces in Ry/bohr": units.Bohr / units.Ry,
    "forces in Ha/bohr": units.Bohr / units.Ha,
    "forces in eV/bohr": units.Bohr,
    "forces in kcal/mol/A": ENERGY["kcal/mol"],
    "forces in kJ/mol/A": ENERGY["kJ/mol"],
    "forces in eV/A but the energy in kcal/mol": 1 / ENERGY["kcal/mol"],
    "forces in eV/A but the energy in kJ/mol": 1 / ENERGY["kJ/mol"],
    "forces in eV/A but the energy in Ry": 1 / ENERGY["Ry"],
    "forces in eV/A but the energy in Ha": 1 / ENERGY["Ha"],
    "gradients, not forces: the sign": -1.0,
}
#: The same of stress, relative to dE/dF per volume in eV/A^3.
STRESS = {
    "stress in GPa": 1 / units.GPa,
    "stress in kbar": 10 / units.GPa,
    "stress in bar": 1e4 / units.GPa,
    "stress in Ha/bohr^3": units.Bohr**3 / units.Ha,
    "stress in Ry/bohr^3": units.Bohr**3 / units.Ry,
    "pressure, not stress: the sign": -1.0,
    "stress in GPa, of the wrong sign": -1 / units.GPa,
    "stress in kbar, of the wrong sign": -10 / units.GPa,
}

#: GPa, measured bulk moduli of elements.
BULK_MODULI = {
    "Li": 11.6, "Be": 100.3, "B": 178.0, "C": 443.0, "Na": 6.8, "Mg": 35.4, "Al": 72.2, "Si": 98.8,
    "K": 3.2, "Ca": 15.2, "Sc": 43.5, "Ti": 105.1, "V": 161.9, "Cr": 190.1, "Mn": 59.6, "Fe": 168.3,
    "Co": 191.4, "Ni": 186.0, "Cu": 137.0, "Zn": 59.8, "Ga": 56.9, "Ge": 77.2, "Rb": 3.1,
    "Sr": 11.6, "Y": 36.6, "Zr": 83.3, "Nb": 170.2, "Mo": 272.5, "Tc": 297.0, "Ru": 320.8,
    "Rh": 270.4, "Pd": 180.8, "Ag": 100.7, "Cd": 46.7, "In": 41.1, "Sn": 111.0, "Cs": 2.0,
    "Ba": 10.3, "La": 24.3, "Hf": 109.0, "Ta": 200.0, "W": 323.2, "Re": 372.0, "Os": 418.0,
    "Ir": 355.0, "Pt": 278.3, "Au": 173.2, "Pb": 43.0,
}  # fmt: skip


def named_by_scale(ratio: float, table: dict[str, float], within: float = 0.03) -> str | None:
    """The entry whose factor is the ratio, to a relative accuracy `within`; None for no such."""
    near = {name: abs(ratio / factor - 1) for name, factor in table.items()}
    best = min(near, key=near.__getitem__)
    return best if near[best] <= within else None
