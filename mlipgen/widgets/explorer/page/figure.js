// What both charts share: the frame of a figure and its legend.

const LEGEND = {
  line:
    '<line x1="0" x2="22" y1="6" y2="6" class="mx-line"/>' +
    '<circle cx="11" cy="6" r="3.5" class="mx-dot"/>',
  reference: '<line x1="0" x2="22" y1="6" y2="6" class="mx-line reference"/>',
  mark: '<path d="M11,0.5L16.5,6L11,11.5L5.5,6Z" class="mx-mark"/>',
  band: '<rect x="0" y="1" width="22" height="10" class="mx-band"/>',
  slope: '<line x1="0" x2="22" y1="6" y2="6" class="mx-slope"/>',
  floor: '<line x1="0" x2="22" y1="6" y2="6" class="mx-floor"/>',
  lost: '<path d="M7,2L15,10M7,10L15,2" class="mx-lost"/>',
  gone: '<path d="M7,2L15,10M7,10L15,2" class="mx-lost measured"/>',
};

const EMPTY = "Nothing is drawn yet";

/** A figure with a caption, a legend and an empty SVG. */
function figure(caption) {
  const svg = document.createElementNS(SVG_NS, "svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", EMPTY); // a chart says what it shows
  const list = h("ul", { class: "mx-legend" });
  const plot = h("div", { class: "mx-plot" }, svg);
  const node = h("figure", { class: "mx-figure" }, h("figcaption", {}, ...caption), list, plot);
  return { svg, list, node };
}

function showLegend(list, entries) {
  const key = JSON.stringify(entries);
  if (list.shown === key) return;
  list.shown = key;
  const items = entries.map(([shape, text]) => {
    const item = h("li");
    item.innerHTML = `<svg width="22" height="12" aria-hidden="true">${LEGEND[shape]}</svg>`;
    item.append(text);
    return item;
  });
  list.replaceChildren(...items);
}
