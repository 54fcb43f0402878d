"""Finished points on disk: one JSON line each, safe against a kill at any moment."""

from __future__ import annotations

import json
import os
import warnings
import zlib
from pathlib import Path
from typing import Any

from .. import __version__
from ..learning.labels import locked

_START = '{"check": '


class Store:
    """Rows by point, kept in `folder`/points.jsonl; each is on disk before `add` returns.

    A line carries a checksum.  One that is damaged, foreign, or holds nan is never trusted: its
    point is computed again, with a warning.  An unfinished last line is what a kill leaves, and is
    removed.  Lines of another key (other settings) are left alone, so that several studies and
    several processes may share a folder; those of another version of this library are named.

    Parameters
    ----------
    folder : str or Path, or None      None: in memory only
    key : str                          fingerprint of everything a row depends on besides its point

    Raises
    ------
    ValueError      if the folder cannot be made or written
    """

    def __init__(self, folder: str | Path | None, key: str):
        self.key, self.path, self._rows = key, None, {}
        if folder is None:
            return
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.path = Path(folder) / "points.jsonl"
            if self.path.exists() and not self.path.is_file():
                raise OSError(0, "points.jsonl there is no file")
            self._read()
            with open(self.path, "ab"):
                pass
        except (OSError, ValueError) as error:  # ValueError: a name with a null character
            raise ValueError(
                f"cannot keep results in {str(folder)!r}: "
                f"{getattr(error, 'strerror', None) or error}; give a folder that can be written"
            ) from None

    def _read(self):
        lines = self.path.read_bytes().split(b"\n") if self.path.exists() else [b""]
        bad, others = 0, {}
        for last, line in zip([False] * (len(lines) - 1) + [True], lines):
            entry = _checked(line)
            if entry is None:  # only the last line can be what a kill leaves
                bad += bool(line.strip()) and not (last and _torn(line))
            elif entry["key"] == self.key:
                self._rows[_hashable(entry["point"])] = entry["row"]
            elif entry["version"] != __version__:
                others[entry["version"]] = others.get(entry["version"], 0) + 1
        if bad:
            warnings.warn(
                f"{bad} lines of {self.path} are damaged or no points of this library: not used, "
                "computed again",
                stacklevel=4,
            )
        for version, count in others.items():
            warnings.warn(
                f"{count} points in {self.path} are of mlipgen {version}, this is {__version__}: "
                "left there, not used",
                stacklevel=4,
            )

    def __contains__(self, point: tuple | list) -> bool:
        return _hashable(point) in self._rows

    def __getitem__(self, point: tuple | list) -> dict:
        return self._rows[_hashable(point)]

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, point: tuple | list, row: dict) -> None:
        """Keep a finished row: a dict of what JSON knows.

        Raises
        ------
        ValueError      for nan, infinity and what else JSON does not know
        OSError         when the disk is full, or the folder is gone and cannot be made anew
        """
        try:
            line = self._line(point, row)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the row of point {point!r} cannot be kept: {error}") from None
        self._rows[_hashable(point)] = row
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab+", buffering=0) as file, locked(file) as alone:
                # Removed while we ran: what we know is written anew, too.
                gone = not os.fstat(file.fileno()).st_size
                lines = [self._line(*known) for known in self._rows.items()] if gone else [line]
                _write(file, _end_of_last_line(file, alone) + b"".join(lines))
                os.fsync(file.fileno())
        except OSError as error:
            del self._rows[_hashable(point)]
            raise OSError(
                error.errno,
                f"{error.strerror}: point {point!r} is not kept, {len(self)} are; start again "
                "when there is room, and it goes on from there",
                str(self.path),
            ) from None

    def _line(self, point, row):
        entry = {"version": __version__, "key": self.key, "point": point, "row": row}
        text = json.dumps(entry, allow_nan=False)
        return f'{_START}{zlib.crc32(text.encode())}, "kept": {text}}}\n'.encode()


def _checked(line: bytes) -> dict[str, Any] | None:
    """What a line keeps, or None if it is damaged or something else."""
    try:
        entry = json.loads(line, parse_constant=_refuse)
        kept = entry["kept"]
        hash(_hashable(kept["point"]))  # TypeError for what is no point
        sound = (
            entry["check"] == zlib.crc32(json.dumps(kept).encode())
            and {"version", "key", "point", "row"} <= set(kept)
            and isinstance(kept["row"], dict)
            and isinstance(kept["version"], str)
        )
        return kept if sound else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _refuse(constant):
    raise ValueError(constant)


def _torn(line):
    """Is an unfinished line the beginning of one of ours?"""
    start = _START.encode()
    return line[: len(start)] == start[: len(line)]


def _end_of_last_line(file, alone):
    """Remove the unfinished line of a process that was killed, if the lock says that it is gone;
    else end it.  An unfinished line that is not ours is ended and left alone.
    """
    size = tail = file.seek(0, os.SEEK_END)
    text = b""
    while tail and b"\n" not in text:
        step = min(tail, 1 << 16)
        tail = file.seek(tail - step)
        text = file.read(step) + text
    torn = text[text.rfind(b"\n") + 1 :]
    if not torn:
        return b""
    if alone and _torn(torn) and _checked(torn) is None:
        file.truncate(size - len(torn))
        return b""
    return b"\n"


def _write(file, text):
    """All of it, or OSError: an unbuffered file may take a part."""
    while text:
        text = text[file.write(text) :]


def _hashable(point):
    return tuple(map(_hashable, point)) if isinstance(point, (list, tuple)) else point
