// What the reader chooses: defect, budget, error, what may be fitted.

const ERRORS = [
  ["both", "both errors"],
  ["geometry", "geometry"],
  ["energy", "energy"],
];

class Panel {
  /** id: prefix of ids; metas: of the data sets; facts: one each; onchange() after every move */
  constructor({ id, metas, facts, onchange, onselect }) {
    Object.assign(this, { id, metas, facts, onchange });
    this.set = this.select(
      "set",
      metas.map((m, i) => [String(i), m.title]),
      () => onselect(Number(this.set.value)),
    );
    this.crystal = h(
      "div",
      { class: "mx-crystal", hidden: metas.length < 2 },
      h("label", { for: this.set.id }, "Defect"),
      this.set,
    );
    this.cell = h("input", {
      type: "range",
      id: `${id}-cell`,
      step: 1,
      min: 0,
      oninput: () => {
        this.state.cell = this.meta.cells[Number(this.cell.value)].size;
        this.state.budget = null; // the cell is chosen by hand
        onchange();
      },
    });
    this.budget = h("input", {
      type: "number",
      id: `${id}-budget`,
      min: 1,
      step: 1,
      inputmode: "numeric",
      placeholder: "any",
      onchange: () => {
        const calls = Number(this.budget.value);
        this.state.budget = calls > 0 ? calls : null;
        onchange();
      },
    });
    this.cellValue = h("span", { class: "mx-value", "aria-hidden": "true" });
    this.objective = this.select("objective", ERRORS, () => {
      this.state.objective = this.objective.value;
      onchange();
    });
    const control = (label, input, value) =>
      h(
        "div",
        { class: "mx-control" },
        h("div", { class: "mx-head" }, h("label", { for: input.id }, label), value ?? null),
        input,
      );
    this.bar = h(
      "div",
      { class: "mx-bar", role: "group", "aria-label": "Budget and aim" },
      control("Training cell", this.cell, this.cellValue),
      control("Make small", this.objective),
      control("Budget (atom calls)", this.budget),
    );
    this.boxes = {};
    const boxes = KINDS.map(([kind, name]) => this.allowed(kind, name));
    this.forces = this.select("forces", WEIGHTINGS, () => {
      this.state.forces = this.forces.value;
      onchange();
    });
    this.forcesRow = h(
      "div",
      { class: "mx-sub" },
      h("label", { for: this.forces.id }, "Force weighting"),
      this.forces,
    );
    boxes[1].append(this.forcesRow);
    this.price = h("p", { class: "mx-note ld-price" });
    this.more = h(
      "div",
      { class: "mx-more", role: "group", "aria-label": "Observations allowed" },
      h("p", { class: "mx-caption" }, "May be fitted"),
      ...boxes,
      this.price,
    );
  }

  select(key, entries, onchange) {
    const options = entries.map(([value, text]) => h("option", { value }, text));
    return h("select", { id: `${this.id}-${key}`, onchange }, ...options);
  }

  allowed(kind, name) {
    const box = h("input", {
      type: "checkbox",
      id: `${this.id}-${kind}`,
      onchange: () => {
        this.state.on[kind] = box.checked;
        this.onchange();
      },
    });
    this.boxes[kind] = box;
    return h("div", { class: "mx-observation" }, h("label", { for: box.id }, box, name));
  }

  connect(index, { meta, arrays }, state) {
    Object.assign(this, { index, meta, state });
    this.set.value = index;
    this.cell.max = meta.cells.length - 1;
    this.cell.disabled = meta.cells.length < 2;
    const held = weightingsHeld(arrays);
    for (const option of this.forces.options) option.hidden = !held.includes(option.value);
    this.forcesRow.hidden = held.length < 2;
    if (!held.includes(state.forces)) state.forces = "uniform";
    this.show();
  }

  /** Where the state stands; kinds: what is fitted, less than allowed where a budget ends. */
  show(kinds = this.kinds()) {
    const { state, meta } = this;
    const i = meta.cells.findIndex((c) => c.size === state.cell);
    const text = `${state.cell} (${meta.cells[i].atoms} atoms)`;
    this.cell.value = i;
    this.cell.setAttribute("aria-valuetext", text);
    this.cellValue.textContent = text;
    this.objective.value = state.objective;
    for (const [kind] of KINDS) this.boxes[kind].checked = state.on[kind];
    this.forces.value = state.forces;
    this.forces.disabled = !state.on.F;
    this.budget.value = state.budget ?? "";
    const facts = this.facts[this.index];
    const cost = priceOf(meta, facts, state.cell, kinds).toLocaleString("en");
    const crystal = kinds
      .filter((k) => k === "V" || k === "FC")
      .map((k) => nameOf(k).toLowerCase());
    const data = [`${facts.count} cells`, ...crystal].join(", ");
    this.price.textContent = `${data}: ${cost} atom calls, and those that relax the cell.`;
  }

  kinds() {
    return KINDS.map(([k]) => k).filter((k) => this.state.on[k]);
  }
}
