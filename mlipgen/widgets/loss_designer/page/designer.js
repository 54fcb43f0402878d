// The loss-weight designer: the page searches the weights that make a predicted error small.

let instances = 0;
class DesignerView {
  constructor(model, el) {
    this.model = model;
    this.options = model.get("options") ?? {};
    this.id = `ld${++instances}`;
    const label = "Loss-weight designer: find weights that make a predicted defect error small";
    this.root = widgetSection(el, "mx ld", "loss-designer", label);
    this.found = new Map(); // finished designs by problem
    this.run = 0;
  }

  async start() {
    this.sets = await unpackAll(this.root, this.model.get("payloads"));
    if (!this.sets) return;
    this.build();
    this.select(0);
    this.watch();
  }

  build() {
    this.panel = new Panel({
      id: this.id,
      metas: this.sets.map((s) => s.meta),
      facts: this.options.facts,
      onchange: () => this.changed(),
      onselect: (index) => this.select(index),
    });
    [this.tradeoff, this.flatness, this.budget] = [new Tradeoff(), new Flatness(), new Budget()];
    this.tables = new Tables();
    this.settings = new Settings(this.id, () => this.showExport());
    this.relaxation = new Relaxation((message) => this.learn(message));
    this.progress = h("progress", { "aria-label": "Search" });
    this.told = h("div", { class: "mx-verdict", "data-testid": "found" });
    this.live = h("div", { class: "mx-sr", "aria-live": "polite", "aria-atomic": "true" });
    this.print = h("p", { class: "mx-print" });
    const { bar, more, crystal } = this.panel;
    const question = this.options.question ?? "Which loss weights make this defect’s error small?";
    this.details = h(
      "details",
      { class: "mx-more mx-details" },
      h("summary", {}, "How flat the optimum is, and what a larger cell buys"),
      h("div", { class: "mx-pair" }, this.flatness.node, this.budget.node),
    );
    this.details.addEventListener("toggle", () => this.draw());
    this.root.replaceChildren(
      h("div", { class: "mx-top" }, h("p", { class: "mx-question" }, question), crystal),
      h(
        "div",
        { class: "mx-stage" },
        bar,
        h(
          "div",
          { class: "mx-sight" },
          h("div", { class: "mx-picture" }, this.tradeoff.node),
          h("div", { class: "mx-summary" }, this.told, this.tables.errorTable),
        ),
        more,
      ),
      h(
        "div",
        { class: "ld-weights", role: "group", tabindex: 0, "aria-label": "Weights found" },
        this.tables.weightTable,
      ),
      this.details,
      this.settings.node,
      this.print,
      this.live,
    );
    this.details.open = this.settings.node.open = Boolean(this.options.unfolded);
  }

  get problem() {
    const { cell, objective, forces } = this.state;
    const { degrees } = this.data.meta;
    return { cell, degree: degrees.at(-1), kinds: this.panel.kinds(), forces, objective };
  }

  /** What is searched: the cell that was chosen, or all that a budget pays for. */
  get problems() {
    const { budget } = this.state;
    if (!this.panel.kinds().length) return [];
    if (budget === null) return [this.problem];
    return affordable(this.data, this.options.facts[this.index], this.problem, budget);
  }

  select(index) {
    this.index = index;
    this.data = this.sets[index];
    const { meta } = this.data;
    const sizes = meta.cells.map((c) => c.size);
    this.state ??= {
      cell: sizes[0],
      objective: "both",
      forces: "uniform",
      budget: null,
      on: Object.fromEntries(KINDS.map(([k]) => [k, true])),
      ...this.options.start,
    };
    if (!sizes.includes(this.state.cell)) this.state.cell = sizes[0];
    this.panel.connect(index, this.data, this.state);
    this.changed();
  }

  /** Search only what is on the screen; redraw for another width. */
  watch() {
    this.resize = onWidth(this.root, () => this.draw());
    this.sight = new IntersectionObserver((entries) => {
      this.visible = entries.at(-1).isIntersecting;
      if (this.visible && this.root.dataset.state === "waiting") this.changed();
    });
    this.sight.observe(this.root);
    this.onPrint = () => this.complete();
    window.addEventListener("beforeprint", this.onPrint);
  }

  dispose() {
    this.run++;
    this.relaxation?.dispose();
    window.removeEventListener("beforeprint", this.onPrint);
    for (const observer of [this.resize, this.sight]) observer?.disconnect();
  }

  /** A choice was made: what runs is dropped, the new problem searched. */
  changed() {
    this.panel.show();
    this.relaxation.stop();
    const run = ++this.run;
    Object.assign(this, { design: null, relaxed: {}, rows: [] });
    if (!this.problems.length) return this.nothing();
    this.root.dataset.state = this.visible ? "searching" : "waiting";
    if (this.visible) this.search(run);
  }

  /** Nothing is allowed, or nothing is paid for. */
  nothing() {
    this.root.dataset.state = "ready";
    const least = leastPrice(this.data, this.options.facts[this.index], this.problem);
    const [head, text] = this.panel.kinds().length
      ? ["Too little.", `The cheapest set here costs ${least.toLocaleString("en")} atom calls.`]
      : ["Nothing may be fitted.", "Allow at least one kind of observation."];
    this.tell("does not apply", head, text);
    this.live.textContent = `${head} ${text}`;
    this.tables.showErrors([]);
    this.tables.weights.replaceChildren();
    this.print.textContent = "";
    this.showExport();
    for (const { svg } of [this.tradeoff, this.flatness, this.budget]) {
      svg.replaceChildren();
      svg.setAttribute("aria-label", EMPTY);
    }
  }

  async search(run) {
    const { data } = this;
    const begin = performance.now();
    this.tell("checking", "Searching …", "");
    let design = null;
    for (const problem of this.problems) {
      const where = this.state.budget === null ? "" : `, training cell ${problem.cell}`;
      const found = await this.designed(run, data, problem, (fits) => {
        this.tell("checking", "Searching …", `${fits} fits solved${where}`);
      });
      if (!found) return;
      design = better(design, found);
    }
    this.design = design;
    this.root.dataset.searchMs = (performance.now() - begin).toFixed(0);
    this.conclude();
    if (!Number.isFinite(design.value)) return this.finish();
    this.relax("best");
    await this.compare(run, design.problem);
    if (run === this.run) this.finish();
  }

  /** Under which the design of a problem is kept. */
  keyOf(data, problem) {
    return JSON.stringify([this.sets.indexOf(data), problem]);
  }

  /** The design of a problem: kept from before, or searched. */
  async designed(run, data, problem, progress) {
    const key = this.keyOf(data, problem);
    if (!this.found.has(key)) {
      const design = await inSlices(designOf(data, problem), () => run === this.run, progress);
      if (!design) return null;
      this.found.set(key, design);
    }
    return this.found.get(key);
  }

  /** The other training cells, for the picture of what a budget buys. */
  async compare(run, problem) {
    const { data } = this;
    for (const { size } of data.meta.cells) {
      const other = await this.designed(run, data, { ...problem, cell: size });
      if (run !== this.run) return;
      this.rows.push(this.bought(size, other));
      this.draw();
    }
  }

  /** What a training cell costs, and the errors of its fits. */
  bought(size, { problem, usualValue, value }) {
    const finite = (x) => (Number.isFinite(x) ? x : null);
    const cost = priceOf(this.data.meta, this.options.facts[this.index], size, problem.kinds);
    return { size, cost, usual: finite(usualValue), best: finite(value) };
  }

  /** On paper nothing may be pending: the search is done at once. */
  complete() {
    const { cells } = this.data.meta;
    if (!this.problems.length) return;
    if (this.rows.length === cells.length) return this.draw(); // it may have been folded
    this.run++;
    const solve = (problem) => {
      const key = this.keyOf(this.data, problem);
      if (!this.found.has(key)) this.found.set(key, finished(designOf(this.data, problem)));
      return this.found.get(key);
    };
    this.design ??= this.problems.map(solve).reduce(better, null);
    if (Number.isFinite(this.design.value))
      this.rows = cells.map(({ size }) =>
        this.bought(size, solve({ ...this.design.problem, cell: size })),
      );
    this.conclude();
    this.finish();
  }

  finish() {
    this.root.dataset.state = "ready";
  }

  tell(state, head, text) {
    this.told.dataset.verdict = state;
    const parts = [
      h("strong", {}, head),
      state === "checking" ? this.progress : null,
      h("span", {}, text),
    ];
    this.told.replaceChildren(...parts.filter(Boolean));
  }

  /** What was found, in words and numbers. */
  conclude() {
    const { design, data } = this;
    const { problem, value, evaluator } = design;
    this.state.cell = problem.cell;
    this.panel.show(problem.kinds);
    if (!Number.isFinite(value)) {
      this.tell(
        "does not apply",
        "No prediction applies.",
        `None of ${evaluator.seen.size} fits is near enough to the reference.`,
      );
      this.tables.showErrors([]);
      return this.showExport();
    }
    this.solved = {
      usual: judged(data, settingAt(problem, design.usual)),
      best: judged(data, settingAt(problem, design.x)),
    };
    const { head, text, said, caption } = foundText(
      data.meta,
      design,
      otherDefect(this.sets, data, problem) !== null,
    );
    const { budget } = this.state;
    const facts = this.options.facts[this.index];
    const bought = budget === null ? "" : boughtText(data, facts, problem, budget);
    this.tell("applies", head, bought + text);
    this.live.textContent = bought + said;
    this.print.textContent = caption;
    this.showErrors();
    this.tables.showWeights(design);
    this.showExport();
    this.draw();
  }

  showErrors() {
    const { data, design, solved, relaxed } = this;
    const other = otherDefect(this.sets, data, design.problem);
    this.tables.showErrors(errorRows({ data, design, solved, relaxed, other }));
  }

  /** Let the worker relax the defect with one of the two fits; the other one follows. */
  relax(which) {
    if (!this.data.meta.relax) return;
    this.relaxing = which;
    this.relaxation.start(this.data, this.solved[which].theta);
  }

  learn(message) {
    if (message.stage || message.newton) return;
    const state = message.settled ?? message.relaxed;
    if (message.failed)
      for (const key of ["usual", "best"])
        this.relaxed[key] ??= { geometry: "not here", energy: "not here" };
    else if (state) {
      const lost = { geometry: "other minimum", energy: "other minimum" };
      this.relaxed[this.relaxing] = state.kind === "relaxed" ? state : lost;
    }
    this.showErrors();
    this.root.dataset.relaxed = Object.keys(this.relaxed).sort().join();
    if (message.settled && this.relaxing === "best") this.relax("usual");
  }

  showExport() {
    const { design, data, index } = this;
    const none = !design || !Number.isFinite(design.value);
    this.settings.show(none ? null : { design, data, facts: this.options.facts[index] });
  }

  draw() {
    const { design } = this;
    if (!design || !Number.isFinite(design.value)) return;
    const { usual, best } = this.solved;
    const point = (s) => (s.applies ? { geometry: s.geometry, energy: s.total } : null);
    this.tradeoff.draw({ evaluator: design.evaluator, best: point(best), usual: point(usual) });
    if (!this.details.open) return;
    this.flatness.draw(design.x, design.profiles);
    const label = {
      geometry: "geometry error (Å)",
      energy: "energy error, held-out cells added (eV)",
      both: "√(geometry error × energy error) (√(Å eV))",
    }[design.problem.objective];
    if (this.rows.length) this.budget.draw(this.rows, design.problem.cell, label);
  }
}

function render({ model, el }) {
  const view = new DesignerView(model, el);
  view.start();
  return () => view.dispose();
}

export { unpackData, designOf, affordable, translated, exported, finished, relaxation };
export default { render };
