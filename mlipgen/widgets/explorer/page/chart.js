// Small SVG charts, drawn at their real pixel size so that text keeps its size on a phone.

/**
 * spec: { title, x: {label, kind: "log"|"category", ticks: [{value, label}], range?},
 *         y: {label, range?, ticks?},                   logarithmic; default: decades
 *         lines: [{className, points: [{x, y}]}],       y null breaks the line
 *         marks: [{className, shape, x, y, title}], lost: [{x, title}],
 *         bands: [{x, low, high}],                     joined where x is a number, else bars
 *         slopes: [{x, y, exponent, to, label}], floors: [{y, label}], current: x, message }
 */
function drawChart(svg, spec) {
  const width = Math.max(260, innerWidth(svg.parentNode) || 460);
  const height = Math.round(Math.min(320, Math.max(190, width * 0.58)));
  const m = { left: 52, right: 14, top: 26, bottom: 42 };
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  svg.setAttribute("aria-label", spec.title);
  svgElement(svg, "title", {}, spec.title);

  const positive = (y) => y !== null && y > 0 && Number.isFinite(y);
  const ys = [
    ...spec.lines.flatMap((l) => l.points.map((p) => p.y)),
    ...spec.marks.map((k) => k.y),
    ...(spec.bands ?? []).flatMap((b) => [b.low, b.high]),
  ].filter(positive);
  let low = ys.length ? Math.floor(Math.log10(Math.min(...ys)) - 0.15) : -4;
  let high = ys.length ? Math.ceil(Math.log10(Math.max(...ys)) + 0.15) : 0;
  if (high - low < 2) low = high - 2;
  if (spec.y.range) [low, high] = spec.y.range.map(Math.log10);
  const Y = (y) => m.top + ((height - m.top - m.bottom) * (high - Math.log10(y))) / (high - low);
  const values = spec.x.ticks.map((t) => t.value);
  const [x0, x1] = spec.x.range ?? [Math.min(...values), Math.max(...values)];
  const inner = width - m.left - m.right,
    pad = spec.x.kind === "category" ? inner / (2 * values.length) : 18;
  const X = (x) => {
    if (x1 === x0) return m.left + inner / 2;
    const t =
      spec.x.kind === "category" ? (x - x0) / (x1 - x0) : Math.log(x / x0) / Math.log(x1 / x0);
    return m.left + pad + (inner - 2 * pad) * t;
  };

  const axes = svgElement(svg, "g", { class: "mx-axes" });
  const rule = (y, label) => {
    svgElement(axes, "line", { x1: m.left, x2: width - m.right, y1: y, y2: y, class: "mx-grid" });
    svgElement(axes, "text", { x: m.left - 7, y: y + 4, "text-anchor": "end" }, label);
  };
  for (const t of spec.y.ticks ?? []) rule(Y(t.value), t.label);
  const step = Math.max(1, Math.ceil((high - low) / 6));
  for (let e = low; e <= high && !spec.y.ticks; e++) {
    if ((e - low) % step === 0) rule(Y(10 ** e), decade(e));
    if (e < high && high - low <= 4)
      for (let k = 2; k < 10; k++) {
        const z = Y(k * 10 ** e);
        svgElement(axes, "line", { x1: m.left, x2: m.left + 3, y1: z, y2: z, class: "mx-tick" });
      }
  }
  const bottom = height - m.bottom;
  svgElement(axes, "line", {
    x1: m.left,
    x2: width - m.right,
    y1: bottom,
    y2: bottom,
    class: "mx-axis",
  });
  svgElement(axes, "line", { x1: m.left, x2: m.left, y1: m.top, y2: bottom, class: "mx-axis" });
  for (const t of spec.x.ticks) {
    const x = X(t.value);
    svgElement(axes, "line", { x1: x, x2: x, y1: bottom, y2: bottom + 4, class: "mx-axis" });
    svgElement(
      axes,
      "text",
      {
        x,
        y: bottom + 17,
        "text-anchor": "middle",
        class: t.value === spec.current ? "mx-strong" : "",
      },
      t.label,
    );
  }
  svgElement(
    axes,
    "text",
    { x: m.left + inner / 2, y: height - 6, "text-anchor": "middle", class: "mx-label" },
    spec.x.label,
  );
  svgElement(axes, "text", { x: 2, y: 12, class: "mx-label" }, spec.y.label);

  const clip = `mx-clip-${(drawChart.count = (drawChart.count ?? 0) + 1)}`;
  const clipPath = svgElement(svg, "clipPath", { id: clip });
  svgElement(clipPath, "rect", { x: m.left, y: m.top, width: inner, height: bottom - m.top });
  const plot = svgElement(svg, "g", { "clip-path": `url(#${clip})` });
  if (spec.current !== undefined)
    svgElement(plot, "line", {
      x1: X(spec.current),
      x2: X(spec.current),
      y1: m.top,
      y2: bottom,
      class: "mx-current",
    });
  for (const f of spec.floors ?? []) {
    if (!positive(f.y) || f.y < 10 ** low || f.y > 10 ** high) continue;
    const y = Y(f.y);
    const line = { x1: m.left, x2: width, y1: y, y2: y, "data-value": f.y };
    svgElement(plot, "line", { ...line, class: "mx-floor" });
    const at = { x: m.left + 6, y: Math.max(y - 5, m.top + 12) };
    svgElement(plot, "text", { ...at, class: "mx-slope-label" }, f.label);
  }
  for (const s of spec.slopes ?? []) {
    if (!positive(s.y)) continue;
    const end = s.y * (s.to / s.x) ** s.exponent;
    svgElement(plot, "line", {
      x1: X(s.x),
      y1: Y(s.y),
      x2: X(s.to),
      y2: Y(end),
      class: "mx-slope",
    });
    const k = 0.62,
      lx = s.x * (s.to / s.x) ** k,
      ly = s.y * (lx / s.x) ** s.exponent;
    const above = Y(ly) > m.top + 24;
    svgElement(
      plot,
      "text",
      { x: X(lx) + 7, y: Math.min(Y(ly) + (above ? -7 : 16), bottom - 6), class: "mx-slope-label" },
      s.label,
    );
  }
  const bands = (spec.bands ?? []).filter((b) => positive(b.low));
  const corners = (b, y) => [-5, 5].map((dx) => `${X(b.x) + dx},${Y(b[y])}`);
  const joined = spec.x.kind === "log" && bands.length > 1;
  for (const group of joined ? [bands] : bands.map((b) => [b])) {
    const upper = group.flatMap((b) => corners(b, "high"));
    const lower = group.flatMap((b) => corners(b, "low")).reverse();
    svgElement(plot, "path", { d: `M${[...upper, ...lower].join("L")}Z`, class: "mx-band" });
  }
  for (const line of spec.lines) {
    let path = "",
      pen = "M";
    for (const p of line.points) {
      if (!positive(p.y)) {
        pen = "M";
        continue;
      }
      path += `${pen}${X(p.x).toFixed(1)},${Y(p.y).toFixed(1)}`;
      pen = "L";
    }
    if (path && !line.pointsOnly)
      svgElement(plot, "path", { d: path, class: `mx-line ${line.className}` });
    if (!line.noDots)
      for (const p of line.points) {
        if (!positive(p.y)) continue;
        const dot = svgElement(plot, "circle", {
          cx: X(p.x),
          cy: Y(p.y),
          r: p.x === spec.current ? 5.5 : 3.5,
          class: `mx-dot ${line.className}`,
        });
        if (p.title) svgElement(dot, "title", {}, p.title);
      }
  }
  for (const k of spec.marks) {
    if (!positive(k.y)) continue;
    const x = X(k.x),
      y = Y(k.y),
      r = 6;
    const mark = svgElement(plot, "path", {
      d: `M${x},${y - r}L${x + r},${y}L${x},${y + r}L${x - r},${y}Z`,
      class: `mx-mark ${k.className ?? ""}`,
    });
    svgElement(mark, "title", {}, k.title);
  }
  for (const k of spec.lost ?? []) {
    const x = X(k.x),
      y = m.top + 10,
      r = 5;
    const mark = svgElement(plot, "path", {
      d: `M${x - r},${y - r}L${x + r},${y + r}M${x - r},${y + r}L${x + r},${y - r}`,
      class: `mx-lost ${k.className ?? ""}`,
    });
    svgElement(mark, "title", {}, k.title);
  }
  if (spec.message)
    svgElement(
      svg,
      "text",
      { x: m.left + inner / 2, y: bottom - 12, "text-anchor": "middle", class: "mx-message" },
      spec.message,
    );
}
