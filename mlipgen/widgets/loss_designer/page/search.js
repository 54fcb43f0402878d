// The search for weights, a fit at a time; the twin of design.py.

const BOX = { weight: [-30, 30], ridge: [-32, 0] };
const STEPS = [
  [10, 4],
  [5, 2],
  [2, 1],
  [1, 1],
];
const GAIN = 1e-4;
const FLAT = 1.1;
const STARTS = [
  { E: 15, F: 0, V: 0, FC: -20, ridge: -16 },
  { E: 0, F: 0, V: 0, FC: 0, ridge: -16 },
];

/** The kind whose weight is held: only ratios matter. */
const heldKind = ({ kinds }) => (kinds.includes("F") ? "F" : kinds[0]);
const coordinatesOf = (problem) => [
  ...KINDS.map(([k]) => k).filter((k) => problem.kinds.includes(k) && k !== heldKind(problem)),
  "ridge",
];
const boxOf = (key) => BOX[key === "ridge" ? "ridge" : "weight"];

/** problem: { cell, degree, kinds, forces, objective }; x: { E: tenths, ..., ridge: quarters } */
function settingAt({ cell, degree, forces }, x) {
  const weights = {};
  for (const [k] of KINDS) if (k in x) weights[k] = power(x[k]);
  return { cell, degree, ridge: 10 ** (x.ridge / 4), weights, forces, noise: 0 };
}

function usualAt({ meta }, { kinds }) {
  const x = {};
  for (const [k] of KINDS)
    if (kinds.includes(k)) x[k] = Math.round(10 * Math.log10(meta.weights[k]));
  return { ...x, ridge: Math.round(4 * Math.log10(meta.default.ridge)) };
}

/** Held-out energies of the training cells, eV. */
function heldEnergy(data, setting, theta) {
  const name = blockKey(data, "held", "E", setting.cell);
  if (!(name in data.arrays)) return 0;
  return (
    data.meta.factors[name] * Math.sqrt(norm2(packedProduct(data.arrays[name], theta, [-1, 0])))
  );
}

/** What a fit is worth: { theta, applies, geometry, energy (signed), held, total }. */
function judged(data, setting) {
  const theta = fitTheta(data, setting);
  const found = predictDefect(data, theta);
  const held = heldEnergy(data, setting, theta);
  return { theta, ...found, held, total: Math.hypot(found.energy, held) };
}

/** The values of one problem, each fit solved once. */
class Evaluator {
  constructor(data, problem) {
    Object.assign(this, { data, problem, seen: new Map() });
  }

  /** Solves at x where it was not solved before; whether it had to. */
  solve(x) {
    const key = JSON.stringify(Object.entries(x).sort());
    this.last = this.seen.get(key);
    if (this.last) return false;
    const { applies, geometry, total } = judged(this.data, settingAt(this.problem, x));
    const of = { geometry, energy: total, both: Math.sqrt(geometry * total) };
    const value = applies ? of[this.problem.objective] : Infinity;
    this.last = { value, geometry, energy: total, applies };
    this.seen.set(key, this.last);
    return true;
  }

  /** The value at x; yields once after each new fit. */
  *at(x) {
    if (this.solve(x)) yield this.seen.size;
    return this.last.value;
  }
}

function stepped(x, key, sign, steps) {
  const [low, high] = boxOf(key);
  const to = Math.min(high, Math.max(low, x[key] + sign * steps[key === "ridge" ? 1 : 0]));
  return to === x[key] ? null : { ...x, [key]: to };
}

function* descend(evaluator, x) {
  let best = yield* evaluator.at(x);
  for (const steps of STEPS)
    for (let moved = true; moved;) {
      moved = false;
      for (const key of coordinatesOf(evaluator.problem))
        for (const sign of [1, -1])
          for (;;) {
            const y = stepped(x, key, sign, steps);
            if (!y) break;
            const value = yield* evaluator.at(y);
            if (!(value < (1 - GAIN) * best)) break;
            [x, best, moved] = [y, value, true];
          }
    }
  return { x, value: best };
}

/** The best place of all profiles, the first of equals. */
function bestOf(profiles, x) {
  let [least, place] = [1, x];
  for (const [key, { points }] of Object.entries(profiles))
    for (const { position, ratio } of points)
      if (ratio < (1 - GAIN) * least) [least, place] = [ratio, { ...x, [key]: position }];
  return place;
}

/** The best weights found: { problem, x, value, usual, usualValue, profiles, evaluator }. */
function* designOf(data, problem) {
  const evaluator = new Evaluator(data, problem);
  const usual = usualAt(data, problem);
  let best = null;
  for (const start of [usual, ...STARTS]) {
    const from = Object.fromEntries(Object.keys(usual).map((k) => [k, start[k]]));
    from[heldKind(problem)] = usual[heldKind(problem)];
    const found = yield* descend(evaluator, from);
    if (!best || found.value < (1 - GAIN) * best.value) best = found;
  }
  let profiles = {};
  while (Number.isFinite(best.value)) {
    profiles = yield* profileOf(evaluator, best);
    const y = bestOf(profiles, best.x);
    if (!((yield* evaluator.at(y)) < (1 - GAIN) * best.value)) break;
    best = yield* descend(evaluator, y);
  }
  const usualValue = yield* evaluator.at(usual);
  return { problem, ...best, usual, usualValue, profiles, evaluator };
}

/**
 * How flat the optimum is: { key: { points: [{ position, ratio }], range: [low, high], without } }
 * with one position moved at a time; without: the ratio when the kind is left out.
 */
function* profileOf(evaluator, { x, value }) {
  const { problem } = evaluator;
  const out = {};
  for (const key of coordinatesOf(problem)) {
    const [low, high] = boxOf(key);
    const step = key === "ridge" ? 1 : 2;
    const points = [];
    for (let p = x[key] - Math.floor((x[key] - low) / step) * step; p <= high; p += step) {
      const v = yield* evaluator.at({ ...x, [key]: p });
      points.push({ position: p, ratio: v / value });
    }
    const flat = (i) => points[i]?.ratio <= FLAT;
    let first = points.findIndex((p) => p.position === x[key]);
    let last = first;
    while (flat(first - 1)) first--;
    while (flat(last + 1)) last++;
    const range = [points[first].position, points[last].position];
    const rest = Object.fromEntries(Object.entries(x).filter(([k]) => k !== key));
    const without = key === "ridge" ? null : (yield* evaluator.at(rest)) / value;
    out[key] = { points, range, without };
  }
  return out;
}

/** Of all fits solved: those that no other one beats in both errors, by geometry. */
function frontOf(evaluator) {
  const all = [...evaluator.seen.values()].filter((f) => f.applies);
  all.sort((a, b) => a.geometry - b.geometry || a.energy - b.energy);
  let least = Infinity;
  return all.filter((f) => f.energy < least && ((least = f.energy), true));
}

const SLICE = 14; // ms of fits between two breaths

/** Run a generator of fits a slice at a time; null where it is wanted no more. */
async function inSlices(generator, wanted, progress) {
  for (let begin = performance.now(); ;) {
    const step = generator.next();
    if (step.done) return step.value;
    if (performance.now() - begin < SLICE) continue;
    progress?.(step.value);
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (!wanted()) return null;
    begin = performance.now();
  }
}

/** A generator to its end, at once. */
function finished(generator) {
  for (;;) {
    const step = generator.next();
    if (step.done) return step.value;
  }
}
