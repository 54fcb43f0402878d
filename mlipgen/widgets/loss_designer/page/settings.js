// The same loss in another code: a choice, what to know, the text and a button that copies it.

class Settings {
  constructor(id, onchange) {
    this.tool = h(
      "select",
      { id: `${id}-tool`, onchange },
      ...TOOLS.map(([value, text]) => h("option", { value }, text)),
    );
    this.button = h("button", { type: "button", onclick: () => this.copy() }, "Copy");
    this.code = h("pre", {
      class: "mx-code",
      tabindex: 0,
      "aria-label": "Settings",
      "data-testid": "export",
    });
    this.notes = h("ul", { class: "ld-notes" });
    const label = h("label", { for: this.tool.id }, "Settings for");
    this.node = h(
      "details",
      { class: "mx-more mx-details" },
      h("summary", {}, "The same loss in another code"),
      h("div", { class: "ld-tools" }, label, this.tool, this.button),
      this.notes,
      this.code,
    );
  }

  /** The notes go along as comments. */
  async copy() {
    let done = "Select and copy"; // no clipboard: the text is shown
    try {
      await navigator.clipboard.writeText(this.text);
      done = "Copied";
    } catch {
      /* as above */
    }
    this.button.textContent = done;
    setTimeout(() => (this.button.textContent = "Copy"), 1600);
  }

  /** found: { design, data, facts }, or null */
  show(found) {
    this.code.hidden = this.button.disabled = !found;
    if (!found) return this.notes.replaceChildren();
    const { design, data, facts } = found;
    const setting = settingAt(design.problem, design.x);
    const tool = this.tool.value;
    const { notes, code } = exported(tool, data, setting, facts);
    if (LOSES[tool]?.includes(setting.forces) && setting.weights.F > 0)
      notes.splice(1, 0, plainForces(setting, judged(data, { ...setting, forces: "uniform" })));
    this.code.textContent = code;
    this.text = [...notes.map(commented), code].join("\n#\n");
    this.notes.replaceChildren(...notes.map((text) => h("li", {}, text)));
  }
}
