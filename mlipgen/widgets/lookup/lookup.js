// A line plot whose slider selects one of several precomputed frames; no kernel, no other library.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 58, right: 14, top: 10, bottom: 46 };
const DASH = ["", "7 4", "2 3", "9 3 2 3"];
const MARKED = ["marks", "open", "both"];
const LINED = ["line", "dashed", "both"];
let count = 0;

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}
function draw(parent, tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

const superscript = (n) =>
  String(n)
    .replace("-", "⁻")
    .replace(/\d/g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]);
function label(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) {
    const exponent = Math.floor(Math.log10(size) + 1e-9),
      mantissa = Number((value / 10 ** exponent).toPrecision(3));
    return (mantissa === 1 ? "" : `${mantissa}\u00a0×\u00a0`) + `10${superscript(exponent)}`;
  }
  const text = String(Number(value.toPrecision(6))).replace("-", "−");
  return text.replace(/^(−?\d+)(\d{3})(?!\d)/, "$1,$2"); // 10,000
}

const isPower = (text) => /^10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]/.test(text);
/** 1, 10 and from there 10², 10⁻¹; what is no power of ten stays as it is. */
function asPower(value) {
  const exponent = Math.round(Math.log10(value));
  if (Math.abs(value / 10 ** exponent - 1) > 1e-9) return label(value);
  return ["1", "10"][exponent] ?? `10${superscript(exponent)}`;
}

/** Round positions for ticks: [value, text] pairs inside [low, high]. */
function ticks(axis, room) {
  if (axis.ticks && axis.ticks.length) return axis.ticks;
  const out = [];
  if (axis.log) {
    const first = Math.ceil(Math.log10(axis.low) - 1e-9),
      last = Math.floor(Math.log10(axis.high) + 1e-9);
    const few = last - first < 2;
    const step = Math.max(1, Math.ceil((last - first + 1) / room));
    for (let k = first - 1; k <= last; k++) {
      if (k >= first && (few || (k - first) % step === 0)) out.push(10 ** k);
      if (few) for (const m of [2, 5]) out.push(m * 10 ** k);
    }
  } else {
    const raw = (axis.high - axis.low) / room,
      power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((m) => m * power >= raw * 0.999);
    for (let k = Math.ceil(axis.low / step - 1e-9); k * step <= axis.high + 1e-9 * step; k++)
      out.push(k * step);
  }
  const shown = out.filter((v) => v >= axis.low && v <= axis.high);
  // one of them too large or too small for digits: all of them as powers
  const powers = axis.log && shown.some((v) => isPower(label(v)));
  return shown.map((v) => [v, powers ? asPower(v) : label(v)]);
}

/** The position of a value between 0 and 1 along an axis; NaN when it cannot be shown. */
function place(axis, value) {
  if (value === null || (axis.log && value <= 0)) return NaN;
  const t = axis.log ? Math.log : (v) => v;
  return (t(value) - t(axis.low)) / (t(axis.high) - t(axis.low));
}

/** Names on an axis stand in two rows where one has no room for them (about 6.6 px a letter). */
function crowded(axis, w) {
  const own = [...(axis.ticks ?? [])].sort((a, b) => a[0] - b[0]);
  const room = (k) => w * (place(axis, own[k][0]) - place(axis, own[k - 1][0]));
  const letters = (k) => (own[k][1].length + own[k - 1][1].length) / 2;
  return own.some((_, k) => k > 0 && 6.6 * letters(k) + 4 > room(k));
}

function marker(parent, shape, x, y, colour, open = false) {
  const d = {
    0: `M${x - 4},${y}a4,4 0 1,0 8,0a4,4 0 1,0 -8,0`,
    1: `M${x - 3.6},${y - 3.6}h7.2v7.2h-7.2z`,
    2: `M${x},${y - 4.6}l4.4,8h-8.8z`,
    3: `M${x},${y - 5}l5,5l-5,5l-5,-5z`,
  }[shape % 4];
  draw(parent, "path", { d, class: `lk-mark${open ? " lk-open" : ""} lk-c${colour}` });
}

function chart(data, frame, names, width, height, clip) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [k, v] of Object.entries({
    width,
    height,
    role: "img",
    "aria-label": data.description,
  }))
    svg.setAttribute(k, v);
  const w = width - MARGIN.left - MARGIN.right;
  const row = crowded(data.x, w) ? 15 : 0;
  const h = height - MARGIN.top - MARGIN.bottom - row;
  const X = (v) => MARGIN.left + w * place(data.x, v),
    Y = (v) => MARGIN.top + h * (1 - place(data.y, v));
  for (const [k, [v, text]] of ticks(data.x, Math.max(3, Math.floor(w / 75))).entries()) {
    draw(svg, "line", { x1: X(v), x2: X(v), y1: MARGIN.top, y2: MARGIN.top + h, class: "lk-grid" });
    const y = MARGIN.top + h + 17 + (k % 2) * row;
    draw(svg, "text", { x: X(v), y, "text-anchor": "middle" }, text);
  }
  for (const [v, text] of ticks(data.y, Math.max(3, Math.floor(h / 45)))) {
    draw(svg, "line", {
      x1: MARGIN.left,
      x2: MARGIN.left + w,
      y1: Y(v),
      y2: Y(v),
      class: "lk-grid",
    });
    draw(svg, "text", { x: MARGIN.left - 7, y: Y(v) + 4, "text-anchor": "end" }, text);
  }
  draw(svg, "rect", { x: MARGIN.left, y: MARGIN.top, width: w, height: h, class: "lk-axis" });
  draw(
    svg,
    "text",
    { x: MARGIN.left + w / 2, y: height - 8, "text-anchor": "middle", class: "lk-label" },
    data.x.label,
  );
  const area = draw(draw(svg, "defs", {}), "clipPath", { id: clip });
  draw(area, "rect", { x: MARGIN.left - 5, y: MARGIN.top - 5, width: w + 10, height: h + 10 });
  const inside = draw(svg, "g", { "clip-path": `url(#${clip})` });
  for (const c of frame.curves) {
    const colour = names.indexOf(c.like ?? c.name),
      points = c.x.map((v, k) => [X(v), Y(c.y[k])]);
    if (LINED.includes(c.style)) {
      let d = "",
        pen = "M";
      for (const [x, y] of points) {
        if (Number.isFinite(x) && Number.isFinite(y)) {
          d += `${pen}${x.toFixed(1)},${y.toFixed(1)}`;
          pen = "L";
        } else pen = "M";
      }
      draw(inside, "path", {
        d,
        class: `lk-line lk-c${colour % 6}`,
        "stroke-dasharray": c.style === "dashed" ? "7 5" : DASH[Math.floor(colour / 6) % 4],
      });
    }
    if (MARKED.includes(c.style)) {
      for (const [x, y] of points)
        if (Number.isFinite(x) && Number.isFinite(y))
          marker(inside, colour, x, y, colour % 6, c.style === "open");
    }
  }
  return svg;
}

function key(c, colour) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [k, v] of Object.entries({ width: 30, height: 14, "aria-hidden": "true" }))
    svg.setAttribute(k, v);
  if (LINED.includes(c.style))
    draw(svg, "path", {
      d: "M1,7H29",
      class: `lk-line lk-c${colour % 6}`,
      "stroke-dasharray": c.style === "dashed" ? "7 5" : DASH[Math.floor(colour / 6) % 4],
    });
  if (MARKED.includes(c.style)) marker(svg, colour, 15, 7, colour % 6, c.style === "open");
  return svg;
}

/** The numbers behind the picture, for who cannot see it and for copying; built when opened. */
function table(data, frame) {
  const body = make("tbody");
  for (const c of frame.curves)
    c.x.forEach((v, k) => {
      if (v !== null && c.y[k] !== null)
        body.append(
          make(
            "tr",
            {},
            make("th", { scope: "row" }, c.name || `${c.like}, line`),
            make("td", {}, label(v)),
            make("td", {}, label(c.y[k])),
          ),
        );
    });
  const head = make(
    "tr",
    {},
    make("th", { scope: "col" }, "curve"),
    make("th", { scope: "col" }, data.x.label),
    make("th", { scope: "col" }, data.y.label),
  );
  return make("table", {}, make("thead", {}, head), body);
}

/** What selects a frame: a slider along a quantity, a select among things that have no order. */
function chooser({ frames, select }, id) {
  if (!select) return make("input", { type: "range", id, min: 0, max: frames.length - 1, step: 1 });
  return make("select", { id }, ...frames.map((f, i) => make("option", { value: i }, f.label)));
}

function render({ model, el }) {
  const data = JSON.parse(model.get("payload"));
  const id = `lookup-${++count}-${Math.random().toString(36).slice(2, 7)}`;
  const names = [...new Set(data.frames.flatMap((f) => f.curves.map((c) => c.like ?? c.name)))];
  const plot = make("div", { class: "lk-plot" });
  const legend = make("ul", { class: "lk-legend" });
  const value = make("output", { class: "lk-value", for: id });
  const note = make("p", { class: "lk-note", "aria-live": "polite" });
  const choose = chooser(data, id);
  const numbers = make(
    "details",
    { class: "lk-numbers" },
    make("summary", {}, "Numbers of this figure"),
    make("div", {
      class: "lk-scroll",
      tabindex: 0,
      role: "region",
      "aria-label": "Numbers of this figure",
    }),
  );
  const root = make("figure", { class: "lk" });
  if (data.title) root.append(make("figcaption", {}, data.title));
  if (data.frames.length > 1) {
    const label = make("label", { for: id }, data.slider);
    const control = make("div", { class: "lk-control" }, label, choose);
    if (!data.select) choose.before(value); // a select shows its value itself
    root.append(control);
  }
  if (data.y.label)
    root.append(make("div", { class: "lk-y", "aria-hidden": "true" }, data.y.label));
  root.append(plot, legend, note, numbers);
  el.append(root);

  let shownWidth = 0;
  const current = () =>
    data.frames[Math.min(Math.max(model.get("index"), 0), data.frames.length - 1)];
  function show() {
    const frame = current();
    choose.value = String(data.frames.indexOf(frame));
    if (!data.select) choose.setAttribute("aria-valuetext", frame.label);
    value.textContent = frame.label;
    if (note.textContent !== frame.note) note.textContent = frame.note;
    legend.replaceChildren(
      ...frame.curves
        .filter((c) => c.name)
        .map((c) => make("li", {}, key(c, names.indexOf(c.like ?? c.name)), c.name)),
    );
    const width = Math.max(260, plot.clientWidth || 640);
    shownWidth = plot.clientWidth;
    plot.replaceChildren(
      chart(data, frame, names, width, Math.min(380, Math.max(240, 0.56 * width)), `${id}-area`),
    );
    if (numbers.open) numbers.lastChild.replaceChildren(table(data, frame));
  }
  choose.addEventListener("input", () => {
    model.set("index", Number(choose.value));
    model.save_changes();
    show();
  });
  numbers.addEventListener("toggle", show);
  model.on("change:index", show);
  const observer = new ResizeObserver(() => {
    if (plot.clientWidth !== shownWidth) show();
  });
  observer.observe(plot);
  show();
  return () => observer.disconnect();
}

export default { render };
