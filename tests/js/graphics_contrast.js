// [contrast, selector, class] of every line, mark and border of the explorer that carries meaning.
() => {
  const graphics = [
    [".mx-line, .mx-mark, .mx-slope, .mx-floor, .mx-axis", "stroke"],
    [".mx-dot", "fill"],
    [".mx-key:not(.newton)", "backgroundColor"],
    [".mx-key.newton", "borderTopColor"],
    [".mx-verdict", "borderLeftColor"],
    [".mx select, .mx button", "borderTopColor"],
    [".mx-space, .mx-scale i", "borderTopColor"],
  ];
  return graphics.flatMap(([selector, property]) =>
    [...document.querySelectorAll(selector)].map((e) => {
      const ratio = contrast(parse(getComputedStyle(e)[property]), opaqueGround(e.parentElement));
      return [ratio, selector, e.getAttribute("class")];
    }));
}
