// What was found, in words and rows.

/**
 * { head, text, said (read aloud), caption (on paper) } of a design whose prediction applies.
 * other: whether another defect is shown.
 */
function foundText(meta, { problem, x, value, usualValue, profiles, evaluator }, other) {
  const gain = Number.isFinite(usualValue)
    ? `${formatNumber(usualValue / value, 2)} times smaller`
    : "a prediction that applies";
  const what = ERRORS.find(([k]) => k === problem.objective)[1];
  const sharp = Object.keys(profiles).filter((k) => profiles[k].range[0] === profiles[k].range[1]);
  const names = sharp.map((k) => nameOf(k).toLowerCase()).join(", ");
  const warning = `The optimum is sharp (${names}): rather a coincidence than a rule.`;
  const elsewhere = [
    ...(meta.relax ? ["what relaxing makes of it"] : []),
    ...(other ? ["the same weights at another defect"] : []),
  ];
  const words = [...problem.kinds, "ridge"].map(
    (k) => `${nameOf(k).toLowerCase()} ${weightText(sizeAt(k, x[k]))}`,
  );
  return {
    head: `Best of ${evaluator.seen.size} fits: ${gain}.`,
    text:
      `Weights chosen for the linear estimate of this very defect (${what}, labels without ` +
      `noise). ${elsewhere.length ? `The lower rows show ${elsewhere.join(" and ")}. ` : ""}` +
      (sharp.length ? warning : ""),
    said: `Weights found: the error is ${gain} than with the usual weights.`,
    caption:
      `${meta.title}. Training cell ${problem.cell}; ` + `best weights found: ${words.join(", ")}.`,
  };
}

/** Another defect of the same crystal with the same training cell and basis, if there is one. */
function otherDefect(sets, data, { cell, degree, forces }) {
  const fits = (s) =>
    s !== data &&
    s.meta.crystal === data.meta.crystal &&
    s.meta.cells.some((c) => c.size === cell) &&
    s.meta.degrees.includes(degree) &&
    weightingsHeld(s.arrays).includes(forces);
  return sets.find(fits) ?? null;
}

/**
 * [[id, label, usual, best]] of the table of errors.  solved: both fits as `judged`; relaxed: what
 * the worker found so far; other: another defect's data or null.
 */
function errorRows({ data, design, solved, relaxed, other }) {
  const both = (fits, key) => fits.map((s) => (s.applies ? s[key] : "no prediction"));
  const own = [solved.usual, solved.best];
  const rows = [
    ["geometry", "Geometry, linear (Å)", ...both(own, "geometry")],
    ["energy", "Energy, linear (eV)", ...both(own, "energy")],
    ["held", "Held-out cells, energy (eV)", ...own.map((s) => s.held)],
  ];
  if (data.meta.relax) {
    const found = (key) => [relaxed.usual?.[key], relaxed.best?.[key]];
    rows.push(["relaxed-geometry", "Geometry, relaxed (Å)", ...found("geometry")]);
    rows.push(["relaxed-energy", "Energy, relaxed (eV)", ...found("energy")]);
  }
  if (!other) return rows;
  const there = [design.usual, design.x].map((x) => judged(other, settingAt(design.problem, x)));
  const name = other.meta.title.split(", ").at(-1);
  const label = (what) => `The same weights for the ${name}: ${what}`;
  rows.push(["other-geometry", label("geometry (Å)"), ...both(there, "geometry")]);
  rows.push(["other-energy", label("energy (eV)"), ...both(there, "energy")]);
  return rows;
}
