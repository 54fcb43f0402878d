// Relaxation: limited-memory BFGS with the lattice Green's function as preconditioner; the twin of
// mlipgen/equilibrium/relaxation.py.  Generators yield once a force evaluation.

class Descent {
  /** surface: { evaluate(x) -> { V, f } }; limits: tolerance, most, memory, step, noise. */
  constructor(surface, P, limits) {
    Object.assign(this, { surface, P, evaluations: 0 }, limits);
  }

  *evaluate(x) {
    const moved = longest(centre(plus(x, -1, this.from)));
    if (!(moved < this.move)) throw new Stop("left", { moved });
    this.evaluations++;
    const { V, f } = this.surface.evaluate(x);
    const worst = longest(f);
    if (!Number.isFinite(worst) || !V.every(Number.isFinite)) throw new Stop("not finite");
    yield { evaluations: this.evaluations, worst, x };
    return { V, f: centre(f) };
  }

  /** Minimise from the positions x; Stop "left" where an atom moves further than `move`. */
  *run(from, move) {
    Object.assign(this, { from, move });
    const history = [];
    let x = from;
    let { V, f } = yield* this.evaluate(x);
    while (longest(f) >= this.tolerance) {
      if (this.evaluations >= this.most) throw new Stop("not converged");
      const { step: s, ...there } = yield* this.step(x, V, f, history);
      const y = plus(f, -1, there.f);
      const sy = dot(s, y);
      if (sy > 0) history.push({ s, y, inverse: 1 / sy });
      if (history.length > this.memory) history.shift();
      x = plus(x, 1, s);
      ({ V, f } = there);
    }
    return { x, V, f };
  }

  /** A step of the line search along the L-BFGS direction, with energies and forces at its end. */
  *step(x, V, f, history) {
    let p = this.direction(f, history);
    let slope = -dot(f, p);
    if (slope >= 0) {
      history.length = 0; // after a badly curved region: back to the preconditioned gradient
      p = this.P(f);
      slope = -dot(f, p);
    }
    let t = Math.min(1, this.stride / longest(p));
    for (;;) {
      const step = p.map((c) => t * c);
      const there = yield* this.evaluate(plus(x, 1, step));
      let gain = 0;
      for (let i = 0; i < V.length; i++) gain += there.V[i] - V[i];
      const flat = Math.abs(dot(there.f, p)) <= 0.9 * Math.abs(slope);
      // near convergence energies are round-off, so a smaller slope will do as well
      if (gain <= 1e-4 * t * slope || (gain < this.noise && flat)) return { step, ...there };
      t *= Math.max(0.1, Math.min(0.5, (-0.5 * t * slope) / (gain - t * slope)));
      if (t < 1e-6 || this.evaluations >= this.most) throw new Stop("not converged");
    }
  }

  /** Two loops with P as the initial inverse Hessian (Nocedal and Wright, algorithm 7.4). */
  direction(f, history) {
    let q = f;
    const alphas = [];
    for (const { s, y, inverse } of history.toReversed()) {
      alphas.unshift(inverse * dot(s, q));
      q = plus(q, -alphas[0], y);
    }
    let p = this.P(q);
    history.forEach(({ s, y, inverse }, i) => {
      p = plus(p, alphas[i] - inverse * dot(y, p), s);
    });
    return p;
  }
}
