"""Embedded atoms for 16 metals (Zhou, Johnson and Wadley 2004)."""

from __future__ import annotations

import csv
from importlib import resources
from pathlib import Path

import numpy as np

from . import _pair_kernels as kernels
from .site import SitePotential, check_fade

_TABLE = "data/zhou2004.csv"

# Fade range [r_on, r_off] of the radial functions, in units of the guessed lattice constant.
_FADE = {"bcc": (1.12, 1.39), "fcc": (1.30, 1.55), "hcp": (1.84, 2.33)}


class EAM(SitePotential):
    """Embedded-atom potential of Zhou, Johnson and Wadley, with a finite, smooth range.

        V_i = 1/2 sum_j phi(r_ij) + F(rho_i),     rho_i = sum_j f(r_ij)

    phi, f, F: Phys. Rev. B 69, 144113 (2004), with the parameters of LAMMPS' EAM database.  Two
    changes make it smooth: phi and f are multiplied by a C3 smoothstep (degree 7) falling from 1 to
    0 over `fade`; and the three published branches of F, which meet only to table accuracy, are
    blended by the same smoothstep on windows of half width
    0.03 rho_e around
    rho_n = 0.85 rho_e (Pt: 0.25) and 1.15 rho_e.  F is the published one elsewhere, in particular
    at the crystal's density.

    Parameters
    ----------
    symbol : str
        One of `EAM.symbols()`.
    fade : (float, float), optional
        A; (r_on, r_off), and cutoff = r_off.  By default 1.12-1.39 lattice constants for bcc,
        1.30-1.55 for fcc and 1.84-2.33
        for hcp, rounded to 0.1 A: short, yet it moves the lattice constant by less than 0.5 %.

    Raises
    ------
    ValueError      for an unknown symbol, or unless 0 < r_on < r_off.
    """

    concurrent = True

    blend = 0.03  # half width of the blends of F, in units of rho_e

    def __init__(self, symbol, fade=None):
        table = _read_table()
        if not isinstance(symbol, str) or symbol not in table:
            raise ValueError(f"no EAM parameters for {symbol!r}; choose one of {', '.join(table)}")
        row = table[symbol]
        p = {key: float(value) for key, value in row.items() if key not in ("symbol", "structure")}
        self.symbol = symbol
        self.structure = row["structure"]
        self.a0_guess = p["a0_guess"]
        if self.structure == "hcp":
            self.c_over_a = 1.633
        if fade is None:
            fade = [round(x * self.a0_guess, 1) for x in _FADE[self.structure]]
        self.fade = check_fade(fade)
        self.cutoff = self.fade[1]
        self.atomic_number, self.mass = int(p["Z"]), p["mass"]
        self.rho_e = p["rho_e"]
        self._radial = np.array(
            [1 / p["r_e"]]
            + [p[k] for k in ("alpha", "beta", "kappa", "lambda", "A", "B", "f_e")]
            + list(self.fade)
        )
        self._embedding = np.array(
            [
                p["rho_e"],
                p["rho_low"] * p["rho_e"],
                p["rho_high"] * p["rho_e"],
                p["rho_s"],
                self.blend * p["rho_e"],
            ]
            + [p[k] for k in ("eta", "Fe", "Fn0", "Fn1", "Fn2", "Fn3", "F0", "F1", "F2", "F3")]
        )

    def __repr__(self):
        return f"EAM({self.symbol!r}, fade=({self.fade[0]:g}, {self.fade[1]:g}))"

    @staticmethod
    def symbols() -> tuple[str, ...]:
        """The chemical symbols with parameters, a tuple of 16."""
        return tuple(_read_table())

    def sites(self, R: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        R, offsets, V, G = self._prepare(R, offsets)
        own = self.fade[1]  # a subclass may reach further: `cutoff`
        kernels.eam_sites(False, R, offsets, own, self._radial, self._embedding, V, G)
        return V, G

    sites.__doc__ = SitePotential.sites.__doc__

    def pair(self, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Faded pair energy phi(r) and phi'(r); r any shape (A), results alike (eV, eV/A)."""
        r, shape = _flat(r)
        table = kernels.zhou_radial_table(r, self._radial)
        return table[0].reshape(shape), table[1].reshape(shape)

    def density(self, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Faded density f(r) and f'(r); r any shape (A), results of that shape (the published
        density unit).
        """
        r, shape = _flat(r)
        table = kernels.zhou_radial_table(r, self._radial)
        return table[2].reshape(shape), table[3].reshape(shape)

    def embedding(self, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Blended embedding energy F(rho) and F'(rho), eV; rho any shape, results alike."""
        rho, shape = _flat(rho)
        table = kernels.zhou_embedding_table(rho, self._embedding)
        return table[0].reshape(shape), table[1].reshape(shape)

    def tabulate(
        self, path: str | Path, n_rho: int = 20001, n_r: int = 20001, rho_max: float | None = None
    ) -> None:
        """Write F, f and r phi, as blended and faded here, to a setfl file (LAMMPS `pair_style
        eam/alloy`, ASE, matscipy).

        Parameters
        ----------
        path : str or Path
        n_rho, n_r : int        grid points of F on [0, rho_max]; of f and r phi from 0 to one step
                                beyond the cutoff
        rho_max : float         largest density tabulated, by default 3 rho_e

        Raises
        ------
        ValueError      for fewer than 10 points or a non-positive rho_max.
        """
        if min(n_rho, n_r) < 10:
            raise ValueError(f"n_rho={n_rho}, n_r={n_r}: a table needs at least 10 points of each")
        rho_max = 3 * self.rho_e if rho_max is None else float(rho_max)
        if not rho_max > 0:
            raise ValueError(f"rho_max={rho_max:g} must be positive")
        # One step beyond the cutoff, so that readers which differentiate the table see it end flat.
        d_rho, d_r = rho_max / (n_rho - 1), self.cutoff / (n_r - 2)
        r = d_r * np.arange(n_r)
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(
                f"EAM of {self.symbol}, Zhou, Johnson, Wadley, Phys. Rev. B 69, 144113 (2004)\n"
                f"faded by a C3 smoothstep over [{self.fade[0]:g}, {self.fade[1]:g}] A, "
                "embedding branches blended\n"
                "written by mlipgen\n"
                f"1 {self.symbol}\n{n_rho} {d_rho:.17g} {n_r} {d_r:.17g} {self.cutoff:.17g}\n"
                f"{self.atomic_number} {self.mass:.10g} {self.a0_guess:.10g} {self.structure}\n"
            )
            for values in (
                self.embedding(d_rho * np.arange(n_rho))[0],
                self.density(r)[0],
                r * self.pair(r)[0],
            ):
                np.savetxt(file, values, fmt="%.17g")


def _flat(x):
    x = np.asarray(x)
    return np.ascontiguousarray(
        x, dtype=np.complex128 if np.iscomplexobj(x) else np.float64
    ).ravel(), x.shape


def _read_table():
    """The published parameters, {symbol: {column: text}}."""
    text = resources.files("mlipgen.potentials").joinpath(_TABLE).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {row["symbol"]: row for row in csv.DictReader(lines)}
