"""Measure what a reader of Binder waits for: a chapter is executed as a notebook server would.

    binder/start python binder/check.py [--first] CHAPTER ...

For each chapter, e.g. book/01_the_puzzle.ipynb: seconds from the start of the kernel to its first
widget (by the clock, and of the processor, which a busy machine does not change), the largest
memory of the kernel's processes, and the functions that were compiled although the image should
have them.  `--first` stops at the first widget.  Fails if a goal is missed.
"""

import argparse
import json
import re
import sys
import threading
import time
from pathlib import Path

import nbformat
import psutil
from jupyter_client.manager import KernelManager

FIRST_WIDGET, MEMORY, INTERVAL = 10.0, 2e9, 0.05  # s, bytes, s
LISTEN = """
from numba.core import event as _event
_compiled = _event.RecordingListener()
_event.register("numba:compile", _compiled)
"""
TELL = """
import json as _json
print(_json.dumps([str(e.data["dispatcher"]) for _, e in _compiled.buffer if e.is_start]))
"""


class Watch:
    """Processor seconds and memory of a process and its children, taken while it runs."""

    def __init__(self, pid):
        self.peak, self.cpu, self._over = 0, 0.0, threading.Event()
        self._process = psutil.Process(pid)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while not self._over.is_set():
            self.look()
            self._over.wait(INTERVAL)

    def look(self):
        try:
            family = [self._process, *self._process.children(recursive=True)]
            used = [(p.memory_info().rss, sum(p.cpu_times()[:2])) for p in family]
        except psutil.Error:  # a child has just ended
            return
        self.peak = max(self.peak, sum(memory for memory, _ in used))
        self.cpu = max(self.cpu, sum(seconds for _, seconds in used))

    def stop(self):
        self._over.set()


def execute(path, first=False):
    """A dictionary of what was measured; raises if a cell of the chapter fails."""
    began = time.time()
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(path.parent))
    client = manager.client()
    client.start_channels()
    watch = Watch(manager.provisioner.pid)
    found = {"seconds": None, "cpu": None}
    said = []

    def hear(message):
        content = message["content"]
        if message["msg_type"] == "stream":
            said.append(content["text"])
        elif found["seconds"] is None and any("widget-view" in k for k in content.get("data", ())):
            watch.look()
            found.update(seconds=time.time() - began, cpu=watch.cpu)

    def run(code):
        reply = client.execute_interactive(code, output_hook=hear, timeout=600)["content"]
        if reply["status"] != "ok":
            raise RuntimeError(f"{path.name}: {reply['ename']}: {reply['evalue']}\n{code}")

    try:
        client.wait_for_ready(timeout=60)
        run(LISTEN)
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                run(cell.source)
            if first and found["seconds"] is not None:
                break
        said.clear()
        run(TELL)
        names = re.findall(r"<function (\S+)|\((\w+)\)", "".join(json.loads("".join(said))))
        found["compiled"] = sorted({a or b for a, b in names})
    finally:
        watch.stop()
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return found | {"peak": watch.peak, "all": time.time() - began}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="+", type=Path)
    parser.add_argument("--first", action="store_true", help="stop at the first widget")
    options = parser.parse_args()
    missed = 0
    for path in options.chapters:
        m = execute(path.resolve(), options.first)
        slow = m["cpu"] is not None and m["cpu"] > FIRST_WIDGET
        missed += bool(slow or m["peak"] > MEMORY or m["compiled"])
        widget = (
            "none" if m["cpu"] is None else f"{m['seconds']:.1f} s ({m['cpu']:.1f} s of processor)"
        )
        print(
            f"{path.stem}: first widget {widget}; memory {m['peak'] / 1e9:.2f} GB; "
            f"{m['all']:.0f} s; compiled: {', '.join(m['compiled']) or 'nothing'}",
            flush=True,
        )
    sys.exit(min(missed, 1))


if __name__ == "__main__":
    main()
