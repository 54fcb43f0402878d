// Least squares in the page: the same coefficients as ExplorerData.theta, from the same R-factors.
//
// minimise  sum_b w_b^2 |A_b theta - y_b - sigma xi_b|^2 + ridge^2 |Gamma theta|^2
//
// Each block arrives as the R-factor of [A_b y_b xi_b]; columns are sorted by basis degree, so a
// smaller basis is a prefix and needs only the leading rows of every factor.

/** A K x (K+1) triangle with its right-hand side in the last column, by rows. */
function priorTriangle(prior, ridge, K) {
  const R = new Float64Array(K * (K + 1));
  for (let k = 0; k < K; k++) R[k * (K + 1) + k] = ridge * prior[k];
  return R;
}

/** Householder QR of [R; w * block], R overwritten; only the block's leading trapezoid is read. */
function mergeBlock(R, K, block, weight, sigma) {
  const [rows, n] = block.shape,
    a = block.data;
  const r = Math.min(rows, K),
    W = K + 1;
  const T = new Float64Array(r * W); // columns contiguous
  for (let j = 0; j < K; j++) {
    const from = columnStart(rows, j),
      m = Math.min(j + 1, r);
    for (let i = 0; i < m; i++) T[j * r + i] = weight * a[from + i];
  }
  const y = columnStart(rows, n - 2),
    xi = columnStart(rows, n - 1);
  for (let i = 0; i < r; i++) T[K * r + i] = weight * (a[y + i] + sigma * a[xi + i]);
  for (let k = 0; k < K; k++) {
    const m = Math.min(k + 1, r),
      vk = k * r,
      row = k * W;
    let square = 0;
    for (let i = 0; i < m; i++) square += T[vk + i] * T[vk + i];
    if (square === 0) continue;
    const pivot = R[row + k],
      alpha = Math.sqrt(pivot * pivot + square);
    const v0 = pivot >= 0 ? pivot + alpha : pivot - alpha;
    const beta = 1 / (alpha * (alpha + Math.abs(pivot)));
    R[row + k] = pivot >= 0 ? -alpha : alpha;
    let j = k + 1;
    for (; j + 1 < W; j += 2) {
      // two columns at a time: one pass over the reflector
      const p = j * r,
        q = p + r;
      let s = v0 * R[row + j],
        t = v0 * R[row + j + 1];
      for (let i = 0; i < m; i++) {
        const v = T[vk + i];
        s += v * T[p + i];
        t += v * T[q + i];
      }
      s *= beta;
      t *= beta;
      R[row + j] -= s * v0;
      R[row + j + 1] -= t * v0;
      for (let i = 0; i < m; i++) {
        const v = T[vk + i];
        T[p + i] -= s * v;
        T[q + i] -= t * v;
      }
    }
    for (; j < W; j++) {
      const p = j * r;
      let s = v0 * R[row + j];
      for (let i = 0; i < m; i++) s += T[vk + i] * T[p + i];
      s *= beta;
      R[row + j] -= s * v0;
      for (let i = 0; i < m; i++) T[p + i] -= s * T[vk + i];
    }
  }
}

function backSubstitute(R, K) {
  const theta = new Float64Array(K),
    W = K + 1;
  for (let k = K - 1; k >= 0; k--) {
    let s = R[k * W + K];
    for (let j = k + 1; j < K; j++) s -= R[k * W + j] * theta[j];
    theta[k] = s / R[k * W + k];
  }
  return theta;
}

/**
 * One step of refinement with the blocks themselves: R'R d = gradient (corrected seminormal
 * equations, Björck 1987).  Where a small ridge meets large weights, orthogonal factorisation alone
 * keeps only six digits or so.
 */
function refine(R, K, theta, terms, prior, ridge) {
  const W = K + 1,
    d = Float64Array.from(theta, (x, k) => -x * (ridge * prior[k]) ** 2);
  for (const [block, weight, sigma] of terms) {
    const residual = packedProduct(block, theta, [-1, -sigma]),
      rows = block.shape[0],
      a = block.data;
    for (let j = 0; j < K; j++) {
      const from = columnStart(rows, j),
        m = Math.min(j + 1, rows);
      let s = 0;
      for (let i = 0; i < m; i++) s += a[from + i] * residual[i];
      d[j] -= weight * weight * s;
    }
  }
  for (let k = 0; k < K; k++) {
    // R' z = gradient, then R d = z
    d[k] /= R[k * W + k];
    for (let j = k + 1; j < K; j++) d[j] -= R[k * W + j] * d[k];
  }
  for (let k = K - 1; k >= 0; k--) {
    for (let j = k + 1; j < K; j++) d[k] -= R[k * W + j] * d[j];
    d[k] /= R[k * W + k];
  }
  return theta.map((x, k) => x + d[k]);
}

function blockKey(data, role, kind, cell) {
  const name = `R/${role}/${kind}/${cell}`;
  return name in data.arrays ? name : `R/${role}/${kind}/any`;
}

/** How forces may be weighted, and the block of each way. */
const FORCES = { uniform: "F", distance: "Fw", dual: "Fd" };

/** Which training blocks a setting uses, with the squared-weight's root. */
function chosenBlocks(setting) {
  const chosen = [];
  for (const kind of ["V", "FC", "E", "F"]) {
    const weight = setting.weights[kind];
    if (weight > 0) chosen.push([kind === "F" ? FORCES[setting.forces] : kind, weight]);
  }
  return chosen;
}

/**
 * The fitted coefficients, from the configurations of one cell size or of several at once.  What
 * does not depend on the cell (prior, V, FC) is kept for the next fit.
 */
function fitTheta(data, setting, cells = [setting.cell]) {
  const { meta, arrays } = data;
  const K = meta.counts[meta.degrees.indexOf(setting.degree)];
  const { ridge, noise } = setting;
  const ofCrystal = (kind) => kind === "V" || kind === "FC";
  const chosen = chosenBlocks(setting).flatMap(([kind, weight]) => {
    const wanted = ofCrystal(kind) ? cells.slice(0, 1) : cells;
    const names = wanted.map((cell) => blockKey(data, "train", kind, cell));
    return names.map((name) => ({ kind, weight, block: arrays[name] }));
  });
  const fixed = chosen.filter(({ kind }) => ofCrystal(kind));
  const key = JSON.stringify([K, ridge, noise, fixed.map(({ kind, weight }) => [kind, weight])]);
  if (data.cache.key !== key) {
    const R = priorTriangle(arrays.prior.data, ridge, K);
    for (const { block, weight } of fixed) mergeBlock(R, K, block, weight, noise);
    data.cache = { key, R };
  }
  const R = data.cache.R.slice();
  for (const { kind, block, weight } of chosen)
    if (!ofCrystal(kind)) mergeBlock(R, K, block, weight, noise);
  const terms = chosen.map(({ block, weight }) => [block, weight, noise]);
  return refine(R, K, backSubstitute(R, K), terms, arrays.prior.data, ridge);
}
