// nglview alone takes the wheel and the finger from the page, and has neither focus nor name.
// Here the page keeps both: drag or arrow keys turn the atoms, plus, minus and Ctrl with the wheel
// zoom, a finger moved sideways turns them, up and down it scrolls the page.
(function () {
  "use strict";
  const VIEW = ".cell_output .jupyter-widgets canvas, .cell_output .lm-Widget canvas";
  const HINT = "Drag or arrow keys turn, Ctrl + wheel or + and − zoom.";
  const TURNS = {
    ArrowLeft: [-20, 0],
    ArrowRight: [20, 0],
    ArrowUp: [0, -20],
    ArrowDown: [0, 20],
  };
  const ZOOMS = { "+": -100, "=": -100, "-": 100 };
  let ours = false; // an event that we make ourselves passes

  /** The canvas of an nglview on its own; the explorer's looks after itself. */
  function alone(target) {
    const canvas = target.closest?.(VIEW);
    return canvas && !canvas.closest(".mx") ? canvas : null;
  }

  function make(canvas, event) {
    ours = true;
    canvas.dispatchEvent(event);
    ours = false;
  }

  function zoom(canvas, deltaY) {
    make(canvas, new WheelEvent("wheel", { deltaY, bubbles: true, cancelable: true }));
  }

  function turn(canvas, dx, dy) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const drag = (type, part, buttons) => {
      const at = { clientX: x + part * dx, clientY: y + part * dy };
      make(canvas, new MouseEvent(type, { ...at, buttons, button: 0, bubbles: true }));
    };
    drag("mousedown", 0, 1);
    drag("mousemove", 0.5, 1);
    drag("mousemove", 1, 1);
    drag("mouseup", 1, 0);
  }

  const first = { capture: true, passive: false }; // before nglview, which listens to the document
  document.addEventListener(
    "wheel",
    (e) => {
      const canvas = !ours && alone(e.target);
      if (!canvas) return;
      e.stopPropagation();
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      zoom(canvas, e.deltaY);
    },
    first,
  );
  for (const type of ["touchstart", "touchmove", "touchend"]) {
    const keep = (e) => alone(e.target) && e.stopPropagation();
    document.addEventListener(type, keep, { capture: true, passive: true });
  }

  let last = null;
  document.addEventListener("pointermove", (e) => {
    const canvas = e.pointerType === "touch" && alone(e.target);
    if (!canvas) return;
    if (last) turn(canvas, e.clientX - last[0], e.clientY - last[1]);
    last = [e.clientX, e.clientY];
  });
  for (const type of ["pointerup", "pointercancel"]) {
    document.addEventListener(type, () => {
      last = null;
    });
  }

  document.addEventListener("keydown", (e) => {
    const view = e.target.closest?.(".mlip-view");
    if (!view || e.ctrlKey || e.metaKey || e.altKey) return;
    const canvas = view.querySelector("canvas");
    if (e.key in TURNS) turn(canvas, ...TURNS[e.key]);
    else if (e.key in ZOOMS) zoom(canvas, ZOOMS[e.key]);
    else return;
    e.preventDefault();
    view.focus({ preventScroll: true }); // NGL gives it to its canvas, which has no name
  });

  /** Focus and name for each viewer that has appeared; its description stands in the key below. */
  function name() {
    for (const key of document.querySelectorAll(".mlip-scene:not([data-done])")) {
      const canvas = key.closest(".cell_output")?.querySelector("canvas");
      const view = canvas?.closest(".lm-Widget, .jupyter-widgets");
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
