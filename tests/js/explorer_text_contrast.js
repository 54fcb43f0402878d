// The explorer's texts of less contrast than 4.5, with their colours.
() => {
  const low = [];
  for (const node of document.querySelectorAll(".mx *")) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !node.getClientRects().length) continue;
    if (node.closest("[hidden], option, title, .mx-sr")) continue;
    const style = getComputedStyle(node), ground = opaqueGround(node);
    const ink = parse(node.closest("svg") ? style.fill : style.color);
    if (contrast(ink, ground) < 4.5) {
      low.push(node.textContent + " " + style.color + " on " + ground);
    }
  }
  return low;
}
