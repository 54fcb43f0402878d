// The numbers: errors with the usual weights and with those found, and the weights themselves.

class Tables {
  constructor() {
    this.errors = h("tbody");
    this.weights = h("tbody");
    const table = (caption, heads, body) =>
      h(
        "table",
        { class: "mx-table" },
        h("caption", { class: "mx-sr" }, caption),
        h("thead", {}, h("tr", {}, ...heads.map((t) => h("th", { scope: "col" }, t)))),
        body,
      );
    this.errorTable = table("Errors", ["Error", "usual weights", "best found"], this.errors);
    this.weightTable = table(
      "Weights",
      ["Weight of", "usual", "best", "within 10 %", "left out"],
      this.weights,
    );
  }

  /** rows: [[id, label with unit, usual, best]], a number, a text or null (waiting) */
  showErrors(rows) {
    const cell = (id, x) => {
      const number = typeof x === "number";
      const text = number ? formatNumber(x) : (x ?? "…");
      return h("td", { "data-testid": id, "data-value": number ? String(x) : "" }, text);
    };
    this.errors.replaceChildren(
      ...rows.map(([id, label, usual, best]) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, label),
          cell(`usual-${id}`, usual),
          cell(`best-${id}`, best),
        ),
      ),
    );
  }

  showWeights({ problem, x, usual, profiles }) {
    const keys = [...problem.kinds, "ridge"];
    const held = heldKind(problem);
    this.weights.replaceChildren(
      ...keys.map((key) => {
        const p = profiles[key];
        const range = key === held ? "held" : rangeText(key, p.range);
        const without = key === held || key === "ridge" ? "" : `× ${leftOut(p.without)}`;
        const cells = [usual[key], x[key]].map((p) => weightText(sizeAt(key, p)));
        return h(
          "tr",
          { "data-testid": `weight-${key}`, "data-position": x[key] },
          h("th", { scope: "row" }, nameOf(key)),
          ...[...cells, range, without].map((text) => h("td", {}, text)),
        );
      }),
    );
  }
}

const leftOut = (ratio) => (Number.isFinite(ratio) ? formatNumber(ratio, 2) : "no prediction");
