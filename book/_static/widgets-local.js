/* Widgets without a kernel and without a CDN.  Runs between require.js and embed-amd.js:
   1. tells require.js where the book keeps the widgets' modules, at any depth, from disk too;
   2. answers the MathJax 2 call that ipywidgets makes with MathJax 3;
   3. gives ipywidgets' sliders the accessible name that they lack;
   4. lets nglview's fog have the colour of the ground that book.css lays behind the atoms. */
(function () {
  "use strict";
  // One script, one base: <root>/_static/widgets-local.js; the modules are in <root>/_static/js/.
  const base = new URL("js/", document.currentScript.src).href.replace(/\/$/, "");
  requirejs.config({
    waitSeconds: 60,
    paths: {
      anywidget: base + "/anywidget/index",
      "nglview-js-widgets": base + "/nglview-js-widgets/index",
      "@jupyter-widgets": base + "/jupyter-widgets",
      "@jupyter-widgets/html-manager": base + "/html-manager", // its icons' fonts are beside it
      "@jupyter-widgets/html-manager/dist": base,
    },
  });

  // The page's configuration and MathJax itself each replace window.MathJax: give every value the
  // old entry point.
  const hub = {
    Queue: function (...calls) {
      for (const call of calls) {
        if (typeof call === "function") {
          call();
          continue;
        }
        if (!Array.isArray(call) || call[0] !== "Typeset") continue;
        // Chapters are closed to MathJax except for elements of this class.
        if (call[2] && call[2].classList) call[2].classList.add("mathjax_process");
        const typeset = () =>
          MathJax.startup.promise.then(() => MathJax.typesetPromise([call[2]].filter(Boolean)));
        if (MathJax.startup && MathJax.startup.promise) typeset();
        else window.addEventListener("load", typeset, { once: true });
      }
    },
  };
  let current = window.MathJax;
  const withHub = (value) => {
    if (value && !value.Hub) Object.defineProperty(value, "Hub", { value: hub, enumerable: false });
    return value;
  };
  Object.defineProperty(window, "MathJax", {
    configurable: true,
    enumerable: true,
    get: () => current,
    set: (value) => {
      current = withHub(value);
    },
  });
  withHub(current);

  function nameSliders(root) {
    for (const handle of root.querySelectorAll(
      ".widget-slider .noUi-handle, .widget-hslider .noUi-handle, .widget-vslider .noUi-handle",
    )) {
      const box = handle.closest(".widget-inline-hbox, .widget-inline-vbox");
      const label = box && box.querySelector(".widget-label");
      if (label && !handle.getAttribute("aria-label"))
        handle.setAttribute("aria-label", label.textContent.trim() || "slider");
    }
    for (const label of root.querySelectorAll(
      ".jupyter-widgets label.widget-label:not([for]), .jupyter-widgets .widget-label:not([for])",
    )) {
      const box = label.parentElement,
        input = box && box.querySelector("input:not([aria-label]), select:not([aria-label])");
      if (input && !input.labels?.length && label.textContent.trim())
        input.setAttribute("aria-label", label.textContent.trim());
    }
  }
  requirejs.config({
    map: {
      "*": { "nglview-js-widgets": "nglview-in-theme" },
      "nglview-in-theme": { "nglview-js-widgets": "nglview-js-widgets" },
    },
  });
  define("nglview-in-theme", ["nglview-js-widgets"], function (nglview) {
    const { createStage } = nglview.NGLView.prototype;
    nglview.NGLView.prototype.createStage = function () {
      createStage.call(this);
      if (this.el.closest(".mx")) return; // the explorer looks after its own
      const root = document.documentElement;
      const paint = () => {
        const ground = getComputedStyle(root).getPropertyValue("--view-ground").trim();
        this.stage.setParameters({ backgroundColor: ground || "#ffffff" });
      };
      paint();
      new MutationObserver(paint).observe(root, { attributeFilter: ["data-theme"] });
    };
    return nglview;
  });

  document.addEventListener("DOMContentLoaded", function () {
    nameSliders(document);
    new MutationObserver(function () {
      nameSliders(document);
    }).observe(document.body, { childList: true, subtree: true });
  });
})();
