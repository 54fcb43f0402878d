// Displacement and force fields (3n numbers, atom by atom) and the energy norm |Du|.

function dot(a, b) {
  let s = 0;
  for (let i = 0; i < a.length; i++) s += a[i] * b[i];
  return s;
}

/** a + t b, a new field. */
function plus(a, t, b) {
  const out = new Float64Array(a.length);
  for (let i = 0; i < a.length; i++) out[i] = a[i] + t * b[i];
  return out;
}

/** Takes the mean off a field, in place. */
function centre(u) {
  const mean = [0, 0, 0];
  for (let i = 0; i < u.length; i++) mean[i % 3] += (3 * u[i]) / u.length;
  for (let i = 0; i < u.length; i++) u[i] -= mean[i % 3];
  return u;
}

/** Length of the longest vector of a field; infinite where one is not finite. */
function longest(u) {
  let most = 0;
  for (let i = 0; i < u.length; i += 3) {
    const square = u[i] * u[i] + u[i + 1] * u[i + 1] + u[i + 2] * u[i + 2];
    if (!(square <= most)) most = square;
  }
  return Number.isFinite(most) ? Math.sqrt(most) : Infinity;
}

/** The shortest image of a vector field: displacements of atoms that may have crossed the cell. */
function shortest(u, cell, inverse) {
  const s = fractional(u, inverse);
  for (let i = 0; i < u.length; i++) s[i] = Math.round(s[i]);
  return u.map((x, i) => {
    const [a, b, c] = s.subarray(i - (i % 3), i - (i % 3) + 3);
    return x - a * cell[i % 3] - b * cell[3 + (i % 3)] - c * cell[6 + (i % 3)];
  });
}

/** |Du|^2 over pairs of a list, each from both ends; pairs are those of the reference, for good. */
class EnergyNorm {
  constructor({ offsets, j }) {
    Object.assign(this, { offsets, j });
  }

  /** sum_rho |D_rho u(l)|^2, A^2, of every site. */
  perSite(u) {
    const { offsets, j } = this;
    const out = new Float64Array(offsets.length - 1);
    for (let i = 0; i < out.length; i++) {
      for (let p = offsets[i]; p < offsets[i + 1]; p++) {
        for (let d = 0; d < 3; d++) out[i] += (u[3 * j[p] + d] - u[3 * i + d]) ** 2;
      }
    }
    return out;
  }

  of(u) {
    return Math.sqrt(this.perSite(u).reduce((a, b) => a + b, 0));
  }

  /** |Du| over the sites of each shell. */
  shells(u, shell, count) {
    const squares = new Float64Array(count);
    this.perSite(u).forEach((x, i) => {
      squares[shell[i]] += x;
    });
    return Array.from(squares, Math.sqrt);
  }

  /** D'D u: |Du|^2 = <u, gram(u)>. */
  gram(u) {
    const { offsets, j } = this;
    const out = new Float64Array(u.length);
    for (let i = 0; i < offsets.length - 1; i++) {
      for (let p = offsets[i]; p < offsets[i + 1]; p++) {
        for (let d = 0; d < 3; d++) {
          const difference = u[3 * j[p] + d] - u[3 * i + d];
          out[3 * i + d] -= difference;
          out[3 * j[p] + d] += difference;
        }
      }
    }
    return out;
  }
}

/** Normally distributed numbers, the same ones each time: a 32-bit generator, Box and Muller. */
function normals(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0; // mulberry32
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Random forces on the atoms of a defect's core: they have no symmetry. */
function coreForces(core, count, seed = 1) {
  const normal = normals(seed);
  return Array.from({ length: count }, () =>
    Float64Array.from({ length: 3 * core.length }, (_, i) => {
      const x = normal();
      return core[Math.floor(i / 3)] ? x : 0;
    }),
  );
}
