// How each series of the explorer's plot is drawn, but for its colour, as one string.
() => {
  const series = [
    ".mx-line.predicted", ".mx-line.reference", ".mx-slope", ".mx-floor", ".mx-mark",
  ];
  return series.map((selector) => {
    const e = document.querySelector(`.mx-plot ${selector}`), s = getComputedStyle(e);
    const dots = selector === ".mx-line.predicted"
      && document.querySelectorAll(".mx-plot .mx-dot.predicted").length > 0;
    const corners = selector === ".mx-mark" ? e.getAttribute("d").split("L").length : 0;
    return [e.tagName, s.strokeWidth, s.strokeDasharray, dots, corners].join();
  });
}
