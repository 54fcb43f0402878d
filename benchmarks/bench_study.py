"""The study of the command line's defaults (60 points), one of its points in the 1,999-atom cell,
its fit, and a forecast from small cells; processor
time, one thread, after compilation.

Run: python benchmarks/bench_study.py
"""

from common import single_thread
from rows import Row, fastest, report

single_thread()


def main():
    from mlipgen.experiments.study import Study
    from mlipgen.generalisation.forecast import forecast
    from mlipgen.potentials import EAM

    # compiles
    Study(cells=(3,), degrees=(6,), observations=("EF",), test_cell=4, count=2).run(progress=False)
    study = Study()
    prepared = study.prepare()
    prepared.blocks(4)
    point = lambda: prepared.point(4, "EFV+FC", 10)
    atoms = f"{len(prepared.reference.defect):,} atoms, {point()['n_basis']} functions"
    settings = f"{atoms}; fit, predict, relax, two tests of stability"
    report(Row("a point of a study", fastest(point, 3), "s", goal=2, settings=settings))
    fit = lambda: prepared.fit(4, "EFV+FC", 10)
    report(Row("a fit, rows reduced before", 1e3 * fastest(fit, 5), "ms", settings=atoms))
    candidate, reference = prepared.fit(4, "EF", 8).model, EAM("W")
    run = lambda: forecast(candidate, reference, prepared.crystal, "vacancy", 10, checks=(5, 6))
    report(Row("a forecast, 10^3 cells from 5^3 and 6^3", fastest(run, 3), "s", goal=2))
    seconds = fastest(lambda: study.run(progress=False), warm=False)
    report(Row("the command line's study, 60 points", seconds, "s", goal=360))


if __name__ == "__main__":
    main()
