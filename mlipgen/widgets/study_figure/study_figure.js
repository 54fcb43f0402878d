// A study's rows behind three native controls.  Nothing is computed here: every number was fitted
// and relaxed in Python.

const KINDS = {
  E: "energies",
  F: "forces",
  Fw: "distance-weighted forces",
  V: "virials",
  FC: "force constants",
};

function spoken(observations) {
  const kinds = observations
    .split("+")
    .flatMap((part) => (part in KINDS ? [part] : [...part]))
    .map((k) => KINDS[k]);
  return kinds.length === 1
    ? `${kinds[0]} only`
    : `${kinds.slice(0, -1).join(", ")} and ${kinds.at(-1)}`;
}

const superscript = (n) =>
  [...String(n)].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("");

/** Two significant digits, as people write them: 0.0053, 0.20, 1.4 × 10⁻⁴; never broken. */
function written(x) {
  if (x === 0) return "0";
  const a = Math.abs(x),
    sign = x < 0 ? "−" : "";
  if (a >= 100) return sign + a.toFixed(0);
  if (a >= 1e-3) return sign + a.toFixed(Math.max(0, 1 - Number(a.toExponential(1).split("e")[1])));
  const [m, e] = a.toExponential(1).split("e");
  return `${sign}${m}\u00a0×\u00a010${superscript(Number(e))}`;
}

/** Log chart of |name| against training-cell size: all observation sets faint, one marked. */
function chart(holder, rows, cells, point, name, unit, factor) {
  const width = Math.max(240, holder.clientWidth || 320),
    height = 210,
    left = 46,
    right = 10,
    top = 8,
    bottom = 38;
  holder.replaceChildren();
  const size = (r, kind) =>
    r[`${kind}_${name}`] === null ? null : Math.abs(r[`${kind}_${name}`]) * factor;
  const all = rows.flatMap((r) => [size(r, "measured"), size(r, "predicted")]).filter((v) => v > 0);
  const low = Math.floor(Math.log10(Math.min(...all))),
    high = Math.ceil(Math.log10(Math.max(...all)));
  const x = (n) =>
    left + 18 + (cells.indexOf(n) * (width - left - right - 36)) / Math.max(1, cells.length - 1);
  const y = (v) => top + ((high - Math.log10(v)) * (height - top - bottom)) / (high - low);
  const svg = element(holder, "svg:svg", {
    viewBox: `0 0 ${width} ${height}`,
    height,
    role: "img",
    "aria-label":
      `Chart of the ${name} error in ${unit}, logarithmic, by size of the training cells: ` +
      `${spoken(point.observations)}, degree ${point.degree}`,
  });
  for (let k = low; k <= high; k++) {
    element(svg, "svg:line", {
      class: "grid",
      x1: left,
      x2: width - right,
      y1: y(10 ** k),
      y2: y(10 ** k),
    });
    element(
      svg,
      "svg:text",
      { x: left - 6, y: y(10 ** k) + 4, "text-anchor": "end" },
      k === 0 ? "1" : k === 1 ? "10" : `10${superscript(k)}`,
    );
  }
  for (const n of cells)
    element(svg, "svg:text", { x: x(n), y: height - bottom + 17, "text-anchor": "middle" }, n);
  element(
    svg,
    "svg:text",
    { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" },
    "training cell size (unit cells)",
  );
  element(svg, "svg:line", {
    class: "here",
    x1: x(point.cell),
    x2: x(point.cell),
    y1: top,
    y2: height - bottom,
  });
  const degree = rows.filter((r) => r.degree === point.degree);
  for (const kinds of new Set(degree.map((r) => r.observations))) {
    const own = kinds === point.observations;
    const line = degree.filter((r) => r.observations === kinds && size(r, "measured") > 0);
    element(svg, "svg:polyline", {
      class: own ? "own" : "other",
      points: line.map((r) => `${x(r.cell)},${y(size(r, "measured"))}`).join(" "),
    });
    if (!own) continue;
    for (const r of degree.filter((q) => q.observations === kinds)) {
      const [m, p] = [size(r, "measured"), size(r, "predicted")],
        big = r.cell === point.cell ? 1.5 : 1;
      if (m > 0)
        element(svg, "svg:circle", { class: "dot", cx: x(r.cell), cy: y(m), r: 3.5 * big });
      else element(svg, "svg:text", { x: x(r.cell), y: top + 10, "text-anchor": "middle" }, "left");
      if (p > 0) element(svg, "svg:circle", { class: "ring", cx: x(r.cell), cy: y(p), r: 6 * big });
    }
  }
}

/** What the relaxed defect is like. */
function outcome(row, labels) {
  if (row.measured_geometry === null) return "The defect left its basin.";
  const percent = written((100 * row.measured_geometry) / labels.scale);
  return (
    `The relaxed ${labels.defect} is wrong by ${percent} % of its displacement field, ` +
    `its energy by ${written(1000 * row.measured_energy)} meV.`
  );
}

/** Whether the prediction applies. */
function trust({ verdict }) {
  if (verdict === "applies") return "The prediction, made before relaxing, applies.";
  const [head, outcome] = verdict.split(": "); // "does not apply", "not a minimum", reasons
  return `The prediction ${head}${outcome ? `: ${outcome}` : ""}.`;
}

function render({ model, el }) {
  const rows = model.get("rows"),
    labels = model.get("labels"),
    id = `sf${++serial}`;
  const unique = (name) => [...new Set(rows.map((r) => r[name]))];
  const cells = unique("cell"),
    sets = unique("observations"),
    degrees = unique("degree");
  const atoms = new Map(labels.atoms),
    functions = new Map(rows.map((r) => [r.degree, r.n_basis]));
  const root = element(el, "div", {
    class: "wf sf",
    "data-testid": "study-figure",
    role: "group",
    "aria-label":
      `Study of the ${labels.crystal} ${labels.defect}: ` + "choose a training set, see the error",
  });

  const controls = element(root, "div", { class: "wf-controls" });
  const range = (name, label, values) => {
    const box = element(controls, "div");
    element(box, "label", { for: `${id}-${name}` }, label);
    const input = element(box, "input", {
      id: `${id}-${name}`,
      type: "range",
      min: 0,
      max: values.length - 1,
      step: 1,
    });
    return { input, now: element(box, "span", { class: "sf-now" }), values };
  };
  const cell = range("cell", "Training cell size", cells);
  const box = element(controls, "div");
  element(box, "label", { for: `${id}-set` }, "Observation set");
  const select = element(box, "select", { id: `${id}-set` });
  for (const kinds of sets)
    element(select, "option", { value: kinds }, `${kinds}: ${spoken(kinds)}`);
  const degree = range("degree", "Fit accuracy", degrees);

  const { body, verdict, panel } = bodyOf(root);
  const lines = (name) => ["predicted", "measured"].map((kind) => [kind, `${kind}-${name}-error`]);
  const geometry = panel("Geometry error", lines("geometry")),
    energy = panel("Formation-energy error", lines("energy"));
  element(body, "p", { class: "wf-key" }).innerHTML =
    `<svg aria-hidden="true"><circle class="dot" cx="8" cy="7" r="3.5"/></svg>measured by relaxing
     <svg aria-hidden="true"><circle class="ring" cx="8" cy="7" r="6"/></svg>predicted
     before relaxing
     <svg aria-hidden="true"><line class="other" x1="0" x2="16" y1="7" y2="7"/></svg>the other
     observation sets (measured)`;

  function draw() {
    const point = model.get("point");
    const row = rows.find(
      (r) =>
        r.cell === point.cell && r.observations === point.observations && r.degree === point.degree,
    );
    cell.input.value = cells.indexOf(row.cell);
    select.value = row.observations;
    degree.input.value = degrees.indexOf(row.degree);
    const cube = Array(3).fill(row.cell).join("\u00a0×\u00a0");
    cell.now.textContent = `${cube} unit cells, ${atoms.get(row.cell)} atoms`;
    degree.now.textContent = `degree ${row.degree}, ${functions.get(row.degree)} basis functions`;
    cell.input.setAttribute("aria-valuetext", cell.now.textContent);
    degree.input.setAttribute("aria-valuetext", degree.now.textContent);
    for (const [{ out }, name, unit, factor] of [
      [geometry, "geometry", "Å", 1],
      [energy, "energy", "meV", 1000],
    ])
      for (const kind of ["predicted", "measured"]) {
        const value = row[`${kind}_${name}`];
        out[kind].dataset.value = value === null ? "" : value;
        out[kind].textContent =
          value === null
            ? kind === "predicted"
              ? "does not apply"
              : "left its basin"
            : `${written(value * factor)}\u00a0${unit}`;
      }
    const used = `${atoms.get(row.cell)} atoms, used on ${labels.test.toLocaleString("en")}`;
    const fitted = `Fitted to ${spoken(row.observations)} on ${used}.`;
    tell(verdict, row.verdict !== "applies", outcome(row, labels), `${fitted} ${trust(row)}`);
    chart(geometry.holder, rows, cells, point, "geometry", "Å", 1);
    chart(energy.holder, rows, cells, point, "energy", "meV", 1000);
  }

  const choose = (change) => {
    model.set("point", { ...model.get("point"), ...change });
    model.save_changes();
  };
  cell.input.addEventListener("input", () => choose({ cell: cells[cell.input.value] }));
  degree.input.addEventListener("input", () => choose({ degree: degrees[degree.input.value] }));
  select.addEventListener("change", () => choose({ observations: select.value }));
  return keepDrawn(root, model, "change:point", draw);
}

export default { render };
