// The error against one choice, all others as they are: the curve that the controls move.

const SHOWN = [
  ["geometry", "geometry error"],
  ["energy", "energy error"],
];
const OVER = [
  ["cell", "training cell size"],
  ["observations", "observations"],
  ["degree", "basis degree"],
];

/** Errors over training-cell size, observations or basis degree. */
class Comparison {
  constructor(chart, onchange) {
    this.chart = { y: "geometry", x: "cell", ...chart };
    this.title = h("span");
    Object.assign(this, figure([this.title]));
    this.choices = [
      this.choice("Error shown", SHOWN, "y"),
      this.choice("Compared over", OVER, "x"),
    ];
    this.onchange = onchange;
  }

  choice(label, entries, key) {
    const choose = () => {
      this.chart[key] = select.value;
      this.onchange();
    };
    const options = entries.map(([value, text]) =>
      h("option", { value, selected: this.chart[key] === value }, text),
    );
    const select = h("select", { "aria-label": label, onchange: choose }, ...options);
    return select;
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
    const out = { points: [], marks: [], lost: [], bands: [] };
    for (const { value: x, setting } of ticks) {
      const r = x === at ? result : predicted(data, setting);
      const y = energy ? Math.abs(r.energy) : r.geometry;
      const title = `predicted ${formatNumber(y)} ${unit}`;
      out.points.push({ x, y: r.applies ? y : null, title });
      if (!r.applies) out.lost.push({ x, title: "The prediction does not apply." });
      const m = measuredAt(data.meta, setting);
      if (m && m.geometry !== null) {
        const [y, title] = [Math.abs(m[this.chart.y]), `measured ${formatNumber(m[this.chart.y])}`];
        out.marks.push({ x, y, title: `${title} ${unit}` });
        const others = (m.others ?? []).map(([g, e]) => (energy ? e : g)).filter((v) => v !== null);
        const all = [y, ...others.map(Math.abs)];
        if (all.length > 1) out.bands.push({ x, low: Math.min(...all), high: Math.max(...all) });
      } else if (m) out.lost.push({ x, className: "measured", title: m.note || "left the basin" });
    }
    return out;
  }

  /** The theory's slope for these observations, from the first point on: a guide for the eye. */
  slope({ data: { meta } }, current, points) {
    const rate = meta.rates?.[setName(current.filter((k) => k !== "E"))];
    const first = points.find((p) => p.y > 0);
    const last = meta.cells[meta.cells.length - 1].size;
    if (this.chart.x !== "cell" || !rate || !first || !(first.x < last)) return [];
    const exponent = -rate[this.chart.y === "energy" ? 1 : 0];
    return [{ x: first.x, y: first.y, exponent, to: last, label: `L${superscript(exponent)}` }];
  }

  /**
   * What is left when the same fit has the configurations of every cell size at once: a fit of its
   * own, made when the controls rest.
   */
  floor({ data, setting }) {
    clearTimeout(this.resting);
    const key = JSON.stringify({ ...setting, cell: 0 });
    if (data.floor?.key !== key) {
      const cells = data.meta.cells.map((c) => c.size);
      this.resting = setTimeout(() => {
        data.floor = { key, ...predictDefect(data, fitTheta(data, setting, cells)) };
        this.onchange();
      }, REST);
      return [];
    }
    const { geometry, energy, applies } = data.floor;
    const y = this.chart.y === "energy" ? Math.abs(energy) : geometry;
    return applies ? [{ y, label: `≈ floor of degree ${setting.degree}` }] : [];
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
    const { points, marks, lost, bands } = this.points(now, current.length ? ticks : [], at);
    const slopes = this.slope(now, current, points);
    const bounded = this.chart.x === "cell" && ticks.length > 1 && current.length > 0;
    const floors = bounded ? this.floor(now) : [];
    const itself = Boolean(now.data.meta.relax);
    const labels = [["line", itself ? "linear estimate" : "predicted"]];
    if (marks.length) labels.push(["mark", itself ? "relaxed" : "measured"]);
    if (bands.length) labels.push(["band", "with other rattles"]);
    if (slopes.length) labels.push(["slope", `slope guide (theory, ${setName(current)})`]);
    if (bounded) labels.push(["floor", "about the floor (all sizes at once)"]);
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
    const name = (entries, value) => entries.find(([key]) => key === value)[1];
    const title = `${name(SHOWN, this.chart.y)} against ${name(OVER, this.chart.x)}`;
    this.title.textContent = title[0].toUpperCase() + title.slice(1);
    drawChart(this.svg, {
      title:
        `${energy ? "Energy" : "Geometry"} error against ${xLabel}, ` +
        `logarithmic scale: ${list.join("; ")}`,
      x: { label: xLabel, kind: this.chart.x === "cell" ? "log" : "category", ticks },
      y: { label: energy ? "|ΔE| (eV)" : "|D(ū − ūᴹᴸ)| (Å)" },
      current: at,
      lines: [{ className: "predicted", points, pointsOnly: this.chart.x === "observations" }],
      bands,
      marks,
      lost,
      slopes,
      floors,
      message: !current.length
        ? "Nothing is fitted."
        : none
          ? `The ${itself ? "linear estimate" : "prediction"} does not apply here.`
          : undefined,
    });
  }
}
