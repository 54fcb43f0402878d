// The weights found in the terms of other codes.  What each code does with its weights: MACE's
// mace/modules/loss.py and mace/data/utils.py, pacemaker's input file and the loss of Bochkarev et
// al. (2022), ace-jax's ace_jax/fit/data.py and fit/rows.py.

const TOOLS = [
  ["ace-jax", "ace-jax"],
  ["pacemaker", "pacemaker"],
  ["mace", "MACE"],
  ["python", "Python (this library)"],
];

/**
 * Numbers of the translation.  facts: see `facts` in design.py; atoms: of the training cell.  With
 * loss = sum_k w_k^2 |residual|^2, total energies, virials per atom:
 *   displaced: weight of the squared forces of a supercell with one atom moved both ways along one
 *     axis of a cubic crystal, before the factor (1 + r)^4; energy, virials: MACE's, forces 1;
 *   share: what forces have of pacemaker's loss when all training forces count alike.
 */
function translated(setting, facts, atoms) {
  const { E = 0, F = 0, V = 0, FC = 0 } = setting.weights;
  const { count, strained, primitive, supercell, step, shell } = facts;
  const displaced = FC > 0 && supercell ? 2 : 0;
  const strains = V > 0 ? strained : 0;
  const configurations = count + strains + displaced;
  const all = count * atoms + strains * primitive + displaced * (supercell?.atoms ?? 0);
  const unit = F > 0 ? F ** 2 : 1;
  return {
    configurations,
    atoms: all,
    energy: (configurations * E ** 2 * atoms ** 2) / (3 * all * unit),
    virials: (3 * configurations * V ** 2) / (all * unit),
    displaced: 0.75 * primitive * (FC / step) ** 2,
    near: shell ? (1 + shell) ** 4 : 1,
    share: (F ** 2 * count * atoms) / (E ** 2 * atoms ** 2 * count + F ** 2 * count * atoms),
  };
}

const short = (x) => String(Number(x.toPrecision(4)));
/** A note as a comment of the copied text. */
const commented = (text) => {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1).length + word.length > 76) lines.push("");
    lines[lines.length - 1] += `${lines.at(-1) ? " " : ""}${word}`;
  }
  return lines.map((line) => `# ${line}`).join("\n");
};

const ABOVE =
  "Energies here are those above the perfect crystal. Take N times the crystal's energy per atom " +
  "off every label, and add one cell of the perfect crystal (energy 0) with a large energy weight.";
/** The force weightings that a code has no place for. */
const LOSES = { "ace-jax": ["distance", "dual"], mace: ["distance", "dual"], pacemaker: ["dual"] };
const plainForces = ({ forces }, { applies, geometry, total }) =>
  `There is no place for the ${forces === "dual" ? "dual norm" : "weight 1 + r"}: forces count ` +
  "alike. " +
  (applies
    ? `So these weights give ${formatNumber(geometry)} Å and ${formatNumber(total)} eV.`
    : "So these weights give no prediction that applies.");
const supercells = ({ supercell, step }, weight) =>
  "Force constants have no place of their own. For them stand two configurations " +
  (supercell
    ? `of ${supercell.atoms} atoms (${supercell.size} cells each way, four cutoffs thick)`
    : "of a cell four cutoffs thick") +
  `: one atom moved by +${step} and -${step} Å along one axis; symmetry gives the rest in a ` +
  `cubic crystal. ${weight}`;

function aceJax(setting, facts, atoms) {
  const { weights, forces } = setting;
  const { displaced, near } = translated(setting, facts, atoms);
  const entry = (E, F, V) => `{"E": ${short(E)}, "F": ${short(F)}, "V": ${short(V)}}`;
  const rows = [`"defect": ${entry((weights.E ?? 0) * Math.sqrt(atoms), weights.F ?? 0, 0)}`];
  if (weights.V > 0)
    rows.push(`"strained": ${entry(0, 0, weights.V / Math.sqrt(facts.primitive))}`);
  if (weights.FC > 0) rows.push(`"displaced": ${entry(0, Math.sqrt(displaced * near), 0)}`);
  rows.push(`"default": ${entry(0, 0, 0)}`);
  const notes = [
    "ace-jax multiplies rows and adds squares: E rows by E / sqrt(atoms), F rows by F, V rows " +
      "(6 components of the virial of the whole cell, eV) by V / sqrt(atoms), by config_type.",
    ABOVE,
    ...(weights.V > 0
      ? [
          "Virial labels are -volume × stress (stress as ASE signs it), eV. The three shear " +
            "components enter once; here they count twice, so their weight is short of ours by √2.",
        ]
      : []),
    ...(weights.FC > 0
      ? [
          supercells(
            facts,
            "Their weight is that of the nearest neighbours; ours grows with distance, (1 + r)².",
          ),
        ]
      : []),
    "Given weights, ace-jax 0.4.1 fits one noise for all rows, so that the balance is theirs. " +
      "With noise per quantity it fits one each for energies, forces and virials, which cancels " +
      "weights between the three. Its prior is its own: the ridge is not translated.",
  ];
  return { notes, code: `weights = {\n    ${rows.join(",\n    ")},\n}\n` };
}

function pacemaker(setting, facts, atoms) {
  const { weights, forces } = setting;
  const { E = 0, F = 0, V = 0, FC = 0 } = weights;
  const { displaced, share } = translated(setting, facts, atoms);
  const notes = [
    "pacemaker's loss is (1 - kappa) sum w_energy (dE / atoms)² + kappa sum w_forces |dF|² + its " +
      "regularisation, both sets of weights normalised to a sum of one (columns w_energy and " +
      "w_forces of the data frame).",
    ABOVE,
    ...(V > 0
      ? [
          "The data frame knows no virials or stresses: strained cells can show their energies " +
            "only, and the virials are left out here (see their row above).",
        ]
      : []),
    ...(FC > 0
      ? [
          supercells(
            facts,
            "Their forces take the weight (1 + r)⁴ of the distance r from the moved atom.",
          ),
        ]
      : []),
    "L2_coeffs penalises other coefficients in another scale: the ridge is not translated.",
  ];
  const own =
    forces === "distance" ? `${short(F ** 2)} * (1 + r) ** 2` : `np.full(len(a), ${short(F ** 2)})`;
  const lines = [
    "import numpy as np",
    "",
    'def weights(row):                 # row.kind: "defect" or "displaced"',
    "    a, r = row.ase_atoms, row.r   # r: distance from the defect or the moved atom, Å",
    ...(FC > 0
      ? [
          '    if row.kind == "displaced":',
          `        return 0.0, ${short(displaced)} * (1 + r) ** 4`,
        ]
      : []),
    `    return ${short(E ** 2)} * len(a) ** 2, ${own}`,
    "",
    "w = [weights(row) for row in df.itertuples()]",
    "energy, force = sum(e for e, _ in w), sum(f.sum() for _, f in w)",
    'df["w_energy"] = [e / energy for e, _ in w]',
    'df["w_forces"] = [f / force for _, f in w]',
    "kappa = force / (energy + force)  # fit: loss: kappa" +
      (FC > 0 || forces === "distance" ? "" : `, here ${short(share)}`),
  ];
  return { notes, code: `${lines.join("\n")}\n` };
}

function mace(setting, facts, atoms) {
  const { weights, forces } = setting;
  const t = translated(setting, facts, atoms);
  const notes = [
    "MACE's loss is a mean of squares: (dE / atoms)² and (dVirial / atoms)² over configurations, " +
      `dF² over components. The numbers are for ${t.configurations} configurations with ` +
      `${t.atoms} atoms in one batch, without the perfect cell; unlike batches average ` +
      "differently.",
    ABOVE,
    ...(weights.V > 0
      ? [
          "Virials are -volume × stress, eV (stress as ASE signs it). With a stress loss " +
            "multiply the weight by the squared volume of an atom; older versions also divide " +
            "the stress by the number of atoms. Strained cells: config_energy_weight = 0 and " +
            "config_forces_weight = 0.",
        ]
      : []),
    ...(weights.FC > 0
      ? [
          supercells(
            facts,
            "They take config_energy_weight = config_virials_weight = 0 and " +
              "config_forces_weight = " +
              `${short((t.displaced * t.near) / (weights.F ?? 1) ** 2)}, that of the nearest ` +
              "neighbours; ours grows with distance, (1 + r)⁴.",
          ),
        ]
      : []),
    "MACE is not linear and has no such ridge: what is designed here for a linear fit is a " +
      "start, no optimum. Give its second stage the same weights (swa_...).",
  ];
  const options = [
    `--loss=${weights.V > 0 ? "virials" : "weighted"}`,
    `--energy_weight=${short(t.energy)}`,
    `--forces_weight=${weights.F > 0 ? 1 : 0}`,
    ...(weights.V > 0 ? [`--virials_weight=${short(t.virials)}`] : []),
  ];
  return { notes, code: `${options.join(" \\\n")}\n` };
}

/** The text for a tool. */
function exported(tool, { meta }, setting, facts) {
  const { atoms } = meta.cells.find((c) => c.size === setting.cell);
  if (tool === "python") return { notes: [], code: `${pythonCall(meta, setting)}\n` };
  return { "ace-jax": aceJax, pacemaker, mace }[tool](setting, facts, atoms);
}
