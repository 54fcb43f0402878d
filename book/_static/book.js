/* What scrolls inside itself can be scrolled by keyboard: formulas, tables and outputs wider than their box take the focus. */
(function () {
  "use strict";
  const SCROLLING = "mjx-container[display=true], .pst-scrollable-table-container, table.indextable, .cell_output, .cell_output .output, pre";
  function mark() {
    for (const box of document.querySelectorAll(SCROLLING)) {
      const wide = box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX !== "visible";
      if (wide && !box.hasAttribute("tabindex")) { box.tabIndex = 0; box.dataset.scrolls = ""; }
      else if (!wide && "scrolls" in box.dataset) { box.removeAttribute("tabindex"); delete box.dataset.scrolls; }
    }
  }
  window.addEventListener("load", async () => {
    mark();
    new ResizeObserver(mark).observe(document.body);                 // a new width, or an output that has appeared
    await window.MathJax?.startup?.promise;
    mark();
  });
})();
