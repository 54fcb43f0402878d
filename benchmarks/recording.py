"""What the scripts that record runs for the book share."""

import json
import os


def one_thread():
    """Before numba and OpenBLAS start: processes side by side, one thread each."""
    for name in ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def compact(value, digits=6):
    """The same data with numbers of so many digits."""
    if isinstance(value, dict):
        return {k: compact(v, digits) for k, v in value.items()}
    if isinstance(value, list):
        return [compact(v, digits) for v in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def write_record(target, digits=6, **parts):
    """A JSON object of named lists, an entry a line: a new run shows as a readable difference."""

    def lines(part):
        shortened = (compact(entry, digits) for entry in part)
        return ",\n".join(
            json.dumps(entry, separators=(",", ":"), ensure_ascii=False) for entry in shortened
        )

    body = ",\n".join(f'"{name}": [\n{lines(part)}\n]' for name, part in parts.items())
    target.write_text(f"{{{body}}}\n", encoding="utf-8")
