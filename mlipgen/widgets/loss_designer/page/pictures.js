// Three pictures: the trade-off of all fits tried, how flat the optimum is, what a budget buys.

Object.assign(
  LEGEND,
  Object.fromEntries(
    [...KINDS.map(([k]) => k), "ridge"].map((k) => [
      k,
      `<line x1="0" x2="22" y1="6" y2="6" class="mx-line ld-${k}"/>`,
    ]),
  ),
  {
    best: '<line x1="11" x2="11" y1="0" y2="12" class="mx-current"/>',
    tried: '<circle cx="11" cy="6" r="3.5" class="mx-dot reference"/>',
    usual:
      '<line x1="0" x2="22" y1="6" y2="6" class="mx-line reference"/>' +
      '<circle cx="11" cy="6" r="3.5" class="mx-dot reference"/>',
  },
);

/** 1-2-5 ticks between two values, or the decades where these are many. */
function ticksBetween(low, high) {
  const out = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++)
    for (const k of [1, 2, 5]) {
      const value = k * 10 ** e;
      if (value >= low && value <= high) out.push({ value, k, e });
    }
  const decades = out.filter((t) => t.k === 1);
  const shown = out.length > 7 ? decades : out;
  const label = ({ value, k, e }, i) =>
    k === 1 && i ? decade(e) : i ? String(k) : formatNumber(value, 1);
  return shown.map((t, i) => ({ ...t, label: label(t, i) }));
}

class Tradeoff {
  constructor() {
    Object.assign(this, figure(["Energy error against geometry error of all fits tried"]));
  }

  /** found: so far or in the end; usual: { geometry, energy } or null */
  draw({ evaluator, best, usual }) {
    const all = [...evaluator.seen.values()].filter((f) => f.applies);
    const from = best ?? all.reduce((a, b) => (a && a.value <= b.value ? a : b), null);
    const far = usual ?? from;
    if (!from) return;
    const range = [
      Math.min(from.geometry, far.geometry) / 2,
      4 * Math.max(from.geometry, far.geometry),
    ];
    const most = 50 * Math.max(from.energy, far.energy);
    const shown = all.filter(
      (f) => f.geometry > range[0] && f.geometry < range[1] && f.energy < most,
    );
    const points = (list) => list.map((f) => ({ x: f.geometry, y: f.energy }));
    const front = frontOf(evaluator).filter((f) => shown.includes(f));
    showLegend(this.list, [
      ["tried", "tried"],
      ["line", "no other is better in both"],
      ["mark", "usual weights"],
      ...(best ? [["best", "best found"]] : []),
    ]);
    drawChart(this.svg, {
      title:
        `Energy error against geometry error of ${all.length} fits, logarithmic: best found ` +
        `${formatNumber(from.geometry)} Å and ${formatNumber(from.energy)} eV` +
        (usual
          ? `, usual weights ${formatNumber(usual.geometry)} Å and ${formatNumber(usual.energy)} eV`
          : ""),
      x: { label: "geometry error (Å)", kind: "log", ticks: ticksBetween(...range), range },
      y: { label: "energy error, held-out cells added (eV)" },
      current: best ? from.geometry : undefined,
      lines: [
        { className: "reference", points: points(shown), pointsOnly: true },
        { className: "predicted", points: points(front) },
      ],
      marks: usual ? [{ x: usual.geometry, y: usual.energy, title: "usual weights" }] : [],
    });
  }
}

class Flatness {
  constructor() {
    Object.assign(this, figure(["How flat the optimum is: one weight moved at a time"]));
  }

  draw(x, profiles) {
    const keys = Object.keys(profiles);
    const factor = (key, p) => 10 ** ((p - x[key]) / (key === "ridge" ? 4 : 10));
    const lines = keys.map((key) => [key, nameOf(key).toLowerCase()]);
    showLegend(this.list, [...lines, ["floor", "10 % worse"]]);
    const spans = keys.map((key) => `${nameOf(key)} ${rangeText(key, profiles[key].range)}`);
    const ticks = [-3, -2, -1, 0, 1, 2, 3].map((e) => ({ value: 10 ** e, label: decade(e) }));
    drawChart(this.svg, {
      title:
        "Error over the best one against the factor on one weight; within 10 %: " +
        spans.join("; "),
      x: { label: "factor on the weight", kind: "log", ticks },
      y: {
        label: "error / best",
        range: [0.97, 2.1],
        ticks: [1, 1.1, 1.25, 1.5, 2].map((value) => ({ value, label: String(value) })),
      },
      lines: keys.map((key) => ({
        className: `ld-${key}`,
        noDots: true,
        points: profiles[key].points.map(({ position, ratio }) => ({
          x: factor(key, position),
          y: Math.min(ratio, 10),
        })),
      })),
      marks: [],
      floors: [{ y: FLAT, label: "" }],
    });
  }
}

class Budget {
  constructor() {
    this.title = h("span");
    Object.assign(this, figure([this.title]));
  }

  /** rows: [{ size, cost, usual, best }], null where unknown or not applicable */
  draw(rows, current, label) {
    this.title.textContent = "What a larger training cell buys";
    showLegend(this.list, [
      ["usual", "usual weights"],
      ["line", "best found"],
    ]);
    const line = (className, key) => ({
      className,
      points: rows.map((r) => ({ x: r.cost, y: r[key] })),
    });
    const told = rows
      .filter((r) => r.best)
      .map((r) => `${r.size}: ${formatNumber(r.usual)} and ${formatNumber(r.best)}`);
    drawChart(this.svg, {
      title:
        "Error with the usual and the best weights by training cell, logarithmic: " +
        told.join("; "),
      x: {
        label: "atom calls (training cell)",
        kind: "log",
        ticks: rows.map((r) => ({
          value: r.cost,
          label: `${r.cost.toLocaleString("en")} (${r.size})`,
        })),
      },
      y: { label },
      current: rows.find((r) => r.size === current)?.cost,
      lines: [line("reference", "usual"), line("predicted", "best")],
      marks: [],
    });
  }
}

const nameOf = (key) => (key === "ridge" ? "Ridge" : KINDS.find(([k]) => k === key)[1]);
const sizeAt = (key, p) => 10 ** (p / (key === "ridge" ? 4 : 10));

/** A weight or ridge in two digits: 0.001, 500, 10⁻⁶. */
function weightText(x) {
  if (x >= 0.00099 && x < 1e4) return String(Number(x.toPrecision(2)));
  return formatNumber(x, 1).replace(/^1\s×\s/, "");
}

/** A stretch of positions in words; an end at the edge of the box is open. */
function rangeText(key, [low, high]) {
  const [least, most] = boxOf(key);
  const write = (p) => weightText(sizeAt(key, p));
  if (low === least && high === most) return "any";
  if (low === least) return `≤ ${write(high)}`;
  if (high === most) return `≥ ${write(low)}`;
  return low === high ? write(low) : `${write(low)} – ${write(high)}`;
}
