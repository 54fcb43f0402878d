// A kernel, if there is one: "refit and relax for real", its progress, and cancelling.

class Kernel {
  /** request(): { dataset, setting } to relax; found(dataset, point): what the kernel measured. */
  constructor({ id, model, root, request, found }) {
    Object.assign(this, { id, model, root, request, found });
    this.button = h(
      "button",
      { type: "button", onclick: () => this.relax() },
      "Refit and relax for real",
    );
    const cancel = () => this.model.send({ type: "cancel", id: this.job });
    this.cancel = h("button", { type: "button", hidden: true, onclick: cancel }, "Cancel");
    this.progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Relaxation" });
    this.status = h("p", { role: "status" });
    this.node = h(
      "div",
      { class: "mx-live", hidden: true },
      h("div", { class: "mx-buttons" }, this.button, this.cancel),
      this.progress,
      this.status,
    );
  }

  listen() {
    this.onMessage = (message) => this.receive(message);
    this.model.on("msg:custom", this.onMessage);
    try {
      this.model.send({ type: "ping" });
    } catch {
      /* a static page: nobody to answer */
    }
  }

  dispose() {
    if (this.onMessage) this.model.off("msg:custom", this.onMessage);
  }

  relax() {
    const request = this.request();
    this.job = `${this.id}-${Date.now()}`;
    this.dataset = request.dataset;
    this.model.send({ type: "relax", id: this.job, ...request });
    this.running(true, "Refitting …");
  }

  running(on, text) {
    this.button.disabled = on;
    this.cancel.hidden = !on;
    this.progress.hidden = !on;
    if (on) this.progress.removeAttribute("value");
    this.status.textContent = text;
  }

  receive(message) {
    if (message.type === "pong") {
      this.node.hidden = !message.relax;
      this.root.dataset.kernel = "live";
      return;
    }
    if (message.id !== this.job) return;
    if (message.type === "progress") {
      if (message.value !== null) this.progress.value = message.value;
      this.status.textContent = message.text;
      return;
    }
    this.running(false, message.text);
    if (message.type === "measured") this.found(this.dataset, message.point);
  }
}
