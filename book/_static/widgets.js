// Widgets of a page without a kernel: each place that book/_tools/static_widgets.py has made gets a
// model of its data and is drawn by its program.  Viewers of nglview need Jupyter's scripts, which
// are fetched when everything else stands.  What cannot be shown says so, and why.
(function () {
  "use strict";
  const root = new URL(".", document.currentScript.src).href;
  const STATE = "application/vnd.jupyter.widget-state+json";
  const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';

  function complain(place, why) {
    const message = document.createElement("p");
    message.className = "mlip-broken";
    message.setAttribute("role", "alert");
    message.textContent =
      `This figure cannot be shown: ${why}. ` +
      "Load the page again; if that does not help, this copy of the book is damaged.";
    place.replaceChildren(message);
    place.dataset.state = "failed";
  }

  /** Adler-32 of ASCII text. */
  function sum(text) {
    let [a, b] = [1, 0];
    for (let i = 0; i < text.length; ) {
      const end = Math.min(i + 3800, text.length);
      for (; i < end; i++) b += a += text.charCodeAt(i);
      a %= 65521;
      b %= 65521;
    }
    return b * 65536 + a;
  }

  function read(script) {
    const text = script?.textContent;
    if (!text) throw new Error("its data are missing from the page");
    if (String(sum(text)) !== script.dataset.sum)
      throw new Error("its data in the page are damaged");
    return JSON.parse(text);
  }

  /** The model that anywidget gives to a program, with nobody to answer. */
  class Model {
    constructor({ state, models }) {
      this.state = state;
      this.handlers = {};
      if (models) this.widget_manager = new Manager(models);
    }

    get(key) {
      return this.state[key];
    }

    set(key, value) {
      if (this.state[key] === value) return;
      this.state[key] = value;
      for (const event of [`change:${key}`, "change"])
        for (const handler of [...(this.handlers[event] ?? [])]) handler();
    }

    save_changes() {}

    send() {
      throw new Error("no kernel");
    }

    on(events, handler) {
      for (const event of events.split(" ")) (this.handlers[event] ??= []).push(handler);
    }

    off(events, handler) {
      for (const event of events.split(" "))
        this.handlers[event] = (this.handlers[event] ?? []).filter((h) => h !== handler);
    }
  }

  function fetchScript(name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = root + name;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${name} could not be loaded`));
      document.head.append(script);
    });
  }

  let fetched = null;
  /** Jupyter's scripts: they show the views of a state block by themselves. */
  function jupyter() {
    const names = ["js/require.js", "widgets-local.js", "js/embed-amd.js"];
    fetched ??= names.reduce(
      (before, name) => before.then(() => fetchScript(name)),
      Promise.resolve(),
    );
    return fetched;
  }

  /** Jupyter's models that a widget of ours carries, made when they are asked for. */
  class Manager {
    constructor(models) {
      this.models = models;
    }

    async start() {
      await jupyter();
      const modules = [
        "@jupyter-widgets/html-manager",
        "@jupyter-widgets/html-manager/dist/libembed-amd",
      ];
      const [{ HTMLManager }, { requireLoader }] = await new Promise((resolve, reject) =>
        window.requirejs(modules, (...loaded) => resolve(loaded), reject),
      );
      const manager = new HTMLManager({ loader: requireLoader });
      await manager.set_state({ version_major: 2, version_minor: 0, state: this.models });
      return manager;
    }

    async get_model(id) {
      this.manager ??= this.start();
      return (await this.manager).get_model(id);
    }

    async create_view(model) {
      return (await this.manager).create_view(model);
    }
  }

  async function show(place) {
    try {
      const data = read(place.querySelector("script"));
      const program = window.mlipWidgets?.[place.dataset.code];
      if (!program) throw new Error("its program could not be loaded");
      place.replaceChildren();
      await program.render({ model: new Model(data), el: place });
      place.dataset.state = "shown";
    } catch (error) {
      complain(place, error.message);
    }
  }

  async function others() {
    const views = [...document.querySelectorAll(VIEW)];
    if (!views.length) return;
    try {
      read(document.querySelector(`script[type="${STATE}"]`));
      await jupyter();
    } catch (error) {
      for (const view of views) complain(view.parentElement, error.message);
    }
  }

  for (const place of document.querySelectorAll(".mlip-widget")) show(place);
  window.addEventListener("load", () => setTimeout(others));
})();
