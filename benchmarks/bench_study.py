"""The study of the command line's defaults (60 points), and one of its points in the 1,999-atom
cell, after compilation; two threads.

Run: python benchmarks/bench_study.py
"""

import time


def main():
    from mlipgen.experiments.study import Study

    study = Study()
    # compiles
    Study(cells=(3,), degrees=(6,), observations=("EF",), test_cell=4, count=2).run(progress=False)
    prepared = study.prepare()
    prepared.blocks(4)
    start, cpu = time.perf_counter(), time.process_time()
    row = prepared.point(4, "EFV+FC", 10)
    print(
        f"one point (fit, predict, relax in {len(prepared.reference.defect)} atoms, "
        f"{row['n_basis']} functions): "
        f"{time.perf_counter() - start:.2f} s (at most 2), {time.process_time() - cpu:.2f} s of "
        "processor time"
    )
    start, cpu = time.perf_counter(), time.process_time()
    rows = study.run(progress=False)
    print(
        f"whole study, {len(rows)} points: {time.perf_counter() - start:.1f} s (at most 180), "
        f"{time.process_time() - cpu:.1f} s of processor time"
    )


if __name__ == "__main__":
    main()
