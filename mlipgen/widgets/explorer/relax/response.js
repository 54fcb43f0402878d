// Newton's step H du = f by preconditioned conjugate gradients, and the lowest curvature; twins of
// mlipgen/equilibrium/{response,eigenvalues,stability}.py.  Generators yield once a product.

/** What stops a computation: "unstable", "not converged", "left", "not finite". */
class Stop extends Error {
  constructor(kind, detail = {}) {
    super(kind);
    Object.assign(this, { kind, ...detail });
  }
}

/** Solve H du = f; P the preconditioner, rtol in its norm.  The solution has zero mean. */
function* linearResponse(hessian, f, P, { rtol, most = 200 }) {
  const r = centre(f.slice());
  const du = new Float64Array(f.length);
  let z = P(r);
  let rz = dot(r, z);
  const scale = Math.sqrt(Math.max(rz, 0));
  if (scale === 0) return du;
  let p = z.slice();
  const Hp = new Float64Array(f.length);
  for (let k = 0; k < most; k++) {
    if (Math.sqrt(Math.max(rz, 0)) <= rtol * scale) return centre(du);
    yield { left: Math.sqrt(Math.max(rz, 0)) / scale };
    hessian.product(p, Hp);
    const curvature = dot(p, Hp);
    if (!(curvature > 0)) throw new Stop("unstable", { value: curvature / dot(p, p), mode: p });
    const alpha = rz / curvature;
    for (let i = 0; i < r.length; i++) {
      du[i] += alpha * p[i];
      r[i] -= alpha * Hp[i];
    }
    z = P(r);
    const before = rz;
    rz = dot(r, z);
    p = plus(z, rz / before, p);
  }
  throw new Stop("not converged");
}

/**
 * Smallest <Hv, v> / |Dv|^2 and its mode, by the generalised Davidson method from given fields; a
 * mode that breaks the state's symmetry is found only if one of them has it.
 *
 * Accurate enough for its sign: relative tolerance, and values below floor count as settled there.
 */
function* lowestCurvature(hessian, norm, P, start, { tolerance, floor, most = 60 }) {
  const [V, AV, BV] = [[], [], []];
  const guesses = start.map((v) => v.slice());
  let next = centre(guesses.shift());
  for (let k = 0; k < most; k++) {
    for (let twice = 0; twice < 2; twice++)
      V.forEach((v, i) => {
        next = plus(next, -dot(next, BV[i]), v);
      });
    let B = centre(norm.gram(next));
    const size = Math.sqrt(dot(next, B));
    if (!(size > 0)) throw new Stop("not converged");
    V.push(next.map((x) => x / size));
    BV.push(B.map((x) => x / size));
    yield { products: k + 1 };
    AV.push(centre(hessian.product(V[k], new Float64Array(next.length))));
    if (guesses.length) {
      next = centre(guesses.shift());
      continue;
    }
    const { value, vector } = lowestEigenpair(V, AV);
    const combine = (W) =>
      W.reduce((sum, w, i) => plus(sum, vector[i], w), new Float64Array(next.length));
    const residual = plus(combine(AV), -value, combine(BV));
    next = centre(P(residual));
    // with P close to the inverse, <r, P r> bounds the square of the distance to the spectrum
    const distance = Math.sqrt(Math.max(dot(residual, next), 0));
    if (distance <= Math.sqrt(tolerance) * Math.max(Math.abs(value), floor))
      return { value, mode: combine(V), products: k + 1 };
  }
  throw new Stop("not converged");
}

/** Lowest eigenvalue of the matrix <V_i, AV_j> and its vector, by Jacobi rotations. */
function lowestEigenpair(V, AV) {
  const n = V.length;
  const A = V.map((v) => Float64Array.from(AV, (w) => dot(v, w)));
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) A[i][j] = A[j][i] = (A[i][j] + A[j][i]) / 2;
  const U = A.map((_, i) => Float64Array.from(A, (_, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 40; sweep++) {
    let [off, diagonal] = [0, 0];
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        if (i === j) diagonal += A[i][i] ** 2;
        else off += A[i][j] ** 2;
      }
    if (!(off > 1e-28 * diagonal)) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(A, U, p, q);
  }
  const at = A.reduce((best, row, i) => (row[i] < A[best][best] ? i : best), 0);
  return { value: A[at][at], vector: U.map((row) => row[at]) };
}

/** The rotation that makes A[p][q] zero, also applied to the columns of U. */
function rotate(A, U, p, q) {
  if (A[p][q] === 0) return;
  const z = (A[q][q] - A[p][p]) / (2 * A[p][q]);
  const t = (z >= 0 ? 1 : -1) / (Math.abs(z) + Math.sqrt(z * z + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  const turn = (row) => {
    const [x, y] = [row[p], row[q]];
    row[p] = c * x - s * y;
    row[q] = s * x + c * y;
  };
  for (const row of A) turn(row);
  for (const row of U) turn(row);
  for (let k = 0; k < A.length; k++) {
    const [x, y] = [A[p][k], A[q][k]];
    A[p][k] = c * x - s * y;
    A[q][k] = s * x + c * y;
  }
}
