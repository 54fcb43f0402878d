// The lecture's slides: reveal.js, with speaker notes (press S) and formulas by the book's MathJax.
(function () {
  "use strict";
  const MARGIN = 0.04;

  Reveal.initialize({
    hash: true,
    width: 1280,
    height: 760,
    margin: MARGIN,
    transition: "none",
    slideNumber: "c/t",
    plugins: [RevealNotes],
  });

  /** Smaller steps of a size until the slide has room for it. */
  function shrink(slide, largest, smallest, step, set) {
    const { height } = Reveal.getConfig();
    const shown = slide.style.display;
    slide.style.display = "block";
    for (let size = largest; size >= smallest; size -= step) {
      set(size);
      if (slide.scrollHeight <= height) break;
    }
    slide.style.display = shown;
  }

  /** Figures of the book are wide or tall, tables long: each gets the height that is left. */
  function fit() {
    for (const slide of document.querySelectorAll(".slides section")) {
      const box = slide.querySelector(".mlip-figure [role=img]");
      if (box) shrink(slide, 1200, 300, 50, (x) => (box.style.maxWidth = `${x}px`));
      const table = slide.querySelector("table");
      if (table) shrink(slide, 24, 17, 1, (x) => (table.style.fontSize = `${x}px`));
    }
    Reveal.layout();
    document.body.dataset.state = "fitted";
  }

  window.addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    fit();
  });
})();
