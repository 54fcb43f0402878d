// What a screen reader would miss in the article: names, alternative texts, the order of headings.
() => {
  const named = (e) => e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.title
    || (e.labels && e.labels.length) || e.textContent.trim();
  const article = document.querySelector("article"), problems = [];
  for (const i of article.querySelectorAll("img")) {
    const alt = i.getAttribute("alt");
    if (alt === null || alt.match(/\.(png|svg|jpe?g)$/)
        || (alt === "" && i.getAttribute("role") !== "presentation")) {
      problems.push("image without alternative text: " + i.src.slice(-60));
    }
  }
  const controls = "input:not([type=hidden]), select, textarea, button, [role=slider], "
    + "[role=button]";
  for (const e of article.querySelectorAll(controls)) {
    if (e.checkVisibility() && !named(e)) {
      problems.push("control without a name: " + e.outerHTML.slice(0, 120));
    }
  }
  const ids = [...document.querySelectorAll("article [id]")].map((e) => e.id);
  const twice = ids.filter((id, n) => ids.indexOf(id) !== n);
  if (twice.length) problems.push("ids used twice: " + twice.slice(0, 3));
  let level = 0;
  for (const h of article.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const text = h.textContent.trim();
    if (!text) problems.push("empty heading");
    if (h.closest(".cell_output")) continue; // a widget does not know how deep it stands
    if (+h.tagName[1] > level + 1) problems.push("heading level skipped before: " + text);
    level = +h.tagName[1];
  }
  if (!document.documentElement.lang) problems.push("no language");
  if (!document.title.trim()) problems.push("no title");
  return problems;
}
