// The explorer: native controls, solver and charts, on a static page and with a kernel alike.

let instances = 0;
/** JupyterLab's address is its own, and its notebook takes keys that bubble up. */
const inJupyterLab = () => document.body.hasAttribute("data-jp-theme-light");

class ExplorerView {
  constructor(model, el) {
    this.model = model;
    this.options = model.get("options") ?? {};
    this.name = model.get("name") || "explorer";
    this.id = `mx${++instances}`;
    this.root = h("section", {
      class: "mx",
      "data-testid": "explorer",
      "data-state": "unpacking",
      "data-lm-suppress-shortcuts": "true", // JupyterLab would take the arrow keys for itself
      "aria-label": "Explorer: fit a potential and see the predicted defect error",
    });
    el.append(this.root);
    if (inJupyterLab()) this.root.addEventListener("keydown", (e) => e.stopPropagation());
    this.onHash = () => {
      const found = readFragment(this.name, this.metas);
      if (found) this.apply(found);
    };
  }

  get metas() {
    return this.sets.map((s) => s.meta);
  }

  async start() {
    if (!(await this.unpack())) return;
    this.build();
    const setting = defaultState(this.sets[0].meta, this.options.setting);
    this.apply(readFragment(this.name, this.metas) ?? { index: 0, state: setting });
    this.root.dataset.state = "ready";
    window.addEventListener("hashchange", this.onHash);
    this.kernel.listen();
    if (this.model.get("viewer")) this.atoms.openViewer(this.model, () => this.draw());
    this.watch();
  }

  async unpack() {
    const payloads = this.model.get("payloads");
    const megabytes = payloads.reduce((s, p) => s + p.length, 0) * 0.75e-6;
    const text = `Unpacking ${megabytes.toFixed(1)} MB of fit data …`;
    const bar = h("progress", { "aria-label": "Unpacking" });
    this.root.append(h("div", { class: "mx-wait", role: "status" }, text, bar));
    await new Promise((resolve) => setTimeout(resolve, 0)); // let the notice appear
    try {
      this.sets = await Promise.all(payloads.map(unpackData));
      return true;
    } catch (error) {
      this.root.dataset.state = "failed";
      const why =
        `The fit data could not be unpacked (${error.message}). ` +
        "A browser from 2023 or later is needed.";
      this.root.replaceChildren(h("div", { class: "mx-wait", role: "alert" }, why));
      return false;
    }
  }

  /** Redraw for another width or theme. */
  watch() {
    this.resize = new ResizeObserver(() => {
      if (this.root.clientWidth === this.width) return;
      this.width = this.root.clientWidth;
      this.atoms.resize();
      this.draw();
    });
    this.resize.observe(this.root);
    this.theme = new MutationObserver(() => this.atoms.redraw());
    const attributeFilter = ["data-theme"];
    this.theme.observe(document.documentElement, { attributes: true, attributeFilter });
  }

  dispose() {
    this.atoms?.dispose();
    this.resize?.disconnect();
    this.theme?.disconnect();
    window.removeEventListener("hashchange", this.onHash);
    this.kernel?.dispose();
  }

  build() {
    const only = this.options.controls; // show a subset in some chapters
    const { id, model, root } = this;
    this.kernel = new Kernel({
      id,
      model,
      root,
      request: () => ({ dataset: this.index, setting: settingOf(this.state, this.data.meta) }),
      found: (dataset, point) => {
        this.sets[dataset].meta.measured.unshift(point);
        this.update();
      },
    });
    this.controls = new Controls({
      id,
      metas: this.metas,
      shown: (key) => !only || only.includes(key),
      on: {
        change: () => this.changed(),
        select: (index) => this.apply({ index, state: defaultState(this.sets[index].meta) }),
        copy: () => this.controls.copy(pythonCall(this.data.meta, this.setting)),
        reset: () => this.reset(),
      },
      live: this.kernel.node,
    });
    this.results = new Results();
    this.comparison = new Comparison(this.options.chart, () => this.draw());
    this.distances = new Distances();
    this.atoms = new Atoms();
    const { verdict, cards, table, print, live } = this.results;
    const pair = h("div", { class: "mx-pair" }, h("div", {}, this.distances.node), this.atoms.node);
    const below = [pair, h("div", { class: "mx-figure" }, table), print, live];
    const body = h(
      "div",
      { class: "mx-body" },
      h("div", { class: "mx-summary" }, verdict, cards),
      h("div", { class: "mx-side" }, this.controls.node),
      h("div", { class: "mx-results" }, this.comparison.node, ...below),
    );
    this.root.replaceChildren(body);
  }

  /** Show a data set at a state of its controls. */
  apply({ index, state }) {
    this.index = index;
    this.data = this.sets[index];
    this.state = state;
    this.controls.connect(index, this.data, state);
    this.atoms.connect(this.data, this.options.atoms !== false);
    this.update();
  }

  reset() {
    const override = this.index === 0 ? this.options.setting : undefined;
    this.apply({ index: this.index, state: defaultState(this.data.meta, override) });
    this.share(true);
  }

  changed() {
    this.controls.show();
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      this.update();
      this.share(false);
    });
  }

  share(clear) {
    this.model.set("setting", { ...this.setting, dataset: this.index });
    this.model.save_changes();
    if (inJupyterLab()) return;
    const hash = clear ? "" : fragmentOf(this.name, this.state, this.index);
    clearTimeout(this.shareTimer); // browsers limit how often an address may change
    this.shareTimer = setTimeout(() => {
      const { pathname, search } = window.location;
      try {
        history.replaceState(history.state, "", hash || pathname + search);
      } catch {
        /* sandboxed frame */
      }
    }, 250);
  }

  update() {
    const begin = performance.now();
    const { data } = this;
    this.setting = settingOf(this.state, data.meta);
    const fitted = Object.keys(this.setting.weights).length > 0;
    this.result = fitted ? solve(data, this.setting) : null;
    const solved = performance.now();
    this.measured = fitted ? measuredAt(data.meta, this.setting) : undefined;
    this.results.show({ meta: data.meta, ...this });
    this.draw();
    this.root.dataset.solveMs = (solved - begin).toFixed(2);
    this.root.dataset.updateMs = (performance.now() - begin).toFixed(2);
  }

  draw() {
    if (!this.setting) return;
    this.comparison.draw(this);
    this.distances.draw(this);
    this.atoms.draw(this.result);
  }
}

function render({ model, el }) {
  const view = new ExplorerView(model, el);
  view.start();
  return () => view.dispose();
}

export { unpackData, solve, fitTheta, predictDefect, formatNumber };
export default { render };
