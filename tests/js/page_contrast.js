// Texts of the page of too little contrast with what they stand on, opacities composed; texts
// on pictures are left out.
() => {
  const over = (a, b) => [0, 1, 2].map((i) => a[3] * a[i] + (1 - a[3]) * b[i]).concat(1);
  const ground = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const s = getComputedStyle(e);
      if (s.backgroundImage !== "none") return null;
      layers.push(parse(s.backgroundColor));
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const shown = { opacityProperty: true, visibilityProperty: true };
  const exempt = "svg, script, style, .headerlink, mjx-assistive-mml, [aria-hidden=true], "
    + ":disabled";
  const bad = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const e = node.parentElement, s = getComputedStyle(e);
    if (!node.textContent.trim() || !e.checkVisibility(shown) || e.closest(exempt)) continue;
    const box = e.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const below = ground(e);
    if (!below) continue;
    const ratio = contrast(over(parse(s.color), below), below), size = parseFloat(s.fontSize);
    const large = size >= 24 || (size >= 18.66 && +s.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5) - 0.01) {
      const text = node.textContent.trim().slice(0, 40);
      bad.push(`${ratio.toFixed(2)} ${s.color} ${e.className}: ${text}`);
    }
  }
  return bad;
}
