"""Points on disk: nothing that is damaged is trusted, nothing that was finished is lost."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from fake_points import begun

from mlipgen import cli
from mlipgen.experiments import store as stores
from mlipgen.experiments.census import CensusStudy
from mlipgen.experiments.store import Store
from mlipgen.experiments.study import Study
from mlipgen.experiments.sweep import sweep

ROW = {"energy": 0.1, "name": "Å", "missing": None}


def filled(folder, count=3, key="k"):
    store = Store(folder, key)
    for k in range(count):
        store.add((k, "EF"), {**ROW, "k": k})
    return folder / "points.jsonl"


def test_what_is_kept_is_what_was_given(tmp_path):
    filled(tmp_path)
    again = Store(tmp_path, "k")
    assert len(again) == 3 and again[1, "EF"] == {**ROW, "k": 1} and (3, "EF") not in again


DAMAGE = {
    "a digit": lambda line: line.replace(b"0.1", b"0.2"),
    "another point": lambda line: line.replace(b"[1,", b"[7,"),
    "truncated": lambda line: line[:40] + b"\n",
    "not UTF-8": lambda line: line.replace(b"energy", b"ener\xff\xfe"),
    "zeros": lambda line: bytes(len(line) - 1) + b"\n",
    "nan": lambda line: line.replace(b"0.1", b"NaN"),
    "infinity": lambda line: line.replace(b"0.1", b"1e999"),
    "no row": lambda line: b'{"check": 1, "kept": {"key": "k", "point": [1, "EF"]}}\n',
    "a list": lambda line: b"[1, 2, 3]\n",
    "a number": lambda line: b"7\n",
    "a text": lambda line: b"Dear diary\n",
    "a deep nest": lambda line: b"[" * 100_000 + b"\n",
    "a point that is no point": lambda line: line.replace(b'[1, "EF"]', b'{"a": 1}'),
    "without a check": lambda line: line[line.index(b"kept") + 7 : -2] + b"\n",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_line_is_named_and_computed_again(tmp_path, how):
    path = filled(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = DAMAGE[how](lines[1])
    path.write_bytes(b"".join(lines))
    with pytest.warns(UserWarning, match=r"1 lines of .*points.jsonl are damaged"):
        store = Store(tmp_path, "k")
    assert len(store) == 2 and (1, "EF") not in store and (7, "EF") not in store
    rows = sweep([(k, "EF") for k in range(3)], lambda k, kinds: {**ROW, "k": k}, store)
    assert rows == [{**ROW, "k": k} for k in range(3)]
    assert path.read_bytes().startswith(b"".join(lines))  # what others wrote stays


def test_a_flipped_bit_anywhere_is_seen(tmp_path):
    """Every byte of a line, one bit each: never another row."""
    path = filled(tmp_path, 1)
    line = path.read_bytes()
    for k in range(len(line) - 1):
        changed = line[:k] + bytes([line[k] ^ 1 << k % 8]) + line[k + 1 :]
        path.write_bytes(changed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            store = Store(tmp_path, "k")
        assert not len(store) or store._rows == {(0, "EF"): {**ROW, "k": 0}}, changed


@pytest.mark.parametrize("cut", [1, 5, 20, 100])
def test_an_unfinished_line_is_what_a_kill_leaves(tmp_path, cut):
    path = filled(tmp_path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:cut])
    store = Store(tmp_path, "k")  # no warning: they are errors here
    assert len(store) == 2
    store.add((2, "EF"), {**ROW, "k": 2})
    assert path.read_bytes() == whole


def test_a_last_line_of_somebody_else_is_left_alone(tmp_path):
    path = filled(tmp_path, 1)
    path.write_bytes(path.read_bytes() + b"my notes")
    with pytest.warns(UserWarning, match="1 lines"):
        store = Store(tmp_path, "k")
    store.add((1, "EF"), ROW)
    assert b"\nmy notes\n" in path.read_bytes()
    with pytest.warns(UserWarning, match="1 lines"):
        assert len(Store(tmp_path, "k")) == 2


def test_points_of_another_version_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "__version__", "0.0.1")
    filled(tmp_path, key="old")
    monkeypatch.undo()
    with pytest.warns(UserWarning, match=r"3 points in .* are of mlipgen 0.0.1"):
        assert not len(Store(tmp_path, "new"))


def test_two_studies_in_one_folder(tmp_path):
    one, other = Store(tmp_path, "one"), Store(tmp_path, "other")
    for k in range(3):
        one.add((k,), {"k": k}), other.add((k,), {"k": -k})
    assert [Store(tmp_path, "one")[k,]["k"] for k in range(3)] == [0, 1, 2]
    assert [Store(tmp_path, "other")[k,]["k"] for k in range(3)] == [0, -1, -2]


def test_a_census_does_not_take_the_rows_of_a_study():
    """They have other columns."""
    assert Study().key != CensusStudy().key


def test_a_folder_removed_while_running(tmp_path):
    folder = tmp_path / "a" / "b"
    path = filled(folder)
    store = Store(folder, "k")
    path.unlink(), folder.rmdir(), folder.parent.rmdir()
    store.add((3, "EF"), ROW)
    assert len(Store(folder, "k")) == 4  # what was known is written anew


def test_a_full_disk(tmp_path, monkeypatch):
    """Half a line is written; the point is not taken for kept, and the next start is whole."""
    path = filled(tmp_path, 1)
    store = Store(tmp_path, "k")

    def full(file, text):
        file.write(text[:30])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(stores, "_write", full)
    with pytest.raises(OSError, match=r"No space left on device: point \(1, 'EF'\) is not kept, 1"):
        store.add((1, "EF"), ROW)
    assert (1, "EF") not in store
    monkeypatch.undo()
    again = Store(tmp_path, "k")
    assert len(again) == 1
    again.add((1, "EF"), ROW)
    assert len(Store(tmp_path, "k")) == 2 and path.read_bytes().count(b"\n") == 2


def test_a_full_disk_on_the_command_line(tmp_path, monkeypatch, capsys):
    def full(self, *arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device: ...", "points.jsonl")

    monkeypatch.setattr(Study, "run", full)
    assert cli.main(["study", "--out", str(tmp_path)]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "mlipgen study: No space left on device: ...: points.jsonl"


def test_what_json_does_not_know_is_refused(tmp_path):
    store = Store(tmp_path, "k")
    for value in (np.nan, np.inf, np.float32(1), {1, 2}, object()):
        with pytest.raises(ValueError, match=r"the row of point \(1,\) cannot be kept"):
            store.add((1,), {"value": value})
    assert not len(store) and not (tmp_path / "points.jsonl").read_bytes()


@pytest.mark.parametrize("make", ["folder", "pipe"])
def test_what_is_no_file_is_refused(tmp_path, make):
    path = tmp_path / "points.jsonl"
    path.mkdir() if make == "folder" else os.mkfifo(path)
    with pytest.raises(ValueError, match="cannot keep results"):
        Store(tmp_path, "k")


RUN = """
import sys
import tqdm
sys.path[:0] = {paths!r}
from pathlib import Path
from fake_points import Logged
from mlipgen.experiments.store import Store
from mlipgen.experiments.sweep import sweep
print("begin", flush=True)
folder = Path({folder!r})
sweep([(k,) for k in range(400)], Logged(folder, 0.002), Store(folder, "k"))
"""


@pytest.mark.slow
def test_killed_at_twenty_moments(tmp_path):
    """kill -9 whenever it comes: every finished point is kept, and none is computed again."""
    rng = np.random.default_rng(0)
    code = RUN.format(paths=[os.path.dirname(__file__)], folder=str(tmp_path))
    path, kills = tmp_path / "points.jsonl", 0
    finished: dict = {}
    (tmp_path / "log").touch()
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        assert process.stdout.readline() == "begin\n", process.stderr.read()
        target = len(begun(tmp_path)) + rng.integers(1, 15)
        while len(begun(tmp_path)) < target:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.006))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        now = Store(tmp_path, "k")._rows  # a line that is not torn; warnings are errors
        assert finished.items() <= now.items()
        finished = dict(now)
    assert kills == 20 and 20 <= len(finished) < 400
    store = Store(tmp_path, "k")
    exec(code, {})
    again = Store(tmp_path, "k")
    assert len(again) == 400 and store._rows.items() <= again._rows.items()
    counts = np.bincount(begun(tmp_path))
    # begun twice is only what was running at a kill; everything finished was begun once in its life
    assert counts.min() == 1 and counts.sum() <= 400 + 20
    lines = path.read_bytes().splitlines()
    points = [json.loads(line)["kept"]["point"][0] for line in lines]
    assert sorted(points) == list(range(400)), "each is on disk once"
