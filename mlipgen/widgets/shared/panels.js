// What the study and the forecast figure share: elements, the two panels, the watch on their width.

const SVG = "http://www.w3.org/2000/svg";
let serial = 0;

/** A child, "svg:..." for those of a drawing. */
function element(parent, tag, attributes = {}, text = "") {
  const e = tag.startsWith("svg:")
    ? document.createElementNS(SVG, tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.textContent = text;
  parent.append(e);
  return e;
}

/** The body below the controls: the verdict, and panel(title, [[word, testid]]). */
function bodyOf(root) {
  const body = element(root, "div", { class: "wf-body" });
  const live = { class: "wf-verdict", "aria-live": "polite", "data-testid": "verdict" };
  const verdict = element(body, "div", live);
  const between = element(body, "div");
  const panels = element(body, "div", { class: "wf-panels" });
  const panel = (title, entries) => {
    const p = element(panels, "div");
    element(p, "p", { class: "wf-title" }, title);
    const list = element(p, "dl");
    const out = {};
    for (const [word, testid] of entries) {
      element(list, "dt", {}, word);
      out[word] = element(list, "dd", { "data-testid": testid });
    }
    return { out, holder: element(p, "div") };
  };
  return { body, verdict, between, panel };
}

/** What the choice means, in a sentence and in more. */
function tell(verdict, bad, head, text) {
  verdict.dataset.bad = bad ? "yes" : "no";
  verdict.replaceChildren();
  element(verdict, "strong", {}, head);
  element(verdict, "span", {}, text);
}

/** Draw now, for each other width and whenever the model changes so; the function that ends it. */
function keepDrawn(root, model, changes, draw) {
  model.on(changes, draw);
  draw();
  let seen = 0;
  const resized = new ResizeObserver(() => {
    if (root.clientWidth === seen) return;
    seen = root.clientWidth;
    draw();
  });
  resized.observe(root);
  return () => {
    resized.disconnect();
    model.off(changes, draw);
  };
}
