// The two charts: the error against a choice, and the error against the distance from the defect.

/** Worst-case exponents of the theory in the training-cell size: [geometry, energy]. */
function theoryRate(kinds, d) {
  const has = (k) => kinds.includes(k);
  if (!has("F")) return null;
  if (has("FC") && has("V")) return [Math.min(1.5 * d + 2, 2.5 * d), Math.min(2 * d + 2, 3 * d)];
  if (has("FC")) return [1.5 * d, 2 * d];
  if (has("V")) return [Math.min(d / 2 + 2, 1.5 * d), Math.min(d + 2, 2 * d)];
  return [d / 2, d];
}

const LEGEND = {
  line:
    '<line x1="0" x2="22" y1="6" y2="6" class="mx-line"/>' +
    '<circle cx="11" cy="6" r="3.5" class="mx-dot"/>',
  reference: '<line x1="0" x2="22" y1="6" y2="6" class="mx-line reference"/>',
  mark: '<path d="M11,0.5L16.5,6L11,11.5L5.5,6Z" class="mx-mark"/>',
  slope: '<line x1="0" x2="22" y1="6" y2="6" class="mx-slope"/>',
  lost: '<path d="M7,2L15,10M7,10L15,2" class="mx-lost"/>',
  gone: '<path d="M7,2L15,10M7,10L15,2" class="mx-lost measured"/>',
};

/** A figure with a caption, a legend and an empty SVG. */
function figure(caption) {
  const svg = document.createElementNS(SVG_NS, "svg");
  svg.setAttribute("role", "img");
  const list = h("ul", { class: "mx-legend" });
  const plot = h("div", { class: "mx-plot" }, svg);
  const node = h("figure", { class: "mx-figure" }, h("figcaption", {}, ...caption), list, plot);
  return { svg, list, node };
}

function showLegend(list, entries) {
  const items = entries.map(([shape, text]) => {
    const item = h("li");
    item.innerHTML = `<svg width="22" height="12" aria-hidden="true">${LEGEND[shape]}</svg>`;
    item.append(text);
    return item;
  });
  list.replaceChildren(...items);
}

/** Errors over training-cell size, observations or basis degree, all other choices as they are. */
class Comparison {
  constructor(chart, onchange) {
    this.chart = { y: "geometry", x: "cell", ...chart };
    const choice = (label, entries, key) => {
      const choose = () => {
        this.chart[key] = select.value;
        onchange();
      };
      const select = h(
        "select",
        { "aria-label": label, onchange: choose },
        ...entries.map(([value, text]) =>
          h("option", { value, selected: this.chart[key] === value }, text),
        ),
      );
      return select;
    };
    const errors = [
      ["geometry", "Geometry error"],
      ["energy", "Energy error"],
    ];
    const axes = [
      ["cell", "training cell size"],
      ["observations", "observations"],
      ["degree", "basis degree"],
    ];
    Object.assign(
      this,
      figure([choice("Error shown", errors, "y"), "against", choice("Compared over", axes, "x")]),
    );
  }

  /** [{ value, label, setting }] along the horizontal axis. */
  ticks({ data, setting, state }) {
    const { meta, arrays } = data;
    if (this.chart.x === "cell")
      return meta.cells.map(({ size }) => ({
        value: size,
        label: String(size),
        setting: { ...setting, cell: size },
      }));
    if (this.chart.x === "degree")
      return meta.degrees.map((degree, i) => ({
        value: degree,
        label: `${degree} (${meta.counts[i]})`,
        setting: { ...setting, degree },
      }));
    const held = (k) => Object.keys(arrays).some((name) => name.startsWith(`R/train/${k}/`));
    const weight = (k) => (setting.weights[k] > 0 ? setting.weights[k] : power(state.weight[k]));
    return SETS.filter((kinds) => kinds.every(held)).map((kinds, i) => ({
      value: i,
      kinds,
      label: setName(kinds),
      setting: { ...setting, weights: Object.fromEntries(kinds.map((k) => [k, weight(k)])) },
    }));
  }

  /** Predicted points, measured marks and crosses where there is none. */
  points(now, ticks, at) {
    const { data, result } = now;
    const energy = this.chart.y === "energy";
    const unit = energy ? "eV" : "Å";
    const out = { points: [], marks: [], lost: [] };
    for (const { value: x, setting } of ticks) {
      const r = x === at ? result : predictDefect(data, fitTheta(data, setting));
      const y = energy ? Math.abs(r.energy) : r.geometry;
      const title = `predicted ${formatNumber(y)} ${unit}`;
      out.points.push({ x, y: r.applies ? y : null, title });
      if (!r.applies) out.lost.push({ x, title: "The prediction does not apply." });
      const m = measuredAt(data.meta, setting);
      if (m && m.geometry !== null) {
        const [y, title] = [Math.abs(m[this.chart.y]), `measured ${formatNumber(m[this.chart.y])}`];
        out.marks.push({ x, y, title: `${title} ${unit}` });
      } else if (m) out.lost.push({ x, className: "measured", title: m.note || "left the basin" });
    }
    return out;
  }

  /** The theory's slope for these observations, from the first point on. */
  slope({ data: { meta } }, current, points) {
    const rate = theoryRate(current, meta.dimension);
    const first = points.find((p) => p.y > 0);
    const last = meta.cells[meta.cells.length - 1].size;
    if (this.chart.x !== "cell" || !rate || !first || !(first.x < last)) return [];
    const exponent = -rate[this.chart.y === "energy" ? 1 : 0];
    return [{ x: first.x, y: first.y, exponent, to: last, label: `L${superscript(exponent)}` }];
  }

  draw(now) {
    const { setting } = now;
    const energy = this.chart.y === "energy";
    const current = KINDS.map(([k]) => k).filter((k) => setting.weights[k] > 0);
    const ticks = this.ticks(now);
    const same = (kinds) => kinds.join() === current.join();
    const at =
      { cell: () => setting.cell, degree: () => setting.degree }[this.chart.x]?.() ??
      ticks.find((t) => same(t.kinds))?.value;
    const { points, marks, lost } = this.points(now, current.length ? ticks : [], at);
    const slopes = this.slope(now, current, points);
    const labels = [["line", "predicted"]];
    if (marks.length) labels.push(["mark", "measured"]);
    if (slopes.length) labels.push(["slope", `worst-case rate for ${setName(current)}`]);
    if (lost.some((k) => !k.className)) labels.push(["lost", "does not apply"]);
    if (lost.some((k) => k.className)) labels.push(["gone", "left the basin"]);
    showLegend(this.list, labels);
    const xLabel = {
      cell: "training cell size L (lattice constants)",
      degree: "basis degree (number of functions)",
      observations: "fitted to",
    }[this.chart.x];
    const list = points.map((p, i) => {
      return `${ticks[i].label}: ${p.y ? formatNumber(p.y) : "does not apply"}`;
    });
    const none = points.every((p) => p.y === null);
    drawChart(this.svg, {
      title:
        `${energy ? "Energy" : "Geometry"} error against ${xLabel}, ` +
        `logarithmic scale: ${list.join("; ")}`,
      x: { label: xLabel, kind: this.chart.x === "cell" ? "log" : "category", ticks },
      y: { label: energy ? "|ΔE| (eV)" : "|D(ū − ūᴹᴸ)| (Å)" },
      current: at,
      lines: [{ className: "predicted", points, pointsOnly: this.chart.x === "observations" }],
      marks,
      lost,
      slopes,
      message: !current.length
        ? "Nothing is fitted."
        : none
          ? "The prediction does not apply here."
          : undefined,
    });
  }
}

/** Root mean square error per site against the distance from the defect, beside its own field. */
class Distances {
  constructor() {
    Object.assign(this, figure(["Geometry error against distance from the defect"]));
  }

  draw({ data: { meta }, result: r, measured: m }) {
    const ok = r !== null && r.applies;
    const shells = meta.shells.filter((s) => !s.periodic);
    const [first, last] = [shells[0], shells[shells.length - 1]];
    const curve = (values, word) =>
      shells.map((s, i) => {
        const y = values[i] / Math.sqrt(s.sites);
        const title = `${word} ${formatNumber(y)} Å at ${formatNumber(s.r)} Å`;
        return { x: s.r, y, title };
      });
    const own = curve(
      shells.map((s) => s.reference),
      "reference",
    );
    const lines = [{ className: "reference", noDots: true, points: own }];
    if (ok) lines.push({ className: "predicted", points: curve(r.shells, "predicted") });
    const marks = m?.shells ? curve(m.shells, "measured") : [];
    const label = `r${superscript(-meta.dimension)}`;
    const slopes =
      ok && shells.length > 2
        ? [{ x: first.r, y: own[0].y, exponent: -meta.dimension, to: last.r, label }]
        : [];
    showLegend(this.list, [
      ["line", "predicted"],
      ...(marks.length ? [["mark", "measured"]] : []),
      ["reference", "defect’s own |Dū|"],
      ...(slopes.length ? [["slope", "far-field decay"]] : []),
    ]);
    const range = [first.r, last.r];
    const round = [2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40];
    const inside = round.filter((v) => v >= range[0] * 0.98 && v <= range[1] * 1.02);
    const ticks = inside
      .filter((v, i) => inside.length < 7 || i % 2 === 0)
      .map((value) => ({ value, label: String(value) }));
    drawChart(this.svg, {
      title:
        "Root mean square geometry error per site against distance from the defect, " +
        "both logarithmic",
      x: { label: "distance from the defect (Å)", kind: "log", ticks, range },
      y: { label: "rms per site (Å)" },
      lines,
      marks,
      slopes,
      message: ok ? undefined : "The prediction does not apply here.",
    });
  }
}
