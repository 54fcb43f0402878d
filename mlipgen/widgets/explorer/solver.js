// Least squares in the page: the same numbers as ExplorerData.solve in Python, from the same R-factors.
//
// minimise  sum_b w_b^2 |A_b theta - y_b - sigma xi_b|^2 + ridge^2 |Gamma theta|^2
//
// Each block arrives as the R-factor of [A_b y_b xi_b], packed by columns; columns are sorted by basis
// degree, so a smaller basis is a prefix and needs only the leading rows of every factor.

/** Undo ExplorerData.pack: base64 -> gzip -> header + byte-shuffled float64 arrays. */
async function unpackData(text) {
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const raw = new Uint8Array(await new Response(stream).arrayBuffer());
  const length = new DataView(raw.buffer).getUint32(0, true);
  const meta = JSON.parse(new TextDecoder().decode(raw.subarray(4, 4 + length)));
  const shuffled = raw.subarray(4 + length);
  const count = shuffled.length / 8;
  const bytes = new Uint8Array(shuffled.length);
  for (let b = 0; b < 8; b++)
    for (let i = 0, from = b * count; i < count; i++) bytes[8 * i + b] = shuffled[from + i];
  const floats = new Float64Array(bytes.buffer);
  const arrays = {};
  for (const [name, [offset, shape]] of Object.entries(meta.arrays)) {
    const trapezoid = name.startsWith("R/");
    const size = trapezoid ? packedLength(shape[0], shape[1]) : shape.reduce((a, b) => a * b, 1);
    arrays[name] = { data: floats.subarray(offset, offset + size), shape };
  }
  return { meta, arrays, cache: {} };
}

/** Entries of an upper trapezoid with r rows and n columns, and where column j starts. */
function packedLength(r, n) { return columnStart(r, n); }
function columnStart(r, j) { return j <= r ? (j * (j + 1)) / 2 : (r * (r + 1)) / 2 + (j - r) * r; }

/** |R x|, R packed; x is given as a list of [column, value] runs: theta on the first columns, then extras. */
function packedProduct(R, theta, extras) {
  const [r, n] = R.shape, a = R.data, out = new Float64Array(r);
  const add = (j, x) => {
    if (x === 0) return;
    const start = columnStart(r, j), m = Math.min(j + 1, r);
    for (let i = 0; i < m; i++) out[i] += a[start + i] * x;
  };
  for (let j = 0; j < theta.length; j++) add(j, theta[j]);
  extras.forEach((x, i) => add(n - extras.length + i, x));
  return out;
}
function norm2(v) { let s = 0; for (let i = 0; i < v.length; i++) s += v[i] * v[i]; return s; }

/** A K x (K+1) triangle with its right-hand side in the last column, by rows. */
function priorTriangle(prior, ridge, K) {
  const R = new Float64Array(K * (K + 1));
  for (let k = 0; k < K; k++) R[k * (K + 1) + k] = ridge * prior[k];
  return R;
}

/** Householder QR of [R; w * block], R overwritten. Only the block's leading trapezoid is touched. */
function mergeBlock(R, K, block, weight, sigma) {
  const [rows, n] = block.shape, a = block.data;
  const r = Math.min(rows, K), W = K + 1;
  const T = new Float64Array(r * W);                       // columns contiguous
  for (let j = 0; j < K; j++) {
    const from = columnStart(rows, j), m = Math.min(j + 1, r);
    for (let i = 0; i < m; i++) T[j * r + i] = weight * a[from + i];
  }
  const y = columnStart(rows, n - 2), xi = columnStart(rows, n - 1);
  for (let i = 0; i < r; i++) T[K * r + i] = weight * (a[y + i] + sigma * a[xi + i]);
  for (let k = 0; k < K; k++) {
    const m = Math.min(k + 1, r), vk = k * r, row = k * W;
    let square = 0;
    for (let i = 0; i < m; i++) square += T[vk + i] * T[vk + i];
    if (square === 0) continue;
    const pivot = R[row + k], alpha = Math.sqrt(pivot * pivot + square);
    const v0 = pivot >= 0 ? pivot + alpha : pivot - alpha;
    const beta = 1 / (alpha * (alpha + Math.abs(pivot)));
    R[row + k] = pivot >= 0 ? -alpha : alpha;
    let j = k + 1;
    for (; j + 1 < W; j += 2) {                            // two columns at a time: one pass over the reflector
      const p = j * r, q = p + r;
      let s = v0 * R[row + j], t = v0 * R[row + j + 1];
      for (let i = 0; i < m; i++) { const v = T[vk + i]; s += v * T[p + i]; t += v * T[q + i]; }
      s *= beta; t *= beta;
      R[row + j] -= s * v0; R[row + j + 1] -= t * v0;
      for (let i = 0; i < m; i++) { const v = T[vk + i]; T[p + i] -= s * v; T[q + i] -= t * v; }
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
  const theta = new Float64Array(K), W = K + 1;
  for (let k = K - 1; k >= 0; k--) {
    let s = R[k * W + K];
    for (let j = k + 1; j < K; j++) s -= R[k * W + j] * theta[j];
    theta[k] = s / R[k * W + k];
  }
  return theta;
}

/** One step of refinement with the blocks themselves: R'R d = gradient (corrected seminormal equations, Björck 1987).
 *  Where a small ridge meets large weights, orthogonal factorisation alone keeps only six digits or so. */
function refine(R, K, theta, terms, prior, ridge) {
  const W = K + 1, d = Float64Array.from(theta, (x, k) => -x * (ridge * prior[k]) ** 2);
  for (const [block, weight, sigma] of terms) {
    const residual = packedProduct(block, theta, [-1, -sigma]), rows = block.shape[0], a = block.data;
    for (let j = 0; j < K; j++) {
      const from = columnStart(rows, j), m = Math.min(j + 1, rows);
      let s = 0;
      for (let i = 0; i < m; i++) s += a[from + i] * residual[i];
      d[j] -= weight * weight * s;
    }
  }
  for (let k = 0; k < K; k++) {                            // R' z = gradient, then R d = z
    d[k] /= R[k * W + k];
    for (let j = k + 1; j < K; j++) d[j] -= R[k * W + j] * d[k];
  }
  for (let k = K - 1; k >= 0; k--) {
    for (let j = k + 1; j < K; j++) d[k] -= R[k * W + j] * d[j];
    d[k] /= R[k * W + k];
  }
  return theta.map((x, k) => x + d[k]);
}

/** Eigenvalues of a symmetric matrix (row by row, overwritten), by cyclic Jacobi rotations. */
function symmetricEigenvalues(A, n) {
  for (let sweep = 0; sweep < 40; sweep++) {
    let off = 0, diagonal = 0;
    for (let i = 0; i < n; i++) {
      diagonal += A[i * n + i] ** 2;
      for (let j = i + 1; j < n; j++) off += A[i * n + j] ** 2;
    }
    if (!(off > 1e-30 * diagonal)) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) {
      const apq = A[p * n + q];
      if (apq === 0) continue;
      const z = (A[q * n + q] - A[p * n + p]) / (2 * apq);
      const t = (z >= 0 ? 1 : -1) / (Math.abs(z) + Math.sqrt(z * z + 1));
      const c = 1 / Math.sqrt(t * t + 1), s = t * c;
      for (let k = 0; k < n; k++) {
        const x = A[k * n + p], y = A[k * n + q];
        A[k * n + p] = c * x - s * y; A[k * n + q] = s * x + c * y;
      }
      for (let k = 0; k < n; k++) {
        const x = A[p * n + k], y = A[q * n + k];
        A[p * n + k] = c * x - s * y; A[q * n + k] = s * x + c * y;
      }
    }
  }
  return Float64Array.from({ length: n }, (_, i) => A[i * n + i]);
}

/** The few combinations (map theta) of the coefficients on which a family of matrices depends; without a map theta itself. */
function mapped(map, theta) {
  if (!map) return theta;
  const [rows, columns] = map.shape;
  return Float64Array.from({ length: rows }, (_, i) => theta.reduce((s, x, j) => s + x * map.data[i * columns + j], 0));
}

/** Extreme eigenvalues of the whitened stiffness matrices sum_b theta_b M_b + M_affine (identity = reference). */
function stiffnessRange(array, info, theta) {
  const [count, columns, entries] = array.shape, a = array.data, m = info.size;
  const upper = (m * (m + 1)) / 2, n = info.complex ? 2 * m : m;
  let low = Infinity, high = -Infinity, at = 0;
  for (let c = 0; c < count; c++) {
    const M = new Float64Array(entries), base = c * columns * entries;
    for (let b = 0; b <= theta.length; b++) {
      const last = b === theta.length, x = last ? 1 : theta[b];
      const from = base + (last ? columns - 1 : b) * entries;
      for (let e = 0; e < entries; e++) M[e] += x * a[from + e];
    }
    const A = new Float64Array(n * n);
    for (let i = 0, e = 0, f = upper; i < m; i++) for (let j = i; j < m; j++) {
      A[i * n + j] = A[j * n + i] = M[e++];
      if (!info.complex) continue;                         // Hermitian X + iY as [[X, -Y], [Y, X]]
      A[(m + i) * n + m + j] = A[(m + j) * n + m + i] = A[i * n + j];
      if (j === i) continue;
      const im = M[f++];
      A[i * n + m + j] = -im; A[(m + j) * n + i] = -im; A[j * n + m + i] = im; A[(m + i) * n + j] = im;
    }
    for (const x of symmetricEigenvalues(A, n)) {
      if (!(x >= low)) { low = x; at = c; }
      if (!(x <= high)) high = x;
    }
  }
  return { low, high, at };
}

function blockKey(data, role, kind, cell) {
  const name = `R/${role}/${kind}/${cell}`;
  return name in data.arrays ? name : `R/${role}/${kind}/any`;
}

/** Which training blocks a setting uses, with the squared-weight's root. */
function chosenBlocks(setting) {
  const chosen = [];
  for (const kind of ["V", "FC", "E", "F"]) {
    const weight = setting.weights[kind];
    if (weight > 0) chosen.push([kind === "F" && setting.forces === "distance" ? "Fw" : kind, weight]);
  }
  return chosen;
}

/** The fitted coefficients. What does not depend on the cell (prior, V, FC) is kept for the next call. */
function fitTheta(data, setting) {
  const { meta, arrays } = data;
  const K = meta.counts[meta.degrees.indexOf(setting.degree)];
  const chosen = chosenBlocks(setting).map(([kind, w]) =>
    [kind, arrays[blockKey(data, "train", kind, setting.cell)], w]);
  const fixed = chosen.filter(([kind]) => kind === "V" || kind === "FC");
  const key = JSON.stringify([K, setting.ridge, setting.noise, fixed.map(([kind, , w]) => [kind, w])]);
  if (data.cache.key !== key) {
    const R = priorTriangle(arrays.prior.data, setting.ridge, K);
    for (const [, block, w] of fixed) mergeBlock(R, K, block, w, setting.noise);
    data.cache = { key, R };
  }
  const R = data.cache.R.slice();
  for (const [kind, block, w] of chosen)
    if (kind !== "V" && kind !== "FC") mergeBlock(R, K, block, w, setting.noise);
  const terms = chosen.map(([, block, w]) => [block, w, setting.noise]);
  return refine(R, K, backSubstitute(R, K), terms, arrays.prior.data, setting.ridge);
}

/** Everything the page shows about the defect, for coefficients theta (a prefix of the basis). */
function predictDefect(data, theta) {
  const { meta, arrays } = data;
  const shells = meta.shells.map((_, s) => Math.sqrt(norm2(packedProduct(arrays[`R/S/${s}`], theta, [1]))));
  const geometry = Math.sqrt(norm2(shells));
  const e0 = arrays.energy.data, K = e0.length - 1;
  let first = e0[K];
  for (let j = 0; j < theta.length; j++) first += e0[j] * theta[j];
  const relaxation = -0.5 * norm2(packedProduct(arrays["R/T"], theta, [1]));
  const stiffness = meta.stiffness.map((info, i) => stiffnessRange(arrays[`stiffness/${i}`], info, mapped(arrays[`stiffness/${i}/map`], theta)));
  const reasons = [];
  meta.stiffness.forEach((info, i) => { if (!(stiffness[i].low > 0)) reasons.push(["unstable", info.what]); });
  const mismatch = Math.max(...stiffness.map(({ low, high }) => Math.max(Math.abs(low - 1), Math.abs(high - 1))));
  if (!reasons.length && !(mismatch <= meta.limits.mismatch)) reasons.push(["mismatch", mismatch]);
  if (!(geometry <= meta.limits.geometry * meta.norm)) reasons.push(["large", geometry / meta.norm]);
  return { geometry, energy: first + relaxation, relaxation, shells, stiffness, mismatch, reasons,
           applies: reasons.length === 0 };
}

/** Fit errors on training (against the labels as fitted, noise included) and held-out (clean) data. */
function fitErrors(data, setting, theta) {
  const errors = {};
  for (const { id, block } of data.meta.errors) {
    errors[id] = {};
    for (const role of ["train", "held"]) {
      const name = blockKey(data, role, block, setting.cell);
      if (!(name in data.arrays)) { errors[id][role] = null; continue; }
      const sigma = role === "train" ? setting.noise : 0;
      errors[id][role] = data.meta.factors[name]
        * Math.sqrt(norm2(packedProduct(data.arrays[name], theta, [-1, -sigma])));
    }
  }
  return errors;
}

function solve(data, setting) {
  const theta = fitTheta(data, setting);
  return { theta, ...predictDefect(data, theta), errors: fitErrors(data, setting, theta) };
}

/** Predicted displacement errors (n, 3) of the atoms nearest the defect, A. */
function nearDisplacements(data, theta) {
  const U = data.arrays["near/U"];
  if (!U) return null;
  const [rows, columns] = U.shape, out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const at = i * columns;
    let s = U.data[at + columns - 1];
    for (let j = 0; j < theta.length; j++) s += U.data[at + j] * theta[j];
    out[i] = s;
  }
  return out;
}
