"""Force constants of the perfect crystal by complex steps, beside phonopy's by displacements, both
with tungsten's EAM of this library; processor time, one thread.

Run: python benchmarks/bench_constants.py
"""

import warnings

from common import single_thread
from rows import Row, fastest, report

single_thread()


def main():
    import numpy as np

    from mlipgen.crystals import Crystal
    from mlipgen.potentials import EAM
    from mlipgen.potentials.derivatives import force_constants

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from phonopy import Phonopy
        from phonopy.structure.atoms import PhonopyAtoms
    potential = EAM("W")
    crystal = Crystal.equilibrium(potential)
    cell, n = crystal.unit, 2 + int(2 * potential.cutoff / crystal.a)

    def theirs():
        found = Phonopy(
            PhonopyAtoms(symbols=cell.symbols, cell=cell.cell, positions=cell.positions),
            supercell_matrix=np.diag([n, n, n]),
            primitive_matrix="I",
            log_level=0,
        )
        found.generate_displacements(distance=1e-3)
        forces = []
        for displaced in found.supercells_with_displacements:
            atoms = type(cell)(
                displaced.symbols, displaced.positions, cell=displaced.cell, pbc=True
            )
            atoms.calc = potential.calculator()
            forces.append(atoms.get_forces())
        found.forces = forces
        found.produce_force_constants()
        return len(forces)

    ours = fastest(lambda: force_constants(potential, crystal))
    count = theirs()
    settings = f"phonopy: {count} displaced cell{'s' * (count > 1)} of {n}^3"
    other = fastest(theirs)
    report(
        Row(
            "force constants of the crystal",
            1e3 * ours,
            "ms",
            "phonopy",
            1e3 * other,
            1.0,
            settings,
        )
    )


if __name__ == "__main__":
    main()
