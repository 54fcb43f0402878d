/* What scrolls inside itself can be scrolled by keyboard: formulas, tables and outputs wider than their box take the focus. */
(function () {
  "use strict";
  const SCROLLING =
    "mjx-container[display=true], .pst-scrollable-table-container, table.indextable, .cell_output, .cell_output .output, pre";
  function mark() {
    for (const box of document.querySelectorAll(SCROLLING)) {
      const wide =
        box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX !== "visible";
      if (wide && !box.hasAttribute("tabindex")) {
        box.tabIndex = 0;
        box.dataset.scrolls = "";
      } else if (!wide && "scrolls" in box.dataset) {
        box.removeAttribute("tabindex");
        delete box.dataset.scrolls;
      }
    }
  }
  window.addEventListener("load", async () => {
    mark();
    new ResizeObserver(mark).observe(document.body); // a new width, or an output that has appeared
    await window.MathJax?.startup?.promise;
    mark();
  });
})();

// nglview alone takes the wheel and the finger from the page, and neither focus nor name.  Here the page keeps both: drag or
// arrow keys turn the atoms, plus, minus and Ctrl with the wheel zoom, a finger moved sideways turns, up and down scrolls.
(function () {
  "use strict";
  const VIEW = ".cell_output .jupyter-widgets canvas, .cell_output .lm-Widget canvas",
    HINT = "Drag or arrow keys turn, Ctrl + wheel or + and − zoom.";
  const alone = (target) => {
    const canvas = target.closest?.(VIEW);
    return canvas && !canvas.closest(".mx") ? canvas : null;
  };
  let ours = false; // an event that we make ourselves passes
  const make = (canvas, event) => {
    ours = true;
    canvas.dispatchEvent(event);
    ours = false;
  };
  const zoom = (canvas, deltaY) =>
    make(canvas, new WheelEvent("wheel", { deltaY, bubbles: true, cancelable: true }));
  function turn(canvas, dx, dy) {
    const box = canvas.getBoundingClientRect(),
      x = box.x + box.width / 2,
      y = box.y + box.height / 2;
    const event = (type, x, y, buttons) =>
      new MouseEvent(type, { clientX: x, clientY: y, buttons, button: 0, which: 1, bubbles: true });
    for (const e of [
      event("mousedown", x, y, 1),
      event("mousemove", x + dx / 2, y + dy / 2, 1),
      event("mousemove", x + dx, y + dy, 1),
      event("mouseup", x + dx, y + dy, 0),
    ])
      make(canvas, e);
  }
  document.addEventListener(
    "wheel",
    (e) => {
      const canvas = !ours && alone(e.target);
      if (!canvas) return;
      e.stopPropagation();
      if (e.ctrlKey || e.metaKey) {
        e.preventDefault();
        zoom(canvas, e.deltaY);
      }
    },
    { capture: true, passive: false },
  );
  for (const type of ["touchstart", "touchmove", "touchend"]) {
    document.addEventListener(
      type,
      (e) => {
        if (alone(e.target)) e.stopPropagation();
      },
      { capture: true, passive: true },
    );
  }
  let last = null;
  document.addEventListener("pointermove", (e) => {
    const canvas = e.pointerType === "touch" && alone(e.target);
    if (!canvas) return;
    if (last) turn(canvas, e.clientX - last[0], e.clientY - last[1]);
    last = [e.clientX, e.clientY];
  });
  for (const type of ["pointerup", "pointercancel"])
    document.addEventListener(type, () => {
      last = null;
    });
  document.addEventListener("keydown", (e) => {
    const canvas = e.target.classList?.contains("mlip-view") && e.target.querySelector("canvas");
    if (!canvas || e.ctrlKey || e.metaKey || e.altKey) return;
    const by = { ArrowLeft: [-20, 0], ArrowRight: [20, 0], ArrowUp: [0, -20], ArrowDown: [0, 20] }[
        e.key
      ],
      closer = { "+": -1, "=": -1, "-": 1 }[e.key];
    if (by) turn(canvas, ...by);
    else if (closer) zoom(canvas, 100 * closer);
    else return;
    e.preventDefault();
  });
  /** Focus and name for each viewer that has appeared; its description stands in the key below it. */
  function name() {
    for (const key of document.querySelectorAll(".mlip-scene:not([data-done])")) {
      const canvas = key.closest(".cell_output")?.querySelector("canvas"),
        view = canvas?.closest(".lm-Widget, .jupyter-widgets");
      if (!view) continue;
      key.dataset.done = "";
      view.classList.add("mlip-view");
      view.tabIndex = 0;
      view.setAttribute("role", "application");
      view.setAttribute("aria-label", `${key.dataset.label} ${HINT}`);
      const hint = document.createElement("small");
      hint.textContent = HINT;
      key.append(hint);
    }
  }
  window.addEventListener("load", () => {
    name();
    new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
  });
})();
