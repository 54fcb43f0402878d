"""Mutation testing: small faults are put into a module one at a time; do its tests see them?

    python benchmarks/mutants.py fitting --most 150

No file is changed.  The tests run once as they are, which also loads the compiled kernels; then
each mutant is a fork of this process that imports the mutated module in the original's place and
runs the tests up to the first failure.  Survivors are printed: each is an equivalent program or a
hole in the tests.  Not mutated: texts, annotations, decorators, defaults of dataclass fields.
"""

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
import time

import pytest

sys.path.insert(0, os.getcwd())
sys.dont_write_bytecode = True
#: Short name: the module, its tests, and which of them (`-k`): the fastest set that covers, in one
#: part or several, the quickest first.
MODULES = {
    "fitting": ("mlipgen.learning.fitting", "test_fitting.py", ""),
    "defect_error": (
        "mlipgen.generalisation.defect_error",
        "test_errors.py",
        "itself or ratios or options or energies_alone",
    ),
    "forecast": (
        "mlipgen.generalisation.forecast",
        "test_forecast.py",
        "hand or not_asked or last_step or no_sense or lacks_nothing or domain_is_refused",
        "saddle_point or dimensions or from_the_reference or kappa or (whole_domain and not Si)",
    ),
}
#: Imported anew in each mutant, as they may hold names of the mutated module.
FRESH = ("mlipgen.learning", "mlipgen.generalisation", "mlipgen.experiments", "test_")
OPERATORS = {
    ast.Add: [ast.Sub], ast.Sub: [ast.Add], ast.Mult: [ast.Div], ast.Div: [ast.Mult],
    ast.Pow: [ast.Mult], ast.And: [ast.Or], ast.Or: [ast.And],
    ast.Lt: [ast.LtE, ast.GtE], ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE], ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.In: [ast.NotIn], ast.NotIn: [ast.In],
    ast.Is: [ast.IsNot], ast.IsNot: [ast.Is],
}  # fmt: skip


def replacements(node):
    """Mutated copies of one node; None deletes a statement."""

    def changed(**values):
        new = copy.deepcopy(node)
        for name, value in values.items():
            setattr(new, name, value)
        return new

    if isinstance(node, ast.BinOp | ast.BoolOp):
        yield from (changed(op=new()) for new in OPERATORS.get(type(node.op), []))
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield from (changed(ops=[new()]) for new in OPERATORS[type(node.ops[0])])
    elif isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            for new in OPERATORS[type(op)]:
                yield changed(ops=[*node.ops[:i], new(), *node.ops[i + 1 :]])
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield changed(value=not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield changed(value=2 * node.value if node.value % 1 else node.value + 1)
    elif isinstance(node, ast.If | ast.IfExp) and ast.unparse(node.test) != "TYPE_CHECKING":
        yield changed(test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Return) and node.value and not ast.unparse(node.value) == "None":
        yield changed(value=ast.Constant(None))
    elif isinstance(node, ast.Call):
        for i in range(len(node.keywords)):
            yield changed(keywords=node.keywords[:i] + node.keywords[i + 1 :])
    elif isinstance(node, ast.AugAssign | ast.Raise | ast.Break):
        yield ast.Pass()
    elif isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
        yield ast.Pass()


def skipped(parent, name, child):
    """Annotations, decorators, type-checking imports and the fields of dataclasses."""
    return name in ("annotation", "returns", "decorator_list") or (
        isinstance(parent, ast.ClassDef) and isinstance(child, ast.AnnAssign)
    )


def mutants(tree):
    """(line, what it was, what it is, mutated tree), in the order of the source."""

    def places(node):
        for name, value in ast.iter_fields(node):
            for i, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.AST) and not skipped(node, name, child):
                    yield node, name, i if isinstance(value, list) else None, child
                    yield from places(child)

    for parent, name, i, child in list(places(tree)):
        for new in replacements(child):
            new = ast.copy_location(new, child) if new is not child else new
            target, key = (getattr(parent, name), i) if i is not None else (parent.__dict__, name)
            target[key] = new
            text = [ast.unparse(n).splitlines()[0] for n in (child, new)]
            yield child.lineno, *text, ast.fix_missing_locations(copy.deepcopy(tree))
            target[key] = child


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the mutant wherever the module is imported."""

    def __init__(self, name, path, tree):
        self.name, self.path, self.code = name, path, compile(tree, path, "exec")

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def exec_module(self, module):
        exec(self.code, module.__dict__)


def outcome(finder, tests, limit):
    """ "killed", "survived" or "timed out", of one mutant in a fork."""
    if (child := os.fork()) == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1), os.dup2(quiet, 2)
        signal.alarm(limit)
        sys.meta_path.insert(0, finder)
        os._exit(int(run(tests)))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "timed out" if os.WTERMSIG(status) == signal.SIGALRM else "killed"
    return "survived" if os.WEXITSTATUS(status) == 0 else "killed"


def run(tests):
    file, *parts = tests
    always = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider"]
    return any(pytest.main([*always, f"tests/{file}", "-k", names]) for names in parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("module", choices=MODULES)
    parser.add_argument("--most", type=int, default=150, help="sample at most so many mutants")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    name, *tests = MODULES[options.module]
    path = name.replace(".", "/") + ".py"
    found = list(mutants(ast.parse(open(path, encoding="utf-8").read())))
    picked = sorted(
        random.Random(options.seed).sample(range(len(found)), min(options.most, len(found)))
    )
    start = time.monotonic()
    if run(tests):
        sys.exit("the tests fail on the module as it is")
    limit = int(20 + 10 * (time.monotonic() - start))
    for loaded in [m for m in sys.modules if m.startswith(FRESH)]:
        del sys.modules[loaded]
    counts = {"killed": 0, "timed out": 0, "survived": 0}
    for i in picked:
        line, old, new, tree = found[i]
        how = outcome(Mutated(name, path, tree), tests, limit)
        counts[how] += 1
        if how != "killed":
            print(f"{how}: {path}:{line}   {old}   ->   {new}", flush=True)
    print(
        f"{len(picked)} of {len(found)} mutants:", ", ".join(f"{n} {h}" for h, n in counts.items())
    )


if __name__ == "__main__":
    main()
