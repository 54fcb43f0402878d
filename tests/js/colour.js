// Contrast by the formulas of WCAG 2; put before a test's own script.

/** [red, green, blue, opacity] of a computed colour. */
const parse = (text) => {
  const c = text.match(/[\d.]+/g).map(Number);
  return [c[0], c[1], c[2], c.length > 3 ? c[3] : 1];
};

const luminance = (colour) => {
  const [r, g, b] = colour.slice(0, 3).map((v) => {
    const x = v / 255;
    return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

/** From 1 to 21. */
const contrast = (a, b) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};

/** The nearest opaque background, from this element outwards. */
const opaqueGround = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c[3] === 1) return c;
  }
  throw new Error("no opaque background");
};
