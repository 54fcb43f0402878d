// Least squares in the page: the same coefficients as ExplorerData.theta, from the same R-factors.
//
// minimise  sum_b w_b^2 |A_b theta - y_b - sigma xi_b|^2 + ridge^2 |Gamma theta|^2
//
// Each block arrives as the R-factor of [A_b y_b xi_b]; columns are sorted by basis degree, so a
// smaller basis is a prefix and needs only the leading rows of every factor.

/** What was asked for last, up to a number of things. */
class Recent {
  constructor(most) {
    Object.assign(this, { most, kept: new Map() });
  }

  get(key, make) {
    const value = this.kept.get(key) ?? make();
    this.kept.delete(key);
    this.kept.set(key, value);
    if (this.kept.size > this.most) this.kept.delete(this.kept.keys().next().value);
    return value;
  }
}

/** A K x (K+2) triangle by rows, with its right-hand sides, of y and of xi, in the last columns. */
function priorTriangle(prior, ridge, K) {
  const R = new Float64Array(K * (K + 2));
  for (let k = 0; k < K; k++) R[k * (K + 2) + k] = ridge * prior[k];
  return R;
}

/** The first r rows of w * block, columns contiguous: K of the basis, then y and xi. */
function columnsOf(block, K, r, weight) {
  const [rows, n] = block.shape;
  const a = block.data;
  const T = new Float64Array(r * (K + 2));
  const put = (to, j, m) => {
    const from = columnStart(rows, j);
    for (let i = 0; i < m; i++) T[to * r + i] = weight * a[from + i];
  };
  for (let j = 0; j < K; j++) put(j, j, Math.min(j + 1, r));
  put(K, n - 2, r);
  put(K + 1, n - 1, r);
  return T;
}

/**
 * The Householder reflector of column k, whose head is R[k, k] and whose tail T[., k]:
 * [head, beta].  It has been applied to the columns up to `end`.
 */
function reflector(R, T, K, r, k, end) {
  const W = K + 2;
  const m = Math.min(k + 1, r);
  const tail = k * r;
  const row = k * W;
  let square = 0;
  for (let i = 0; i < m; i++) square += T[tail + i] * T[tail + i];
  if (square === 0) return [0, 0];
  const pivot = R[row + k];
  const alpha = Math.sqrt(pivot * pivot + square);
  const head = pivot >= 0 ? pivot + alpha : pivot - alpha;
  const beta = 1 / (alpha * (alpha + Math.abs(pivot)));
  R[row + k] = pivot >= 0 ? -alpha : alpha;
  for (let j = k + 1; j < end; j++) {
    const p = j * r;
    let s = head * R[row + j];
    for (let i = 0; i < m; i++) s += T[tail + i] * T[p + i];
    s *= beta;
    R[row + j] -= s * head;
    for (let i = 0; i < m; i++) T[p + i] -= s * T[tail + i];
  }
  return [head, beta];
}

/**
 * Householder QR of [R; w * block], R overwritten; only the block's leading trapezoid is read.  Two
 * reflectors meet two columns at a time, so that a number is read from memory once for both: half
 * of the time went into that.
 */
function mergeBlock(R, K, block, weight) {
  const W = K + 2;
  const r = Math.min(block.shape[0], K);
  const T = columnsOf(block, K, r, weight);
  let k = K % 2;
  if (k) reflector(R, T, K, r, 0, W); // then an even number is left
  for (; k < K; k += 2) {
    const [f, beta] = reflector(R, T, K, r, k, k + 2);
    const [g, gamma] = reflector(R, T, K, r, k + 1, k + 2);
    const m = Math.min(k + 2, r);
    const v = k * r;
    const w = v + r;
    const row = k * W;
    const next = row + W;
    let both = 0;
    for (let i = 0; i < m; i++) both += T[v + i] * T[w + i];
    for (let j = k + 2; j < W; j += 2) {
      const p = j * r;
      const q = p + r;
      let s = f * R[row + j];
      let t = f * R[row + j + 1];
      let x = g * R[next + j];
      let y = g * R[next + j + 1];
      for (let i = 0; i < m; i++) {
        const vi = T[v + i];
        const wi = T[w + i];
        const a = T[p + i];
        const b = T[q + i];
        s += vi * a;
        t += vi * b;
        x += wi * a;
        y += wi * b;
      }
      s *= beta;
      t *= beta;
      x = gamma * (x - both * s);
      y = gamma * (y - both * t);
      R[row + j] -= s * f;
      R[row + j + 1] -= t * f;
      R[next + j] -= x * g;
      R[next + j + 1] -= y * g;
      for (let i = 0; i < m; i++) {
        const vi = T[v + i];
        const wi = T[w + i];
        T[p + i] -= s * vi + x * wi;
        T[q + i] -= t * vi + y * wi;
      }
    }
  }
}

function backSubstitute(R, K, sigma) {
  const theta = new Float64Array(K);
  const W = K + 2;
  for (let k = K - 1; k >= 0; k--) {
    let s = R[k * W + K] + sigma * R[k * W + K + 1];
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
function refine(R, K, theta, terms, sigma, prior, ridge) {
  const W = K + 2,
    d = Float64Array.from(theta, (x, k) => -x * (ridge * prior[k]) ** 2);
  for (const [block, weight] of terms) {
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

/** Which training blocks a setting uses and their weights; those of the crystal come first. */
function chosenBlocks(setting) {
  const chosen = [];
  for (const kind of ["V", "FC", "E", "F"]) {
    const weight = setting.weights[kind];
    if (weight > 0) chosen.push([kind === "F" ? FORCES[setting.forces] : kind, weight]);
  }
  return chosen;
}

/**
 * The triangle of the prior and some blocks, [[name, weight]], each merged into that of those
 * before it.  The last ones are kept, the partial ones as well: where one weight moves, what comes
 * before it is not merged again, and noise moves right-hand sides only.
 */
function triangle(data, K, ridge, blocks) {
  return data.kept.triangles.get(JSON.stringify([K, ridge, blocks]), () => {
    if (!blocks.length) return priorTriangle(data.arrays.prior.data, ridge, K);
    const [name, weight] = blocks.at(-1);
    const R = triangle(data, K, ridge, blocks.slice(0, -1)).slice();
    mergeBlock(R, K, data.arrays[name], weight);
    return R;
  });
}

/** The fitted coefficients, from the configurations of one cell size or of several at once. */
function fitTheta(data, setting, cells = [setting.cell]) {
  const { meta, arrays } = data;
  const { ridge, noise } = setting;
  const K = meta.counts[meta.degrees.indexOf(setting.degree)];
  const blocks = chosenBlocks(setting).flatMap(([kind, weight]) => {
    const names = cells.map((cell) => blockKey(data, "train", kind, cell));
    return [...new Set(names)].map((name) => [name, weight]);
  });
  const R = triangle(data, K, ridge, blocks);
  const terms = blocks.map(([name, weight]) => [arrays[name], weight]);
  return refine(R, K, backSubstitute(R, K, noise), terms, noise, arrays.prior.data, ridge);
}
