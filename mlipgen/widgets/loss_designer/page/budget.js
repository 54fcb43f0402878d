// What a budget pays for, in atom calls; the twin of `affordable` in design.py.

/** Atoms × calls that label the data of a cell size and these kinds. */
function priceOf(meta, facts, size, kinds) {
  const { atoms } = meta.cells.find((c) => c.size === size);
  const { count, strained, primitive, supercell } = facts;
  return (
    count * atoms +
    (kinds.includes("V") ? strained * primitive : 0) +
    (kinds.includes("FC") && supercell ? 2 * supercell.atoms : 0)
  );
}

/** The allowed kinds with all, some or none of the crystal's data, which cost something each. */
function choicesOf({ kinds }) {
  const left = [[], ["V"], ["FC"], ["V", "FC"]].map((out) => kinds.filter((k) => !out.includes(k)));
  const known = new Set();
  return left.filter((choice) => {
    const fresh = choice.length && !known.has(choice.join());
    known.add(choice.join());
    return fresh;
  });
}

/**
 * The problems that are paid for: of each cell size with as much of the crystal's data as is
 * allowed and affordable.  Less of it is not searched, because a small weight comes to the same.
 */
function affordable({ meta }, facts, problem, budget) {
  const less = (a, b) => a.length < b.length && a.every((k) => b.includes(k));
  return meta.cells.flatMap(({ size }) => {
    const paid = choicesOf(problem).filter((k) => priceOf(meta, facts, size, k) <= budget);
    const most = paid.filter((kinds) => !paid.some((other) => less(kinds, other)));
    return most.map((kinds) => ({ ...problem, cell: size, kinds }));
  });
}

/** The least that any fit costs. */
function leastPrice({ meta }, facts, problem) {
  const sizes = meta.cells.map((c) => c.size);
  const prices = choicesOf(problem).flatMap((kinds) => {
    return sizes.map((size) => priceOf(meta, facts, size, kinds));
  });
  return Math.min(...prices);
}

/** What was chosen for a budget, in words. */
function boughtText({ meta }, facts, { cell, kinds }, budget) {
  const cost = priceOf(meta, facts, cell, kinds);
  const [most, calls] = [budget, cost].map((x) => x.toLocaleString("en"));
  const names = kinds.map((k) => nameOf(k).toLowerCase()).join(", ");
  return `For at most ${most} atom calls: training cell ${cell}, ${names} (${calls}). `;
}

/** Of two designs the better one, the first of equals; null is none. */
function better(a, b) {
  return a === null || b.value < (1 - GAIN) * a.value ? b : a;
}
