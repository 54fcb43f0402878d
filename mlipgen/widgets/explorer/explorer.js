// The explorer: native controls, the solver and the charts, on a static page and with a kernel alike.

const KINDS = [["E", "Energies"], ["F", "Forces"], ["V", "Virials"], ["FC", "Force constants"]];
const SETS = [["E"], ["E", "F"], ["E", "F", "V"], ["E", "F", "FC"], ["E", "F", "V", "FC"]];
const setName = (kinds) => kinds.filter((k) => k !== "FC").join("") + (kinds.includes("FC") ? "+FC" : "");
const power = (tenths) => 10 ** (tenths / 10);
const noiseOf = (index, max) => (index === 0 ? 0 : max * 10 ** ((index - 30) / 10));
const close = (a, b) => (a === 0 || b === 0 ? a === b : Math.abs(Math.log10(a / b)) < 0.02);
let instances = 0;

/** h("div", {class: "x", onclick: f}, child, "text", ...) */
function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) {
    if (k.startsWith("on")) node.addEventListener(k.slice(2), v);
    else if (v === true) node.setAttribute(k, "");
    else if (v !== false && v !== null && v !== undefined) node.setAttribute(k, v);
  }
  node.append(...children.filter((c) => c !== null));
  return node;
}

/** Slider positions of a data set's default setting. Weights are tenths of a decade, the ridge quarters of one. */
function defaultState(meta, override) {
  const d = { ...meta.default, ...override, weights: (override && override.weights) || meta.default.weights };
  const on = {}, weight = {};
  for (const [kind] of KINDS) {
    on[kind] = d.weights[kind] > 0;
    weight[kind] = Math.round(10 * Math.log10(on[kind] ? d.weights[kind] : meta.weights[kind]));
  }
  const noise = d.noise > 0 ? Math.max(1, Math.round(30 + 10 * Math.log10(d.noise / meta.noise_max))) : 0;
  return { cell: d.cell, degree: d.degree, ridge: Math.round(4 * Math.log10(d.ridge)), noise, forces: d.forces, on, weight };
}

function settingOf(state, meta) {
  const weights = {};
  for (const [kind] of KINDS) if (state.on[kind]) weights[kind] = power(state.weight[kind]);
  return { cell: state.cell, degree: state.degree, ridge: 10 ** (state.ridge / 4), weights, forces: state.forces,
           noise: noiseOf(state.noise, meta.noise_max) };
}

/** A fragment made of letters, digits, - and _ only, so that it is also a harmless CSS selector. */
function fragmentOf(name, state, index) {
  const w = ([kind]) => `${kind}${state.on[kind] ? state.weight[kind] : "x"}`;
  return `#${name}_L${state.cell}_${KINDS.map(w).join("_")}_${state.forces === "distance" ? "h" : "u"}`
    + `_d${state.degree}_r${state.ridge}_n${state.noise}` + (index ? `_s${index}` : "");
}
function readFragment(name, metas) {
  const hash = window.location.hash;
  if (!hash.startsWith(`#${name}_`)) return null;
  const part = {};
  for (const token of hash.slice(name.length + 2).split("_")) {
    const match = /^(FC|[A-Za-z])(-?\d+|x)?$/.exec(token);
    if (match) part[match[1]] = match[2];
  }
  const index = Number(part.s ?? 0), meta = metas[index];
  if (!meta) return null;
  const state = defaultState(meta);
  const take = (value, ok) => (value !== undefined && ok(Number(value)) ? Number(value) : null);
  state.cell = take(part.L, (x) => meta.cells.some((c) => c.size === x)) ?? state.cell;
  state.degree = take(part.d, (x) => meta.degrees.includes(x)) ?? state.degree;
  state.ridge = take(part.r, (x) => x >= -40 && x <= 8) ?? state.ridge;
  state.noise = take(part.n, (x) => x >= 0 && x <= 30) ?? state.noise;
  if ("h" in part) state.forces = "distance";
  if ("u" in part) state.forces = "uniform";
  for (const [kind] of KINDS) {
    if (part[kind] === undefined) continue;
    state.on[kind] = part[kind] !== "x";
    if (state.on[kind]) state.weight[kind] = Math.max(-30, Math.min(30, Number(part[kind])));
  }
  return { index, state };
}

/** Worst-case exponents of the theory in the training-cell size, for the geometry; energies have twice the first term's. */
function theoryRate(kinds, d) {
  const has = (k) => kinds.includes(k);
  if (!has("F")) return null;
  if (has("FC") && has("V")) return [Math.min(1.5 * d + 2, 2.5 * d), Math.min(2 * d + 2, 3 * d)];
  if (has("FC")) return [1.5 * d, 2 * d];
  if (has("V")) return [Math.min(d / 2 + 2, 1.5 * d), Math.min(d + 2, 2 * d)];
  return [d / 2, d];
}

function measuredAt(meta, setting) {
  const forces = setting.weights.F > 0;
  return meta.measured.find((m) => m.cell === setting.cell && m.degree === setting.degree && close(m.ridge, setting.ridge)
    && close(m.noise, setting.noise) && (!forces || m.forces === setting.forces)
    && KINDS.every(([k]) => close(m.weights[k] ?? 0, setting.weights[k] ?? 0)));
}

/** The library call that reproduces a setting; label noise is not part of a study, so it is said. */
function pythonCall(meta, setting) {
  const used = KINDS.map(([k]) => k).filter((k) => setting.weights[k] > 0);
  const name = (k) => (k === "F" && setting.forces === "distance" ? "Fw" : k);
  const long = used.map(name).filter((k) => k.length > 1), short = used.map(name).filter((k) => k.length === 1).join("");
  const values = { cell: setting.cell, degree: setting.degree, ridge: Number(setting.ridge.toPrecision(6)),
    kinds: [...(short ? [short] : []), ...long].join("+"),
    weights: `{${used.map((k) => `"${name(k)}": ${Number(setting.weights[k].toPrecision(6))}`).join(", ")}}` };
  const noise = setting.noise > 0 ? `# The page also adds noise to the labels: ${setting.noise.toPrecision(3)} ${meta.noise_unit} times a fixed draw.\n` : "";
  return noise + meta.python.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

const RATIOS = { unstable: (what) => `With this fit ${what} is not stable: a stiffness is negative.`,
  mismatch: (x) => `On the modes tested its stiffness is off by up to ${(100 * x).toFixed(0)} % (limit 30 %), too much for a first-order prediction.`,
  large: (x) => `The predicted change is ${x < 10 ? (100 * x).toFixed(0) + " %" : "more than ten times"} of the defect's own displacement (limit 5 %).` };

class ExplorerView {
  constructor(model, el) {
    this.model = model;
    this.options = model.get("options") ?? {};
    this.name = model.get("name") || "explorer";
    this.id = `mx${++instances}`;
    this.root = h("section", { class: "mx", "data-testid": "explorer", "data-state": "unpacking",
      "data-lm-suppress-shortcuts": "true",                                  // JupyterLab would take the arrow keys for itself
      "aria-label": "Explorer: fit a potential and see the predicted defect error" });
    el.append(this.root);
    if (document.body.hasAttribute("data-jp-theme-light"))                   // its notebook also moves cells with the keys that bubble up
      this.root.addEventListener("keydown", (e) => e.stopPropagation());
    this.onHash = () => { const found = readFragment(this.name, this.sets.map((s) => s.meta)); if (found) this.apply(found); };
  }

  async start() {
    const payloads = this.model.get("payloads"), megabytes = payloads.reduce((s, p) => s + p.length, 0) * 0.75e-6;
    this.root.append(h("div", { class: "mx-wait", role: "status" }, `Unpacking ${megabytes.toFixed(1)} MB of fit data …`, h("progress", { "aria-label": "Unpacking" })));
    await new Promise((resolve) => setTimeout(resolve, 0));                  // let the notice appear
    try {
      this.sets = await Promise.all(payloads.map(unpackData));
    } catch (error) {
      this.root.dataset.state = "failed";
      this.root.replaceChildren(h("div", { class: "mx-wait", role: "alert" }, `The fit data could not be unpacked (${error.message}). A browser from 2023 or later is needed.`));
      return;
    }
    const found = readFragment(this.name, this.sets.map((s) => s.meta));
    this.build();
    this.apply(found ?? { index: 0, state: defaultState(this.sets[0].meta, this.options.setting) });
    this.root.dataset.state = "ready";
    window.addEventListener("hashchange", this.onHash);
    this.listenToKernel();
    if (this.model.get("viewer")) this.openViewer();
    this.resize = new ResizeObserver(() => { if (this.root.clientWidth !== this.width) { this.width = this.root.clientWidth; this.atoms?.resize(); this.drawCharts(); } });
    this.resize.observe(this.root);
    this.theme = new MutationObserver(() => this.atoms && this.atoms.draw());
    this.theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  dispose() {
    this.gone = true;
    this.drawing?.dispose?.();
    this.resize?.disconnect();
    this.theme?.disconnect();
    window.removeEventListener("hashchange", this.onHash);
    if (this.onMessage) this.model.off("msg:custom", this.onMessage);
  }

  /* ---------------------------------------------------------------- layout */
  build() {
    const changed = () => this.changed();
    const only = this.options.controls;                                      // show a subset in some chapters
    const shown = (key) => !only || only.includes(key);
    const range = (key, name, attributes, read) => {
      const input = h("input", { type: "range", id: `${this.id}-${key}`, ...attributes, oninput: () => { read(Number(input.value)); changed(); } });
      const value = h("span", { class: "mx-value", "aria-hidden": "true" });
      const box = h("div", { class: "mx-control", hidden: !shown(key) },
        h("div", { class: "mx-head" }, h("label", { for: input.id }, name), value), input);
      return { input, value, box };
    };
    const c = (this.controls = {});
    c.cell = range("cell", "Training cell size", {}, (x) => { this.state.cell = this.fromSlider("cell", x); });
    c.degree = range("degree", "Basis degree", {}, (x) => { this.state.degree = this.fromSlider("degree", x); });
    c.ridge = range("ridge", "Ridge", { min: -32, max: 0, step: 1 }, (x) => { this.state.ridge = x; });
    c.noise = range("noise", "Noise", { min: 0, max: 30, step: 1 }, (x) => { this.state.noise = x; });
    const observations = KINDS.map(([kind, name]) => {
      const box = h("input", { type: "checkbox", id: `${this.id}-${kind}`, onchange: () => { this.state.on[kind] = box.checked; changed(); } });
      const input = h("input", { type: "range", min: -30, max: 30, step: 1, "aria-label": `${name} weight`, oninput: () => { this.state.weight[kind] = Number(input.value); changed(); } });
      const value = h("span", { class: "mx-value", "aria-hidden": "true" });
      c[kind] = { box, input, value };
      const row = h("div", { class: "mx-observation" }, h("div", { class: "mx-head" }, h("label", {}, box, name), value), input);
      row.querySelector("label").setAttribute("for", box.id);
      if (kind !== "F") return row;
      c.forces = h("select", { id: `${this.id}-forces`, onchange: () => { this.state.forces = c.forces.value; changed(); } },
        h("option", { value: "uniform" }, "uniform"), h("option", { value: "distance" }, "1 + distance"));
      c.forcesRow = h("div", { class: "mx-sub" }, h("label", { for: c.forces.id }, "Force weighting"), c.forces);
      row.append(c.forcesRow);
      return row;
    });
    c.set = h("select", { id: `${this.id}-set`, "aria-label": "Crystal and defect", onchange: () => this.apply({ index: Number(c.set.value), state: defaultState(this.sets[Number(c.set.value)].meta) }) },
      ...this.sets.map((s, i) => h("option", { value: i }, s.meta.title)));
    this.copyButton = h("button", { type: "button", onclick: () => this.copy() }, "Copy as Python");
    this.code = h("pre", { class: "mx-code", hidden: true, tabindex: 0, "aria-label": "Python call" });
    this.live = this.liveControls();
    const controls = h("form", { class: "mx-controls", "aria-label": "Settings", onsubmit: (e) => e.preventDefault() },
      h("div", { class: "mx-control", hidden: this.sets.length < 2 }, h("div", { class: "mx-head" }, h("label", { for: c.set.id }, "Crystal and defect")), c.set),
      c.cell.box,
      h("div", { class: "mx-group mx-observations", role: "group", "aria-label": "Observations and weights", hidden: !shown("observations") },
        h("p", { class: "mx-caption" }, "Fitted to, with weight"), ...observations),
      h("div", { class: "mx-group mx-accuracy", role: "group", "aria-label": "Fit accuracy", hidden: !["degree", "ridge", "noise"].some(shown) },
        h("p", { class: "mx-caption" }, "Fit accuracy"), c.degree.box, c.ridge.box, c.noise.box),
      h("div", { class: "mx-buttons" }, this.copyButton, h("button", { type: "button", onclick: () => this.reset() }, "Reset")),
      this.code, this.live);

    const output = (id) => h("dd", { "data-testid": id, "data-value": "" });
    const o = (this.out = {});
    const card = (key, title, unit) => {
      o[`p-${key}`] = output(`predicted-${key}-error`); o[`m-${key}`] = output(`measured-${key}-error`); o[`n-${key}`] = h("p", { class: "mx-note" });
      o[`p-${key}`].classList.add("mx-big");
      return h("div", { class: "mx-card" }, h("p", { class: "mx-title" }, title), h("dl", {},
        h("dt", {}, h("i", { class: "mx-key" }), "predicted"), o[`p-${key}`],
        h("dt", {}, h("i", { class: "mx-key measured" }), "measured"), o[`m-${key}`]), o[`n-${key}`]);
    };
    o.verdict = h("div", { class: "mx-verdict", "data-testid": "verdict", "data-value": "" });
    o.live = h("div", { class: "mx-sr", "aria-live": "polite", "aria-atomic": "true" });
    o.print = h("p", { class: "mx-print" });
    const choice = (label, entries, key) => {
      const select = h("select", { "aria-label": label, onchange: () => { this.chart[key] = select.value; this.drawCharts(); } },
        ...entries.map(([value, text]) => h("option", { value, selected: this.options.chart?.[key] === value }, text)));
      return select;
    };
    this.chart = { y: "geometry", x: "cell", ...this.options.chart };
    const figure = (caption, legend) => {
      const svg = document.createElementNS(SVG_NS, "svg");
      svg.setAttribute("role", "img");
      const list = h("ul", { class: "mx-legend" });
      return { svg, list, node: h("figure", { class: "mx-figure" }, h("figcaption", {}, ...caption), list, h("div", { class: "mx-plot" }, svg)) };
    };
    this.chartA = figure([choice("Error shown", [["geometry", "Geometry error"], ["energy", "Energy error"]], "y"), "against",
      choice("Compared over", [["cell", "training cell size"], ["observations", "observations"], ["degree", "basis degree"]], "x")]);
    this.chartB = figure(["Geometry error against distance from the defect"]);
    this.rows = h("tbody");
    const table = h("table", { class: "mx-table" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Fit errors"), h("th", { scope: "col" }, "training"), h("th", { scope: "col" }, "held out"))), this.rows);
    this.canvas = h("canvas", { class: "mx-space", tabindex: 0, role: "img" });
    this.viewer = h("div", { class: "mx-space", "data-testid": "viewer", tabindex: 0, role: "img", hidden: true });
    this.scale = h("div", { class: "mx-scale" });
    this.atomFigure = h("figure", { class: "mx-figure mx-atoms" }, h("figcaption", {}, "Displacement error per atom"), this.canvas, this.viewer, this.scale);
    this.root.replaceChildren(h("div", { class: "mx-body" },
      h("div", { class: "mx-summary" }, o.verdict,
        h("div", { class: "mx-cards" }, card("geometry", "Geometry error"), card("energy", "Energy error"))),
      h("div", { class: "mx-side" }, controls),
      h("div", { class: "mx-results" }, this.chartA.node, h("div", { class: "mx-pair" }, h("div", {}, this.chartB.node), this.atomFigure),
        h("div", { class: "mx-figure" }, table), o.print, o.live)));
  }

  /* sliders carry the value itself where the steps are even, else its index */
  options_(key) { const { meta } = this.data; return key === "cell" ? meta.cells.map((c) => c.size) : meta.degrees; }
  even(list) { return list.every((x, i) => i < 2 || x - list[i - 1] === list[1] - list[0]); }
  fromSlider(key, x) { const list = this.options_(key); return this.even(list) ? list.reduce((a, b) => (Math.abs(b - x) < Math.abs(a - x) ? b : a)) : list[x]; }

  /* ---------------------------------------------------------------- state */
  apply({ index, state }) {
    this.index = index;
    this.data = this.sets[index];
    this.state = state;
    const { meta, arrays } = this.data, c = this.controls;
    c.set.value = index;
    for (const key of ["cell", "degree"]) {
      const list = this.options_(key), even = this.even(list), input = c[key].input;
      input.min = even ? list[0] : 0;
      input.max = even ? list[list.length - 1] : list.length - 1;
      input.step = even && list.length > 1 ? list[1] - list[0] : 1;
      input.disabled = list.length < 2;
    }
    c.forcesRow.hidden = !Object.keys(arrays).some((a) => a.startsWith("R/train/Fw"));
    if (c.forcesRow.hidden) this.state.forces = "uniform";
    c.noise.box.hidden = !(meta.noise_max > 0) || (this.options.controls && !this.options.controls.includes("noise"));
    const positions = arrays["near/positions"];
    this.atomFigure.hidden = !positions || this.options.atoms === false;
    this.drawing ??= new AtomView(this.canvas);
    this.atoms = this.atomFigure.hidden ? null : this.drawing;
    if (this.atoms) this.atoms.positions = positions.data;
    this.showControls();
    this.update();
  }

  reset() {
    this.apply({ index: this.index, state: defaultState(this.data.meta, this.index === 0 ? this.options.setting : undefined) });
    this.share(true);
  }

  changed() {
    this.showControls();
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => { this.pending = 0; this.update(); this.share(false); });
  }

  showControls() {
    const { state, controls: c } = this, { meta } = this.data;
    const put = (control, sliderValue, text) => {
      control.input.value = sliderValue;
      control.value.textContent = text;
      control.input.setAttribute("aria-valuetext", text);
    };
    const slider = (key) => { const list = this.options_(key); return this.even(list) ? state[key] : list.indexOf(state[key]); };
    const cell = meta.cells.find((x) => x.size === state.cell), count = meta.counts[meta.degrees.indexOf(state.degree)];
    put(c.cell, slider("cell"), `${cell.size} (${cell.atoms} atoms)`);
    put(c.degree, slider("degree"), `${state.degree} (${count} functions)`);
    put(c.ridge, state.ridge, formatNumber(10 ** (state.ridge / 4), 2));
    const noise = noiseOf(state.noise, meta.noise_max);
    put(c.noise, state.noise, noise ? `${formatNumber(noise, 2)} ${meta.noise_unit}` : "none");
    for (const [kind] of KINDS) {
      c[kind].box.checked = state.on[kind];
      c[kind].input.disabled = !state.on[kind];
      put(c[kind], state.weight[kind], state.on[kind] ? `× ${formatNumber(power(state.weight[kind]), 2)}` : "off");
    }
    c.forces.value = state.forces;
    c.forces.disabled = !state.on.F;
  }

  share(clear) {
    const setting = settingOf(this.state, this.data.meta);
    this.model.set("setting", { ...setting, dataset: this.index });
    this.model.save_changes();
    if (document.body.hasAttribute("data-jp-theme-light")) return;           // JupyterLab's address is its own
    const hash = clear ? "" : fragmentOf(this.name, this.state, this.index);
    clearTimeout(this.shareTimer);                                           // browsers limit how often an address may change
    this.shareTimer = setTimeout(() => {
      try { history.replaceState(history.state, "", hash || window.location.pathname + window.location.search); } catch { /* sandboxed frame */ }
    }, 250);
  }

  async copy() {
    const text = pythonCall(this.data.meta, settingOf(this.state, this.data.meta));
    this.code.textContent = text;
    this.code.hidden = false;
    let done = "Select and copy";
    try { await navigator.clipboard.writeText(text); done = "Copied"; } catch { /* no clipboard: the text is shown */ }
    this.copyButton.textContent = done;
    setTimeout(() => { this.copyButton.textContent = "Copy as Python"; }, 1600);
  }

  /* ---------------------------------------------------------------- numbers */
  update() {
    const begin = performance.now(), { data } = this, { meta } = data;
    this.setting = settingOf(this.state, meta);
    const fitted = Object.keys(this.setting.weights).length > 0;
    this.result = fitted ? solve(data, this.setting) : null;
    const solved = performance.now();
    this.measured = fitted ? measuredAt(meta, this.setting) : undefined;
    this.showNumbers();
    this.drawCharts();
    this.root.dataset.solveMs = (solved - begin).toFixed(2);
    this.root.dataset.updateMs = (performance.now() - begin).toFixed(2);
  }

  put(node, value, text) {
    node.dataset.value = value === null ? "" : String(value);
    node.textContent = text;
    node.classList.toggle("mx-none", value === null);
  }

  showNumbers() {
    const { result: r, measured: m, out: o } = this, { meta } = this.data;
    const ok = r !== null && r.applies, has = m && m.geometry !== null;
    o.verdict.dataset.verdict = ok ? "applies" : "does not apply";
    o.verdict.dataset.value = ok ? String(r.mismatch) : "";
    const reason = r === null ? "Nothing is fitted: switch on at least one kind of observation." : ok
      ? `On the modes tested its stiffness is within ${formatNumber(100 * r.mismatch, 2)}\u00a0% of the reference’s. A necessary test, not a proof.`
      : r.reasons.map(([code, detail]) => RATIOS[code](detail)).join(" ");
    o.verdict.replaceChildren(h("strong", {}, ok ? "The prediction applies." : "The prediction does not apply."), h("span", {}, reason));
    for (const [key, unit] of [["geometry", "Å"], ["energy", "eV"]]) {
      this.put(o[`p-${key}`], ok ? r[key] : null, ok ? `${formatNumber(r[key])}\u202f${unit}` : "does not apply");
      this.put(o[`m-${key}`], has ? m[key] : null, has ? `${formatNumber(m[key])}\u202f${unit}` : m ? "left the basin" : "not computed here");
    }
    o["n-geometry"].textContent = ok ? `${formatNumber(100 * r.geometry / meta.norm, 2)} % of the defect’s own |Dū| = ${formatNumber(meta.norm)}\u00a0Å`
      + (has ? `; predicted / measured =\u00a0${(r.geometry / m.geometry).toFixed(3)}` : "") : m && !has ? m.note : "";
    o["n-energy"].textContent = ok ? `of which relaxation ${formatNumber(r.relaxation)} eV` : "";
    this.rows.replaceChildren(...meta.errors.map((e) => {
      const used = this.setting.weights[e.block === "Fw" ? "F" : e.block] > 0;
      const cells = ["train", "held"].map((role) => {
        const value = r === null ? null : r.errors[e.id][role];
        const td = h("td", { "data-testid": role === "train" ? `fit-error-${e.id}` : `held-out-error-${e.id}` });
        this.put(td, value, value === null ? "–" : formatNumber(value));
        if (value !== null) td.append(h("small", {}, ` ${e.unit}`));
        return td;
      });
      return h("tr", { "data-used": used ? "yes" : "no" }, h("th", { scope: "row", title: e.title ?? false }, `${e.label} `, h("small", { class: "mx-symbol" }, e.symbol.split("_")[0], h("sub", {}, e.symbol.split("_")[1] ?? ""))), ...cells);
    }));
    clearTimeout(this.speech);
    this.speech = setTimeout(() => {
      o.live.textContent = ok ? `Predicted geometry error ${formatNumber(r.geometry)} ångström, energy error ${formatNumber(r.energy)} electronvolt.`
        + (has ? ` Measured: ${formatNumber(m.geometry)} and ${formatNumber(m.energy)}.` : "") : `The prediction does not apply. ${reason}`;
    }, 500);
    const s = this.setting, kinds = KINDS.filter(([k]) => s.weights[k] > 0).map(([k, n]) => `${n.toLowerCase()} × ${formatNumber(s.weights[k], 2)}`);
    o.print.textContent = `${meta.title}. Training cell ${s.cell}, fitted to ${kinds.join(", ") || "nothing"}; basis degree ${s.degree}, ridge ${formatNumber(s.ridge, 2)}, noise ${formatNumber(s.noise, 2)} ${meta.noise_unit}. Lines are predicted to first order, diamonds measured by relaxation.`;
  }

  /* ---------------------------------------------------------------- charts */
  legend(list, entries) {
    const shapes = { line: '<line x1="0" x2="22" y1="6" y2="6" class="mx-line"/><circle cx="11" cy="6" r="3.5" class="mx-dot"/>',
      reference: '<line x1="0" x2="22" y1="6" y2="6" class="mx-line reference"/>', mark: '<path d="M11,0.5L16.5,6L11,11.5L5.5,6Z" class="mx-mark"/>',
      slope: '<line x1="0" x2="22" y1="6" y2="6" class="mx-slope"/>', lost: '<path d="M7,2L15,10M7,10L15,2" class="mx-lost"/>',
      gone: '<path d="M7,2L15,10M7,10L15,2" class="mx-lost measured"/>' };
    list.replaceChildren(...entries.map(([shape, text]) => {
      const item = h("li");
      item.innerHTML = `<svg width="22" height="12" aria-hidden="true">${shapes[shape]}</svg>`;
      item.append(text);
      return item;
    }));
  }

  drawCharts() {
    if (!this.data || !this.setting) return;
    this.drawComparison();
    this.drawDistances();
    this.drawAtoms();
  }

  drawComparison() {
    const { data, setting, chart } = this, { meta } = data, energy = chart.y === "energy";
    const current = KINDS.map(([k]) => k).filter((k) => setting.weights[k] > 0);
    const weightOf = (k) => (setting.weights[k] > 0 ? setting.weights[k] : power(this.state.weight[k]));
    const sets = SETS.filter((kinds) => kinds.every((k) => Object.keys(data.arrays).some((name) => name.startsWith(`R/train/${k}/`))));
    const ticks = chart.x === "cell" ? meta.cells.map((c) => ({ value: c.size, label: String(c.size), setting: { ...setting, cell: c.size } }))
      : chart.x === "degree" ? meta.degrees.map((d, i) => ({ value: d, label: `${d} (${meta.counts[i]})`, setting: { ...setting, degree: d } }))
        : sets.map((kinds, i) => ({ value: i, label: setName(kinds), setting: { ...setting, weights: Object.fromEntries(kinds.map((k) => [k, weightOf(k)])) } }));
    const at = chart.x === "cell" ? setting.cell : chart.x === "degree" ? setting.degree : sets.findIndex((k) => k.join() === ["E", "F", "V", "FC"].filter((x) => current.includes(x)).join());
    const points = [], marks = [], lost = [], unit = energy ? "eV" : "Å";
    for (const t of current.length ? ticks : []) {
      const r = t.value === at ? this.result : { ...predictDefect(data, fitTheta(data, t.setting)) };
      const value = energy ? Math.abs(r.energy) : r.geometry;
      points.push({ x: t.value, y: r.applies ? value : null, title: `predicted ${formatNumber(value)} ${unit}` });
      if (!r.applies) lost.push({ x: t.value, title: "The prediction does not apply." });
      const m = measuredAt(meta, t.setting);
      if (m && m.geometry !== null) marks.push({ x: t.value, y: Math.abs(m[chart.y]), title: `measured ${formatNumber(m[chart.y])} ${unit}` });
      else if (m) lost.push({ x: t.value, className: "measured", title: m.note || "left the basin" });
    }
    const slopes = [], rate = theoryRate(current, meta.dimension), first = points.find((p) => p.y > 0);
    const labels = [["line", "predicted"]];
    if (marks.length) labels.push(["mark", "measured"]);
    if (chart.x === "cell" && rate && first && meta.cells.length > 1 && first.x < setting.cell + 1e9) {
      const exponent = rate[energy ? 1 : 0], last = meta.cells[meta.cells.length - 1].size;
      if (first.x < last) {
        slopes.push({ x: first.x, y: first.y, exponent: -exponent, to: last, label: `L${superscript(-exponent)}` });
        labels.push(["slope", `worst-case rate for ${setName(current)}`]);
      }
    }
    if (lost.some((k) => !k.className)) labels.push(["lost", "does not apply"]);
    if (lost.some((k) => k.className)) labels.push(["gone", "left the basin"]);
    this.legend(this.chartA.list, labels);
    const xLabel = { cell: "training cell size L (lattice constants)", degree: "basis degree (number of functions)", observations: "fitted to" }[chart.x];
    drawChart(this.chartA.svg, {
      title: `${energy ? "Energy" : "Geometry"} error against ${xLabel}, logarithmic scale: ` + points.map((p, i) => `${ticks[i].label}: ${p.y ? formatNumber(p.y) : "does not apply"}`).join("; "),
      x: { label: xLabel, kind: chart.x === "cell" ? "log" : "category", ticks: chart.x === "degree" ? ticks : ticks },
      y: { label: energy ? "|ΔE| (eV)" : "|D(ū − ūᴹᴸ)| (Å)" }, current: at === -1 ? undefined : at,
      lines: [{ className: "predicted", points, pointsOnly: chart.x === "observations" }], marks, lost, slopes,
      message: current.length ? (points.every((p) => p.y === null) ? "The prediction does not apply here." : undefined) : "Nothing is fitted." });
  }

  drawDistances() {
    const { data: { meta }, result: r, measured: m } = this, ok = r !== null && r.applies;
    const shells = meta.shells.filter((s) => !s.periodic), site = (x, i) => x / Math.sqrt(shells[i].sites);
    const lines = [{ className: "reference", noDots: true, points: shells.map((s, i) => ({ x: s.r, y: site(s.reference, i) })) }];
    if (ok) lines.push({ className: "predicted", points: shells.map((s, i) => ({ x: s.r, y: site(r.shells[i], i), title: `${formatNumber(site(r.shells[i], i))} Å at ${formatNumber(s.r)} Å` })) });
    const marks = m?.shells ? shells.map((s, i) => ({ x: s.r, y: site(m.shells[i], i), title: `measured ${formatNumber(site(m.shells[i], i))} Å` })) : [];
    const slopes = ok && shells.length > 2 ? [{ x: shells[0].r, y: site(shells[0].reference, 0), exponent: -meta.dimension, to: shells[shells.length - 1].r, label: `r${superscript(-meta.dimension)}` }] : [];
    this.legend(this.chartB.list, [["line", "predicted"], ...(marks.length ? [["mark", "measured"]] : []), ["reference", "defect’s own |Dū|"], ...(slopes.length ? [["slope", "far-field decay"]] : [])]);
    const range = [shells[0].r, shells[shells.length - 1].r];
    const all = [2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40].filter((v) => v >= range[0] * 0.98 && v <= range[1] * 1.02);
    const ticks = all.filter((v, i) => all.length < 7 || i % 2 === 0).map((value) => ({ value, label: String(value) }));
    drawChart(this.chartB.svg, { title: "Root mean square geometry error per site against distance from the defect, both logarithmic",
      x: { label: "distance from the defect (Å)", kind: "log", ticks, range }, y: { label: "rms per site (Å)" }, lines, marks, slopes,
      message: ok ? undefined : "The prediction does not apply here." });
  }

  drawAtoms() {
    if (!this.atoms) return;
    const { data, result: r } = this, ok = r !== null && r.applies, [low, high] = data.meta.colour_range;
    const u = ok ? nearDisplacements(data, r.theta) : null;
    this.atomErrors = u && Float64Array.from({ length: u.length / 3 }, (_, i) => Math.hypot(u[3 * i], u[3 * i + 1], u[3 * i + 2]));
    this.atoms.show(this.atomErrors, [low, high]);
    for (const node of [this.canvas, this.viewer]) node.setAttribute("aria-label", `The ${data.arrays["near/positions"].shape[0]} atoms nearest the defect, ${ok ? "coloured by predicted displacement error" : "grey because the prediction does not apply"}. Drag or use the arrow keys to turn.`);
    if (!this.scale.firstChild) {
      const stops = VIRIDIS.map((c) => `rgb(${c.join()})`).join(", ");
      const from = Math.log10(low), to = Math.log10(high), middle = Math.round((from + to) / 2);
      this.scale.append(h("i", { style: `background: linear-gradient(90deg, ${stops})`, "aria-hidden": "true" }),
        h("div", {}, h("span", {}, decade(from)), h("span", {}, decade(middle)), h("span", {}, `${decade(to)} Å`)),
        (this.hint = h("p", { class: "mx-small" })));
    }
    this.pointAt(null);
  }

  /** What the pointer is on, under the colour scale. */
  pointAt(atom) {
    const errors = this.atomErrors, [x, y, z] = this.data.arrays["near/positions"].data.slice(3 * (atom ?? 0), 3 * (atom ?? 0) + 3);
    this.hint.textContent = atom === null ? "Drag or use the arrow keys to turn; the mark at the centre is the defect."
      : `Atom ${formatNumber(Math.hypot(x, y, z))}\u00a0Å from the defect: ${errors ? `${formatNumber(errors[atom])}\u00a0Å` : "the prediction does not apply"}.`;
  }

  /** Replaces the canvas by nglview where the widget carries one. */
  async openViewer() {
    const swap = (on) => { this.viewer.hidden = !on; this.canvas.hidden = on; };
    swap(true);
    let viewer;
    try { viewer = await ViewerAtoms.open(this.model, this.viewer); } catch (error) {
      console.warn(`explorer: the canvas stays, nglview did not start: ${error.message}`);
      return swap(false);
    }
    if (this.gone) return viewer.dispose();
    this.drawing = viewer;
    viewer.onhover = (atom) => this.pointAt(atom);
    if (!this.atoms) return;
    this.atoms = viewer;
    viewer.positions = this.data.arrays["near/positions"].data;
    this.drawAtoms();
    await viewer.loading;
    this.viewer.dataset.state = "ready";
  }

  /* ---------------------------------------------------------------- a kernel, if there is one */
  liveControls() {
    this.relaxButton = h("button", { type: "button", onclick: () => this.relax() }, "Refit and relax for real");
    this.cancelButton = h("button", { type: "button", hidden: true, onclick: () => this.model.send({ type: "cancel", id: this.job }) }, "Cancel");
    this.progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Relaxation" });
    this.status = h("p", { role: "status" });
    return h("div", { class: "mx-live", hidden: true }, h("div", { class: "mx-buttons" }, this.relaxButton, this.cancelButton), this.progress, this.status);
  }

  listenToKernel() {
    this.onMessage = (message) => this.receive(message);
    this.model.on("msg:custom", this.onMessage);
    try { this.model.send({ type: "ping" }); } catch { /* a static page: nobody to answer */ }
  }

  relax() {
    this.job = `${this.id}-${Date.now()}`;
    this.jobSet = this.index;
    this.model.send({ type: "relax", id: this.job, dataset: this.index, setting: settingOf(this.state, this.data.meta) });
    this.running(true, "Refitting …");
  }

  running(on, text) {
    this.relaxButton.disabled = on;
    this.cancelButton.hidden = !on;
    this.progress.hidden = !on;
    if (on) this.progress.removeAttribute("value");
    this.status.textContent = text;
  }

  receive(message) {
    if (message.type === "pong") {
      this.live.hidden = !message.relax;
      this.root.dataset.kernel = "live";
      return;
    }
    if (message.id !== this.job) return;
    if (message.type === "progress") {
      if (message.value !== null) this.progress.value = message.value;
      this.status.textContent = message.text;
    } else if (message.type === "measured") {
      this.sets[this.jobSet].meta.measured.unshift(message.point);
      this.running(false, message.text);
      this.update();
    } else this.running(false, message.text);
  }
}

function render({ model, el }) {
  const view = new ExplorerView(model, el);
  view.start();
  return () => view.dispose();
}

export { unpackData, solve, fitTheta, predictDefect, formatNumber };
export default { render };
