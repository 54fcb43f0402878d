// The form: one control for each choice, and what it says about where it stands.

/** A slider over a list carries the value itself where the steps are even, else its index. */
const even = (list) => list.every((x, i) => i < 2 || x - list[i - 1] === list[1] - list[0]);
const nearest = (list, x) => list.reduce((a, b) => (Math.abs(b - x) < Math.abs(a - x) ? b : a));
const optionsOf = (meta, key) => (key === "cell" ? meta.cells.map((c) => c.size) : meta.degrees);

const NAMES = [
  ["E", "energies"],
  ["E,F", "energies and forces"],
  ["E,F,V", "energies, forces, virials"],
  ["E,F,FC", "energies, forces, force constants"],
  ["E,F,V,FC", "all four"],
];

const CONTROLS = ["cell", "observations", "degree", "ridge", "noise"];
/** What a reader may ask, by the two controls that stand beside the picture. */
const QUESTIONS = {
  "cell,observations": "How small may the training cell be, and which labels does it need?",
  "cell,degree": "What limits the defect, the training cell or the basis?",
  "observations,cell": "Which labels are worth their price?",
};

class Controls {
  /**
   * id: prefix of the elements' ids; metas: of the data sets; wanted: names of the controls, of
   * which two stand beside the picture; choices: of the chart; live: the kernel's own controls;
   * on: { change(), select(index), copy(), reset(), unfold() }
   */
  constructor({ id, metas, wanted, on, choices, live }) {
    Object.assign(this, { id, on });
    this.shown = (key) => wanted.includes(key);
    this.cell = this.range("cell", "Training cell size", {}, (x, s) => {
      s.cell = this.fromSlider("cell", x);
    });
    this.degree = this.range("degree", "Basis degree", {}, (x, s) => {
      s.degree = this.fromSlider("degree", x);
    });
    this.ridge = this.range("ridge", "Ridge", { min: -32, max: 0, step: 1 }, (x, s) => {
      s.ridge = x;
    });
    this.noise = this.range("noise", "Noise", { min: 0, max: 30, step: 1 }, (x, s) => {
      s.noise = x;
    });
    this.observations = this.observationSet();
    this.kinds = {};
    this.weights = this.group(
      "Observations and weights",
      "Fitted to, with weight",
      KINDS.map(([kind, name]) => this.observation(kind, name)),
    );
    this.copyButton = h("button", { type: "button", onclick: on.copy }, "Copy as Python");
    this.code = h("pre", {
      class: "mx-code",
      hidden: true,
      tabindex: 0,
      "aria-label": "Python call",
    });
    this.crystal = this.crystals(metas);
    const first = wanted.slice(0, 2);
    const boxes = first.map((key) => this[key].box);
    this.bar = h("div", { class: "mx-bar", role: "group", "aria-label": "Controls" }, ...boxes);
    this.more = this.unfolding(first, choices, live);
  }

  /** Everything but the first two controls, and the buttons. */
  unfolding(first, choices, live) {
    const rest = ["cell", "degree", "ridge", "noise"].filter(
      (key) => this.shown(key) && !first.includes(key),
    );
    const accuracy = this.group(
      "Fit accuracy",
      "Fit accuracy",
      rest.filter((key) => key !== "cell").map((key) => this[key].box),
    );
    const [error, over] = choices;
    const chart = this.group("Picture", "The picture shows", [
      h("div", { class: "mx-choices" }, error, h("span", {}, "against"), over),
    ]);
    const reset = h("button", { type: "button", onclick: this.on.reset }, "Reset");
    const more = h(
      "details",
      { class: "mx-more" },
      h("summary", {}, "More controls"),
      rest.includes("cell") ? this.cell.box : null,
      this.shown("observations") ? this.weights : null,
      accuracy.childElementCount > 1 ? accuracy : null,
      chart,
      h("div", { class: "mx-buttons" }, this.copyButton, reset),
      this.code,
      live,
    );
    more.addEventListener("toggle", () => this.on.unfold());
    return more;
  }

  /** A slider; read(value, state) puts its position into the state. */
  range(key, name, attributes, read) {
    const oninput = () => {
      read(Number(input.value), this.state);
      this.on.change();
    };
    const input = h("input", { type: "range", id: `${this.id}-${key}`, ...attributes, oninput });
    const value = h("span", { class: "mx-value", "aria-hidden": "true" });
    const head = h("div", { class: "mx-head" }, h("label", { for: input.id }, name), value);
    const box = h("div", { class: "mx-control" }, head, input);
    return { input, value, box };
  }

  /** A kind of observation: on or off, its weight, and for forces how they are weighted. */
  observation(kind, name) {
    const box = h("input", {
      type: "checkbox",
      id: `${this.id}-${kind}`,
      onchange: () => {
        this.state.on[kind] = box.checked;
        this.on.change();
      },
    });
    const input = h("input", {
      type: "range",
      min: -30,
      max: 30,
      step: 1,
      "aria-label": `${name} weight`,
      oninput: () => {
        this.state.weight[kind] = Number(input.value);
        this.on.change();
      },
    });
    const value = h("span", { class: "mx-value", "aria-hidden": "true" });
    this.kinds[kind] = { box, input, value };
    const label = h("label", { for: box.id }, box, name);
    const row = h(
      "div",
      { class: "mx-observation" },
      h("div", { class: "mx-head" }, label, value),
      input,
    );
    if (kind === "F") row.append(this.weighting());
    return row;
  }

  weighting() {
    const onchange = () => {
      this.state.forces = this.forces.value;
      this.on.change();
    };
    const options = WEIGHTINGS.map(([value, text]) => h("option", { value }, text));
    this.forces = h("select", { id: `${this.id}-forces`, onchange }, ...options);
    const label = h("label", { for: this.forces.id }, "Force weighting");
    return (this.forcesRow = h("div", { class: "mx-sub" }, label, this.forces));
  }

  /** The usual sets of observations by name; any other comes from the boxes further down. */
  observationSet() {
    const choose = () => {
      const kinds = input.value.split(",");
      for (const [kind] of KINDS) this.state.on[kind] = kinds.includes(kind);
      this.on.change();
    };
    const options = NAMES.map(([value, text]) => h("option", { value }, text));
    this.own = h("option", { value: "own" }, "own choice");
    const id = `${this.id}-observations`;
    const input = h("select", { id, onchange: choose }, ...options, this.own);
    const head = h("div", { class: "mx-head" }, h("label", { for: id }, "Fitted to"));
    return { input, box: h("div", { class: "mx-control" }, head, input) };
  }

  crystals(metas) {
    const onchange = () => this.on.select(Number(this.set.value));
    const options = metas.map((meta, i) => h("option", { value: i }, meta.title));
    this.set = h("select", { id: `${this.id}-set`, onchange }, ...options);
    const label = h("label", { for: this.set.id }, "Crystal and defect");
    return h("div", { class: "mx-crystal", hidden: metas.length < 2 }, label, this.set);
  }

  group(label, caption, children) {
    return h(
      "div",
      { class: "mx-group", role: "group", "aria-label": label },
      h("p", { class: "mx-caption" }, caption),
      ...children,
    );
  }

  fromSlider(key, x) {
    const list = optionsOf(this.meta, key);
    return even(list) ? nearest(list, x) : list[x];
  }

  /** The controls of another data set, at this state, which they change from now on. */
  connect(index, { meta, arrays }, state) {
    Object.assign(this, { meta, state });
    this.set.value = index;
    for (const key of ["cell", "degree"]) {
      const list = optionsOf(meta, key);
      const input = this[key].input;
      input.min = even(list) ? list[0] : 0;
      input.max = even(list) ? list[list.length - 1] : list.length - 1;
      input.step = even(list) && list.length > 1 ? list[1] - list[0] : 1;
      input.disabled = list.length < 2;
    }
    const held = weightingsHeld(arrays);
    for (const option of this.forces.options) option.hidden = !held.includes(option.value);
    this.forcesRow.hidden = held.length < 2;
    if (!held.includes(state.forces)) state.forces = "uniform";
    this.noise.box.hidden = !(meta.noise_max > 0);
    this.show();
  }

  /** Where the state stands, in every control. */
  show() {
    const { state, meta } = this;
    const put = (control, sliderValue, text) => {
      control.input.value = sliderValue;
      control.value.textContent = text;
      control.input.setAttribute("aria-valuetext", text);
    };
    const position = (key) => {
      const list = optionsOf(meta, key);
      return even(list) ? state[key] : list.indexOf(state[key]);
    };
    const cell = meta.cells.find((x) => x.size === state.cell);
    const count = meta.counts[meta.degrees.indexOf(state.degree)];
    put(this.cell, position("cell"), `${cell.size} (${cell.atoms} atoms)`);
    put(this.degree, position("degree"), `${state.degree} (${count} functions)`);
    put(this.ridge, state.ridge, formatNumber(10 ** (state.ridge / 4), 2));
    const noise = noiseOf(state.noise, meta.noise_max);
    put(this.noise, state.noise, noise ? `${formatNumber(noise, 2)} ${meta.noise_unit}` : "none");
    for (const [kind] of KINDS) {
      const control = this.kinds[kind];
      const on = state.on[kind];
      control.box.checked = on;
      control.input.disabled = !on;
      put(
        control,
        state.weight[kind],
        on ? `× ${formatNumber(power(state.weight[kind]), 2)}` : "off",
      );
    }
    this.forces.value = state.forces;
    this.forces.disabled = !state.on.F;
    const set = KINDS.map(([k]) => k)
      .filter((k) => state.on[k])
      .join();
    const known = NAMES.some(([value]) => value === set);
    this.own.hidden = known;
    this.observations.input.value = known ? set : "own";
  }

  /** The Python call: shown below the buttons, and on the clipboard where the browser allows it. */
  async copy(text) {
    this.code.textContent = text;
    this.code.hidden = false;
    let done = "Select and copy";
    try {
      await navigator.clipboard.writeText(text);
      done = "Copied";
    } catch {
      /* no clipboard: the text is shown */
    }
    this.copyButton.textContent = done;
    setTimeout(() => {
      this.copyButton.textContent = "Copy as Python";
    }, 1600);
  }
}
