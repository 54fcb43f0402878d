// Small SVG charts and an atom view, drawn at their real pixel size so that text keeps its size on a phone.

const SVG_NS = "http://www.w3.org/2000/svg";
function svgElement(parent, tag, attributes, text) {
  const node = document.createElementNS(SVG_NS, tag);
  for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v);
  if (text !== undefined) node.textContent = text;
  parent.appendChild(node);
  return node;
}

const SUPERSCRIPT = { "-": "⁻", "0": "⁰", "1": "¹", "2": "²", "3": "³", "4": "⁴", "5": "⁵", "6": "⁶", "7": "⁷", "8": "⁸", "9": "⁹", ".": "·" };
function superscript(text) { return [...String(text)].map((c) => SUPERSCRIPT[c] ?? c).join(""); }

/** Three significant digits with a typographic minus and powers of ten. */
function formatNumber(x, digits = 3) {
  if (x === 0) return "0";
  if (!Number.isFinite(x)) return "–";
  const sign = x < 0 ? "−" : "", a = Math.abs(x);
  if (a >= 0.01 && a < 1e4) return sign + (a >= 100 ? a.toFixed(0) : a.toPrecision(digits));
  const [mantissa, exponent] = a.toExponential(digits - 1).split("e");
  return `${sign}${mantissa} × 10${superscript(Number(exponent))}`;
}
function decade(e) { return e === 0 ? "1" : e === 1 ? "10" : `10${superscript(e)}`; }

/**
 * spec: { title, x: {label, kind: "log"|"category", ticks: [{value, label}], range?}, y: {label},
 *         lines: [{className, points: [{x, y}]}],       y null breaks the line
 *         marks: [{className, shape, x, y, title}], lost: [{x, title}],
 *         slopes: [{x, y, exponent, to, label}], current: x, message }
 */
function drawChart(svg, spec) {
  const width = Math.max(260, svg.parentNode.clientWidth || 460);
  const height = Math.round(Math.min(330, Math.max(230, width * 0.6)));
  const m = { left: 52, right: 14, top: 26, bottom: 42 };
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  svg.setAttribute("aria-label", spec.title);
  svgElement(svg, "title", {}, spec.title);

  const positive = (y) => y !== null && y > 0 && Number.isFinite(y);
  const ys = [...spec.lines.flatMap((l) => l.points.map((p) => p.y)), ...spec.marks.map((k) => k.y)].filter(positive);
  let low = ys.length ? Math.floor(Math.log10(Math.min(...ys)) - 0.15) : -4;
  let high = ys.length ? Math.ceil(Math.log10(Math.max(...ys)) + 0.15) : 0;
  if (high - low < 2) low = high - 2;
  const Y = (y) => m.top + (height - m.top - m.bottom) * (high - Math.log10(y)) / (high - low);
  const values = spec.x.ticks.map((t) => t.value);
  const [x0, x1] = spec.x.range ?? [Math.min(...values), Math.max(...values)];
  const inner = width - m.left - m.right, pad = spec.x.kind === "category" ? inner / (2 * values.length) : 18;
  const X = (x) => {
    if (x1 === x0) return m.left + inner / 2;
    const t = spec.x.kind === "category" ? (x - x0) / (x1 - x0) : Math.log(x / x0) / Math.log(x1 / x0);
    return m.left + pad + (inner - 2 * pad) * t;
  };

  const axes = svgElement(svg, "g", { class: "mx-axes" });
  const step = Math.max(1, Math.ceil((high - low) / 6));
  for (let e = low; e <= high; e++) {
    const y = Y(10 ** e);
    if ((e - low) % step === 0) {
      svgElement(axes, "line", { x1: m.left, x2: width - m.right, y1: y, y2: y, class: "mx-grid" });
      svgElement(axes, "text", { x: m.left - 7, y: y + 4, "text-anchor": "end" }, decade(e));
    }
    if (e < high && high - low <= 4)
      for (let k = 2; k < 10; k++) {
        const z = Y(k * 10 ** e);
        svgElement(axes, "line", { x1: m.left, x2: m.left + 3, y1: z, y2: z, class: "mx-tick" });
      }
  }
  const bottom = height - m.bottom;
  svgElement(axes, "line", { x1: m.left, x2: width - m.right, y1: bottom, y2: bottom, class: "mx-axis" });
  svgElement(axes, "line", { x1: m.left, x2: m.left, y1: m.top, y2: bottom, class: "mx-axis" });
  for (const t of spec.x.ticks) {
    const x = X(t.value);
    svgElement(axes, "line", { x1: x, x2: x, y1: bottom, y2: bottom + 4, class: "mx-axis" });
    svgElement(axes, "text", { x, y: bottom + 17, "text-anchor": "middle",
      class: t.value === spec.current ? "mx-strong" : "" }, t.label);
  }
  svgElement(axes, "text", { x: m.left + inner / 2, y: height - 6, "text-anchor": "middle", class: "mx-label" }, spec.x.label);
  svgElement(axes, "text", { x: 2, y: 12, class: "mx-label" }, spec.y.label);

  const clip = `mx-clip-${(drawChart.count = (drawChart.count ?? 0) + 1)}`;
  const clipPath = svgElement(svg, "clipPath", { id: clip });
  svgElement(clipPath, "rect", { x: m.left, y: m.top, width: inner, height: bottom - m.top });
  const plot = svgElement(svg, "g", { "clip-path": `url(#${clip})` });
  if (spec.current !== undefined)
    svgElement(plot, "line", { x1: X(spec.current), x2: X(spec.current), y1: m.top, y2: bottom, class: "mx-current" });
  for (const s of spec.slopes ?? []) {
    if (!positive(s.y)) continue;
    const end = s.y * (s.to / s.x) ** s.exponent;
    svgElement(plot, "line", { x1: X(s.x), y1: Y(s.y), x2: X(s.to), y2: Y(end), class: "mx-slope" });
    const k = 0.62, lx = s.x * (s.to / s.x) ** k, ly = s.y * (lx / s.x) ** s.exponent;
    const above = Y(ly) > m.top + 24;
    svgElement(plot, "text", { x: X(lx) + 7, y: Math.min(Y(ly) + (above ? -7 : 16), bottom - 6), class: "mx-slope-label" }, s.label);
  }
  for (const line of spec.lines) {
    let path = "", pen = "M";
    for (const p of line.points) {
      if (!positive(p.y)) { pen = "M"; continue; }
      path += `${pen}${X(p.x).toFixed(1)},${Y(p.y).toFixed(1)}`;
      pen = "L";
    }
    if (path && !line.pointsOnly) svgElement(plot, "path", { d: path, class: `mx-line ${line.className}` });
    if (!line.noDots) for (const p of line.points) {
      if (!positive(p.y)) continue;
      const dot = svgElement(plot, "circle", { cx: X(p.x), cy: Y(p.y), r: p.x === spec.current ? 5.5 : 3.5, class: `mx-dot ${line.className}` });
      if (p.title) svgElement(dot, "title", {}, p.title);
    }
  }
  for (const k of spec.marks) {
    if (!positive(k.y)) continue;
    const x = X(k.x), y = Y(k.y), r = 6;
    const mark = svgElement(plot, "path", { d: `M${x},${y - r}L${x + r},${y}L${x},${y + r}L${x - r},${y}Z`, class: `mx-mark ${k.className ?? ""}` });
    svgElement(mark, "title", {}, k.title);
  }
  for (const k of spec.lost ?? []) {
    const x = X(k.x), y = m.top + 10, r = 5;
    const mark = svgElement(plot, "path", { d: `M${x - r},${y - r}L${x + r},${y + r}M${x - r},${y + r}L${x + r},${y - r}`, class: `mx-lost ${k.className ?? ""}` });
    svgElement(mark, "title", {}, k.title);
  }
  if (spec.message)
    svgElement(svg, "text", { x: m.left + inner / 2, y: bottom - 12, "text-anchor": "middle", class: "mx-message" }, spec.message);
}

// Nine anchors of matplotlib's viridis (Smith and van der Walt, CC0).
const VIRIDIS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];
function viridis(t) {
  const u = Math.min(1, Math.max(0, t)) * 8, i = Math.min(7, Math.floor(u)), f = u - i;
  return VIRIDIS[i].map((c, k) => Math.round(c + f * (VIRIDIS[i + 1][k] - c)));
}

/** The atoms nearest the defect as shaded balls; drag or arrow keys turn them. */
class AtomView {
  constructor(canvas, positions) {
    this.canvas = canvas;
    this.positions = positions;
    this.turn = [0.5, -0.35];
    this.colour = null;
    const rotate = (dx, dy) => { this.turn = [this.turn[0] + dx, Math.max(-1.57, Math.min(1.57, this.turn[1] + dy))]; this.draw(); };
    canvas.addEventListener("pointerdown", (e) => { canvas.setPointerCapture(e.pointerId); this.drag = [e.clientX, e.clientY]; });
    canvas.addEventListener("pointermove", (e) => {
      if (!this.drag) return;
      rotate((e.clientX - this.drag[0]) / 120, (e.clientY - this.drag[1]) / 120);
      this.drag = [e.clientX, e.clientY];
    });
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, () => { this.drag = null; });
    canvas.addEventListener("keydown", (e) => {
      const by = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] }[e.key];
      if (!by) return;
      e.preventDefault();
      rotate(...by);
    });
  }

  /** values: log-scaled colour in [0, 1] per atom, or null for grey. */
  show(values) { this.colour = values; this.draw(); }

  draw() {
    const { canvas, positions } = this, n = positions.length / 3;
    const size = canvas.clientWidth || 240, ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(size * ratio)) canvas.width = canvas.height = Math.round(size * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, size, size);
    const [a, b] = this.turn, ca = Math.cos(a), sa = Math.sin(a), cb = Math.cos(b), sb = Math.sin(b);
    let extent = 0;
    for (let i = 0; i < 3 * n; i += 3) extent = Math.max(extent, Math.hypot(positions[i], positions[i + 1], positions[i + 2]));
    const scale = (0.5 * size - 12) / extent, style = getComputedStyle(canvas);
    const rgb = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map(Number);
    const grey = rgb(style.borderTopColor), ground = rgb(style.backgroundColor);
    const projected = [];
    const project = (x, y, z) => {
      const u = ca * x + sa * z, w = -sa * x + ca * z, v = cb * y - sb * w, depth = sb * y + cb * w;
      const f = 3.2 * extent / (3.2 * extent - depth);
      return [size / 2 + scale * u * f * 0.86, size / 2 - scale * v * f * 0.86, depth, f];
    };
    for (let i = 0; i < n; i++) projected.push([...project(positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]), i]);
    projected.push([...project(0, 0, 0), -1]);
    projected.sort((p, q) => p[2] - q[2]);
    for (const [x, y, depth, f, i] of projected) {
      if (i < 0) {                                         // where the defect is
        pen.strokeStyle = style.color; pen.lineWidth = 1.5;
        pen.beginPath(); pen.moveTo(x - 5, y); pen.lineTo(x + 5, y); pen.moveTo(x, y - 5); pen.lineTo(x, y + 5); pen.stroke();
        continue;
      }
      const r = 0.85 * scale * f;
      const near = 0.55 + 0.45 * (depth / extent + 1) / 2;  // what is far fades into the ground
      const base = (this.colour ? viridis(this.colour[i]) : grey).map((c, k) => near * c + (1 - near) * ground[k]);
      const ball = pen.createRadialGradient(x - 0.35 * r, y - 0.4 * r, 0.1 * r, x, y, r);
      ball.addColorStop(0, `rgb(${base.map((c) => c + 0.35 * (255 - c)).join()})`);
      ball.addColorStop(0.55, `rgb(${base.join()})`);
      ball.addColorStop(1, `rgb(${base.map((c) => 0.82 * c).join()})`);
      pen.beginPath(); pen.arc(x, y, r, 0, 2 * Math.PI);
      pen.fillStyle = ball; pen.fill();
      pen.strokeStyle = `rgb(${ground.join()})`; pen.lineWidth = 1; pen.stroke();
    }
  }
}
