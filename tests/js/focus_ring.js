// The focused control: its number, and its ring's style, width and contrast.
() => {
  const e = document.activeElement, s = getComputedStyle(e);
  const ratio = contrast(parse(s.outlineColor), opaqueGround(e.parentElement));
  return [e.dataset.stop, s.outlineStyle, parseFloat(s.outlineWidth), ratio];
}
