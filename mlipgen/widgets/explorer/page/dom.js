// Elements and numbers as the page writes them.

const SVG_NS = "http://www.w3.org/2000/svg";

/** h("div", {class: "x", onclick: f}, child, "text", ...) */
function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) {
    if (k.startsWith("on")) node.addEventListener(k.slice(2), v);
    else if (v === true) node.setAttribute(k, "");
    else if (v !== false && v !== null && v !== undefined) node.setAttribute(k, v);
  }
  node.append(...children.filter((c) => c !== null));
  return node;
}

/** A child of an SVG element. */
function svgElement(parent, tag, attributes, text) {
  const node = document.createElementNS(SVG_NS, tag);
  for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v);
  if (text !== undefined) node.textContent = text;
  parent.appendChild(node);
  return node;
}

const SUPERSCRIPT = Object.fromEntries([..."-0123456789."].map((c, i) => [c, "⁻⁰¹²³⁴⁵⁶⁷⁸⁹·"[i]]));
function superscript(text) {
  return [...String(text)].map((c) => SUPERSCRIPT[c] ?? c).join("");
}

/** Three significant digits with a typographic minus and powers of ten; never broken. */
function formatNumber(x, digits = 3) {
  if (x === 0) return "0";
  if (!Number.isFinite(x)) return "–";
  const sign = x < 0 ? "−" : "";
  const a = Math.abs(x);
  if (a >= 0.01 && a < 1e4) return sign + (a >= 100 ? a.toFixed(0) : a.toPrecision(digits));
  const [mantissa, exponent] = a.toExponential(digits - 1).split("e");
  return `${sign}${mantissa}\u00a0×\u00a010${superscript(Number(exponent))}`;
}

function decade(e) {
  return e === 0 ? "1" : e === 1 ? "10" : `10${superscript(e)}`;
}

/** JupyterLab's address is its own, and its notebook takes keys that bubble up. */
const inJupyterLab = () => document.body.hasAttribute("data-jp-theme-light");

/** The section of a widget. JupyterLab would take its arrow keys for itself, and its notebook the
 * keys that bubble up.
 */
function widgetSection(el, name, testid, label) {
  const root = h("section", {
    class: name,
    "data-testid": testid,
    "data-state": "unpacking",
    "data-lm-suppress-shortcuts": "true",
    "aria-label": label,
  });
  el.append(root);
  if (inJupyterLab()) root.addEventListener("keydown", (e) => e.stopPropagation());
  return root;
}

const widths = new WeakMap();
const watched = new ResizeObserver((entries) => {
  for (const { target } of entries) widths.set(target, target.clientWidth);
});

/** The inner width of an element.  It is asked for once: in the midst of drawing the browser would
 * have to lay out all that was drawn so far.
 */
function innerWidth(node) {
  if (!widths.get(node)) {
    widths.set(node, node.clientWidth);
    watched.observe(node);
  }
  return widths.get(node);
}

/** Write a text where it is another one. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Draw again for each other width; the observer that has to be disconnected in the end. */
function onWidth(root, draw) {
  let width;
  const observer = new ResizeObserver(() => {
    if (root.clientWidth === width) return;
    width = root.clientWidth;
    draw();
  });
  observer.observe(root);
  return observer;
}
