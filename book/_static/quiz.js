// Quizzes (book/_tools/quiz.py): show what the chosen answer is worth, and why.
(function () {
  "use strict";

  function answer(form) {
    const chosen = form.querySelector("input:checked");
    const feedback = form.querySelector(".quiz-feedback");
    if (!chosen) {
      form.dataset.state = "open";
      feedback.textContent = "Choose an answer first.";
      return;
    }
    const right = chosen.value === form.dataset.right;
    const reason = form.querySelector(`.quiz-answers [data-option="${chosen.value}"]`);
    form.dataset.state = right ? "right" : "wrong";
    for (const option of form.querySelectorAll(".quiz-option"))
      option.toggleAttribute("data-chosen", option.contains(chosen));
    const copy = reason.cloneNode(true);
    copy.querySelector(".quiz-verdict").textContent = right ? "Right." : "No.";
    for (const e of copy.querySelectorAll("[id]")) e.removeAttribute("id");
    feedback.replaceChildren(copy);
  }

  function count(quiz) {
    const forms = [...quiz.querySelectorAll(".quiz-question")];
    const right = forms.filter((form) => form.dataset.state === "right").length;
    const seen = forms.filter((form) => form.dataset.state).length;
    if (seen === forms.length)
      quiz.querySelector(".quiz-score").textContent = `${right} of ${forms.length} right.`;
  }

  function start() {
    for (const form of document.querySelectorAll(".quiz-question")) {
      form.querySelector("button").hidden = false;
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        answer(form);
        count(form.closest(".quiz"));
      });
      form.addEventListener("change", () => {
        // another choice: what was said about the last one no longer holds
        delete form.dataset.state;
        form.querySelector(".quiz-feedback").replaceChildren();
      });
    }
  }

  document.addEventListener("DOMContentLoaded", start);
})();
