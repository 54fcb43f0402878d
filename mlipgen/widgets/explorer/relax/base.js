// The atomic base of the linear ACE at one site, and its derivatives; the twin of
// mlipgen/potentials/_ace_kernels.py and _harmonics.py.
//
//     A_nlm = sum_j P_n(r_j) Y_lm(u_j),      u_j = R_j / r_j
//
// A shape holds the tables of a basis: cutoff, r0, transform, recurrence (nmax, 3), norm, lmax, and
// for each n the place first[n] of its functions in A, one for each of the harmonics lm < reach[n],
// lm = l^2 + l + m.  A stencil holds what belongs to neighbours p, one after the other: r[p],
// u[4 p + d] with 1 / r as the fourth component, P[p nmax + n], dP, and Y[4 (p L + lm) + d]: the
// harmonic and its gradient.

/** Room for the neighbours of one site, or of many: `pairs` neighbours in all. */
function makeStencil({ nmax, L }, pairs) {
  const room = (k) => new Float64Array(k * pairs);
  const [P, dP] = [room(nmax), room(nmax)];
  return { r: room(1), u: room(4), P, dP, Y: room(4 * L), which: new Int32Array(pairs) };
}

/** Scratch of one site with at most `width` neighbours. */
function makeScratch(shape, width) {
  const room = (k) => new Float64Array(k);
  const rows = ((shape.lmax + 1) * (shape.lmax + 2)) / 2;
  const waves = { Q: room(rows + 1), C: room(shape.lmax + 1), S: room(shape.lmax + 1) };
  const [A, D, d2P] = [room(shape.size + 1), room(shape.size + 1), room(shape.nmax)];
  const [w, dw, d2w] = [room(shape.L), room(shape.L), room(shape.L)];
  const stencil = makeStencil(shape, width);
  return { width, stencil, A, D, d2P, w, dw, d2w, waves, T: room(3 * width) };
}

/**
 * P_n = f(r) p_n(x(r)) and dP = dP/dr of neighbour p; with d2P the second derivatives as well.
 *
 * x = 1 / (1 + a s^4 / (1 + s^2)), s = r / r0;  f = (1 - r / cutoff)^4, C3 at the cutoff;
 * p_n orthonormal polynomials: c_n p_n = (x - a_n) p_(n-1) - b_n p_(n-2).
 */
function radial(shape, p, { r, P, dP }, d2P = null) {
  const { cutoff, r0, transform: a, recurrence: table, nmax } = shape;
  const s = r[p] / r0;
  const s2 = s * s;
  const D = 1 / (1 + s2 + a * s2 * s2);
  const x = (1 + s2) * D;
  const dx = (-2 * a * s * s2 * (2 + s2) * D * D) / r0;
  const bend = 6 + 5 * s2 - 4 * s2 * (2 + s2) * (1 + 2 * a * s2) * D;
  const d2x = (-2 * a * s2 * D * D * bend) / (r0 * r0);
  const g = 1 - r[p] / cutoff;
  const c = table[2];
  const first = p * nmax;
  P[first] = c * g * g * g * g;
  dP[first] = ((-4 * c) / cutoff) * g * g * g;
  if (d2P !== null) d2P[0] = ((12 * c) / (cutoff * cutoff)) * g * g;
  for (let n = 1; n < nmax; n++) {
    const k = first + n;
    const z = x - table[3 * n];
    const scale = table[3 * n + 2];
    P[k] = scale * z * P[k - 1];
    dP[k] = scale * (z * dP[k - 1] + dx * P[k - 1]);
    if (d2P !== null) d2P[n] = scale * (z * d2P[n - 1] + 2 * dx * dP[k - 1] + d2x * P[k - 1]);
    if (n === 1) continue;
    const back = scale * table[3 * n + 1];
    P[k] -= back * P[k - 2];
    dP[k] -= back * dP[k - 2];
    if (d2P !== null) d2P[n] -= back * d2P[n - 2];
  }
}

/** Q_lm = d^m/dz^m of the Legendre polynomial, at l (l + 1) / 2 + m, and (x + iy)^m = C + iS. */
function legendre(lmax, x, y, z, { Q, C, S }) {
  Q[0] = C[0] = 1;
  S[0] = 0;
  for (let m = 1; m <= lmax; m++) {
    C[m] = x * C[m - 1] - y * S[m - 1];
    S[m] = x * S[m - 1] + y * C[m - 1];
  }
  for (let l = 1; l <= lmax; l++) {
    const row = (l * (l + 1)) / 2;
    const below = row - l;
    const below2 = below - l + 1;
    for (let m = 0; m < l - 1; m++)
      Q[row + m] = ((2 * l - 1) * z * Q[below + m] - (l + m - 1) * Q[below2 + m]) / (l - m);
    Q[row + l - 1] = (2 * l - 1) * z * Q[below + l - 1];
    Q[row + l] = (2 * l - 1) * Q[below + l - 1];
  }
}

/**
 * Real spherical harmonics as polynomials in the unit vector, and the gradients of Y(R / |R|).
 *
 * Y_(l,+m) = N Q_lm(z) Re (x + iy)^m,  Y_(l,-m) = N Q_lm(z) Im (x + iy)^m,  dQ_lm/dz = Q_l(m+1);
 * of the formal gradients the tangential part is kept, divided by r.
 */
function harmonics({ norm, lmax, L }, p, { u, Y }, waves) {
  const { Q, C, S } = waves;
  const x = u[4 * p];
  const y = u[4 * p + 1];
  const z = u[4 * p + 2];
  const inverse = u[4 * p + 3];
  legendre(lmax, x, y, z, waves);
  for (let l = 0, row = 0; l <= lmax; l++) {
    for (let m = 0; m <= l; m++, row++) {
      const q = norm[row] * Q[row];
      const dq = m < l ? norm[row] * Q[row + 1] : 0;
      const c1 = m > 0 ? m * q * C[m - 1] : 0;
      const s1 = m > 0 ? m * q * S[m - 1] : 0;
      const dz = dq * C[m];
      const along = x * c1 - y * s1 + z * dz;
      const plus = 4 * (p * L + l * l + l + m);
      Y[plus] = q * C[m];
      Y[plus + 1] = (c1 - along * x) * inverse;
      Y[plus + 2] = (-s1 - along * y) * inverse;
      Y[plus + 3] = (dz - along * z) * inverse;
      if (m === 0) continue;
      const ez = dq * S[m];
      const beside = x * s1 + y * c1 + z * ez;
      const minus = plus - 8 * m;
      Y[minus] = q * S[m];
      Y[minus + 1] = (s1 - beside * x) * inverse;
      Y[minus + 2] = (c1 - beside * y) * inverse;
      Y[minus + 3] = (ez - beside * z) * inverse;
    }
  }
}

/** A_nlm of the neighbours o to end, from A[from] on; the last entry is the one of products. */
function project({ size, nmax, L, first, reach }, o, end, { P, Y }, A, from) {
  A.fill(0, from, from + size);
  for (let p = o; p < end; p++) {
    for (let n = 0; n < nmax; n++) {
      const radius = P[p * nmax + n];
      const a = from + first[n];
      for (let lm = 0, g = 4 * p * L; lm < reach[n]; lm++, g += 4) A[a + lm] += radius * Y[g];
    }
  }
  A[from + size] = 1;
}

/** T[3 j + d] = sum_a D_a grad_j (P_n Y_lm) = P' u Y + P grad Y for the neighbours o + j. */
function backward({ nmax, L, first, reach }, o, end, { u, P, dP, Y }, D, T) {
  for (let p = o, t = 0; p < end; p++, t += 3) {
    let x = 0;
    let y = 0;
    let z = 0;
    let outward = 0;
    for (let n = 0; n < nmax; n++) {
      const a = first[n];
      let [s, sx, sy, sz] = [0, 0, 0, 0];
      for (let lm = 0, g = 4 * p * L; lm < reach[n]; lm++, g += 4) {
        const d = D[a + lm];
        s += d * Y[g];
        sx += d * Y[g + 1];
        sy += d * Y[g + 2];
        sz += d * Y[g + 3];
      }
      outward += dP[p * nmax + n] * s;
      const radius = P[p * nmax + n];
      x += radius * sx;
      y += radius * sy;
      z += radius * sz;
    }
    T[t] = x + outward * u[4 * p];
    T[t + 1] = y + outward * u[4 * p + 1];
    T[t + 2] = z + outward * u[4 * p + 2];
  }
}

/** Radial functions, harmonics and gradients for the neighbours o to end of a stencil. */
function describe(shape, o, end, stencil, { waves }) {
  for (let p = o; p < end; p++) {
    radial(shape, p, stencil);
    harmonics(shape, p, stencil, waves);
  }
}

/** Forces from the gradients T = dV_i/dR_j of one site: its neighbours pull, the site is pulled. */
function addOutflow(T, which, o, end, i, f) {
  for (let p = o, t = 0; p < end; p++, t += 3) {
    const k = 3 * which[p];
    for (let d = 0; d < 3; d++) {
      f[3 * i + d] += T[t + d];
      f[k + d] -= T[t + d];
    }
  }
}
