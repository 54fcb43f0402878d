"""Finished points on disk: one JSON line each, safe against a kill at any moment."""

import json
import os
import warnings
from pathlib import Path


class Store:
    """Rows by point, kept in `folder`/points.jsonl; each is on disk before `add` returns.

    A line that is torn, or no JSON object of a point, is computed again, with a word; lines of
    another key (other settings, another version) are left alone.

    Parameters
    ----------
    folder : str or Path, or None      None: in memory only
    key : str                          fingerprint of everything a row depends on besides its point

    Raises
    ------
    ValueError      if the folder cannot be made or written
    """

    def __init__(self, folder, key):
        self.key, self.path, self._rows = key, None, {}
        if folder is None:
            return
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.path = Path(folder) / "points.jsonl"
            self._read()
            with open(self.path, "ab"):
                pass
        except OSError as error:
            raise ValueError(
                f"cannot keep results in {str(folder)!r}: {error.strerror or error}; "
                "give a folder that can be written"
            ) from None

    def _read(self):
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        bad = 0
        for line in filter(bytes.strip, lines):
            try:
                entry = json.loads(line)
                point, row, key = entry["point"], entry["row"], entry["key"]
                known = isinstance(row, dict)
            except (ValueError, KeyError, TypeError, RecursionError):
                known = False
            if not known:
                bad += 1
            elif key == self.key:
                self._rows[_hashable(point)] = row
        # A single torn line is what a kill leaves; more than that is somebody else's file.
        if bad > 1:
            warnings.warn(f"{bad} lines of {self.path} are damaged: computed again", stacklevel=4)

    def __contains__(self, point):
        return _hashable(point) in self._rows

    def __getitem__(self, point):
        return self._rows[_hashable(point)]

    def __len__(self):
        return len(self._rows)

    def add(self, point: tuple | list, row: dict) -> None:
        """Keep a finished row: a dict of what JSON knows."""
        line = json.dumps({"key": self.key, "point": point, "row": row}, allow_nan=False)
        self._rows[_hashable(point)] = row
        if not self.path:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)  # removed while we ran: make it anew
        with open(self.path, "ab+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                torn = file.read(1) != b"\n"
            else:
                torn = False
            file.write(b"\n" * torn + line.encode() + b"\n")  # appends, wherever the position is
            file.flush()
            os.fsync(file.fileno())


def _hashable(point):
    return tuple(map(_hashable, point)) if isinstance(point, (list, tuple)) else point
