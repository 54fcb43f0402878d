// The fitted potential: energies and forces of a periodic configuration.
//
//     E = sum_sites sum_(a,b) A_a A_b sum_c C_abc A_c,      f = -dE/dx

/** The tables of a basis, from what the page carries (see ExplorerData, "relax/..."). */
function shapeOf({ cutoff, r0, transform }, arrays) {
  const numbers = (name) => arrays[`relax/${name}`].data;
  const [recurrence, norm] = [numbers("recurrence"), numbers("harmonics")];
  return { cutoff, r0, transform, recurrence, norm, ...layout(numbers("count")) };
}

/** Where A_nlm stands, the radial index n slowest; count[lm]: radial functions of a harmonic. */
function layout(count) {
  const L = count.length;
  const nmax = Math.max(...count);
  const reach = Int32Array.from({ length: nmax }, (_, n) => {
    return count.findLastIndex((most) => most > n) + 1;
  });
  const first = reach.map((_, n) => reach.slice(0, n).reduce((a, b) => a + b, 0));
  const size = reach.reduce((a, b) => a + b, 0);
  return { L, lmax: Math.round(Math.sqrt(L)) - 1, nmax, first, reach, size };
}

/** The first K functions: a shape without what they leave out, and their products in it. */
function leadingFunctions(shape, arrays, K) {
  const integers = (name) => Int32Array.from(arrays[`relax/${name}`].data);
  const [rows, factors] = [integers("rows").slice(0, K + 1), integers("factors")];
  const [start, count] = [integers("start"), integers("count")];
  const angular = Int32Array.from(factors, (a) => start.findLastIndex((s) => s <= a));
  const one = start[start.length - 1] + count[count.length - 1]; // the constant behind all others
  const used = new Int32Array(count.length);
  for (let q = 0; q < 3 * rows[K]; q++) {
    const [a, lm] = [factors[q], angular[q]];
    if (a < one) used[lm] = Math.max(used[lm], a - start[lm] + 1);
  }
  const L = Math.ceil(Math.sqrt(used.findLastIndex((most) => most > 0) + 1)) ** 2;
  const small = { ...shape, ...layout(used.slice(0, L)) };
  const place = (a, q) => (a < one ? small.first[a - start[angular[q]]] + angular[q] : small.size);
  return { shape: small, rows, factors: factors.subarray(0, 3 * rows[K]).map(place) };
}

/** Coefficients contracted into the products: A_a A_b formed once for all c; the linear ACE. */
class ACE {
  constructor({ shape, rows, factors }, coefficients, theta) {
    this.shape = shape;
    const terms = [];
    for (let k = 0; k < theta.length; k++)
      for (let q = rows[k]; q < rows[k + 1]; q++)
        terms.push([...factors.subarray(3 * q, 3 * q + 3), coefficients[q] * theta[k]]);
    terms.sort((s, t) => s[0] - t[0] || s[1] - t[1] || s[2] - t[2]);
    const heads = terms
      .map((t, i) => [t, i])
      .filter(([t, i]) => {
        return i === 0 || t[0] !== terms[i - 1][0] || t[1] !== terms[i - 1][1];
      });
    this.pairs = Int32Array.from(heads.flatMap(([t]) => t.slice(0, 2)));
    this.rows = Int32Array.from([...heads.map(([, i]) => i), terms.length]);
    this.last = Int32Array.from(terms, (t) => t[2]);
    this.coefficient = Float64Array.from(terms, (t) => t[3]);
  }

  /** Energy of the site whose base begins at A[from], and D = dE/dA there. */
  products(A, from, D) {
    const { pairs, rows, last, coefficient } = this;
    let energy = 0;
    D.fill(0);
    for (let t = 0; t < rows.length - 1; t++) {
      const a = pairs[2 * t];
      const b = pairs[2 * t + 1];
      const Aa = A[from + a];
      const Ab = A[from + b];
      const ab = Aa * Ab;
      let inner = 0;
      for (let q = rows[t]; q < rows[t + 1]; q++) {
        inner += coefficient[q] * A[from + last[q]];
        D[last[q]] += coefficient[q] * ab;
      }
      energy += ab * inner;
      D[a] += Ab * inner;
      D[b] += Aa * inner;
    }
    return energy;
  }

  /** dD = (d2E/dA2) dA; entries of the constant one move nothing. */
  productsTangent(A, from, dA, dD) {
    const { pairs, rows, last, coefficient } = this;
    dA[this.shape.size] = 0;
    dD.fill(0);
    for (let t = 0; t < rows.length - 1; t++) {
      const a = pairs[2 * t];
      const b = pairs[2 * t + 1];
      const Aa = A[from + a];
      const Ab = A[from + b];
      const ab = dA[a] * Ab + Aa * dA[b];
      let inner = 0;
      let change = 0;
      for (let q = rows[t]; q < rows[t + 1]; q++) {
        const c = last[q];
        inner += coefficient[q] * A[from + c];
        change += coefficient[q] * dA[c];
        dD[c] += coefficient[q] * ab;
      }
      dD[a] += dA[b] * inner + Ab * change;
      dD[b] += dA[a] * inner + Aa * change;
    }
  }

  /** Site energies V (n), eV, and forces f (3n), eV/A, at the positions x (3n) of the atoms. */
  evaluate(neighbours, x, V, f) {
    neighbours.check(x);
    if (!(this.scratch?.width >= neighbours.width))
      this.scratch = makeScratch(this.shape, neighbours.width);
    const { shape, scratch } = this;
    const { stencil, T, A, D } = scratch;
    f.fill(0);
    for (let i = 0; i < V.length; i++) {
      const J = gather(neighbours, x, i, shape.cutoff, stencil, 0);
      describe(shape, 0, J, stencil, scratch);
      project(shape, 0, J, stencil, A, 0);
      V[i] = this.products(A, 0, D);
      backward(shape, 0, J, stencil, D, T);
      addOutflow(T, stencil.which, 0, J, i, f);
    }
  }
}
