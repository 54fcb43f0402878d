// The figure of the atoms near the defect: the picture, its colours, what the pointer is on.

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
    this.node = h(
      "figure",
      { class: "mx-figure mx-atoms" },
      h("figcaption", {}, "Displacement error per atom"),
      this.canvas,
      this.host,
      this.scale,
    );
  }

  get shown() {
    return !this.node.hidden;
  }

  /** Another data set's atoms; without positions, or if unwanted, the figure is hidden. */
  connect(data, wanted) {
    this.data = data;
    const positions = data.arrays["near/positions"];
    this.node.hidden = !positions || !wanted;
    this.drawing ??= new AtomView(this.canvas);
    if (this.shown) this.drawing.positions = positions.data;
  }

  draw(result) {
    if (!this.shown) return;
    const { data } = this;
    const ok = result !== null && result.applies;
    const range = data.meta.colour_range;
    const u = ok ? nearDisplacements(data, result.theta) : null;
    const length = (_, i) => Math.hypot(u[3 * i], u[3 * i + 1], u[3 * i + 2]);
    this.errors = u && Float64Array.from({ length: u.length / 3 }, length);
    this.drawing.show(this.errors, range);
    const count = data.arrays["near/positions"].shape[0];
    const colours = ok
      ? "coloured by predicted displacement error"
      : "grey because the prediction does not apply";
    const turn = "Drag or use the arrow keys to turn.";
    const name = `The ${count} atoms nearest the defect, ${colours}. ${turn}`;
    for (const node of [this.canvas, this.host]) node.setAttribute("aria-label", name);
    if (!this.hint) this.drawScale(range);
    this.pointAt(null);
  }

  drawScale([low, high]) {
    const stops = VIRIDIS.map((c) => `rgb(${c.join()})`).join(", ");
    const from = Math.log10(low);
    const to = Math.log10(high);
    const middle = Math.round((from + to) / 2);
    const label = (text) => h("span", {}, text);
    this.hint = h("p", { class: "mx-small" });
    this.scale.append(
      h("i", { style: `background: linear-gradient(90deg, ${stops})`, "aria-hidden": "true" }),
      h("div", {}, label(decade(from)), label(decade(middle)), label(`${decade(to)} Å`)),
      this.hint,
    );
  }

  /** What the pointer is on, under the colour scale. */
  pointAt(atom) {
    const from = 3 * (atom ?? 0);
    const position = this.data.arrays["near/positions"].data.slice(from, from + 3);
    const error = this.errors ? `${formatNumber(this.errors[atom])}\u00a0Å` : null;
    this.hint.textContent =
      atom === null
        ? "Drag or use the arrow keys to turn; the mark at the centre is the defect."
        : `Atom ${formatNumber(Math.hypot(...position))}\u00a0Å from the defect: ` +
          `${error ?? "the prediction does not apply"}.`;
  }

  resize() {
    if (this.shown) this.drawing.resize();
  }

  redraw() {
    if (this.shown) this.drawing.draw();
  }

  dispose() {
    this.gone = true;
    this.drawing?.dispose?.();
  }

  /** Replaces the canvas by nglview where the widget carries one; redraw() colours it. */
  async openViewer(model, redraw) {
    const swap = (on) => {
      this.host.hidden = !on;
      this.canvas.hidden = on;
    };
    swap(true);
    let viewer;
    try {
      viewer = await ViewerAtoms.open(model, this.host);
    } catch (error) {
      console.warn(`explorer: the canvas stays, nglview did not start: ${error.message}`);
      return swap(false);
    }
    if (this.gone) return viewer.dispose();
    this.drawing = viewer;
    viewer.onhover = (atom) => this.pointAt(atom);
    if (!this.shown) return;
    viewer.positions = this.data.arrays["near/positions"].data;
    redraw();
    await viewer.loading;
    this.host.dataset.state = "ready";
  }
}
