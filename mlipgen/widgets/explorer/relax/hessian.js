// The second derivative of the energy at fixed positions, as an operator on displacement fields.
//
// A site's Hessian is F' (d2E/dA2) F, F the gradients of the atomic base, and for each neighbour
// the block of second derivatives of phi(R) = sum_a D_a P_n(r) Y_lm(u) with D held fixed.  What
// depends on positions alone is computed once; so a product costs less than a force evaluation.

/** Everything about a configuration that no coefficient changes, for potentials of one shape. */
class Geometry {
  constructor(shape, neighbours, x) {
    this.shape = shape;
    neighbours.check(x);
    const n = x.length / 3;
    const scratch = (this.scratch = makeScratch(shape, neighbours.width));
    this.offsets = new Int32Array(n + 1);
    for (let i = 0; i < n; i++)
      this.offsets[i + 1] =
        this.offsets[i] + gather(neighbours, x, i, shape.cutoff, scratch.stencil, 0);
    this.stencil = makeStencil(shape, this.offsets[n]);
    this.size = shape.size + 1;
    this.A = new Float64Array(n * this.size);
    for (let i = 0; i < n; i++) {
      const [o, end] = [this.offsets[i], this.offsets[i + 1]];
      gather(neighbours, x, i, shape.cutoff, this.stencil, o);
      describe(shape, o, end, this.stencil, scratch);
      project(shape, o, end, this.stencil, this.A, i * this.size);
    }
  }
}

class Hessian {
  /** Of an ACE at a geometry of its shape; V (n), eV, and f (3n), eV/A, are what it has there. */
  constructor(ace, geometry) {
    Object.assign(this, { ace, geometry });
    const { shape, offsets, stencil, A, size, scratch } = geometry;
    const n = offsets.length - 1;
    const { D, T } = scratch;
    this.V = new Float64Array(n);
    this.f = new Float64Array(3 * n);
    this.blocks = new Float64Array(6 * offsets[n]);
    for (let i = 0; i < n; i++) {
      const [o, end] = [offsets[i], offsets[i + 1]];
      this.V[i] = ace.products(A, i * size, D);
      backward(shape, o, end, stencil, D, T);
      addOutflow(T, stencil.which, o, end, i, this.f);
      for (let p = o; p < end; p++) addBlock(shape, p, stencil, D, scratch, this.blocks);
    }
    this.dA = new Float64Array(size);
    this.dD = new Float64Array(size);
    this.dR = new Float64Array(3 * scratch.width);
  }

  /** H v for a field v (3n), eV/A^2 times its unit, into out. */
  product(v, out) {
    const { ace, geometry, blocks, dA, dD, dR } = this;
    const { shape, offsets, stencil, A, size, scratch } = geometry;
    const { which } = stencil;
    const { T } = scratch;
    out.fill(0);
    for (let i = 0; i < offsets.length - 1; i++) {
      const o = offsets[i];
      const end = offsets[i + 1];
      for (let p = o, t = 0; p < end; p++, t += 3)
        for (let d = 0; d < 3; d++) dR[t + d] = v[3 * which[p] + d] - v[3 * i + d];
      forward(shape, o, end, stencil, dR, scratch, dA);
      ace.productsTangent(A, i * size, dA, dD);
      backward(shape, o, end, stencil, dD, T);
      for (let p = o, t = 0; p < end; p++, t += 3) {
        const b = 6 * p;
        const x = dR[t];
        const y = dR[t + 1];
        const z = dR[t + 2];
        T[t] += blocks[b] * x + blocks[b + 1] * y + blocks[b + 2] * z;
        T[t + 1] += blocks[b + 1] * x + blocks[b + 3] * y + blocks[b + 4] * z;
        T[t + 2] += blocks[b + 2] * x + blocks[b + 4] * y + blocks[b + 5] * z;
      }
      addOutflow(T, which, o, end, i, out);
    }
    for (let k = 0; k < out.length; k++) out[k] = -out[k];
    return out;
  }
}

/** dA = F dR: the change of a site's base when its neighbours o + j move by dR[3 j + d]. */
function forward({ nmax, L, first, reach }, o, end, { u, P, dP, Y }, dR, { w, dw }, dA) {
  dA.fill(0);
  for (let p = o, t = 0; p < end; p++, t += 3) {
    const x = dR[t];
    const y = dR[t + 1];
    const z = dR[t + 2];
    const along = u[4 * p] * x + u[4 * p + 1] * y + u[4 * p + 2] * z;
    for (let lm = 0, g = 4 * p * L; lm < L; lm++, g += 4) {
      w[lm] = Y[g + 1] * x + Y[g + 2] * y + Y[g + 3] * z;
      dw[lm] = Y[g] * along;
    }
    for (let n = 0; n < nmax; n++) {
      const radius = P[p * nmax + n];
      const slope = dP[p * nmax + n];
      for (let lm = 0, a = first[n]; lm < reach[n]; lm++)
        dA[a + lm] += radius * w[lm] + slope * dw[lm];
    }
  }
}

/** Sums over the harmonics of one neighbour: w'' Y, w' Y, w' grad Y, w grad Y, w grad grad Y. */
const sums = new Float64Array(14);

/** The part of Y = q(z) f(x, y): w its radial function, q1 = dq/dz, fx = df/dx, fyy = -fxx. */
function addHarmonic(w, dw, d2w, q, q1, q2, f, fx, fy, fxx, fxy) {
  sums[0] += d2w * q * f;
  sums[1] += dw * q * f;
  sums[2] += dw * q * fx;
  sums[3] += dw * q * fy;
  sums[4] += dw * q1 * f;
  sums[5] += w * q * fx;
  sums[6] += w * q * fy;
  sums[7] += w * q1 * f;
  sums[8] += w * q * fxx;
  sums[9] += w * q * fxy;
  sums[10] += w * q1 * fx;
  sums[11] -= w * q * fxx;
  sums[12] += w * q1 * fy;
  sums[13] += w * q2 * f;
}

/**
 * The block d2 phi / dR2 of neighbour p, phi = sum_lm w_lm(r) Y_lm(u), w_lm = sum_n D P.
 *
 * d2 Re (x + iy)^m = m (m - 1) Re (x + iy)^(m - 2) (xx), - m (m - 1) Im (...) (xy), and so on.
 */
function addBlock(shape, p, { r, u, P, dP }, D, { d2P, waves, w, dw, d2w }, B) {
  const { norm, lmax, nmax, first, reach } = shape;
  const { Q, C, S } = waves;
  radial(shape, p, { r, P, dP }, d2P);
  legendre(lmax, u[4 * p], u[4 * p + 1], u[4 * p + 2], waves);
  w.fill(0);
  dw.fill(0);
  d2w.fill(0);
  for (let n = 0; n < nmax; n++) {
    const [value, slope, bend] = [P[p * nmax + n], dP[p * nmax + n], d2P[n]];
    for (let lm = 0, a = first[n]; lm < reach[n]; lm++) {
      const d = D[a + lm];
      w[lm] += d * value;
      dw[lm] += d * slope;
      d2w[lm] += d * bend;
    }
  }
  sums.fill(0);
  for (let l = 0, row = 0; l <= lmax; l++) {
    for (let m = 0; m <= l; m++, row++) {
      const N = norm[row];
      const q = N * Q[row];
      const q1 = m < l ? N * Q[row + 1] : 0;
      const q2 = m + 1 < l ? N * Q[row + 2] : 0;
      const c = C[m];
      const s = S[m];
      const c1 = m > 0 ? m * C[m - 1] : 0;
      const s1 = m > 0 ? m * S[m - 1] : 0;
      const c2 = m > 1 ? m * (m - 1) * C[m - 2] : 0;
      const s2 = m > 1 ? m * (m - 1) * S[m - 2] : 0;
      const plus = l * l + l + m;
      addHarmonic(w[plus], dw[plus], d2w[plus], q, q1, q2, c, c1, -s1, c2, -s2);
      if (m === 0) continue;
      const minus = plus - 2 * m;
      addHarmonic(w[minus], dw[minus], d2w[minus], q, q1, q2, s, s1, c1, s2, c2);
    }
  }
  putBlock(u, 4 * p, B, 6 * p);
}

/**
 * A block from its sums.  With s = w' Y, t = w grad Y, v = w' grad Y, Z = w grad grad Y, summed,
 * and Pi = 1 - u u':  B = (w'' Y) u u' + (s / r - u.t / r^2) Pi + u q' + q u' + Pi Z Pi / r^2,
 * q = Pi (v / r - t / r^2).
 */
function putBlock(u, i, B, b) {
  const x = u[i];
  const y = u[i + 1];
  const z = u[i + 2];
  const inverse = u[i + 3];
  const [stretch, s] = [sums[0], sums[1]];
  const [vx, vy, vz] = [sums[2], sums[3], sums[4]];
  const [tx, ty, tz] = [sums[5], sums[6], sums[7]];
  const [xx, xy, xz] = [sums[8], sums[9], sums[10]];
  const [yy, yz, zz] = [sums[11], sums[12], sums[13]];
  const ut = x * tx + y * ty + z * tz;
  const across = (s - ut * inverse) * inverse;
  const mixed = (x * vx + y * vy + z * vz - ut * inverse) * inverse;
  const qx = (vx - tx * inverse) * inverse - mixed * x;
  const qy = (vy - ty * inverse) * inverse - mixed * y;
  const qz = (vz - tz * inverse) * inverse - mixed * z;
  const square = inverse * inverse;
  const zx = (xx * x + xy * y + xz * z) * square;
  const zy = (xy * x + yy * y + yz * z) * square;
  const zw = (xz * x + yz * y + zz * z) * square;
  const uu = stretch - across + x * zx + y * zy + z * zw;
  B[b] = uu * x * x + across + 2 * x * (qx - zx) + xx * square;
  B[b + 1] = uu * x * y + x * (qy - zy) + y * (qx - zx) + xy * square;
  B[b + 2] = uu * x * z + x * (qz - zw) + z * (qx - zx) + xz * square;
  B[b + 3] = uu * y * y + across + 2 * y * (qy - zy) + yy * square;
  B[b + 4] = uu * y * z + y * (qz - zw) + z * (qy - zy) + yz * square;
  B[b + 5] = uu * z * z + across + 2 * z * (qz - zw) + zz * square;
}
