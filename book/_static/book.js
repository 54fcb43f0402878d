// Formulas wider than their line are broken at their relations, then at their sums; parts that are
// still too wide are set smaller, and so are tables that are a little too wide; on a phone wider
// ones become lists of cards.  What cannot be helped so, other outputs and code, scrolls inside
// itself: by keyboard too (it takes the focus), with an edge that fades as long as there is more.
(function () {
  "use strict";
  // What the theme writes into the page as scripts and handlers (book/_tools/harden.py).
  const { pagename } = document.documentElement.dataset;
  if (pagename && typeof DOCUMENTATION_OPTIONS === "object")
    DOCUMENTATION_OPTIONS.pagename = pagename;
  const DOES = { print: () => window.print(), fullscreen: () => window.toggleFullScreen() };
  document.addEventListener("click", (e) =>
    DOES[e.target.closest("[data-does]")?.dataset.does]?.(),
  );
})();
// The section that is being read, marked in the page's contents.  (Bootstrap's own marking, which
// the build takes away, loses sections of more than a few screens.)
(function () {
  "use strict";
  const LINE = 120; // px from the top: a section that starts above it is being read
  const links = [...document.querySelectorAll(".bd-toc-nav a[href^='#']")].map((link) => [
    link,
    document.getElementById(decodeURIComponent(link.hash.slice(1))),
  ]);
  if (!links.length) return;
  let pending = false;

  function mark() {
    pending = false;
    // the end of the page cannot be scrolled up to the line, so there the line comes down
    const { scrollHeight } = document.documentElement;
    const left = Math.max(scrollHeight - window.scrollY - window.innerHeight, 0);
    const line = Math.max(LINE, window.innerHeight - left);
    const above = links.filter(([, s]) => s && s.getBoundingClientRect().top < line);
    const current = above.at(-1)?.[0];
    for (const [link] of links) {
      link.classList.toggle("active", link === current);
      if (link === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  function soon() {
    if (!pending) requestAnimationFrame(mark);
    pending = true;
  }

  window.addEventListener("scroll", soon, { passive: true });
  window.addEventListener("resize", soon, { passive: true });
  window.addEventListener("load", soon);
})();
(function () {
  "use strict";
  const SCROLLING =
    "mjx-container, .pst-scrollable-table-container, table.indextable, .cell_output, " +
    ".cell_output .output, pre";
  const SMALLEST = 0.55;
  const LITTLE = 0.86; // set so much smaller, a formula is easier to read than in two lines
  const ALONE = 0.25; // of the line: a left side narrower than that does not stand alone on one
  const TABLE = [0.94, 0.88, 0.82]; // sizes tried for a table that is a little too wide

  function width(formula) {
    const parts = [...formula.querySelectorAll(".formula-part")];
    const boxes = parts.length ? parts : [formula.querySelector("mjx-math") ?? formula];
    return Math.max(...boxes.map((e) => Math.max(e.getBoundingClientRect().width, e.scrollWidth)));
  }

  function isGap(e) {
    const space = e.matches("mjx-mspace") ? e : e.querySelector(":scope > mjx-mspace:only-child");
    return parseFloat(space?.style.width) > 1.5; // \qquad
  }

  // MathJax marks a relation and what follows it with space="4", a sum's sign with "3".
  function breakAt(formula, spaces, room) {
    const math = formula.querySelector("mjx-math");
    const alone = formula.getAttribute("display") === "true"; // broken before the sign, else behind
    const add = (box, name) => {
      const span = box.appendChild(document.createElement("span"));
      span.className = `formula-${name}`;
      return span;
    };
    let statement = null,
      part = null,
      follows = false;
    for (const e of [...math.children]) {
      const sign = !follows && spaces.includes(e.getAttribute("space"));
      if (isGap(e)) {
        add(math, "gap").append(" ", e);
        statement = part = null;
      } else {
        statement ??= alone ? add(math, "statement") : math;
        const short = sign && part?.offsetWidth < ALONE * room && !part.previousSibling;
        if (!part || (alone ? sign && !short : follows)) part = add(statement, "part");
        part.append(e);
      }
      follows = sign;
    }
    formula.classList.add("broken");
  }

  function whole(formula) {
    for (const gap of formula.querySelectorAll(".formula-gap")) gap.firstChild.remove();
    for (const name of ["part", "statement", "gap"])
      for (const box of formula.querySelectorAll(`.formula-${name}`))
        box.replaceWith(...box.childNodes);
    formula.classList.remove("broken");
  }

  function fit(formula) {
    if (formula.closest("table")) return; // a table scrolls as a whole
    const display = formula.getAttribute("display") === "true";
    const line = display ? formula : formula.closest("p, li, dd, dt, div");
    const style = getComputedStyle(line);
    const padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
    const room = line.clientWidth - padding;
    if (room <= 0 || formula.dataset.room === String(room)) return;
    formula.dataset.room = room;
    formula.dataset.size ??= formula.style.fontSize || "100%";
    formula.style.fontSize = formula.dataset.size;
    if (formula.matches(".broken")) whole(formula);
    const rows = formula.querySelector("mjx-math > mjx-mtable");
    const almost = display && LITTLE * width(formula) <= room;
    for (const spaces of rows || almost ? [] : ["4", "34"]) {
      if (width(formula) <= room + 1) break;
      whole(formula);
      breakAt(formula, spaces, room);
    }
    const wide = rows && display ? formula.scrollWidth : width(formula);
    if (wide <= room + 1) return;
    const size = parseFloat(formula.dataset.size) * Math.max(SMALLEST, (0.99 * room) / wide);
    formula.style.fontSize = `${size}%`;
  }

  const PHONE = window.matchMedia("(max-width: 576px)");
  const ROLES = {
    table: "table",
    tbody: "rowgroup",
    tr: "row",
    td: "cell",
    "tbody th": "rowheader",
  };

  /** A row of a table becomes a card: its first cell, below the others with their columns' names,
      two in a line where they find room (book.css).  Roles say that it is a table still. */
  function cards(table) {
    const heads = [...table.tHead.rows[0].cells];
    for (const row of table.tBodies[0].rows) {
      if (row.querySelector(":scope > * > .column")) continue;
      for (const [k, cell] of [...row.cells].entries()) {
        if (!heads[k]?.textContent.trim()) continue;
        if (!cell.textContent.trim()) cell.dataset.empty = "";
        const name = document.createElement("span");
        name.className = "column";
        for (const node of (heads[k].querySelector(":scope > p") ?? heads[k]).childNodes)
          name.append(node.cloneNode(true));
        cell.prepend(name);
      }
    }
    for (const [tags, role] of Object.entries(ROLES))
      for (const e of [table, ...table.querySelectorAll("*")])
        if (e.matches(tags)) e.setAttribute("role", role);
    table.dataset.cards = "";
  }

  function fitTable(box) {
    const table = box.querySelector(":scope > table");
    const room = box.clientWidth;
    if (!table || room <= 0 || table.dataset.room === String(room)) return;
    if (table.querySelector(".math:not(:has(mjx-container))")) return; // not typeset yet
    table.dataset.room = room;
    table.style.fontSize = "";
    delete table.dataset.tight;
    if ("cards" in table.dataset) {
      delete table.dataset.cards;
      for (const e of [table, ...table.querySelectorAll("[role]")]) e.removeAttribute("role");
    }
    if (table.offsetWidth <= room + 1) return;
    table.dataset.tight = "";
    const size = parseFloat(getComputedStyle(table).fontSize);
    for (const part of TABLE) {
      table.style.fontSize = `${part * size}px`;
      if (table.offsetWidth <= room + 1) return;
    }
    table.style.fontSize = "";
    delete table.dataset.tight;
    const simple = table.tHead?.rows.length === 1 && table.tBodies.length === 1;
    if (PHONE.matches && simple) cards(table);
  }

  function more(box) {
    box.toggleAttribute("data-more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
  }

  function mark() {
    document.querySelectorAll("article mjx-container").forEach(fit);
    document.querySelectorAll("article .pst-scrollable-table-container").forEach(fitTable);
    for (const box of document.querySelectorAll(SCROLLING)) {
      const wide =
        box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== "visible";
      if (wide && !box.hasAttribute("tabindex")) {
        box.tabIndex = 0;
        box.dataset.scrolls = "";
        box.addEventListener("scroll", () => more(box), { passive: true });
      } else if (!wide && "scrolls" in box.dataset) {
        box.removeAttribute("tabindex");
        delete box.dataset.scrolls;
      }
      if (wide || box.hasAttribute("data-more")) more(box);
    }
  }

  window.addEventListener("load", async () => {
    mark();
    // A new width, an output that has appeared, a solution that was unfolded.
    const later = new ResizeObserver(() => requestAnimationFrame(mark));
    later.observe(document.querySelector("article") ?? document.body);
    await window.MathJax?.startup?.promise;
    mark();
  });
})();
// Tables of sentences become lists of cards on a phone (book.css): each cell knows its column.
(function () {
  "use strict";
  const page = document.documentElement.dataset.pagename ?? "";
  const notation = page === "book/notation";
  if (!notation && !/^book\/(course\/|speed$)/.test(page)) return;
  for (const table of document.querySelectorAll(".bd-article table:has(th:nth-child(3))")) {
    const columns = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
    for (const row of table.tBodies[0].rows)
      for (const [k, cell] of [...row.cells].entries()) {
        const text = cell.textContent.trim();
        if (/^–?$/.test(text)) cell.dataset.empty = "";
        else if (columns[k]) cell.dataset.column = columns[k];
        if (text === "●") cell.dataset.mark = "";
        else if (!k && /^\d+$/.test(text)) cell.dataset.number = "";
      }
    if (!notation) table.classList.add("cards");
  }
})();
