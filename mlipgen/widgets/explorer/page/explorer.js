// The explorer: native controls, solver and charts, on a static page and with a kernel alike.

let instances = 0;

class ExplorerView {
  constructor(model, el) {
    this.model = model;
    this.options = model.get("options") ?? {};
    this.name = model.get("name") || "explorer";
    this.id = `mx${++instances}`;
    const label = "Explorer: fit a potential and see the predicted defect error";
    this.root = widgetSection(el, "mx", "explorer", label);
    this.onHash = () => this.follow();
  }

  get metas() {
    return this.sets.map((s) => s.meta);
  }

  async start() {
    this.sets = await unpackAll(this.root, this.model.get("payloads"));
    if (!this.sets) return;
    this.build();
    const setting = defaultState(this.sets[0].meta, this.options.setting);
    this.apply({ index: 0, state: setting });
    window.addEventListener("hashchange", this.onHash);
    this.kernel.listen();
    this.watch();
    this.follow();
  }

  /** Redraw for another width or theme; relax only what is on the screen. */
  watch() {
    this.resize = onWidth(this.root, () => this.draw());
    this.theme = new MutationObserver(() => this.atoms.redraw());
    const attributeFilter = ["data-theme"];
    this.theme.observe(document.documentElement, { attributes: true, attributeFilter });
    this.sight = new IntersectionObserver((entries) => {
      this.visible = entries.at(-1).isIntersecting;
      if (this.visible && !this.truth) this.relax();
    });
    this.sight.observe(this.root);
    this.onPrint = () => this.draw(); // what was folded has been opened, and was never drawn
    window.addEventListener("beforeprint", this.onPrint);
  }

  dispose() {
    this.atoms?.dispose();
    this.relaxation?.dispose();
    for (const observer of [this.resize, this.theme, this.sight]) observer?.disconnect();
    window.removeEventListener("hashchange", this.onHash);
    window.removeEventListener("beforeprint", this.onPrint);
    this.kernel?.dispose();
  }

  build() {
    const { id, model, root, options } = this;
    const wanted = options.controls ?? CONTROLS;
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
    this.relaxation = new Relaxation((message) => this.learn(message));
    this.comparison = new Comparison(options.chart, () => this.draw());
    this.controls = new Controls({
      id,
      metas: this.metas,
      wanted,
      on: {
        change: () => this.changed(),
        select: (index) => this.select(index),
        copy: () => this.controls.copy(pythonCall(this.data.meta, this.setting)),
        reset: () => this.reset(),
        unfold: () => this.draw(),
      },
      choices: this.comparison.choices,
      live: this.kernel.node,
    });
    this.results = new Results();
    this.distances = new Distances();
    this.atoms = new Atoms();
    const question = options.question || QUESTIONS[wanted.slice(0, 2).join()];
    root.replaceChildren(...layOut(this, question ?? "What does this fit do to the defect?"));
    this.details = root.querySelector(".mx-details");
    this.details.addEventListener("toggle", () => this.unfolded());
    this.unfold(Boolean(options.unfolded));
  }

  unfold(on) {
    if (on) this.controls.more.open = this.details.open = true;
  }

  /** The details were opened or closed: nglview needs a place on the page to start. */
  unfolded() {
    if (this.details.open && this.model.get("viewer") && !this.atoms.viewer)
      this.atoms.openViewer(this.model, () => this.draw());
    this.draw();
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

  /** To where the address points, if it is a setting of this explorer: show it and scroll there. */
  follow() {
    const found = readFragment(this.name, this.metas);
    if (!found) return;
    this.apply(found);
    const { bar } = this.controls;
    const plain = defaultState(this.data.meta);
    const hidden = CONTROLS.filter((key) => !bar.contains(this.controls[key].box));
    const moved = (key) => key !== "observations" && found.state[key] !== plain[key];
    if (hidden.some(moved)) this.controls.more.open = true;
    this.root.scrollIntoView({ block: "start" });
  }

  /** Another crystal and defect, all choices kept that it has as well. */
  select(index) {
    const { meta } = this.sets[index];
    const state = { ...defaultState(meta), ...structuredClone(this.state) };
    const has = (list, x, other) => (list.includes(x) ? x : other);
    state.cell = has(
      meta.cells.map((c) => c.size),
      state.cell,
      meta.default.cell,
    );
    state.degree = has(meta.degrees, state.degree, meta.default.degree);
    this.apply({ index, state });
    this.share();
  }

  reset() {
    const override = this.index === 0 ? this.options.setting : undefined;
    this.apply({ index: this.index, state: defaultState(this.data.meta, override) });
    this.share();
  }

  changed() {
    this.root.dataset.state = "changed"; // until the next frame draws what it means
    this.controls.show();
    this.relaxation.stop();
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      this.update();
      this.share();
    });
  }

  share() {
    this.model.set("setting", { ...this.setting, dataset: this.index });
    this.model.save_changes();
    if (inJupyterLab()) return;
    const hash = fragmentOf(this.name, this.state, this.index);
    clearTimeout(this.shareTimer); // browsers limit how often an address may change
    this.shareTimer = setTimeout(() => {
      try {
        history.replaceState(history.state, "", hash);
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
    this.truth = null;
    this.show();
    this.draw();
    this.root.dataset.state = "ready";
    this.root.dataset.solveMs = (solved - begin).toFixed(2);
    this.root.dataset.updateMs = (performance.now() - begin).toFixed(2);
    this.relax();
  }

  show() {
    const { meta } = this.data;
    this.measured = this.result ? measuredAt(meta, this.setting) : undefined;
    this.results.show({ meta, ...this });
    const { truth } = this;
    const ended = truth?.failed ? "failed" : truth?.settled ? "settled" : "running";
    this.root.dataset.relaxation = truth ? ended : "none";
  }

  draw() {
    if (!this.setting) return;
    this.comparison.draw(this);
    if (!this.details.open) return;
    this.distances.draw(this);
    this.atoms.resize();
    this.atoms.draw(this);
  }

  /** Let the page relax this setting as soon as the controls rest, if it can and is looked at. */
  relax() {
    this.relaxation.stop();
    if (!this.data.meta.relax || !this.result || !this.visible) return;
    this.relaxation.start(this.data, this.result.theta);
  }

  /** A message of the relaxation: its progress, Newton's estimate, the relaxed state, the end. */
  learn(message) {
    const { meta } = this.data;
    this.truth ??= {};
    const { stage, id, ...news } = message;
    if (stage) {
      this.truth.u = message.u ?? this.truth.u;
      this.results.showProgress(progressOf(message, meta.limits));
      if (message.u && this.details.open) this.atoms.draw(this);
      return;
    }
    Object.assign(this.truth, news);
    const state = news.settled ?? news.relaxed;
    if (state?.kind === "relaxed") {
      this.truth.u = state.du;
      const { geometry, energy, shells } = state;
      this.keep({ ...this.setting, geometry, energy, shells, note: "", here: true });
    } else if (state)
      this.keep({ ...this.setting, geometry: null, energy: null, note: "", here: true });
    this.show();
    if (state) this.draw();
  }

  /** A relaxed point of this page, in the place of one at the same setting. */
  keep(point) {
    const { measured } = this.data.meta;
    const old = measuredAt(this.data.meta, this.setting);
    if (old) measured.splice(measured.indexOf(old), 1, point);
    else measured.unshift(point);
  }
}

function render({ model, el }) {
  const view = new ExplorerView(model, el);
  view.start();
  return () => view.dispose();
}

export { unpackData, solve, fitTheta, predictDefect, formatNumber, relaxation };
export default { render };
