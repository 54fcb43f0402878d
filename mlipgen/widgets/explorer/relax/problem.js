// One defect on its large domain, and what a fitted potential makes of it: Newton's estimate of the
// error with its error bar, the relaxed state, and whether that is a minimum; the twin of
// mlipgen/generalisation/{prediction,measurement}.py.

class Problem {
  /** meta, arrays: of the page's data, with meta.relax, meta.limits and arrays "relax/...". */
  constructor(meta, arrays) {
    const { relax, limits } = meta;
    const floats = (name) => arrays[`relax/${name}`].data;
    const integers = (name) => Int32Array.from(floats(name));
    Object.assign(this, { relax, limits, arrays, n: meta.test_atoms });
    this.positions = Float64Array.from(floats("positions"));
    this.cell = relax.cell.map((x, i) => x * relax.n[Math.floor(i / 3)]);
    this.shape = shapeOf(relax, arrays);
    this.functions = null; // those of the last basis: shape, products, the geometry at ubar
    this.neighbours = new Neighbours(this.cell, relax.cutoff, relax.skin);
    const pairs = new Neighbours(this.cell, relax.norm_cutoff).check(this.positions);
    this.norm = new EnergyNorm(pairs);
    const basis = Float64Array.from(relax.basis);
    const where = { n: relax.n, cell: relax.cell, basis, sublattice: relax.sublattice };
    const springs = wrapSprings(where, integers("sublattice"), floats("xi"), floats("springs"));
    this.green = new LatticeGreen(relax.n, basis.length, springs);
    this.P = this.green.forDefect(integers("site"));
    const distance = floats("distance");
    this.core = Array.from(distance, (r) => r < relax.core);
    const edges = meta.shells.map((s) => s.edges[0]);
    this.shell = Int32Array.from(distance, (r) => edges.filter((e) => r >= e).length - 1);
    this.shells = edges.length;
  }

  /** The potential of coefficients theta (a prefix of the basis). */
  potential(theta) {
    if (this.functions?.K !== theta.length) {
      const leading = leadingFunctions(this.shape, this.arrays, theta.length);
      const geometry = new Geometry(leading.shape, this.neighbours, this.positions);
      this.functions = { K: theta.length, geometry, ...leading };
    }
    const { geometry } = this.functions;
    const ace = new ACE(this.functions, this.arrays["relax/coefficients"].data, theta);
    ace.bulk = theta.reduce((sum, x, k) => sum + x * this.arrays["relax/bulk"].data[k], 0);
    return { ace, geometry };
  }

  /** { evaluate(x) -> { V, f } } of a potential on this domain. */
  surface(ace) {
    const { neighbours } = this;
    return {
      evaluate: (x) => {
        const V = new Float64Array(this.n);
        const f = new Float64Array(3 * this.n);
        ace.evaluate(neighbours, x, V, f);
        return { V, f };
      },
      hessian: (x) => new Hessian(ace, new Geometry(ace.shape, neighbours, x)),
    };
  }

  /** |f|_* = <f, G f>^(1/2). */
  dualNorm(f) {
    return Math.sqrt(Math.max(dot(f, this.P(f)), 0));
  }

  /** Energy of formation relative to the reference's, eV. */
  energyError(ace, V) {
    return V.reduce((s, v) => s + (v - ace.bulk), 0) - this.relax.formation;
  }

  /**
   * Estimate, relax and judge: yields { stage, ... } once a force evaluation, and when they are
   * found { newton }, { relaxed } (which may still be a saddle point) and { settled }.
   */
  *study(theta) {
    const { ace, geometry } = this.potential(theta);
    const here = new Hessian(ace, geometry);
    const surface = this.surface(ace);
    const newton = yield* attempt(this.newton(ace, here, surface));
    yield { newton };
    yield { settled: yield* attempt(this.measure(ace, here, surface, newton)) };
  }

  /** One or two Newton steps from the reference equilibrium. */
  *newton(ace, here, surface) {
    const { P, limits } = this;
    const { V } = here;
    const f = centre(here.f.slice());
    const gap = this.energyError(ace, V);
    if (!Number.isFinite(gap) || !Number.isFinite(longest(f))) throw new Stop("not finite");
    const solve = (hessian, force) =>
      staged("newton", linearResponse(hessian, force, P, { rtol: limits.rtol }));
    let du = yield* solve(here, f);
    let relaxation = -0.5 * dot(f, du);
    let [kappa, steps] = [0, 1];
    const size = this.dualNorm(f);
    if (size > 3 * this.relax.rest) {
      const next = this.moved(surface, du);
      kappa = this.dualNorm(next.f) / size;
      if (kappa > limits.second_step) {
        const more = yield* solve(surface.hessian(plus(this.positions, 1, du)), next.f);
        const change = next.V.reduce((s, v, i) => s + (v - V[i]), 0);
        relaxation = change - 0.5 * dot(next.f, more);
        du = plus(du, 1, more);
        kappa = this.dualNorm(this.moved(surface, du).f) / size;
        steps = 2;
      }
    }
    const kind = !(kappa <= limits.kappa) ? "wide" : longest(du) > this.relax.basin ? "left" : "ok";
    const moved = longest(du);
    const energy = gap + relaxation;
    return { kind, geometry: this.norm.of(du), kappa, energy, relaxation, steps, moved, du };
  }

  moved(surface, du) {
    const { V, f } = surface.evaluate(plus(this.positions, 1, du));
    return { V, f: centre(f) };
  }

  /** Relax from the reference equilibrium down to a minimum, and compare atom by atom. */
  *measure(ace, here, surface, newton) {
    const { relax, limits, positions } = this;
    const [low, high] = limits.tolerance;
    const tolerance = Math.min(high, Math.max(low, limits.relative_tolerance * longest(here.f)));
    const descent = new Descent(surface, this.P, { tolerance, ...relax.descent });
    // Near a good estimate the same minimum is found from there, in fewer steps.
    const near = newton.kind === "ok" && newton.kappa <= limits.second_step;
    const start = near ? plus(positions, 1, newton.du) : positions;
    let state = yield* this.shown(descent.run(start, relax.leave));
    const found = { followed: 0, saddle: null, evaluations: descent.evaluations };
    for (let times = 0; times <= relax.follow.most; times++) {
      if (times === 0) yield { relaxed: this.compare(ace, state, newton, found) };
      const { value, mode } = yield* this.curvature(surface, state);
      found.curvature = value;
      if (value === null || value > 0) return this.compare(ace, state, newton, found);
      found.saddle ??= value;
      // down the mode of negative curvature, `push` angstrom at first
      const largest = mode.reduce((most, c) => Math.max(most, Math.abs(c)), 0);
      const pushed = plus(state.x, relax.follow.push / largest, mode);
      const below = yield* this.shown(descent.run(pushed, relax.follow.leave));
      found.followed += below.V.reduce((sum, v, i) => sum + (v - state.V[i]), 0);
      found.evaluations = descent.evaluations;
      state = below;
    }
    throw new Stop("not converged", found);
  }

  /** Lowest curvature of a relaxed state; value null where it could not be found. */
  *curvature(surface, state) {
    const fields = coreForces(this.core, 2).map(this.P);
    const hessian = surface.hessian(state.x);
    const search = lowestCurvature(hessian, this.norm, this.P, fields, this.relax.curvature);
    const { value = null, mode } = yield* attempt(staged("curvature", search));
    return { value, mode };
  }

  /** Where the atoms are while they relax. */
  *shown(run) {
    const steps = staged("relaxation", run);
    for (;;) {
      const { value, done } = steps.next();
      if (done) return value;
      const { x, ...rest } = value;
      yield { ...rest, u: plus(x, -1, this.positions) };
    }
  }

  /** Errors of a relaxed state against the reference; "left" where an atom found another place. */
  compare(ace, { x, V }, newton, more) {
    const placed = this.match(x);
    if (placed === null) return { kind: "left", ...more };
    const du = centre(placed);
    const geometry = this.norm.of(du);
    const off = newton.du ? this.norm.of(plus(newton.du, -1, du)) : NaN;
    const distance = off / geometry; // of the predicted from the true displacement: kappa's meaning
    const energy = this.energyError(ace, V);
    const shells = this.norm.shells(du, this.shell, this.shells);
    return { kind: "relaxed", geometry, energy, distance, shells, du, ...more };
  }

  /**
   * Displacements from the reference, equal atoms that changed places counted as equal; null where
   * a place stays empty.  Places are at least twice as far apart as an atom may be from its own.
   */
  match(x) {
    const { cell, positions, neighbours, relax } = this;
    const u = shortest(plus(x, -1, positions), cell, neighbours.inverse);
    const far = [];
    for (let i = 0; i < this.n; i++)
      if (longest(u.subarray(3 * i, 3 * i + 3)) > relax.basin) far.push(i);
    for (const place of far) {
      const gap = (atom) => {
        const difference = [0, 1, 2].map((d) => x[3 * atom + d] - positions[3 * place + d]);
        return shortest(Float64Array.from(difference), cell, neighbours.inverse);
      };
      const found = far.map(gap).find((g) => longest(g) <= relax.basin);
      if (!found) return null;
      u.set(found, 3 * place);
    }
    return u;
  }
}

/** A generator's steps, with the name of their stage. */
function* staged(stage, steps) {
  for (;;) {
    const { value, done } = steps.next();
    if (done) return value;
    yield { stage, ...value };
  }
}

/** A generator's result, or { kind } of what stopped it. */
function* attempt(steps) {
  try {
    return yield* steps;
  } catch (stop) {
    if (!(stop instanceof Stop)) throw stop;
    const { kind, value, moved, followed, saddle } = stop;
    return { kind, value, moved, followed, saddle };
  }
}
