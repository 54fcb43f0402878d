// On paper nothing is folded: what is folded in the text is opened for printing, and folded again
// afterwards.  (Solutions are sphinx-togglebutton's, which does the same; set-up code stays so.)
(function () {
  "use strict";
  let opened = [];

  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("article details:not([open]):not(.hide)")];
    for (const details of opened) details.open = true;
  });

  window.addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
    opened = [];
  });
})();
