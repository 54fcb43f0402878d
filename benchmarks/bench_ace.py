"""Linear ACE: speed per atom and accuracy of a least-squares fit, beside ace-jax on the same
structures.

    python benchmarks/bench_ace.py                                    this library alone
    python benchmarks/bench_ace.py --ace-jax /path/to/venv/bin/python  and ace-jax, run by an
    interpreter that has it

Single thread on one core.  Tungsten vacancy cells (4 x 4 x 4), EAM with a smoothstep over [4.5,
5.5] A, displacements 0.7 to 1.2 of the relaxed vacancy's plus Gaussian rattles of 0 to 0.03 A: 10
cells to fit, 10 to test. `pair` is `ACEBasis`'s: with 2 the sizes equal ace-jax's, which adds as
many pair functions of its own. All fits are plain least squares to energies (weight 1/sqrt(n)) and
forces, columns scaled, no prior; the last column adds the library's default ridge.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

os.environ["NUMBA_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
import numpy as np
from rows import Row, fastest, report

CUTOFF, DEGREES = 5.5, (8, 10, 12)


def errors(rows, targets, penalty=None):
    """Force RMSE, eV/A, on the fitted and the tested cells of a least-squares fit; rows [(E, F)] of
    each cell.

    penalty (K,): adds |penalty * theta|^2 to the sum of squares; without it the fit is plain least
    squares.
    """

    def stack(cells):
        A = [np.concatenate([E[None] / np.sqrt(len(F) / 3), F]) for E, F in cells]
        return np.concatenate(A)

    def values(cells):
        return np.concatenate([np.append(E / np.sqrt(F.size / 3), F.ravel()) for E, F in cells])

    half = len(rows) // 2
    A, y = stack(rows[:half]), values(targets[:half])
    if penalty is not None:
        A, y = np.vstack([A, np.diag(penalty)]), np.append(y, np.zeros(len(penalty)))
    scale = np.linalg.norm(A, axis=0)
    scale[scale == 0] = 1.0
    theta = np.linalg.lstsq(A / scale, y, rcond=1e-13)[0] / scale
    rms = lambda part: float(
        np.sqrt(np.mean(np.concatenate([F @ theta - f.ravel() for (_, F), (_, f) in part]) ** 2))
    )
    pairs = list(zip(rows, targets))
    return rms(pairs[:half]), rms(pairs[half:])


def structures(folder):
    """Write the vacancy cells and their labels; returns the crystal."""
    from mlipgen.crystals import Crystal, Neighbours, Supercell, vacancy
    from mlipgen.equilibrium import relax
    from mlipgen.potentials import EAM, energies_and_forces

    potential = EAM("W", fade=(4.5, 5.5))
    crystal = Crystal.equilibrium(potential)
    defect = vacancy(Supercell(crystal, 4))
    u = relax(potential, defect).u
    rng = np.random.default_rng(0)
    positions = [
        defect.positions
        + rng.uniform(0.7, 1.2) * u
        + rng.uniform(0, 0.03) * rng.normal(size=u.shape)
        for _ in range(20)
    ]
    labels = []
    for x in positions:
        e, f = energies_and_forces(potential, Neighbours(x, defect.cell, CUTOFF), x)
        labels.append((float(np.sum(e)) - len(x) * crystal.energy_per_atom(potential), f))
    perfect = Supercell(crystal, 5)
    shaken = perfect.positions + 0.03 * rng.normal(size=perfect.positions.shape)
    np.savez(
        f"{folder}/cells.npz",
        positions=positions,
        cell=defect.cell,
        energies=[e for e, _ in labels],
        forces=[f for _, f in labels],
        shaken=shaken,
        shaken_cell=perfect.cell,
    )
    return crystal


def own(cells, r0, pair):
    from mlipgen.crystals import Neighbours
    from mlipgen.learning import RIDGE
    from mlipgen.potentials import ACEBasis, LinearACE

    near = Neighbours(cells["shaken"], cells["shaken_cell"], CUTOFF)
    R, n = near.vectors(cells["shaken"]), len(cells["shaken"])
    out = []
    for degree in DEGREES:
        basis = ACEBasis(CUTOFF, degree, r0=r0, pair=pair)
        model = LinearACE(basis, np.random.default_rng(0).normal(size=len(basis)), "W")

        def evaluate():
            V, G = model.sites(near.vectors(cells["shaken"]), near.offsets)
            return V, near.divergence(G)

        def rows(x, near):
            B, dB = basis.sites(near.vectors(x), near.offsets)
            F = near.divergence(dB.reshape(len(dB), -1)).reshape(len(x), 3, -1)
            return B.sum(axis=0), F.reshape(3 * len(x), -1)

        fitted = [rows(x, Neighbours(x, cells["cell"], CUTOFF)) for x in cells["positions"]]
        targets = list(zip(cells["energies"], cells["forces"]))
        train, test = errors(fitted, targets)
        out.append(
            dict(
                functions=len(basis),
                ridge=errors(fitted, targets, RIDGE * basis.prior)[1],
                evaluate=1e6 * fastest(evaluate, 9) / n,
                complex_step=1e6 * fastest(lambda: model.sites(R + 0j, near.offsets), 5) / n,
                design=1e6 * fastest(lambda: rows(cells["shaken"], near), 5) / n,
                train=train,
                test=test,
            )
        )
    return out


def peer(cells):
    """The same measurements with ace-jax's default calculator and its design rows, compiled,
    neighbour lists reused.
    """
    import dataclasses

    import jax

    jax.config.update("jax_enable_x64", True)
    from ace_jax.basis.model import build_model
    from ace_jax.calc.point import ACECalculator
    from ace_jax.fit.data import build_dataset, load_configs
    from ace_jax.fit.inducing import GPConfig
    from ace_jax.fit.rows import chunked_rows_fn
    from ase import Atoms

    make = lambda x, cell: Atoms(["W"] * len(x), positions=x, cell=cell, pbc=True)
    shaken = make(cells["shaken"], cells["shaken_cell"])
    out = []
    for degree in DEGREES:
        built = build_model(["W"], 3, degree, rcut=CUTOFF, wL=1.0)  # total degree n + l, as here
        model, meta = built.eval_pair()
        rng = np.random.default_rng(0)
        trained = dataclasses.replace(
            model,
            WB=jax.numpy.asarray(rng.normal(size=model.WB.shape)),
            Wpair=jax.numpy.asarray(rng.normal(size=model.Wpair.shape)),
        )
        calculator = ACECalculator(trained, meta)

        def evaluate():
            calculator.calculate(shaken, ["energy", "forces"])

        config = GPConfig(r0=1.0, rcut=CUTOFF, n_B=meta["n_B"], n_pair=meta["n_pair"], NZ=1, C=1)
        row_function = chunked_rows_fn(model, config)

        def dataset(x, cell):
            atoms = make(x, cell)
            return jax.tree.map(
                lambda a: a[0], build_dataset(load_configs([atoms]), meta, np.zeros(1), 1, k_cap=64)
            )

        def rows(batch, n):
            found = row_function(batch)
            return np.asarray(found.E)[0], np.asarray(found.F)[:n].reshape(3 * n, -1)

        fitted = [rows(dataset(x, cells["cell"]), len(x)) for x in cells["positions"]]
        train, test = errors(fitted, list(zip(cells["energies"], cells["forces"])))
        big, n = dataset(cells["shaken"], cells["shaken_cell"]), len(shaken)
        out.append(
            dict(
                functions=fitted[0][0].shape[-1],
                evaluate=1e6 * fastest(evaluate, 9) / n,
                design=1e6 * fastest(lambda: rows(big, n), 3) / n,
                train=train,
                test=test,
            )
        )
    return out


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--ace-jax", metavar="PYTHON", help="interpreter of an environment with ace-jax"
    )
    parser.add_argument("--peer", metavar="NPZ", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if options.peer:
        print(json.dumps(peer(np.load(options.peer))))
        return
    with tempfile.TemporaryDirectory() as folder:
        crystal = structures(folder)
        cells = dict(np.load(f"{folder}/cells.npz"))
        results = {f"pair={pair}": own(cells, float(crystal.shells[0]), pair) for pair in (1, 2)}
        if options.ace_jax:
            run = subprocess.run(
                [options.ace_jax, __file__, "--peer", f"{folder}/cells.npz"],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
            results["ace-jax"] = json.loads(run.stdout.splitlines()[-1])
    print(
        f"{'':10}{'functions':>10}{'E + F':>10}{'complex':>10}{'design':>10}   us per atom"
        f"{'train':>12}{'test':>10}{'test,ridge':>12}   force RMSE, eV/A"
    )
    for name, rows in results.items():
        for r in rows:
            complex_step, ridge = (r.get(k, float("nan")) for k in ("complex_step", "ridge"))
            print(
                f"{name:10}{r['functions']:10d}{r['evaluate']:10.1f}{complex_step:10.1f}"
                f"{r['design']:10.1f}"
                f"{'':14}{r['train']:12.2e}{r['test']:10.2e}{ridge:12.2e}"
            )
    for a, b in zip(results["pair=2"], results.get("ace-jax", [{}] * len(DEGREES))):
        rows = (("ACE, energy and forces", "evaluate", 1 / 30), ("ACE, design rows", "design", 0.1))
        for what, key, goal in rows:
            what = f"{what}, {a['functions']} functions"
            beside = {"peer": "ace-jax", "theirs": b[key], "goal": goal} if b else {}
            report(Row(what, a[key], "us per atom", **beside, settings="250 atoms, 5.5 A"))
    bound(results["pair=2"][0]["evaluate"], float(crystal.shells[0]), cells)
    orientation()


def bound(evaluate, r0, cells):
    """How far the smallest model is from what the core can do: operations a second, counted, beside
    those of a large matrix product.

    A neighbour costs, in multiplications and additions: nine for each radial function and its
    derivative, twelve for each harmonic and its gradient, two for each A and four for its way back,
    eight for each harmonic on the way back; a product of the energy six for each site.
    """
    from mlipgen.crystals import Neighbours
    from mlipgen.potentials import ACEBasis

    basis = ACEBasis(CUTOFF, DEGREES[0], r0=r0, pair=2)
    _, recurrence, _, _, start, count = basis._tables
    near = Neighbours(cells["shaken"], cells["shaken_cell"], CUTOFF)
    neighbours = len(near.vectors(cells["shaken"])) / len(cells["shaken"])
    each = 9 * len(recurrence) + 20 * len(start) + 6 * int(count.sum())
    operations = neighbours * each + 6 * len(basis._products[2])
    square = np.random.default_rng(0).normal(size=(2000, 2000))
    peak = 2 * len(square) ** 3 / fastest(lambda: square @ square, 5) / 1e9
    report(
        Row(
            f"ACE, {len(basis)} functions, operations",
            operations / evaluate / 1e3,
            "Gflop/s",
            peer="matrix product",
            theirs=peak,
            settings=f"{operations / neighbours:.0f} operations for each of {neighbours:.0f} "
            "neighbours",
        )
    )


def orientation():
    """Learned potentials that LAMMPS ships, each in a crystal of its own metal."""
    from common import lammps_python, run_lammps

    if lammps_python() is None:
        return print("lammps is not installed: no orientation")
    from mlipgen.crystals import Crystal, Supercell
    from mlipgen.potentials.lammps import potential_folders

    files = potential_folders()[0]
    snap = files / "W_2940_2017_2.snap"
    of = {
        "SNAP": ("W", 3.18, ("snap", f"* * {snap}coeff {snap}param W")),
        "POD": ("Ta", 3.32, ("pod", f"* * {files}/Ta_param.pod {files}/Ta_coeff.pod Ta")),
        "UF3": ("Nb", 3.32, ("uf3 3", f"* * {files}/Nb.uf3 Nb")),
    }
    for name, (metal, a, pair) in of.items():
        cell = Supercell(Crystal(metal, "bcc", a), 5)
        x = cell.positions + 0.03 * np.random.default_rng(0).normal(size=cell.positions.shape)
        seconds = run_lammps("forces", pair, x, cell.cell, repeats=20)["seconds"]
        report(
            Row(f"LAMMPS {name}, {metal}, energy and forces", 1e6 * seconds / len(x), "us per atom")
        )


if __name__ == "__main__":
    sys.exit(main())
