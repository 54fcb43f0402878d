"""Sweeps over training-cell size, observations and fit accuracy: every point fitted, predicted and
measured.

Each finished point is appended to `points.jsonl` at once, so a killed study goes on where it was.
"""

import csv
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from .. import __version__
from ..crystals import Crystal, Supercell, build_defect
from ..equilibrium import EnergyNorm, formation_energy, relax
from ..generalisation.defect_error import defect_error
from ..generalisation.reference import Reference
from ..learning.fitting import RIDGE, assemble, fit_blocks, parse_kinds
from ..learning.training import HELD_OUT, crystal_observations, defect_observations, held_out_set
from ..potentials import EAM, ACEBasis, StillingerWeber, Toy2D

COLUMNS = (
    "crystal",
    "defect",
    "cell",
    "observations",
    "degree",
    "n_basis",
    "seed",
    "rank",
    "fit_energy",
    "fit_force",
    "fit_virial",
    "fit_force_constants",
    "predicted_geometry",
    "linear_predicted_geometry",
    "measured_geometry",
    "predicted_energy",
    "measured_energy",
    "predicted_relaxation",
    "measured_relaxation",
    "effectivity",
    "linear_effectivity",
    "prediction_distance",
    "relative_error",
    "verdict",
    "outcome",
    "force_evaluations",
    "seconds",
)


def reference_potential(symbol):
    """The reference potential of a crystal by symbol.

    Stillinger-Weber for Si, EAM for the 16 metals, the two-dimensional toy for X.
    """
    if symbol == "X":
        return Toy2D()
    return StillingerWeber("Si") if symbol == "Si" else EAM(symbol)


@dataclass(frozen=True)
class Study:
    """A grid of fits for one crystal and one defect.

    Parameters
    ----------
    crystal, defect : str       e.g. "W", "vacancy"; "X" is the two-dimensional toy
    cells : tuple of int        training-cell sizes, in conventional unit cells
    observations : tuple        e.g. ("E", "EF", "EFV", "EF+FC", "EFV+FC")
    degrees : tuple of int      of the ACE basis: fit accuracy
    test_cell : int             size of the domain on which the defect error is measured
    count, seed, ridge, weights
    pair : int                  finer pair functions, see `ACEBasis`
    """

    crystal: str = "W"
    defect: str = "vacancy"
    cells: tuple = (3, 4, 5, 6)
    observations: tuple = ("E", "EF", "EFV", "EF+FC", "EFV+FC")
    degrees: tuple = (6, 8, 10)
    test_cell: int = 10
    count: int = 10
    seed: int = 0
    ridge: float = RIDGE
    weights: dict = field(default_factory=dict)
    pair: int = 1

    def __post_init__(self):
        for kinds in self.observations:
            parse_kinds(kinds)
        if not (self.cells and self.observations and self.degrees):
            raise ValueError(
                "a study needs at least one cell size, one observation set and one degree"
            )
        if max(self.cells) > self.test_cell:
            raise ValueError(
                f"test cell {self.test_cell} is smaller than the training cell {max(self.cells)}: "
                "generalisation is measured on the larger domain"
            )

    @property
    def key(self):
        """Fingerprint of everything a point depends on besides its own place in the grid (held-out
        cells are the largest).
        """
        own = {
            k: v for k, v in asdict(self).items() if k not in ("cells", "observations", "degrees")
        }
        return hashlib.sha256(
            json.dumps(
                [__version__, HELD_OUT, max(self.degrees), max(self.cells), own], sort_keys=True
            ).encode()
        ).hexdigest()[:12]

    def grid(self):
        return [
            (n, kinds, degree)
            for n in self.cells
            for degree in self.degrees
            for kinds in self.observations
        ]

    def prepare(self):
        """Reference potential, crystal, basis, relaxed reference and held-out blocks, as
        `Prepared`.
        """
        return Prepared(self)

    def run(self, out=None, progress=True):
        """Compute every point; with `out` (a folder) each is saved at once and finished ones are
        not computed again.

        Returns a list of dicts with `COLUMNS`, in grid order; writes study.csv, study.json and
        study.png to `out`.
        """
        from tqdm import tqdm

        done = _Store(out, self.key)
        missing = [p for p in self.grid() if p not in done]
        if missing:
            prepared = self.prepare()
            for point in tqdm(
                missing, disable=not progress, unit="point", desc=f"{self.crystal} {self.defect}"
            ):
                done.add(point, prepared.point(*point))
        rows = [done[p] for p in self.grid()]
        if out is not None:
            write_results(rows, self, Path(out))
        return rows


class Prepared:
    """What all points of a study share; blocks of observations are assembled once for each training
    cell.

    potential, crystal, basis;  reference : errors.Reference on the test cell
    held_out : dict kind -> Block     of the largest training cell with other rattles, of virials at
                                      other strains and of force
                                      constants at other volumes: see `training.held_out_set`
    """

    def __init__(self, study):
        self.study, self.potential = study, reference_potential(study.crystal)
        self.crystal = Crystal.equilibrium(self.potential)
        self.basis = ACEBasis(
            self.potential.cutoff,
            max(study.degrees),
            r0=float(self.crystal.shells[0]),
            dimension=self.crystal.dimension,
            pair=study.pair,
        )
        self.reference = Reference(
            self.potential, build_defect(study.defect, Supercell(self.crystal, study.test_cell))
        )
        # the same for every cell
        self._crystal_blocks = assemble(
            crystal_observations(self.crystal), self.basis, self.potential
        )
        self.held_out = assemble(
            held_out_set(
                self.potential,
                self.crystal,
                study.defect,
                max(study.cells),
                study.count,
                study.seed,
            ),
            self.basis,
            self.potential,
        )
        self._blocks = {}

    def blocks(self, cell):
        """The training blocks of one cell size: dict kind -> Block."""
        if cell not in self._blocks:
            s = self.study
            observations = defect_observations(
                self.potential, self.crystal, s.defect, cell, s.count, s.seed
            )
            self._blocks[cell] = {
                **assemble(observations, self.basis, self.potential),
                **self._crystal_blocks,
            }
        return self._blocks[cell]

    def fit(self, cell, kinds, degree, **options):
        """The fit of one grid point; `options` go to `fit_blocks` (weights, ridge)."""
        options = {"weights": self.study.weights, "ridge": self.study.ridge, **options}
        return fit_blocks(
            self.blocks(cell),
            self.basis,
            kinds,
            self.potential,
            self.crystal,
            degree=degree,
            held_out=self.held_out,
            **options,
        )

    def point(self, cell, kinds, degree):
        """Fit, predict, relax: one row of the table, a dict with `COLUMNS`; None where there is no
        number.
        """
        start = time.perf_counter()
        fit = self.fit(cell, kinds, degree)
        error = defect_error(fit.model, self.reference)
        p, m = error.prediction, error.measurement
        row = dict(
            zip(
                COLUMNS,
                (
                    self.study.crystal,
                    self.study.defect,
                    cell,
                    kinds,
                    degree,
                    len(fit.model.basis),
                    self.study.seed,
                    fit.rank,
                    *(fit.held_out[k] for k in ("E", "Fw", "V", "FC")),
                    p.geometry if p.applies else None,
                    p.linear_geometry,
                    m.geometry,
                    p.energy if p.applies else None,
                    m.energy,
                    p.relaxation if p.applies else None,
                    m.relaxation,
                    error.effectivity if p.applies else None,
                    error.linear_effectivity,
                    error.distance if p.applies else None,
                    m.geometry / self.reference.scale,
                    error.verdict,
                    m.verdict,
                    m.force_evaluations,
                    time.perf_counter() - start,
                ),
            )
        )
        row.update(self.more(fit, error, cell))
        return {
            k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()
        }

    def more(self, fit, error, cell):
        """Further columns for a subclass to add, from the fit, its DefectError and the
        training-cell size.
        """
        return {}


class _Store:
    """Finished points, one JSON line each, flushed to disk before the next point starts."""

    def __init__(self, out, key):
        self.key, self.path, self._rows = key, None, {}
        if out is None:
            return
        Path(out).mkdir(parents=True, exist_ok=True)
        self.path = Path(out) / "points.jsonl"
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue  # the line being written when the process was killed
            if entry["key"] == key:
                self._rows[tuple(entry["point"])] = entry["row"]

    def __contains__(self, point):
        return point in self._rows

    def __getitem__(self, point):
        return self._rows[point]

    def add(self, point, row):
        self._rows[point] = row
        if self.path:
            torn = (
                self.path.exists()
                and self.path.stat().st_size
                and not self.path.read_bytes().endswith(b"\n")
            )
            with open(self.path, "a") as out:
                out.write(
                    "\n" * bool(torn)
                    + json.dumps({"key": self.key, "point": point, "row": row})
                    + "\n"
                )
                out.flush()
                os.fsync(out.fileno())


def write_results(rows, study, out):
    """study.csv, study.json and study.png in the folder `out`."""
    with open(out / "study.csv", "w", newline="") as f:
        table = csv.DictWriter(f, list(rows[0]))
        table.writeheader()
        table.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)
    (out / "study.json").write_text(
        json.dumps({"version": __version__, "study": asdict(study), "rows": rows}, indent=1)
    )
    figure(rows).savefig(out / "study.png", dpi=150)


def figure(rows):
    """Geometry and energy errors against training-cell size: measured (marks) and predicted
    (lines), a panel a degree.
    """
    from matplotlib.figure import Figure

    degrees = sorted({r["degree"] for r in rows})
    fig = Figure(figsize=(3.6 * len(degrees) + 1.2, 6), layout="constrained")
    axes = fig.subplots(2, len(degrees), sharex=True, sharey="row", squeeze=False)
    for column, degree in enumerate(degrees):
        for colour, kinds in enumerate(dict.fromkeys(r["observations"] for r in rows)):
            own = [r for r in rows if r["degree"] == degree and r["observations"] == kinds]
            for ax, name in zip(axes[:, column], ("geometry", "energy")):
                for prefix, style in (("measured", "o"), ("predicted", "-")):
                    points = [
                        (r["cell"], abs(r[f"{prefix}_{name}"]))
                        for r in own
                        if r[f"{prefix}_{name}"] is not None
                    ]
                    ax.plot(
                        *zip(*points) if points else ([], []),
                        style,
                        color=f"C{colour}",
                        label=kinds if prefix == "measured" else None,
                    )
        axes[0, column].set_title(f"degree {degree}")
        axes[1, column].set_xlabel("training cell size")
    for ax in axes.flat:
        ax.set_yscale("log")
    axes[0, 0].set_ylabel("geometry error (Å)")
    axes[1, 0].set_ylabel("energy error (eV)")
    axes[0, -1].legend(
        title="marks: measured\nlines: predicted",
        fontsize="small",
        loc="upper left",
        bbox_to_anchor=(1, 1),
    )
    return fig


def relax_report(symbol, defect, cell, tolerance=1e-8):
    """Relax one defect and report formation_energy (eV), force_evaluations, max_force (eV/A),
    geometry_norm (A), seconds.
    """
    start = time.perf_counter()
    potential = reference_potential(symbol)
    crystal = Crystal.equilibrium(potential)
    equilibrium = relax(
        potential, build_defect(defect, Supercell(crystal, cell)), tolerance=tolerance
    )
    return {
        "crystal": symbol,
        "defect": defect,
        "cell": cell,
        "atoms": len(equilibrium.defect),
        "lattice_constant": crystal.a,
        "formation_energy": formation_energy(potential, equilibrium),
        "force_evaluations": equilibrium.force_evaluations,
        "max_force": equilibrium.max_force,
        "geometry_norm": EnergyNorm(equilibrium)(equilibrium.u),
        "seconds": time.perf_counter() - start,
    }
