// The error against the distance from the defect.

/** Root mean square error per site against the distance from the defect, beside its own field. */
class Distances {
  constructor() {
    Object.assign(this, figure(["Geometry error against distance from the defect"]));
  }

  draw({ data: { meta }, result: r, measured: m }) {
    const ok = r !== null && r.applies;
    const shells = meta.shells.filter((s) => !s.periodic);
    const [first, last] = [shells[0], shells[shells.length - 1]];
    const curve = (values, word) =>
      shells.map((s, i) => {
        const y = values[i] / Math.sqrt(s.sites);
        const title = `${word} ${formatNumber(y)} Å at ${formatNumber(s.r)} Å`;
        return { x: s.r, y, title };
      });
    const own = curve(
      shells.map((s) => s.reference),
      "reference",
    );
    const lines = [{ className: "reference", noDots: true, points: own }];
    if (ok) lines.push({ className: "predicted", points: curve(r.shells, "predicted") });
    const marks = m?.shells ? curve(m.shells, "measured") : [];
    const label = `r${superscript(-meta.dimension)}`;
    const slopes =
      ok && shells.length > 2
        ? [{ x: first.r, y: own[0].y, exponent: -meta.dimension, to: last.r, label }]
        : [];
    const itself = Boolean(meta.relax);
    showLegend(this.list, [
      ["line", itself ? "linear estimate" : "predicted"],
      ...(marks.length ? [["mark", itself ? "relaxed" : "measured"]] : []),
      ["reference", "defect’s own |Dū|"],
      ...(slopes.length ? [["slope", "far-field decay"]] : []),
    ]);
    const range = [first.r, last.r];
    const round = [2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40];
    const inside = round.filter((v) => v >= range[0] * 0.98 && v <= range[1] * 1.02);
    const ticks = inside
      .filter((v, i) => inside.length < 7 || i % 2 === 0)
      .map((value) => ({ value, label: String(value) }));
    drawChart(this.svg, {
      title:
        "Root mean square geometry error per site against distance from the defect, " +
        "both logarithmic",
      x: { label: "distance from the defect (Å)", kind: "log", ticks, range },
      y: { label: "rms per site (Å)" },
      lines,
      marks,
      slopes,
      message: ok ? undefined : "The prediction does not apply here.",
    });
  }
}
