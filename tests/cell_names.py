"""Which cells of a notebook others need: what each reads, binds and changes, from its syntax."""

import ast
import re


class Names(ast.NodeVisitor):
    """Names that a cell reads from cells above it, binds, and changes in place."""

    def __init__(self, code):
        self.reads, self.binds, self.changes = set(), set(), set()
        self.visit(ast.parse(re.sub(r"^[%!].*", "", code, flags=re.M)))

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Store):
            self.binds.add(node.id)
        elif node.id not in self.binds:
            self.reads.add(node.id)

    def visit_alias(self, node):
        self.binds.add((node.asname or node.name).split(".")[0])

    def _in_order(self, *parts):
        for part in parts:
            self.visit(part)

    def visit_Assign(self, node):
        self._in_order(node.value, *node.targets)  # read before they are bound

    def visit_AugAssign(self, node):
        if isinstance(node.target, ast.Name):
            self.visit(ast.Name(node.target.id, ast.Load()))
        self._in_order(node.value, node.target)

    def visit_For(self, node):
        self._in_order(node.iter, node.target, *node.body, *node.orelse)

    def _inside(self, own, parts):
        """Parts that bind names for themselves only."""
        outer, self.binds = self.binds, self.binds | own
        self._in_order(*parts)
        self.binds = outer

    def _comprehension(self, node):
        loops = [part for g in node.generators for part in (g.iter, g.target, *g.ifs)]
        made = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        self._inside(set(), [*loops, *made])

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_FunctionDef(self, node):
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        defaults = [d for d in (*node.args.defaults, *node.args.kw_defaults) if d]
        self._in_order(*defaults)
        self._inside({a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}, body)
        if not isinstance(node, ast.Lambda):
            self._in_order(*node.decorator_list)
            self.binds.add(node.name)

    visit_Lambda = visit_FunctionDef

    def visit_ClassDef(self, node):
        self._inside(set(), [*node.decorator_list, *node.bases, *node.body])
        self.binds.add(node.name)

    def generic_visit(self, node):
        base = None
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):  # rows.append(x)
            base = node.value.func
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            base = node
        if isinstance(base, ast.Subscript | ast.Attribute):  # print(x) changes nothing here
            while isinstance(base, ast.Subscript | ast.Attribute | ast.Call):
                base = base.func if isinstance(base, ast.Call) else base.value
            if isinstance(base, ast.Name):
                self.changes.add(base.id)
        super().generic_visit(node)


def needed(cells, last):
    """The code cells that those for which `last` is true need, and these, in order."""
    wanted, kept = set(), []
    for cell in reversed([c for c in cells if c.cell_type == "code"]):
        names = Names(cell.source)
        if last(cell) or (names.binds | names.changes) & wanted:
            kept.append(cell)
            wanted = wanted - (names.binds - names.changes) | names.reads
    return kept[::-1]
