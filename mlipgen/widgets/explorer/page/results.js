// What a setting gives in numbers: the two errors, estimated and relaxed, and the fit's own errors.

const UNITS = { geometry: "Å", energy: "eV" };

class Results {
  constructor() {
    this.verdict = h("div", { class: "mx-verdict", "data-testid": "verdict", "data-value": "" });
    this.progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Relaxation" });
    this.out = {};
    this.cards = h(
      "div",
      { class: "mx-cards" },
      this.card("geometry", "Geometry error"),
      this.card("energy", "Energy error"),
    );
    this.rows = h("tbody");
    const heads = ["Fit errors", "training", "held out"].map((t) => h("th", { scope: "col" }, t));
    this.table = h(
      "table",
      { class: "mx-table" },
      h("thead", {}, h("tr", {}, ...heads)),
      this.rows,
    );
    this.live = h("div", { class: "mx-sr", "aria-live": "polite", "aria-atomic": "true" });
    this.print = h("p", { class: "mx-print" });
  }

  card(key, title) {
    const out = (this.out[key] = { note: h("p", { class: "mx-note" }) });
    const line = (id, mark) => {
      const term = h("dt", {}, h("i", { class: `mx-key ${mark}` }), h("span"));
      const value = h("dd", { "data-testid": `${id}-${key}-error`, "data-value": "", class: mark });
      out[id] = { term, value };
      return [term, value];
    };
    const lines = [
      ...line("predicted", "linear"),
      ...line("newton", "newton"),
      ...line("measured", "measured"),
    ];
    return h(
      "div",
      { class: "mx-card" },
      h("p", { class: "mx-title" }, title),
      h("dl", {}, ...lines),
      out.note,
    );
  }

  put(node, value, text) {
    node.dataset.value = value === null ? "" : String(value);
    setText(node, text);
    node.classList.toggle("mx-none", value === null);
  }

  /** result: of `solve`, null where nothing is fitted; measured, truth: of relaxations. */
  show({ meta, setting, result, measured, truth }) {
    const told = judge({ meta, result, truth });
    this.showVerdict(told, result);
    // what is judged not to apply is not shown as an estimate
    const may = told.state !== "does not apply";
    const linear = may && result.applies ? result : null;
    const newton = may && truth?.newton?.kind === "ok" ? truth.newton : null;
    for (const key of ["geometry", "energy"])
      this.showLines(key, { meta, result, linear, newton, measured, truth });
    setText(this.out.geometry.note, this.geometryNote(meta, linear, newton, measured));
    const relaxation = (newton ?? linear)?.relaxation;
    setText(
      this.out.energy.note,
      relaxation === undefined ? "" : `of which relaxation ${formatNumber(relaxation)}\u00a0eV`,
    );
    this.connect(meta);
    for (const row of this.kinds) this.showRow(row, setting, result);
    setText(this.print, this.caption(meta, setting));
  }

  showVerdict({ state, head, reason }, result) {
    const node = this.verdict;
    node.dataset.verdict = state;
    node.dataset.value = state === "applies" ? String(result.mismatch) : "";
    node.replaceChildren(h("strong", {}, head), this.progress, h("span", {}, reason));
    this.progress.hidden = state !== "checking";
    this.announce(state, head, reason);
  }

  showProgress(fraction) {
    this.progress.value = fraction;
  }

  showLines(key, { meta, result, linear, newton: step, measured, truth }) {
    const { predicted, newton, measured: found } = this.out[key];
    const itself = Boolean(meta.relax) && !truth?.failed;
    const write = (x) => `${formatNumber(x)}\u202f${UNITS[key]}`;
    const name = (line, text) => setText(line.term.lastChild, text);
    name(predicted, itself ? "linear" : "predicted");
    const first = linear === null ? null : linear[key];
    this.put(predicted.value, first, first === null ? "does not apply" : write(first));
    for (const node of [newton.term, newton.value]) node.hidden = !itself;
    name(newton, "Newton");
    const value = step === null ? null : step[key];
    const waiting = result === null || truth?.newton ? "does not apply" : "…";
    const bar = value !== null && key === "geometry" ? ` ±\u00a0${percent(step.kappa)}` : "";
    this.put(newton.value, value, value === null ? waiting : write(value) + bar);
    newton.value.dataset.kappa = value === null ? "" : String(step.kappa);
    name(found, itself ? "relaxed" : "measured");
    const has = measured !== undefined && measured.geometry !== null;
    const pending = itself ? (truth?.settled ? "no minimum" : "…") : "not computed here";
    const none = measured ? "left the basin" : result === null ? "does not apply" : pending;
    this.put(found.value, has ? measured[key] : null, has ? write(measured[key]) : none);
  }

  /** The error as a fraction of the defect's own field, and how well it was predicted. */
  geometryNote(meta, linear, newton, measured) {
    const has = measured !== undefined && measured.geometry !== null;
    const shown = (has ? measured : (newton ?? linear))?.geometry;
    if (shown === undefined) return measured && !has ? measured.note : "";
    const percent = `${formatNumber((100 * shown) / meta.norm, 2)}\u00a0%`;
    const own = `the defect’s own |Dū| =\u00a0${formatNumber(meta.norm)}\u00a0Å`;
    const size = meta.norm > 1e-8 ? `${percent} of ${own}` : "";
    if (!has || !(measured.geometry > 0)) return size;
    const ratio = (x) => (x / measured.geometry).toFixed(3);
    const [estimated, found] = meta.relax ? ["linear", "relaxed"] : ["predicted", "measured"];
    const words = [];
    if (linear) words.push(`${estimated} / ${found} =\u00a0${ratio(linear.geometry)}`);
    if (newton) words.push(`Newton / ${found} =\u00a0${ratio(newton.geometry)}`);
    return [size, ...words].filter((s) => s).join("; ");
  }

  /** A row for each kind of observation of a data set. */
  connect(meta) {
    if (this.meta === meta) return;
    this.meta = meta;
    this.kinds = meta.errors.map((e) => this.row(e));
    this.rows.replaceChildren(...this.kinds.map(({ node }) => node));
  }

  /** One kind of observation: its error on the training data and on data held out. */
  row(e) {
    const cells = {
      train: h("td", { "data-testid": `fit-error-${e.id}` }),
      held: h("td", { "data-testid": `held-out-error-${e.id}` }),
    };
    const [symbol, index] = e.symbol.split("_");
    const head = h(
      "th",
      { scope: "row", title: e.title ?? false },
      `${e.label} `,
      h("small", { class: "mx-symbol" }, symbol, h("sub", {}, index ?? "")),
    );
    return { e, cells, node: h("tr", {}, head, cells.train, cells.held) };
  }

  showRow({ e, cells, node }, setting, result) {
    const forces = Object.values(FORCES).includes(e.block);
    node.dataset.used = setting.weights[forces ? "F" : e.block] > 0 ? "yes" : "no";
    for (const [role, td] of Object.entries(cells)) {
      const value = result === null ? null : result.errors[e.id][role];
      if (td.firstChild && td.dataset.value === String(value ?? "")) continue;
      this.put(td, value, value === null ? "–" : formatNumber(value));
      if (value !== null) td.append(h("small", {}, ` ${e.unit}`));
    }
  }

  /** Read aloud once the reader has stopped and the numbers have settled. */
  announce(state, head, reason) {
    clearTimeout(this.speech);
    if (state === "checking") return;
    this.speech = setTimeout(() => {
      const said = ["geometry", "energy"].map((key) => {
        const { predicted, newton, measured } = this.out[key];
        const best = newton.value.dataset.value ? newton : predicted;
        const spoken = (line) => line.value.textContent.split("\u202f")[0];
        const unit = key === "geometry" ? "ångström" : "electronvolt";
        const truth = measured.value.dataset.value ? `, relaxed ${spoken(measured)}` : "";
        return `${key} error ${spoken(best)} ${unit}${truth}`;
      });
      this.live.textContent =
        state === "applies" ? `Predicted ${said.join("; ")}.` : `${head} ${reason}`;
    }, 500);
  }

  /** The setting in words, below the figure on paper. */
  caption(meta, s) {
    const kinds = KINDS.filter(([k]) => s.weights[k] > 0).map(
      ([k, name]) => `${name.toLowerCase()} × ${formatNumber(s.weights[k], 2)}`,
    );
    return (
      `${meta.title}. Training cell ${s.cell}, fitted to ${kinds.join(", ") || "nothing"}; ` +
      `basis degree ${s.degree}, ridge ${formatNumber(s.ridge, 2)}, ` +
      `noise ${formatNumber(s.noise, 2)} ${meta.noise_unit}. ` +
      "Lines are predicted to first order, diamonds measured by relaxation."
    );
  }
}

/** The relative error bar kappa in per cent. */
function percent(kappa) {
  return kappa < 5e-5
    ? "<\u202f0.01\u00a0%"
    : `${formatNumber(100 * kappa, kappa < 0.01 ? 1 : 2)}\u00a0%`;
}
