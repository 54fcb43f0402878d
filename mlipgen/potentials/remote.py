"""Calculators in processes of their own.

Two that set the same global state of a library differently, or need different versions of it, do
not get in each other's way, and a calculator that crashes takes only itself down.
"""

import json
import subprocess
import sys
import tempfile
from multiprocessing import Pipe

from ase.calculators.calculator import (
    Calculator,
    PropertyNotImplementedError,
    SCFError,
    all_changes,
)

from ..failures import CalculatorDied, NotFinite
from . import _worker

#: On Windows a process does not inherit one end of a pipe by its number.
POSSIBLE = sys.platform != "win32"
#: Errors that keep their type on their way back; all others are RuntimeErrors.
_KNOWN = {
    e.__name__: e
    for e in (ValueError, NotImplementedError, PropertyNotImplementedError, SCFError, NotFinite)
}
#: Runs the worker as a file, its folder not on the path: modules there have the names of others.
_RUN = "import runpy, sys; sys.path.pop(0); runpy.run_path(sys.argv[1], run_name='__main__')"


class RemoteCalculator(Calculator):
    """An ASE calculator that computes in a process of its own.

    The process starts with the first question, answers until this object goes, and is started again
    if it died and another question comes.

    Parameters
    ----------
    recipe : dict       what `_worker.build` makes a calculator of; see `naming.CalculatorSpec`
    python : str        the Python it runs with, which needs NumPy and ASE; default this one
    name : str          for messages

    Raises
    ------
    ValueError          if the calculator cannot be made
    CalculatorDied      if the process ends; what was computed before is not lost
    """

    def __init__(self, recipe: dict, python: str | None = None, name: str | None = None):
        super().__init__()
        self.recipe, self.python, self.title = recipe, python or sys.executable, name
        self._process = None
        self.calculations = 0
        self._start()

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if self._process is None or self._process.poll() is not None:
            self._start()
        answer = self._ask(
            numbers=self.atoms.numbers,
            positions=self.atoms.positions,
            cell=self.atoms.cell.array,
            pbc=self.atoms.pbc,
            properties=json.dumps(list(properties)),
        )
        self.calculations += 1
        self.results = {k: float(v) if v.ndim == 0 else v for k, v in answer.items()}

    def close(self) -> None:
        """End the process; another question would start it again."""
        if self._process is not None:
            self._connection.close()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._said.close()
            self._process = None

    def __del__(self):
        if getattr(self, "_process", None) is not None:
            self.close()

    def __getstate__(self):
        return {"recipe": self.recipe, "python": self.python, "name": self.title}

    def __setstate__(self, state):
        self.__init__(**state)

    def _start(self):
        self.close()
        if not POSSIBLE:
            raise ValueError(
                "a calculator that runs with another Python needs Linux or macOS; on Windows give "
                "one of this Python"
            )
        self._connection, theirs = Pipe()
        self._said = tempfile.TemporaryFile()
        command = [self.python, "-c", _RUN, _worker.__file__, str(theirs.fileno())]
        try:
            self._process = subprocess.Popen(
                [*command, json.dumps(self.recipe)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            self._said.close()
            raise ValueError(f"cannot run {self.python}: {error.strerror}") from None
        finally:
            theirs.close()
        self.implemented_properties = json.loads(str(self._answer()["offers"]))

    def _ask(self, **question):
        try:
            self._connection.send_bytes(_worker.pack(**question))
        except OSError:
            self._died()
        try:
            return self._answer()
        except KeyboardInterrupt:
            # its answer would be taken for that to the next question
            self._process.kill()
            self.close()
            raise

    def _answer(self):
        try:
            answer = _worker.unpack(self._connection.recv_bytes())
        except (EOFError, OSError):
            self._died()
        if "error" in answer:
            kind, message = str(answer["error"]), str(answer["message"])
            if kind in _KNOWN:
                raise _KNOWN[kind](message)
            raise RuntimeError(f"{self.title or 'the calculator'}: {kind}: {message}")
        return answer

    def _died(self):
        status = self._process.wait()
        self._said.seek(0)
        words = self._said.read().decode(errors="replace").strip().split("\n")[-3:]
        self.close()
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        said = f"; its last words: {' / '.join(words)}" if any(words) else ""
        raise CalculatorDied(
            f"the process of {self.title or 'the calculator'} ended ({how}) after "
            f"{self.calculations} calculations; what was computed is kept, and asking again starts "
            f"a new one{said}"
        )
