// Neighbours of every atom in a periodic cell: built once with a skin, rebuilt when an atom moved.

/** Inverse of a 3 x 3 matrix given by rows, and its determinant. */
function inverse3(m) {
  const [a, b, c, d, e, f, g, h, i] = m;
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  const adjugate = [
    ...[e * i - f * h, c * h - b * i, b * f - c * e],
    ...[f * g - d * i, a * i - c * g, c * d - a * f],
    ...[d * h - e * g, b * g - a * h, a * e - b * d],
  ];
  return { inverse: adjugate.map((x) => x / determinant), determinant };
}

/** Fractional coordinates x A^-1 of the positions x (3n); rows of the cell are lattice vectors. */
function fractional(x, inverse) {
  const s = new Float64Array(x.length);
  for (let i = 0; i < x.length; i += 3)
    for (let k = 0; k < 3; k++)
      s[i + k] = x[i] * inverse[k] + x[i + 1] * inverse[3 + k] + x[i + 2] * inverse[6 + k];
  return s;
}

class Neighbours {
  /** cell: 9 numbers, A; every pair closer than cutoff is always present, some of up to + skin. */
  constructor(cell, cutoff, skin = 0) {
    Object.assign(this, { cell, cutoff, skin, builds: 0, ...inverse3(cell) });
    // distance between opposite faces: 1 / length of the columns of the inverse
    const length = (k) => Math.hypot(...[0, 3, 6].map((row) => this.inverse[row + k]));
    this.reach = [0, 1, 2].map((k) => (cutoff + skin) * length(k)); // in fractions of the cell
  }

  /** Rebuild where an atom has moved by more than half of the skin. */
  check(x) {
    const most = (0.5 * this.skin) ** 2 + 1e-24;
    const from = this.builtAt;
    let near = from !== undefined;
    for (let i = 0; near && i < x.length; i += 3) {
      const [a, b, c] = [x[i] - from[i], x[i + 1] - from[i + 1], x[i + 2] - from[i + 2]];
      near = a * a + b * b + c * c <= most; // false for nan
    }
    if (!near) this.build(x);
    return this;
  }

  build(x) {
    const n = x.length / 3;
    const boxes = this.sort(x);
    const { bins, range, bin, heads, next, home, inside, move } = boxes;
    const limit = (this.cutoff + this.skin) ** 2;
    const [found, shift, steps] = [[], [], new Int32Array(3)];
    this.offsets = new Int32Array(n + 1);
    for (let i = 0; i < n; i++) {
      for (let a = -range[0]; a <= range[0]; a++) {
        steps[0] = Math.floor((bin[3 * i] + a) / bins[0]); // into which image of the cell
        const ba = (bin[3 * i] + a - steps[0] * bins[0]) * bins[1];
        for (let b = -range[1]; b <= range[1]; b++) {
          steps[1] = Math.floor((bin[3 * i + 1] + b) / bins[1]);
          const bb = (ba + bin[3 * i + 1] + b - steps[1] * bins[1]) * bins[2];
          for (let c = -range[2]; c <= range[2]; c++) {
            steps[2] = Math.floor((bin[3 * i + 2] + c) / bins[2]);
            const own = steps[0] === 0 && steps[1] === 0 && steps[2] === 0;
            const X = move(steps, 0) - inside[3 * i];
            const Y = move(steps, 1) - inside[3 * i + 1];
            const Z = move(steps, 2) - inside[3 * i + 2];
            let k = heads[bb + bin[3 * i + 2] + c - steps[2] * bins[2]];
            for (; k >= 0; k = next[k]) {
              const rx = inside[3 * k] + X;
              const ry = inside[3 * k + 1] + Y;
              const rz = inside[3 * k + 2] + Z;
              if (rx * rx + ry * ry + rz * rz >= limit || (own && k === i)) continue;
              found.push(k);
              const images = steps.map((t, d) => t + home[3 * i + d] - home[3 * k + d]);
              shift.push(move(images, 0), move(images, 1), move(images, 2));
            }
          }
        }
      }
      this.offsets[i + 1] = found.length;
    }
    this.j = Int32Array.from(found);
    this.shift = Float64Array.from(shift);
    this.width = 0;
    for (let i = 0; i < n; i++)
      this.width = Math.max(this.width, this.offsets[i + 1] - this.offsets[i]);
    this.builtAt = Float64Array.from(x);
    this.builds++;
  }

  /** Atoms in boxes not narrower than the reach, as linked lists; `home`: the image they are in. */
  sort(x) {
    const { cell, reach } = this;
    const s = fractional(x, this.inverse);
    const home = Int32Array.from(s, Math.floor);
    const move = (t, d) => t[0] * cell[d] + t[1] * cell[3 + d] + t[2] * cell[6 + d];
    const inside = Float64Array.from(x);
    for (let i = 0; i < x.length; i += 3) {
      const image = home.subarray(i, i + 3);
      for (let d = 0; d < 3; d++) inside[i + d] -= move(image, d);
    }
    const bins = reach.map((t) => Math.max(1, Math.floor(1 / t)));
    const range = reach.map((t, k) => Math.ceil(t * bins[k] - 1e-12));
    const bin = new Int32Array(x.length);
    for (let i = 0; i < x.length; i++)
      bin[i] = Math.min(bins[i % 3] - 1, Math.floor((s[i] - home[i]) * bins[i % 3]));
    const heads = new Int32Array(bins[0] * bins[1] * bins[2]).fill(-1);
    const next = new Int32Array(x.length / 3);
    for (let i = next.length - 1; i >= 0; i--) {
      const b = (bin[3 * i] * bins[1] + bin[3 * i + 1]) * bins[2] + bin[3 * i + 2];
      next[i] = heads[b];
      heads[b] = i;
    }
    return { bins, range, bin, heads, next, home, inside, move };
  }
}

/** The neighbours of site i inside the cutoff, into a stencil from o on; returns their number. */
function gather({ offsets, j, shift }, x, i, cutoff, { r, u, which }, o) {
  const limit = cutoff * cutoff;
  let J = 0;
  for (let p = offsets[i]; p < offsets[i + 1]; p++) {
    const k = 3 * j[p];
    const rx = x[k] - x[3 * i] + shift[3 * p];
    const ry = x[k + 1] - x[3 * i + 1] + shift[3 * p + 1];
    const rz = x[k + 2] - x[3 * i + 2] + shift[3 * p + 2];
    const r2 = rx * rx + ry * ry + rz * rz;
    if (!(r2 < limit)) continue;
    const length = Math.sqrt(r2);
    const inverse = 1 / length;
    const at = 4 * (o + J);
    r[o + J] = length;
    u[at] = rx * inverse;
    u[at + 1] = ry * inverse;
    u[at + 2] = rz * inverse;
    u[at + 3] = inverse;
    which[o + J] = j[p];
    J++;
  }
  return J;
}
