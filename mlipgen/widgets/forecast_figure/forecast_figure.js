// Forecasts behind four native controls, with the truth on request.  Nothing is computed here:
// every number was forecast and relaxed in Python.

/** A number with `digits` that count, as people write it. */
function written(x, digits = 2) {
  if (x === 0) return "0";
  const a = Math.abs(x);
  const text =
    a >= 10 ** digits ? a.toFixed(0) : a < 1e-3 ? a.toFixed(4) : Number(a.toPrecision(digits));
  return (x < 0 ? "−" : "") + String(text);
}

/** Value ± bar, both to the last digit that the bar leaves. */
function withBar(value, bar) {
  if (bar === null) return `${written(value)}, no error bar yet`;
  const place = Math.max(0, Math.min(5, 1 - Math.floor(Math.log10(Math.max(bar, 1e-9)))));
  return `${value.toFixed(place).replace("-", "−")} ± ${bar.toFixed(place)}`;
}

/** A handful of round ticks from zero to `high`, or across zero. */
function ticks(low, high) {
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= raw * 0.999);
  const out = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++)
    out.push(k * step);
  return out;
}

/** Forecasts with their bars against the size of the check cell; the truth as a line. */
function chart(holder, fit, chosen, truth, what, unit, factor) {
  const width = Math.max(240, holder.clientWidth || 320),
    height = 230,
    left = 50,
    right = 10,
    top = 10,
    bottom = 40;
  holder.replaceChildren();
  const barName = what === "geometry" ? "bar" : "energy_bar";
  const points = fit.steps.map((s) => ({
    k: s.k,
    value: s[what] * factor,
    bar: s[barName] === null ? null : s[barName] * factor,
  }));
  const real = fit[what] * factor;
  // The scale knows the truth, so that it does not jump when the truth is shown; bars are cut.
  const values = [0, real, ...points.map((p) => p.value)];
  const span = Math.max(...values) - Math.min(...values) || 1;
  const low = what === "geometry" ? 0 : Math.min(...values) - 0.25 * span;
  const high = Math.max(...values) + 0.25 * span;
  const cut = (v) => Math.min(Math.max(v, low), high);
  const x = (k) =>
    left + 24 + ((k - points[0].k) * (width - left - right - 48)) / Math.max(1, points.length - 1);
  const y = (v) => top + ((high - v) * (height - top - bottom)) / (high - low);
  const svg = element(holder, "svg:svg", {
    viewBox: `0 0 ${width} ${height}`,
    height,
    role: "img",
    "aria-label":
      `Forecast ${what} error in ${unit} with its error bar against the size of the check cell, ` +
      `${fit.system} fitted on ${fit.cell} cells` +
      (truth ? `; the truth is ${written(real)} ${unit}` : ""),
  });
  for (const v of ticks(low, high)) {
    element(svg, "svg:line", { class: "grid", x1: left, x2: width - right, y1: y(v), y2: y(v) });
    const text = String(Number(v.toPrecision(6))).replace("-", "−");
    element(svg, "svg:text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, text);
  }
  if (low < 0)
    element(svg, "svg:line", { class: "zero", x1: left, x2: width - right, y1: y(0), y2: y(0) });
  for (const p of points) {
    const attributes = { x: x(p.k), y: height - bottom + 18, "text-anchor": "middle" };
    element(svg, "svg:text", attributes, p.k === fit.cell ? `${p.k} (training)` : p.k);
  }
  const label = { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" };
  element(svg, "svg:text", label, "check cell (unit cells)");
  if (truth)
    element(svg, "svg:line", {
      class: "truth",
      x1: left,
      x2: width - right,
      y1: y(real),
      y2: y(real),
    });
  for (const p of points) {
    const own = p.k === chosen;
    if (p.bar !== null)
      element(svg, "svg:line", {
        class: own ? "bar own" : "bar",
        x1: x(p.k),
        x2: x(p.k),
        y1: y(cut(p.value - p.bar)),
        y2: y(cut(p.value + p.bar)),
      });
    element(svg, "svg:circle", {
      class: own ? "dot own" : "dot",
      cx: x(p.k),
      cy: y(p.value),
      r: own ? 6 : 4,
    });
  }
}

/** What the forecast says, and whether it may. */
function advice(fit, step) {
  if (step.verdict !== "applies") return `This forecast does not apply: ${step.verdict}.`;
  if (step.k === fit.cell)
    return "The check cell is the training cell: the fit has seen these surroundings.";
  if (step.bar === null) return "One check cell alone has no error bar.";
  return step.bar > 0.2 * step.geometry
    ? "The error bar is wide: take a larger check cell."
    : "The series has settled.";
}

function render({ model, el }) {
  const fits = model.get("fits"),
    id = `ff${++serial}`;
  const root = element(el, "div", {
    class: "wf ff",
    "data-testid": "forecast-figure",
    role: "group",
    "aria-label": model.get("description"),
  });
  const controls = element(root, "div", { class: "wf-controls" });
  const select = (name, label) => {
    const box = element(controls, "div");
    element(box, "label", { for: `${id}-${name}` }, label);
    return element(box, "select", { id: `${id}-${name}` });
  };
  const inputs = {
    system: select("system", "Crystal and defect"),
    cell: select("cell", "Training cells"),
    fit: select("fit", "Fit"),
    k: select("k", "Check cell"),
  };
  const { body, verdict, between, panel } = bodyOf(root);
  const box = element(between, "label", { class: "ff-truth", for: `${id}-truth` });
  const reveal = element(box, "input", { id: `${id}-truth`, type: "checkbox" });
  box.append(" Show the truth: both models relaxed on the large domain");
  const lines = (name) => ["forecast", "truth"].map((kind) => [kind, `${kind}-${name}`]);
  const geometry = panel("Geometry error, % of |Dū|", lines("geometry")),
    energy = panel("Formation-energy error, meV", lines("energy"));
  element(body, "p", { class: "wf-key" }).innerHTML =
    `<svg aria-hidden="true"><circle class="dot" cx="8" cy="7" r="4"/></svg>forecast
     <svg aria-hidden="true"><line class="bar" x1="8" x2="8" y1="0" y2="14"/></svg>its error bar
     <svg aria-hidden="true"><line class="truth" x1="0" x2="16" y1="7" y2="7"/></svg>truth,
     where it is shown`;

  /** Refill a select; keep the choice where it still exists. */
  function fill(input, choices, chosen) {
    input.replaceChildren();
    for (const [value, text] of choices) element(input, "option", { value }, text);
    input.value = String(chosen);
  }
  const unique = (list, key) => [...new Map(list.map((f) => [f[key], f])).values()];

  function draw() {
    const point = model.get("point"),
      truth = model.get("truth");
    const system = fits.filter((f) => f.system === point.system);
    const cells = system.filter((f) => f.cell === point.cell);
    const fit = cells.find((f) => f.fit === point.fit);
    const step = fit.steps.find((s) => s.k === point.k);
    const cube = (k) => `${k} × ${k} × ${k}`;
    fill(
      inputs.system,
      unique(fits, "system").map((f) => [f.system, f.system]),
      fit.system,
    );
    fill(
      inputs.cell,
      unique(system, "cell").map((f) => [f.cell, `${cube(f.cell)}: ${f.train} atoms`]),
      fit.cell,
    );
    fill(
      inputs.fit,
      cells.map((f) => [f.fit, f.fit]),
      fit.fit,
    );
    fill(
      inputs.k,
      fit.steps.map((s) => [s.k, `${cube(s.k)}: ${s.atoms} atoms`]),
      step.k,
    );
    reveal.checked = truth;
    const show = (out, key, number, shown) => {
      out.dataset.value = number === null ? "" : number;
      out.textContent = shown;
    };
    for (const [{ out, holder }, what, barName, unit, factor] of [
      [geometry, "geometry", "bar", "% of |Dū|", 100 / fit.scale],
      [energy, "energy", "energy_bar", "meV", 1000],
    ]) {
      const bar = step[barName] === null ? null : step[barName] * factor;
      const real = fit[what] * factor;
      show(out.forecast, "forecast", step[what] * factor, withBar(step[what] * factor, bar));
      show(out.truth, "truth", truth ? real : null, truth ? written(real, 3) : "hidden");
      chart(holder, fit, step.k, truth, what, unit, factor);
    }
    const domain = fit.atoms.toLocaleString("en");
    const asked = `The reference was asked on ${step.atoms} atoms, about an error in ${domain}.`;
    const more = `${asked} The potential was fitted on ${fit.train}.`;
    tell(verdict, step.verdict !== "applies", advice(fit, step), more);
  }

  /** The nearest fit and check cell to what is asked, the check cell as far beyond the training. */
  function choose(change) {
    const point = { ...model.get("point"), ...change };
    const nearest = (list, key, value) =>
      list.reduce((a, b) => (Math.abs(b[key] - value) < Math.abs(a[key] - value) ? b : a));
    const system = fits.filter((f) => f.system === point.system);
    const cell = nearest(system, "cell", point.cell).cell;
    const own = system.filter((f) => f.cell === cell);
    const fit = own.find((f) => f.fit === point.fit) || own[0];
    const beyond = "k" in change ? point.k : cell + point.k - model.get("point").cell;
    const k = nearest(fit.steps, "k", beyond).k;
    model.set("point", { system: fit.system, cell, fit: fit.fit, k });
    model.save_changes();
  }
  for (const [name, input] of Object.entries(inputs))
    input.addEventListener("change", () => {
      const number = name === "cell" || name === "k";
      choose({ [name]: number ? Number(input.value) : input.value });
    });
  reveal.addEventListener("change", () => {
    model.set("truth", reveal.checked);
    model.save_changes();
  });
  return keepDrawn(root, model, "change:point change:truth", draw);
}

export default { render };
