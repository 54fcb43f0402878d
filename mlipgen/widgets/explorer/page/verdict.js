// Whether the estimate can be trusted at this setting, in words: from the linear estimate's own
// tests at once, and from the relaxation when it has ended.

const NOTHING = "Nothing is fitted: switch on at least one kind of observation.";

/** Why the linear estimate has no meaning. */
const LINEAR = {
  unstable: (what) => `With this fit ${what} is not stable: a stiffness is negative.`,
  mismatch: (x, { mismatch }) =>
    `On the modes tested its stiffness is off by up to ${(100 * x).toFixed(0)} % ` +
    `(limit ${100 * mismatch} %), too much for a first-order prediction.`,
  large: (x, { geometry }) => {
    const size = x < 10 ? `${(100 * x).toFixed(0)} %` : "more than ten times";
    const limit = `limit ${100 * geometry} %`;
    return `The linear estimate is ${size} of the defect's own displacement (${limit}).`;
  },
};

/** Why Newton's estimate has no meaning, or none is given. */
const NEWTON = {
  unstable: () =>
    "At the reference equilibrium this fit’s Hessian has a negative direction: no estimate.",
  wide: ({ kappa }, limits) =>
    `After two Newton steps κ\u00a0=\u00a0${formatNumber(kappa, 2)} (limit ${limits.kappa}): ` +
    "the error bar is as wide as the estimate.",
  left: ({ moved }) =>
    `Newton’s step would move an atom by ${formatNumber(moved, 2)}\u00a0Å: another defect.`,
  "not finite": () => "An energy or a force of this fit is not a finite number.",
  "not converged": () => "Newton’s step could not be solved for.",
};

const curvatureText = (x) => `${formatNumber(x, 2)}\u00a0eV/Å²`;

/** What became of the relaxation, where it did not end in the reference's basin. */
function lostText({ kind, saddle, followed, geometry }) {
  if (kind === "not finite") return "While relaxing an energy or a force became infinite.";
  if (saddle === undefined || saddle === null) {
    if (kind === "left")
      return "On relaxing, the defect left its basin: this fit makes another one.";
    return "The relaxation found no minimum.";
  }
  const there =
    kind === "relaxed"
      ? `its own minimum lies ${formatNumber(-followed, 2)}\u00a0eV lower, ` +
        `|D(ū − ūᴹᴸ)| = ${formatNumber(geometry, 2)}\u00a0Å away`
      : "below it the atoms find other places: its own minimum is another defect";
  return (
    "The state with the symmetry of the reference is a saddle point of this fit " +
    `(lowest curvature ${curvatureText(saddle)}); ${there}.`
  );
}

/** { state: "applies" | "does not apply" | "checking", head, reason } for what is known so far. */
function judge({ meta, result, truth }) {
  if (result === null) return verdict("does not apply", NOTHING);
  if (!meta.relax || truth?.failed) return judgeLinear(meta, result, truth?.failed);
  if (!truth?.settled) return judgeSoFar(meta, result, truth);
  const { newton, settled } = truth;
  const reasons = [];
  if (newton.kind !== "ok") reasons.push(NEWTON[newton.kind](newton, meta.limits));
  const { kind, saddle, curvature } = settled;
  if (kind !== "relaxed" || saddle !== null) reasons.push(lostText(settled));
  else if (curvature === null) reasons.push("The relaxed state was not shown to be a minimum.");
  if (reasons.length) return verdict("does not apply", reasons.join(" "));
  const bar = `κ\u00a0=\u00a0${formatNumber(newton.kappa, 2)}`;
  const steps = newton.steps === 2 ? "Two Newton steps were" : "Newton’s step was";
  return verdict(
    "applies",
    `${steps} right to ${bar}; the relaxed state is a minimum ` +
      `(lowest curvature ${curvatureText(curvature)}).`,
  );
}

function verdict(state, reason) {
  const head = {
    applies: "The prediction applies.",
    "does not apply": "The prediction does not apply.",
    checking: "First estimate; relaxing …",
  }[state];
  return { state, head, reason };
}

function judgeLinear({ limits, relax }, { applies, reasons, mismatch }, failed) {
  const alone = failed ? ` This page could not relax by itself (${failed}).` : "";
  if (!applies) {
    const why = reasons.map(([code, detail]) => LINEAR[code](detail, limits)).join(" ");
    return verdict("does not apply", why + alone);
  }
  const within = `within ${formatNumber(100 * mismatch, 2)}\u00a0% of the reference’s`;
  return verdict(
    "applies",
    `On the modes tested its stiffness is ${within}. A necessary test, not a proof.${alone}`,
  );
}

function judgeSoFar({ limits }, { applies, reasons }, truth) {
  if (!truth?.newton) {
    const why = reasons.map(([code, detail]) => LINEAR[code](detail, limits)).join(" ");
    return verdict("checking", applies ? "Linear response, before any relaxation." : why);
  }
  const { newton } = truth;
  if (newton.kind !== "ok") return verdict("checking", NEWTON[newton.kind](newton, limits));
  return verdict(
    "checking",
    truth.relaxed
      ? "Relaxed; is it a minimum?"
      : `Newton’s estimate, κ\u00a0=\u00a0${formatNumber(newton.kappa, 2)}.`,
  );
}
