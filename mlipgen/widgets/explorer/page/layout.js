// Where everything stands: the question, the stage with two controls and their picture, the rest.

/** The children of the explorer's root. */
function layOut({ results, controls, comparison, distances, atoms }, question) {
  const { verdict, cards, table, print, live } = results;
  const { bar, more, crystal } = controls;
  const head = h("div", { class: "mx-top" }, h("p", { class: "mx-question" }, question), crystal);
  const stage = h(
    "div",
    { class: "mx-stage" },
    bar,
    h(
      "div",
      { class: "mx-sight" },
      h("div", { class: "mx-picture" }, comparison.node),
      h("div", { class: "mx-summary" }, verdict, cards),
    ),
    more,
  );
  const details = h(
    "details",
    { class: "mx-more mx-details" },
    h("summary", {}, "Where the error sits, and how well the labels are fitted"),
    h("div", { class: "mx-pair" }, h("div", {}, distances.node), atoms.node),
    h("div", { class: "mx-figure" }, table),
  );
  return [head, stage, details, print, live];
}
