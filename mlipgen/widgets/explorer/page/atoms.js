// The figure of the atoms around the defect: the picture, its colours, what the pointer is on.
//
// A page that relaxes by itself knows where all atoms go; any other has the linear estimate of the
// displacement errors of the nearest.  Both views (canvas.js, viewer.js) have the same interface:
// scene(positions, corners, radius), show({ moved, errors, range }), draw(), resize(), dispose().

const DECADES = 3; // of the colours, down from the decade of the largest error

class Atoms {
  constructor() {
    this.canvas = h("canvas", { class: "mx-space", tabindex: 0, role: "img" });
    this.host = h("div", {
      class: "mx-space",
      "data-testid": "viewer",
      tabindex: 0,
      role: "img",
      hidden: true,
    });
    this.scale = h("div", { class: "mx-scale" });
    this.caption = h("figcaption", {}, "Displacement error of each atom");
    this.node = h(
      "figure",
      { class: "mx-figure mx-atoms" },
      this.caption,
      this.canvas,
      this.host,
      this.scale,
    );
    this.ticks = h("div");
    this.hint = h("p", { class: "mx-small" });
    const stops = VIRIDIS.map((c) => `rgb(${c.join()})`).join(", ");
    const bar = h("i", { style: `background: linear-gradient(90deg, ${stops})` });
    bar.setAttribute("aria-hidden", "true");
    this.scale.append(bar, this.ticks, this.hint);
    this.view = new AtomView(this.canvas);
  }

  get shown() {
    return !this.node.hidden;
  }

  /** Another data set's atoms; without positions, or if unwanted, the figure is hidden. */
  connect(data, wanted) {
    const near = data.arrays["near/positions"];
    this.node.hidden = !near || !wanted;
    if (this.data === data || !this.shown) return;
    this.data = data;
    data.atoms ??= data.meta.relax ? allAtoms(data) : nearAtoms(near.data);
    this.cell = null;
  }

  /** now: { data, setting, result, truth } */
  draw({ data, setting, result, truth }) {
    if (!this.shown) return;
    const { positions, radius } = data.atoms;
    if (this.cell !== setting.cell) {
      this.cell = setting.cell;
      this.view.scene(positions, windowOf(data.meta, setting.cell), radius);
    }
    const ok = result !== null && result.applies;
    const u = truth?.u ? pick(truth.u, data.atoms.index) : ok ? this.linear(data, result) : null;
    this.errors =
      u &&
      Float64Array.from(
        positions.filter((_, i) => i % 3 === 0),
        (_, i) => {
          return Math.hypot(u[3 * i], u[3 * i + 1], u[3 * i + 2]);
        },
      );
    const range = u ? rangeOf(this.errors) : data.meta.colour_range;
    const magnified = truth?.u ? magnification(this.errors, radius) : 0;
    const moved = magnified
      ? positions.map((x, i) => x + magnified * u[i])
      : Float64Array.from(positions);
    this.describe({ ok, relaxed: Boolean(truth?.u), magnified, range, cell: setting.cell });
    this.view.show({ moved, errors: this.errors, range }); // last, because it asks for colours
  }

  /** The linear estimate where the page has it, nan elsewhere. */
  linear(data, result) {
    const near = nearDisplacements(data, result.theta);
    const u = new Float64Array(data.atoms.positions.length).fill(NaN);
    data.atoms.near.forEach((at, i) => {
      if (at >= 0) u.set(near.subarray(3 * i, 3 * i + 3), 3 * at);
    });
    return u;
  }

  describe({ ok, relaxed, magnified, range, cell }) {
    const count = this.data.atoms.positions.length / 3;
    const kind = relaxed
      ? `coloured by displacement error after relaxing, displacements ${magnified} times enlarged`
      : ok
        ? "coloured by predicted displacement error"
        : "grey because the prediction does not apply";
    const turn = "Drag or use the arrow keys to turn.";
    const frame = `The frame is the training cell of size ${cell}.`;
    const name = `The ${count} atoms nearest the defect, ${kind}. ${frame} ${turn}`;
    for (const node of [this.canvas, this.host]) node.setAttribute("aria-label", name);
    this.frame = relaxed
      ? `Frame: the training cell. Displacements × ${magnified}.`
      : "Frame: the training cell.";
    const [from, to] = range.map((x) => Math.round(Math.log10(x)));
    const labels = Array.from({ length: to - from + 1 }, (_, i) => decade(from + i));
    labels[labels.length - 1] += " Å";
    if (this.ticks.shown !== labels.join())
      this.ticks.replaceChildren(...labels.map((text) => h("span", {}, text)));
    this.ticks.shown = labels.join();
    this.pointAt(null);
  }

  /** What the pointer is on, under the colour scale. */
  pointAt(atom) {
    if (atom === null) {
      setText(this.hint, `${this.frame} Drag or use the arrow keys to turn.`);
      return;
    }
    const position = this.data.atoms.positions.slice(3 * atom, 3 * atom + 3);
    const error = this.errors?.[atom];
    const text = Number.isFinite(error) ? `${formatNumber(error)}\u00a0Å` : null;
    this.hint.textContent =
      `Atom ${formatNumber(Math.hypot(...position))}\u00a0Å from the defect: ` +
      `${text ?? (this.errors ? "not known before relaxing" : "the prediction does not apply")}.`;
  }

  resize() {
    if (this.shown) this.view.resize();
  }

  redraw() {
    if (this.shown) this.view.draw();
  }

  dispose() {
    this.gone = true;
    this.view.dispose();
  }

  /** Replaces the canvas by nglview where the widget carries one; redraw() colours it. */
  async openViewer(model, redraw) {
    const swap = (on) => {
      this.host.hidden = !on;
      this.canvas.hidden = on;
    };
    this.viewer = true;
    swap(true);
    let viewer;
    try {
      viewer = await ViewerAtoms.open(model, this.host);
    } catch (error) {
      console.warn(`explorer: the canvas stays, nglview did not start: ${error.message}`);
      return swap(false);
    }
    if (this.gone) return viewer.dispose();
    this.view = viewer;
    this.cell = null;
    viewer.onhover = (atom) => this.pointAt(atom);
    if (!this.shown) return;
    redraw();
    await viewer.loading;
    this.host.dataset.state = "ready";
  }
}

/** The atoms whose linear estimate the page has, the defect at the origin. */
function nearAtoms(near) {
  const count = near.length / 3;
  const index = Int32Array.from({ length: count }, (_, i) => i);
  return { positions: Float64Array.from(near), index: null, near: index, radius: ballRadius(near) };
}

/** All atoms around the defect of a page that relaxes, as far as its largest cell reaches. */
function allAtoms({ meta, arrays }) {
  const { relax, cells } = meta;
  const { shortest, inverse3 } = relaxation();
  const box = relax.cell.map((x, i) => x * relax.n[Math.floor(i / 3)]);
  const all = arrays["relax/positions"].data.map((x, i) => x - relax.centre[i % 3]);
  const offsets = shortest(all, box, inverse3(box).inverse);
  const edge = (n) => Math.hypot(...relax.cell.slice(0, 3)) * n;
  const reach = 0.62 * Math.min(edge(Math.max(...cells.map((c) => c.size))), edge(relax.n[0]));
  const index = [];
  for (let i = 0; i < offsets.length / 3; i++)
    if (Math.hypot(...offsets.subarray(3 * i, 3 * i + 3)) < reach) index.push(i);
  const positions = pick(offsets, index);
  const near = arrays["near/positions"].data;
  const same = (i, at) =>
    [0, 1, 2].every((d) => Math.abs(near[3 * i + d] - positions[3 * at + d]) < 1e-6);
  const places = index.map((_, at) => at);
  const where = Int32Array.from({ length: near.length / 3 }, (_, i) => {
    return places.findIndex((at) => same(i, at));
  });
  return { positions, index, near: where, radius: ballRadius(near) };
}

/** Vectors of a field at some atoms; index null: all of them. */
function pick(u, index) {
  if (index === null) return u;
  return Float64Array.from({ length: 3 * index.length }, (_, i) => {
    return u[3 * index[Math.floor(i / 3)] + (i % 3)];
  });
}

/** The eight corners of the training cell, the defect at its centre; null where unknown. */
function windowOf(meta, size) {
  const cell = meta.cell;
  if (!cell) return null;
  return [0, 1, 2, 3, 4, 5, 6, 7].map((corner) =>
    [0, 1, 2].map((d) =>
      [0, 1, 2].reduce((s, k) => s + size * cell[3 * k + d] * (((corner >> k) & 1) - 0.5), 0),
    ),
  );
}

/** A little more than a quarter of the nearest distance. */
function ballRadius(positions) {
  let least = Infinity;
  for (let i = 0; i < positions.length; i += 3)
    for (let j = 0; j < i; j += 3)
      least = Math.min(
        least,
        Math.hypot(...[0, 1, 2].map((k) => positions[i + k] - positions[j + k])),
      );
  return 0.3 * least;
}

/** Whole decades of the colours: the largest error in the last of them. */
function rangeOf(errors) {
  const largest = errors.reduce((m, e) => (e > m ? e : m), 1e-12);
  const to = Math.ceil(Math.log10(largest) - 1e-9);
  return [10 ** (to - DECADES), 10 ** to];
}

/** 1, 2 or 5 times a power of ten by which the largest displacement is enlarged to be seen. */
function magnification(errors, radius) {
  const largest = errors.reduce((m, e) => (e > m ? e : m), 1e-12);
  const wanted = radius / largest;
  if (!(wanted > 1)) return 1;
  const power = 10 ** Math.floor(Math.log10(wanted));
  return power * [5, 2, 1].find((k) => k * power <= wanted);
}
