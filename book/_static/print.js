// On paper nothing is folded: solutions, answers and explanations are opened for printing, and
// folded again afterwards.  Set-up code that a chapter folds stays folded.
(function () {
  "use strict";
  const FOLDED = "article details:not([open]):not(.hide)";
  let opened = [];
  let shown = [];

  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(FOLDED)];
    for (const details of opened) details.open = true;
    shown = [...document.querySelectorAll("article .toggle-hidden")];
    for (const e of shown) e.classList.remove("toggle-hidden");
  });

  window.addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
    for (const e of shown) e.classList.add("toggle-hidden");
    opened = [];
    shown = [];
  });
})();
