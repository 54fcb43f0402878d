"""What a budget has bought: labels in the order of their purchase, as blocks of a fit.

`Purse` follows a stream of calculations that is drawn beforehand.  `ListPurse` shops by the list of
`generalisation.assess.shopping`, from what the labels paid so far say and nothing else:

    fit -> the candidate's own defect on the domain -> offers -> the largest predicted reduction of
    the defect error for its atom calls -> labels -> ...

Candidates cost no labels, so the domain may be as large as one likes; the reference's defect there
is never asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.linalg import qr

from ..crystals import Supercell, build_defect
from ..equilibrium import relax
from ..failures import NoEquilibrium
from ..generalisation.assess.crystal import Pair
from ..generalisation.assess.offers import Candidate, defect_candidates
from ..generalisation.assess.shopping import LEAST, Ambiguity, response
from ..generalisation.composite import restriction
from ..learning.fitting import Block, fit_blocks
from ..learning.training import crystal_observations
from .data_design import NEAR, Calculation

#: Small cells before the first list, in the order of "defect cells": the relaxed one and a rattle.
FIRST = 2

#: A new list is made when this much more is paid than at the last one.
GROWTH = 1.4

#: Draws of rattles on a list; each has three cells of every size, of which the first is relaxed.
DRAWS = 4


class Purse:
    """The calculations of one source in order, labelled as they are bought, and their blocks."""

    def __init__(self, stream, basis, potential):
        self._stream, self._of = stream, (basis, potential)
        self.bought: list[Calculation] = []
        self._parts: list[dict] = []
        self._reduced: dict = {}  # (kind, count) -> [R, rows, groups] of the first `count`
        self._next = next(stream)

    def count(self, budget: float) -> int:
        """How many of the first calculations the budget pays."""
        spent = sum(c.cost for c in self.bought)
        while spent + self._next.cost <= budget:
            parts: dict = {}
            # all with one model, then all with the other: a cell keeps the last one's evaluation
            A, y = ([o.observe(m) for o in self._next.observations] for m in self._of)
            for o, a, b in zip(self._next.observations, A, y):
                parts.setdefault(o.kind, []).append(np.column_stack([a, b]))
            self._parts.append({k: np.concatenate(p) for k, p in parts.items()})
            self.bought.append(Calculation(self._next.atoms, (), self._next.calls))
            spent += self._next.cost
            self._next = next(self._stream)
        total = np.cumsum([c.cost for c in self.bought])
        return int(np.searchsorted(total, budget, side="right"))

    def blocks(self, count: int, kinds: Sequence[str]) -> dict[str, Block]:
        """Blocks of the first `count` calculations."""
        return {k: b for k in kinds if (b := self._block(k, count)) is not None}

    def _block(self, kind, count):
        if (kind, count) not in self._reduced:
            start = max((c for k, c in self._reduced if k == kind and c < count), default=0)
            R, rows, groups = self._reduced.get((kind, start), ([], 0, 0))
            new = [p[kind] for p in self._parts[start:count] if kind in p]
            if len(R) or new:
                A = np.concatenate([*([R] if len(R) else []), *new])
                R = qr(A, mode="r")[0][: min(A.shape)] if len(A) > A.shape[1] else A
            value = R, rows + sum(map(len, new)), groups + len(new)
            self._reduced[kind, count] = value
        R, rows, groups = self._reduced[kind, count]
        return Block(kind, R, rows, groups) if groups else None


class ListPurse(Purse):
    """A purse that decides by itself what comes next: the recipe "theory, by the list".

    prepared : the contest's `PreparedContest`;  recipe : its entry (kinds and weights)

    Offered are, as in the library's list, cells of all training sizes with the candidate's own
    defect, relaxed and rattled by up to `NEAR`; and force constants and strained crystals at the
    contest's price.  Where no offer reduces the predicted error, the one that adds least to it is
    bought.  A candidate without a defect buys the next of the small cells.

    names, notes : list     of each purchase: what it is, and what the list said of it: "first" (no
    list yet), "lost" (no defect), "worth" (a gain above `LEAST` of the error), "least" (a smaller
    one), "none";  structures : list     what the list calls each
    """

    def __init__(self, prepared: Any, seed: int, recipe: Any):
        self.prepared, self.seed, self.recipe = prepared, seed, recipe
        self.notes: list[str] = []
        self.names: list[str] = []
        self.structures: list[str] = []
        self._crystal: dict[str, int] = {}  # kind -> number of its purchase
        self._heads: list[int] = []  # numbers of the purchases that head a list
        super().__init__(self._shop(), prepared.basis, prepared.potential)

    def blocks(self, count: int, kinds: Sequence[str]) -> dict[str, Block]:
        out = super().blocks(count, kinds)
        ready = {k: n for k, n in self._crystal.items() if n < count and k in kinds}
        return out | {k: self.prepared.crystal_blocks[k] for k in ready}

    def summary(self, count: int) -> dict:
        """Of the first `count` purchases: how many of each ("number"); how many were made with a
        gain above `LEAST`, without a defect and without any gain ("worth", "lost", "none"); and
        the atom calls paid for configurations when a list first began with less ("enough").
        """
        names, notes = self.names[:count], self.notes[:count]
        paid = np.cumsum([0, *(c.cost for c in self.bought[:count])])
        end = next((k for k in self._heads if k < count and notes[k] in ("least", "none")), None)
        return {
            "number": {n: names.count(n) for n in sorted(set(names))},
            **{said: notes.count(said) for said in ("worth", "lost", "none")},
            "enough": None if end is None else int(paid[end]),
        }

    def _buy(self, calculation, name, said, structure="small cell"):
        self.names.append(name)
        self.notes.append(said)
        self.structures.append(structure)
        return calculation

    def _shop(self) -> Iterator[Calculation]:
        p = self.prepared
        study, sources = p.study, p.sources(self.seed)
        small = sources.stream("small")
        name = f"EF {study.sizes[0]}"
        for _ in range(FIRST):
            yield self._buy(next(small), name, "first")
        paid = sum(c.cost for c in sources.fixed("list"))
        start = self._start(*sources.relaxed(study.sizes[0])[:2])
        while True:
            found = self._candidate(start)
            if found is None:
                yield self._buy(next(small), name, "lost")
                continue
            spent = paid + sum(c.cost for c in self.bought)
            limit = GROWTH * spent
            self._heads.append(len(self.names))
            for offer, said in self._listed(found):
                if offer.kinds in p.crystal_blocks:
                    self._crystal[offer.kinds] = len(self.names)
                    bought = Calculation(offer.atoms, (), offer.count)
                else:
                    bought = Calculation(offer.atoms, tuple(offer.observations))
                cells = f" {offer.cells[0]}" if offer.cells else ""
                yield self._buy(bought, offer.kinds + cells, said, offer.structure)
                spent += bought.cost
                if spent >= limit:
                    break

    @cached_property
    def _domain(self):
        study = self.prepared.study
        return build_defect(study.defect, Supercell(self.prepared.crystal, study.test_cell))

    def _start(self, small, u):
        """The domain's sites, displaced as the small cell's atoms are (which was paid for)."""
        same = np.sign(restriction(self._domain, small).toarray())
        return self._domain.positions + same.T @ u

    def _candidate(self, start):
        """The fit to all that is paid, with its own defect on the domain; None: it has none."""
        p, study = self.prepared, self.prepared.study
        blocks = self.blocks(len(self.bought), tuple("EFV") + ("FC",))
        weights = {k: w for k, w in self.recipe.weights.items() if k in blocks}
        fit = fit_blocks(
            blocks, p.basis, tuple(blocks), p.potential, p.crystal, weights, study.ridge
        )
        pair = Pair(fit.model, p.potential, p.crystal, p.crystal)
        try:
            own = relax(fit.model, self._domain, start, tolerance=1e-6, saddle="ignore")
        except NoEquilibrium:
            return None
        found = SimpleNamespace(equilibrium=own, defect=study.defect, name=study.defect)
        S = response(pair, SimpleNamespace(checks=(study.test_cell,)), found)
        if S is None:
            return None
        measure = Ambiguity(fit.model, blocks, self.recipe.weights, S)
        return SimpleNamespace(pair=pair, found=found, measure=measure)

    def _listed(self, candidate):
        """(offer, what the list says of it), best first."""
        p, study = self.prepared, self.prepared.study
        left, sizes = [], sorted(set(study.sizes))
        for draw in range(DRAWS):
            seed = [self.seed, len(self.names), draw]
            shop = SimpleNamespace(seed=seed, rattle=NEAR, power=1.0)
            drawn = defect_candidates(candidate.pair, sizes, candidate.found, shop)
            left += [c for c in drawn if draw == 0 or "rattled" in c.structure]
        crystal = crystal_observations(p.crystal)
        for kind, c in zip(("FC", "V"), p.crystal_cost):
            if kind not in self._crystal:
                own = [o for o in crystal if o.kind == kind]
                left.append(Candidate(kind, "crystal", (), c.atoms, c.calls, c.cost, own, []))
        measure = candidate.measure
        while left:
            now = measure.error
            gains = [1 - measure.after(c) / now for c in left]
            values = [g / c.cost if g > 0 else g for g, c in zip(gains, left)]
            best = int(np.argmax(values))
            said = "worth" if gains[best] > LEAST else "least" if gains[best] > 0 else "none"
            offer = left.pop(best)
            measure.take(offer)
            yield offer, said
