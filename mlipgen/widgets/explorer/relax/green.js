// The lattice Green's function: the inverse Hessian of the perfect crystal, one inverse per wave
// vector; the twin of mlipgen/equilibrium/green.py.
//
// Fields on the sites are (cells, m) with m = basis atoms x 3 numbers a cell, complex ones as two
// arrays.  Cells are few along each axis, so Fourier transforms are sums with tabulated waves.

/** cos and sin of 2 pi k t / n. */
function waves(n) {
  const table = (f) => Float64Array.from({ length: n }, (_, t) => f((2 * Math.PI * t) / n));
  return { n, cos: table(Math.cos), sin: table(Math.sin) };
}

/**
 * Discrete Fourier transform along one axis of an array (outer, n, inner): re, im -> to[0], to[1],
 * of which only the first `keep` rows are computed; sign -1 forwards, +1 backwards.
 */
function transformAxis([re, im], outer, { n, cos, sin }, inner, sign, keep, to) {
  to[0].fill(0);
  to[1].fill(0);
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < keep; k++) {
      const out = (o * keep + k) * inner;
      for (let t = 0; t < n; t++) {
        const c = cos[(k * t) % n];
        const s = sign * sin[(k * t) % n];
        const from = (o * n + t) * inner;
        for (let i = 0; i < inner; i++) {
          to[0][out + i] += c * re[from + i] - s * im[from + i];
          to[1][out + i] += c * im[from + i] + s * re[from + i];
        }
      }
    }
  }
  return to;
}

/** Inverse of a complex Hermitian positive matrix (m, m), in place, by Gauss and Jordan. */
function invertHermitian(re, im, m) {
  for (let k = 0; k < m; k++) {
    const pivot = 1 / re[k * m + k]; // real, as all pivots of such a matrix are
    for (let j = 0; j < m; j++) {
      re[k * m + j] *= pivot;
      im[k * m + j] *= pivot;
    }
    re[k * m + k] = pivot;
    im[k * m + k] = 0;
    for (let i = 0; i < m; i++) {
      if (i === k) continue;
      const [a, b] = [re[i * m + k], im[i * m + k]];
      re[i * m + k] = im[i * m + k] = 0;
      for (let j = 0; j < m; j++) {
        const [c, d] = [re[k * m + j], im[k * m + j]];
        re[i * m + j] -= a * c - b * d;
        im[i * m + j] -= a * d + b * c;
      }
    }
  }
}

class LatticeGreen {
  /**
   * n: cells along each axis; m: 3 x basis atoms; springs: K (cells, m, m), eV/A^2, between the
   * atoms of cell zero and those of every cell, images added.
   */
  constructor(n, m, springs) {
    Object.assign(this, { n, m });
    this.axes = n.map(waves);
    this.half = Math.floor(n[2] / 2) + 1; // of a real field the other half is conjugate
    const waveVectors = n[0] * n[1] * this.half;
    let trace = 0;
    for (let i = 0; i < m; i++) trace += springs[i * m + i];
    this.stiffness = trace / m; // mean on-site spring
    const [re, im] = this.forwards(springs, m * m);
    for (let k = 0; k < im.length; k++) im[k] = -im[k];
    // k = 0: shift the translations up to a unit stiffness, invert, and take them out again
    const shift = (size) => {
      for (let i = 0; i < m; i++)
        for (let j = i % 3; j < m; j += 3) re[i * m + j] += (3 / m) * size;
    };
    shift(this.stiffness);
    for (let k = 0; k < waveVectors; k++) {
      const part = (a) => a.subarray(k * m * m, (k + 1) * m * m);
      invertHermitian(part(re), part(im), m);
    }
    shift(-1 / this.stiffness);
    this.G = [re, im];
  }

  forwards(field, inner) {
    const [n0, n1, n2] = this.n;
    const room = (k) => [new Float64Array(k), new Float64Array(k)];
    const cells = n0 * n1 * this.half * inner;
    const zero = new Float64Array(field.length);
    let f = transformAxis([field, zero], n0 * n1, this.axes[2], inner, -1, this.half, room(cells));
    f = transformAxis(f, n0, this.axes[1], this.half * inner, -1, n1, room(cells));
    return transformAxis(f, 1, this.axes[0], n1 * this.half * inner, -1, n0, room(cells));
  }

  /** The real field of a transform. */
  backwards(f, inner) {
    const [n0, n1, n2] = this.n;
    const room = (k) => [new Float64Array(k), new Float64Array(k)];
    const cells = n0 * n1 * this.half * inner;
    let g = transformAxis(f, 1, this.axes[0], n1 * this.half * inner, 1, n0, room(cells));
    g = transformAxis(g, n0, this.axes[1], this.half * inner, 1, n1, room(cells));
    const { cos, sin } = this.axes[2];
    const out = new Float64Array(n0 * n1 * n2 * inner);
    const scale = 1 / (n0 * n1 * n2);
    for (let o = 0; o < n0 * n1; o++) {
      for (let t = 0; t < n2; t++) {
        const to = (o * n2 + t) * inner;
        for (let k = 0; k < this.half; k++) {
          const twice = k === 0 || 2 * k === n2 ? scale : 2 * scale; // it and its conjugate
          const c = twice * cos[(k * t) % n2];
          const s = twice * sin[(k * t) % n2];
          const from = (o * this.half + k) * inner;
          for (let i = 0; i < inner; i++) out[to + i] += c * g[0][from + i] - s * g[1][from + i];
        }
      }
    }
    return out;
  }

  /** Displacements (cells, m) of the perfect crystal under forces; their mean is ignored. */
  apply(field) {
    const { m } = this;
    const [re, im] = this.forwards(field, m);
    const [Gr, Gi] = this.G;
    const [a, b] = [new Float64Array(re.length), new Float64Array(re.length)];
    for (let k = 0, g = 0; k < re.length; k += m) {
      for (let i = 0; i < m; i++) {
        let x = 0;
        let y = 0;
        for (let j = 0; j < m; j++, g++) {
          x += Gr[g] * re[k + j] - Gi[g] * im[k + j];
          y += Gr[g] * im[k + j] + Gi[g] * re[k + j];
        }
        a[k + i] = x;
        b[k + i] = y;
      }
    }
    return this.backwards([a, b], m);
  }

  /**
   * The preconditioner on the atoms of a defect, atom i on site[i]: a vacancy's site carries no
   * force; atoms that share a site move together, and against each other with the on-site spring.
   */
  forDefect(site) {
    const sites = this.n[0] * this.n[1] * this.n[2] * (this.m / 3);
    const occupation = new Int32Array(sites);
    for (const s of site) occupation[s]++;
    return (f) => {
      const total = new Float64Array(3 * sites);
      for (let i = 0; i < site.length; i++)
        for (let d = 0; d < 3; d++) total[3 * site[i] + d] += f[3 * i + d];
      const u = this.apply(total);
      const out = new Float64Array(f.length);
      for (let i = 0; i < site.length; i++) {
        const count = occupation[site[i]];
        for (let d = 0; d < 3; d++) {
          const s = 3 * site[i] + d;
          out[3 * i + d] = u[s];
          if (count > 1) out[3 * i + d] += (f[3 * i + d] - total[s] / count) / this.stiffness;
        }
      }
      return centre(out);
    };
  }
}

/** Springs between cell zero and all cells, from the force constants of the primitive cell. */
function wrapSprings({ n, cell, basis, sublattice }, s, xi, K) {
  const m = basis.length;
  const springs = new Float64Array(n[0] * n[1] * n[2] * m * m);
  const { inverse } = inverse3(cell);
  const origins = fractional(basis, inverse);
  const atoms = m / 3;
  for (let b = 0; b < atoms; b++) {
    for (let p = 0; p < s.length; p++) {
      if (s[p] !== sublattice[b]) continue;
      const at = fractional(
        [0, 1, 2].map((d) => basis[3 * b + d] + xi[3 * p + d]),
        inverse,
      );
      const off = (c) => [0, 1, 2].map((d) => at[d] - origins[3 * c + d]);
      const gap = (c) => off(c).reduce((t, x) => t + Math.abs(x - Math.round(x)), 0);
      let target = 0;
      for (let c = 1; c < atoms; c++) if (gap(c) < gap(target)) target = c;
      const [i, j, k] = off(target).map((x, d) => ((Math.round(x) % n[d]) + n[d]) % n[d]);
      const box = (i * n[1] + j) * n[2] + k;
      for (let c = 0; c < 3; c++)
        for (let d = 0; d < 3; d++)
          springs[(box * m + 3 * b + c) * m + 3 * target + d] += K[9 * p + 3 * c + d];
    }
  }
  return springs;
}
