// What a setting gives, in words and numbers: the verdict, the two errors, the fit's own errors.

const REASONS = {
  unstable: (what) => `With this fit ${what} is not stable: a stiffness is negative.`,
  mismatch: (x) =>
    `On the modes tested its stiffness is off by up to ${(100 * x).toFixed(0)} % (limit 30 %), ` +
    "too much for a first-order prediction.",
  large: (x) => {
    const size = x < 10 ? `${(100 * x).toFixed(0)} %` : "more than ten times";
    return `The predicted change is ${size} of the defect's own displacement (limit 5 %).`;
  },
};
const NOTHING = "Nothing is fitted: switch on at least one kind of observation.";

class Results {
  constructor() {
    this.verdict = h("div", { class: "mx-verdict", "data-testid": "verdict", "data-value": "" });
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
    const output = (id, kind) =>
      h("dd", { "data-testid": `${id}-${key}-error`, "data-value": "", class: kind });
    const predicted = output("predicted", "mx-big");
    const measured = output("measured", null);
    const note = h("p", { class: "mx-note" });
    this.out[key] = { predicted, measured, note };
    return h(
      "div",
      { class: "mx-card" },
      h("p", { class: "mx-title" }, title),
      h(
        "dl",
        {},
        h("dt", {}, h("i", { class: "mx-key" }), "predicted"),
        predicted,
        h("dt", {}, h("i", { class: "mx-key measured" }), "measured"),
        measured,
      ),
      note,
    );
  }

  put(node, value, text) {
    node.dataset.value = value === null ? "" : String(value);
    node.textContent = text;
    node.classList.toggle("mx-none", value === null);
  }

  /** result: of `solve`, null where nothing is fitted; measured: the relaxation at this setting. */
  show({ meta, setting, result, measured }) {
    const ok = result !== null && result.applies;
    const has = measured && measured.geometry !== null;
    const reason = this.showVerdict(result, ok);
    for (const [key, unit] of [
      ["geometry", "Å"],
      ["energy", "eV"],
    ]) {
      const { predicted: p, measured: m } = this.out[key];
      const write = (x) => `${formatNumber(x)}\u202f${unit}`;
      this.put(p, ok ? result[key] : null, ok ? write(result[key]) : "does not apply");
      const none = measured ? "left the basin" : "not computed here";
      this.put(m, has ? measured[key] : null, has ? write(measured[key]) : none);
    }
    this.out.geometry.note.textContent = ok
      ? `${formatNumber((100 * result.geometry) / meta.norm, 2)} % of the defect’s own |Dū|` +
        ` = ${formatNumber(meta.norm)}\u00a0Å` +
        (has
          ? `; predicted / measured =\u00a0${(result.geometry / measured.geometry).toFixed(3)}`
          : "")
      : measured && !has
        ? measured.note
        : "";
    this.out.energy.note.textContent = ok
      ? `of which relaxation ${formatNumber(result.relaxation)} eV`
      : "";
    this.rows.replaceChildren(...meta.errors.map((e) => this.row(e, setting, result)));
    this.announce(ok, has, result, measured, reason);
    this.print.textContent = this.caption(meta, setting);
  }

  showVerdict(result, ok) {
    const { verdict } = this;
    verdict.dataset.verdict = ok ? "applies" : "does not apply";
    verdict.dataset.value = ok ? String(result.mismatch) : "";
    const within = ok ? `${formatNumber(100 * result.mismatch, 2)}\u00a0%` : "";
    const reason =
      result === null
        ? NOTHING
        : ok
          ? `On the modes tested its stiffness is within ${within} of the reference’s. ` +
            "A necessary test, not a proof."
          : result.reasons.map(([code, detail]) => REASONS[code](detail)).join(" ");
    const head = ok ? "The prediction applies." : "The prediction does not apply.";
    verdict.replaceChildren(h("strong", {}, head), h("span", {}, reason));
    return reason;
  }

  /** One kind of observation: its error on the training data and on data held out. */
  row(e, setting, result) {
    const used = setting.weights[e.block === "Fw" ? "F" : e.block] > 0;
    const cells = ["train", "held"].map((role) => {
      const value = result === null ? null : result.errors[e.id][role];
      const id = role === "train" ? `fit-error-${e.id}` : `held-out-error-${e.id}`;
      const td = h("td", { "data-testid": id });
      this.put(td, value, value === null ? "–" : formatNumber(value));
      if (value !== null) td.append(h("small", {}, ` ${e.unit}`));
      return td;
    });
    const [symbol, index] = e.symbol.split("_");
    const head = h(
      "th",
      { scope: "row", title: e.title ?? false },
      `${e.label} `,
      h("small", { class: "mx-symbol" }, symbol, h("sub", {}, index ?? "")),
    );
    return h("tr", { "data-used": used ? "yes" : "no" }, head, ...cells);
  }

  /** Read aloud once the reader has stopped. */
  announce(ok, has, r, m, reason) {
    clearTimeout(this.speech);
    this.speech = setTimeout(() => {
      this.live.textContent = ok
        ? `Predicted geometry error ${formatNumber(r.geometry)} ångström, ` +
          `energy error ${formatNumber(r.energy)} electronvolt.` +
          (has ? ` Measured: ${formatNumber(m.geometry)} and ${formatNumber(m.energy)}.` : "")
        : `The prediction does not apply. ${reason}`;
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
