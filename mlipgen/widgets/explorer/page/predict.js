// What the fitted coefficients mean for the defect: the numbers of ExplorerData.solve in Python.

/** Eigenvalues of a symmetric matrix (row by row, overwritten), by cyclic Jacobi rotations. */
function symmetricEigenvalues(A, n) {
  for (let sweep = 0; sweep < 40; sweep++) {
    let off = 0,
      diagonal = 0;
    for (let i = 0; i < n; i++) {
      diagonal += A[i * n + i] ** 2;
      for (let j = i + 1; j < n; j++) off += A[i * n + j] ** 2;
    }
    if (!(off > 1e-30 * diagonal)) break;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        const apq = A[p * n + q];
        if (apq === 0) continue;
        const z = (A[q * n + q] - A[p * n + p]) / (2 * apq);
        const t = (z >= 0 ? 1 : -1) / (Math.abs(z) + Math.sqrt(z * z + 1));
        const c = 1 / Math.sqrt(t * t + 1),
          s = t * c;
        for (let k = 0; k < n; k++) {
          const x = A[k * n + p],
            y = A[k * n + q];
          A[k * n + p] = c * x - s * y;
          A[k * n + q] = s * x + c * y;
        }
        for (let k = 0; k < n; k++) {
          const x = A[p * n + k],
            y = A[q * n + k];
          A[p * n + k] = c * x - s * y;
          A[q * n + k] = s * x + c * y;
        }
      }
  }
  return Float64Array.from({ length: n }, (_, i) => A[i * n + i]);
}

/** The combinations (map theta) of the coefficients on which matrices depend; else theta itself. */
function mapped(map, theta) {
  if (!map) return theta;
  const [rows, columns] = map.shape;
  return Float64Array.from({ length: rows }, (_, i) =>
    theta.reduce((s, x, j) => s + x * map.data[i * columns + j], 0),
  );
}

/** Extreme eigenvalues of whitened stiffnesses sum_b theta_b M_b + M_affine; 1: the reference. */
function stiffnessRange(array, info, theta) {
  const [count, columns, entries] = array.shape,
    a = array.data,
    m = info.size;
  const upper = (m * (m + 1)) / 2,
    n = info.complex ? 2 * m : m;
  let low = Infinity,
    high = -Infinity,
    at = 0;
  for (let c = 0; c < count; c++) {
    const M = new Float64Array(entries),
      base = c * columns * entries;
    for (let b = 0; b <= theta.length; b++) {
      const last = b === theta.length,
        x = last ? 1 : theta[b];
      const from = base + (last ? columns - 1 : b) * entries;
      for (let e = 0; e < entries; e++) M[e] += x * a[from + e];
    }
    const A = new Float64Array(n * n);
    for (let i = 0, e = 0, f = upper; i < m; i++)
      for (let j = i; j < m; j++) {
        A[i * n + j] = A[j * n + i] = M[e++];
        if (!info.complex) continue; // Hermitian X + iY as [[X, -Y], [Y, X]]
        A[(m + i) * n + m + j] = A[(m + j) * n + m + i] = A[i * n + j];
        if (j === i) continue;
        const im = M[f++];
        A[i * n + m + j] = -im;
        A[(m + j) * n + i] = -im;
        A[j * n + m + i] = im;
        A[(m + i) * n + j] = im;
      }
    for (const x of symmetricEigenvalues(A, n)) {
      if (!(x >= low)) {
        low = x;
        at = c;
      }
      if (!(x <= high)) high = x;
    }
  }
  return { low, high, at };
}

/** Everything the page shows about the defect, for coefficients theta (a prefix of the basis). */
function predictDefect(data, theta) {
  const { meta, arrays } = data;
  const shells = meta.shells.map((_, s) =>
    Math.sqrt(norm2(packedProduct(arrays[`R/S/${s}`], theta, [1]))),
  );
  const geometry = Math.sqrt(norm2(shells));
  const e0 = arrays.energy.data,
    K = e0.length - 1;
  let first = e0[K];
  for (let j = 0; j < theta.length; j++) first += e0[j] * theta[j];
  const relaxation = -0.5 * norm2(packedProduct(arrays["R/T"], theta, [1]));
  const stiffness = meta.stiffness.map((info, i) =>
    stiffnessRange(arrays[`stiffness/${i}`], info, mapped(arrays[`stiffness/${i}/map`], theta)),
  );
  const reasons = [];
  meta.stiffness.forEach((info, i) => {
    if (!(stiffness[i].low > 0)) reasons.push(["unstable", info.what]);
  });
  const mismatch = Math.max(
    ...stiffness.map(({ low, high }) => Math.max(Math.abs(low - 1), Math.abs(high - 1))),
  );
  if (!reasons.length && !(mismatch <= meta.limits.mismatch)) reasons.push(["mismatch", mismatch]);
  if (!(geometry <= meta.limits.geometry * meta.norm))
    reasons.push(["large", geometry / meta.norm]);
  return {
    geometry,
    energy: first + relaxation,
    relaxation,
    shells,
    stiffness,
    mismatch,
    reasons,
    applies: reasons.length === 0,
  };
}

/** Fit errors on training (labels as fitted, noise included) and held-out (clean) data. */
function fitErrors(data, setting, theta) {
  const errors = {};
  for (const { id, block } of data.meta.errors) {
    errors[id] = {};
    for (const role of ["train", "held"]) {
      const name = blockKey(data, role, block, setting.cell);
      if (!(name in data.arrays)) {
        errors[id][role] = null;
        continue;
      }
      const sigma = role === "train" ? setting.noise : 0;
      errors[id][role] =
        data.meta.factors[name] *
        Math.sqrt(norm2(packedProduct(data.arrays[name], theta, [-1, -sigma])));
    }
  }
  return errors;
}

/** The coefficients of a setting and what they mean for the defect; kept for the next picture. */
function predicted(data, setting) {
  return data.kept.predictions.get(JSON.stringify(setting), () => {
    const theta = fitTheta(data, setting);
    return { theta, ...predictDefect(data, theta) };
  });
}

function solve(data, setting) {
  const found = predicted(data, setting);
  return { ...found, errors: fitErrors(data, setting, found.theta) };
}

/** Predicted displacement errors (n, 3) of the atoms nearest the defect, A. */
function nearDisplacements(data, theta) {
  const U = data.arrays["near/U"];
  if (!U) return null;
  const [rows, columns] = U.shape,
    out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const at = i * columns;
    let s = U.data[at + columns - 1];
    for (let j = 0; j < theta.length; j++) s += U.data[at + j] * theta[j];
    out[i] = s;
  }
  return out;
}
