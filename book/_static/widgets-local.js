/* Widgets without a kernel and without a CDN.  Runs between require.js and embed-amd.js:
   1. tells require.js where the book keeps the widgets' modules, at any page depth and from disk too;
   2. answers the MathJax 2 call that ipywidgets makes with MathJax 3;
   3. gives ipywidgets' sliders the accessible name that they lack. */
(function () {
  "use strict";
  // One script, one base: <root>/_static/widgets-local.js; the modules are in <root>/_static/js/.
  const base = new URL("js/", document.currentScript.src).href.replace(/\/$/, "");
  requirejs.config({
    waitSeconds: 60,
    paths: {
      "anywidget": base + "/anywidget/index",
      "nglview-js-widgets": base + "/nglview-js-widgets/index",
      "@jupyter-widgets": base + "/jupyter-widgets",
      "@jupyter-widgets/html-manager/dist": base
    }
  });

  const startup = window.MathJax || (window.MathJax = {});
  startup.Hub = {
    Config: function () {}, Configured: function () {},
    Queue: function (...calls) {
      for (const call of calls) {
        if (Array.isArray(call) && call[0] === "Typeset") {
          // MathJax is configured here and loaded later: it replaces window.MathJax, so look it up each time.
          const typeset = () => window.MathJax.typesetPromise && window.MathJax.typesetPromise([call[2]].filter(Boolean));
          const ready = window.MathJax.startup && window.MathJax.startup.promise;
          if (ready) ready.then(typeset); else window.addEventListener("load", typeset, { once: true });
        } else if (typeof call === "function") { call(); }
      }
    }
  };

  function nameSliders(root) {
    for (const handle of root.querySelectorAll(".widget-slider .noUi-handle, .widget-hslider .noUi-handle, .widget-vslider .noUi-handle")) {
      const box = handle.closest(".widget-inline-hbox, .widget-inline-vbox");
      const label = box && box.querySelector(".widget-label");
      if (label && !handle.getAttribute("aria-label")) handle.setAttribute("aria-label", label.textContent.trim() || "slider");
    }
    for (const label of root.querySelectorAll(".jupyter-widgets label.widget-label:not([for]), .jupyter-widgets .widget-label:not([for])")) {
      const box = label.parentElement, input = box && box.querySelector("input:not([aria-label]), select:not([aria-label])");
      if (input && !input.labels?.length && label.textContent.trim()) input.setAttribute("aria-label", label.textContent.trim());
    }
  }
  document.addEventListener("DOMContentLoaded", function () {
    nameSliders(document);
    new MutationObserver(function () { nameSliders(document); }).observe(document.body, { childList: true, subtree: true });
  });
})();
