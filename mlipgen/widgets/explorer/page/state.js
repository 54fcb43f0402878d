// Where the controls stand: slider positions, the setting they mean, the address that holds them.

const KINDS = [
  ["E", "Energies"],
  ["F", "Forces"],
  ["V", "Virials"],
  ["FC", "Force constants"],
];
const SETS = [["E"], ["E", "F"], ["E", "F", "V"], ["E", "F", "FC"], ["E", "F", "V", "FC"]];

/** ["E", "F", "FC"] -> "EF+FC" */
function setName(kinds) {
  return kinds.filter((k) => k !== "FC").join("") + (kinds.includes("FC") ? "+FC" : "");
}

/** Ways to weight forces by name and by their letter in an address. */
const WEIGHTINGS = [
  ["uniform", "uniform", "u"],
  ["distance", "1 + distance", "h"],
  ["dual", "dual norm", "g"],
];

/** The ways to weight forces of which a data set holds the blocks. */
function weightingsHeld(arrays) {
  const names = Object.keys(arrays);
  const held = (block) => names.some((name) => name.startsWith(`R/train/${block}/`));
  return Object.keys(FORCES).filter((value) => held(FORCES[value]));
}

const power = (tenths) => 10 ** (tenths / 10);
const noiseOf = (index, max) => (index === 0 ? 0 : max * 10 ** ((index - 30) / 10));
const close = (a, b) => (a === 0 || b === 0 ? a === b : Math.abs(Math.log10(a / b)) < 0.02);

/** Slider positions of a data set's default setting: weights in tenths, ridge in quarters of 10. */
function defaultState(meta, override) {
  const weights = override?.weights ?? meta.default.weights;
  const d = { ...meta.default, ...override, weights };
  const on = {};
  const weight = {};
  for (const [kind] of KINDS) {
    on[kind] = d.weights[kind] > 0;
    weight[kind] = Math.round(10 * Math.log10(on[kind] ? d.weights[kind] : meta.weights[kind]));
  }
  const noise =
    d.noise > 0 ? Math.max(1, Math.round(30 + 10 * Math.log10(d.noise / meta.noise_max))) : 0;
  const ridge = Math.round(4 * Math.log10(d.ridge));
  return { cell: d.cell, degree: d.degree, ridge, noise, forces: d.forces, on, weight };
}

/** The setting of the fit that slider positions stand for; the twin of Python's `Setting`. */
function settingOf(state, meta) {
  const weights = {};
  for (const [kind] of KINDS) if (state.on[kind]) weights[kind] = power(state.weight[kind]);
  return {
    cell: state.cell,
    degree: state.degree,
    ridge: 10 ** (state.ridge / 4),
    weights,
    forces: state.forces,
    noise: noiseOf(state.noise, meta.noise_max),
  };
}

/** A fragment made of letters, digits, - and _ only, so that it is also a harmless CSS selector. */
function fragmentOf(name, state, index) {
  const weights = KINDS.map(([kind]) => `${kind}${state.on[kind] ? state.weight[kind] : "x"}`);
  const [, , forces] = WEIGHTINGS.find(([value]) => value === state.forces);
  return (
    `#${name}_L${state.cell}_${weights.join("_")}_${forces}` +
    `_d${state.degree}_r${state.ridge}_n${state.noise}` +
    (index ? `_s${index}` : "")
  );
}

/** The data set and slider positions that the address asks for, or null. */
function readFragment(name, metas) {
  const hash = window.location.hash;
  if (!hash.startsWith(`#${name}_`)) return null;
  const part = {};
  for (const token of hash.slice(name.length + 2).split("_")) {
    const match = /^(FC|[A-Za-z])(-?\d+|x)?$/.exec(token);
    if (match) part[match[1]] = match[2];
  }
  const index = Number(part.s ?? 0);
  const meta = metas[index];
  if (!meta) return null;
  const state = defaultState(meta);
  const take = (value, ok) => (value !== undefined && ok(Number(value)) ? Number(value) : null);
  state.cell = take(part.L, (x) => meta.cells.some((c) => c.size === x)) ?? state.cell;
  state.degree = take(part.d, (x) => meta.degrees.includes(x)) ?? state.degree;
  state.ridge = take(part.r, (x) => x >= -40 && x <= 8) ?? state.ridge;
  state.noise = take(part.n, (x) => x >= 0 && x <= 30) ?? state.noise;
  for (const [value, , letter] of WEIGHTINGS) if (letter in part) state.forces = value;
  for (const [kind] of KINDS) {
    if (part[kind] === undefined) continue;
    state.on[kind] = part[kind] !== "x";
    if (state.on[kind]) state.weight[kind] = Math.max(-30, Math.min(30, Number(part[kind])));
  }
  return { index, state };
}

/** The relaxation of exactly this setting, if one was computed. */
function measuredAt(meta, setting) {
  const forces = setting.weights.F > 0;
  return meta.measured.find(
    (m) =>
      m.cell === setting.cell &&
      m.degree === setting.degree &&
      close(m.ridge, setting.ridge) &&
      close(m.noise, setting.noise) &&
      (!forces || m.forces === setting.forces) &&
      KINDS.every(([k]) => close(m.weights[k] ?? 0, setting.weights[k] ?? 0)),
  );
}

/** The library call that reproduces a setting, noise and all. */
function pythonCall(meta, setting) {
  const rounded = (x) => Number(x.toPrecision(6));
  const used = KINDS.map(([k]) => k).filter((k) => setting.weights[k] > 0);
  const weights = used.map((k) => `"${k}": ${rounded(setting.weights[k])}`);
  const values = {
    cell: setting.cell,
    degree: setting.degree,
    ridge: rounded(setting.ridge),
    weights: `{${weights.join(", ")}}`,
    forces: `"${setting.forces}"`,
    noise: rounded(setting.noise),
  };
  const written = Object.entries(values).map(([key, value]) => `${key}=${value}`);
  return meta.python.replace("{setting}", () => written.join(", "));
}
