"""Compile the library's kernels once, at the build of an image: the compiler's results are kept
beside the sources, and the first cell of a chapter does not wait for them.
"""

import time


def main():
    """Call every kernel with real and complex arguments: forces, springs, fits, relaxations."""
    start = time.time()
    from mlipgen import EAM, Crystal, StillingerWeber, Supercell, Toy2D, divacancy, relax, vacancy
    from mlipgen.experiments.study import Study
    from mlipgen.potentials import elastic_tensor, force_constants

    for potential, cells in ((EAM("W"), 3), (StillingerWeber("Si"), 2), (Toy2D(), 8)):
        crystal = Crystal.equilibrium(potential)
        force_constants(potential, crystal)
        elastic_tensor(potential, crystal)
        make = divacancy if potential.dimension == 2 else vacancy
        relax(potential, make(Supercell(crystal, cells)), saddle="ignore")
        print(f"  {type(potential).__name__}: {time.time() - start:.0f} s", flush=True)
    for crystal, defect in (("W", "vacancy"), ("Si", "dumbbell-110")):
        cells = {"W": (3,), "Si": (2,)}[crystal]
        study = Study(crystal=crystal, defect=defect, cells=cells, observations=("EFV+FC",),
                      degrees=(6,), test_cell=cells[0] + 1)  # fmt: skip
        study.run(progress=False)
        print(f"  learned {crystal}: {time.time() - start:.0f} s", flush=True)
    import numpy as np

    from mlipgen.potentials import ACEBasis

    metal, r = EAM("W"), np.linspace(2.0, 4.0, 5)
    for x in (r, r + 0j):
        metal.pair(x)
        metal.embedding(x)
    toy = Toy2D()
    plane = Crystal.equilibrium(toy)
    basis = ACEBasis(toy.cutoff, 4, r0=plane.a, dimension=2)
    R, offsets, _, _ = plane.stencil(toy.cutoff)
    basis.sites(R, offsets)
    basis.sites(R + 0j, offsets)
    print(f"Kernels are compiled ({time.time() - start:.0f} s).")


if __name__ == "__main__":
    main()
