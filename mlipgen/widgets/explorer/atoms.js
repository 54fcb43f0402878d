// The atoms near the defect in three dimensions, coloured by the logarithm of a length: a small canvas, or nglview's viewer in its place.
// Both have positions (x, y, z of each atom, the defect at the origin), show(lengths or null for grey, [low, high]), draw() and resize().

// Nine anchors of matplotlib's viridis (Smith and van der Walt, CC0).
const VIRIDIS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];
function viridis(t) {
  const u = Math.min(1, Math.max(0, t)) * 8, i = Math.min(7, Math.floor(u)), f = u - i;
  return VIRIDIS[i].map((c, k) => Math.round(c + f * (VIRIDIS[i + 1][k] - c)));
}

/** Decimal logarithms, those of lengths outside the range moved to its ends. */
function logarithms(lengths, [low, high]) { return Array.from(lengths, (x) => Math.log10(Math.min(Math.max(x, low), high))); }

/** The atoms nearest the defect as shaded balls; drag or arrow keys turn them. */
class AtomView {
  constructor(canvas) {
    this.canvas = canvas;
    this.positions = [];
    this.turn = [0.5, -0.35];
    this.colour = null;
    const rotate = (dx, dy) => { this.turn = [this.turn[0] + dx, Math.max(-1.57, Math.min(1.57, this.turn[1] + dy))]; this.draw(); };
    canvas.addEventListener("pointerdown", (e) => { canvas.setPointerCapture(e.pointerId); this.drag = [e.clientX, e.clientY]; });
    canvas.addEventListener("pointermove", (e) => {
      if (!this.drag) return;
      rotate((e.clientX - this.drag[0]) / 120, (e.clientY - this.drag[1]) / 120);
      this.drag = [e.clientX, e.clientY];
    });
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, () => { this.drag = null; });
    canvas.addEventListener("keydown", (e) => {
      const by = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] }[e.key];
      if (!by) return;
      e.preventDefault();
      rotate(...by);
    });
  }

  show(lengths, range) {
    this.colour = lengths && logarithms(lengths, range).map((x) => (x - Math.log10(range[0])) / Math.log10(range[1] / range[0]));
    this.draw();
  }

  resize() { this.draw(); }

  draw() {
    const { canvas, positions } = this, n = positions.length / 3;
    const size = canvas.clientWidth || 240, ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(size * ratio)) canvas.width = canvas.height = Math.round(size * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, size, size);
    const [a, b] = this.turn, ca = Math.cos(a), sa = Math.sin(a), cb = Math.cos(b), sb = Math.sin(b);
    let extent = 0;
    for (let i = 0; i < 3 * n; i += 3) extent = Math.max(extent, Math.hypot(positions[i], positions[i + 1], positions[i + 2]));
    const scale = (0.5 * size - 12) / extent, style = getComputedStyle(canvas);
    const rgb = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map(Number);
    const grey = rgb(style.borderTopColor), ground = rgb(style.backgroundColor);
    const projected = [];
    const project = (x, y, z) => {
      const u = ca * x + sa * z, w = -sa * x + ca * z, v = cb * y - sb * w, depth = sb * y + cb * w;
      const f = 3.2 * extent / (3.2 * extent - depth);
      return [size / 2 + scale * u * f * 0.86, size / 2 - scale * v * f * 0.86, depth, f];
    };
    for (let i = 0; i < n; i++) projected.push([...project(positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]), i]);
    projected.push([...project(0, 0, 0), -1]);
    projected.sort((p, q) => p[2] - q[2]);
    for (const [x, y, depth, f, i] of projected) {
      if (i < 0) {                                         // where the defect is
        pen.strokeStyle = style.color; pen.lineWidth = 1.5;
        pen.beginPath(); pen.moveTo(x - 5, y); pen.lineTo(x + 5, y); pen.moveTo(x, y - 5); pen.lineTo(x, y + 5); pen.stroke();
        continue;
      }
      const r = 0.85 * scale * f;
      const near = 0.55 + 0.45 * (depth / extent + 1) / 2;  // what is far fades into the ground
      const base = (this.colour ? viridis(this.colour[i]) : grey).map((c, k) => near * c + (1 - near) * ground[k]);
      const ball = pen.createRadialGradient(x - 0.35 * r, y - 0.4 * r, 0.1 * r, x, y, r);
      ball.addColorStop(0, `rgb(${base.map((c) => c + 0.35 * (255 - c)).join()})`);
      ball.addColorStop(0.55, `rgb(${base.join()})`);
      ball.addColorStop(1, `rgb(${base.map((c) => 0.82 * c).join()})`);
      pen.beginPath(); pen.arc(x, y, r, 0, 2 * Math.PI);
      pen.fillStyle = ball; pen.fill();
      pen.strokeStyle = `rgb(${ground.join()})`; pen.lineWidth = 1; pen.stroke();
    }
  }
}

/** Positions as a PDB file; the defect itself is one more atom, of residue DEF. */
function pdbText(positions) {
  const lines = [], coordinate = (x) => x.toFixed(3).padStart(8);
  for (let i = 0; i <= positions.length; i += 3) {
    const atom = i < positions.length, xyz = atom ? [positions[i], positions[i + 1], positions[i + 2]] : [0, 0, 0];
    lines.push(`HETATM${String(i / 3 + 1).padStart(5)}  X   ${atom ? "ATM" : "DEF"} A   1    ${xyz.map(coordinate).join("")}  1.00  0.00           X`);
  }
  return lines.join("\n");
}

/** nglview's viewer: a view of the widget's own child model, which html-manager (no kernel) and JupyterLab both know. */
class ViewerAtoms {
  /** Opens the viewer that the model carries in host. */
  static async open(model, host) {
    if (!document.createElement("canvas").getContext("webgl")) throw new Error("this browser has no WebGL");
    const child = await model.widget_manager.get_model(model.get("viewer").replace("IPY_MODEL_", ""));
    const view = await model.widget_manager.create_view(child);
    host.append(view.el);
    view.trigger("displayed");                                               // nglview makes its stage once it is on the page
    await view.displayed;
    return new ViewerAtoms(view, host);
  }

  constructor(view, host) {
    Object.assign(this, { view, host, stage: view.stage });
    host.stage = view.stage;                                                 // for whoever wants to look inside, a test for one
    const canvas = this.stage.viewer.renderer.domElement, { mouseControls, mouseObserver, viewerControls } = this.stage;
    canvas.removeAttribute("tabindex");                                      // the host takes the focus and has the name
    view.$container.resizable("destroy");
    view.$pickingInfo.remove();
    for (const button of [view.btn_pview_fullscreen, view.player_pview]) Promise.resolve(button).then((v) => v?.el.remove());
    mouseControls.remove("hoverPick");                                       // would show "atom: [ATM]1:A.X"
    mouseObserver.handleScroll = false;                                      // the wheel scrolls the page
    const spin = (dx, dy) => {
      for (const [axis, angle] of [[[0, 1, 0], dx], [[1, 0, 0], dy]]) {
        viewerControls.spin(axis, angle);
        this.stage.viewer.rotationGroup.updateMatrix();                      // else the next axis is that of the last picture
      }
    };
    this.turn = () => spin(0.5, 0.35);
    host.addEventListener("keydown", (e) => {
      const by = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] }[e.key];
      if (!by) return;
      e.preventDefault();
      spin(...by);
    });
    // A finger turns the atoms sideways and scrolls the page up and down (touch-action: pan-y); NGL would keep both.
    for (const type of ["touchstart", "touchmove", "touchend"]) host.addEventListener(type, (e) => e.stopPropagation(), { passive: true });
    let last = null;
    host.addEventListener("pointermove", (e) => {
      if (e.pointerType !== "touch") return;
      if (last) spin((e.clientX - last[0]) / 120, (e.clientY - last[1]) / 120);
      last = [e.clientX, e.clientY];
    });
    for (const type of ["pointerup", "pointercancel"]) host.addEventListener(type, () => { last = null; });
    this.stage.signals.hovered.add((picked) => this.onhover?.(picked?.atom && 3 * picked.atom.index < this.shown.length ? picked.atom.index : null));
    this.resize();
  }

  set positions(positions) {
    if (positions === this.shown) return;
    this.shown = positions;
    this.loading = this.load(positions);
  }

  async load(positions) {
    const component = await this.stage.loadFile(new Blob([pdbText(positions)]), { ext: "pdb", defaultRepresentation: false });
    if (positions !== this.shown) return this.stage.removeComponent(component);        // another crystal was chosen meanwhile
    if (this.component) this.stage.removeComponent(this.component); else this.turn();
    this.component = component;
    this.draw();
    component.autoView(0);
    this.stage.viewerControls.zoom(0.25);
  }

  show(lengths, range) {
    Object.assign(this, { lengths, range });
    this.draw();
  }

  /** The b-factor of an atom is the logarithm of its length in angstrom; NGL colours by it over the fixed range. */
  draw() {
    const { component, stage, lengths, range } = this;
    if (!component || !range) return;
    const style = getComputedStyle(this.host), hex = (colour) => `#${colour.match(/[\d.]+/g).slice(0, 3).map((x) => (+x).toString(16).padStart(2, "0")).join("")}`;
    const logs = lengths && logarithms(lengths, range);
    component.structure.eachAtom((atom) => { atom.bfactor = logs?.[atom.index] ?? 0; });
    const domain = range.map(Math.log10), palette = VIRIDIS.map((c) => hex(c.join()));
    const colour = lengths ? { colorScheme: "bfactor", colorScale: palette, colorDomain: domain } : { colorScheme: "uniform", colorValue: hex(style.borderTopColor) };
    const mark = { colorScheme: "uniform", colorValue: hex(style.color) };
    if (component.reprList.length < 2) {
      component.removeAllRepresentations();
      const size = 0.27 * nearestDistance(this.shown);
      component.addRepresentation("spacefill", { sele: "ATM", radius: size, ...colour });
      component.addRepresentation("spacefill", { sele: "DEF", radius: 0.5 * size, ...mark });
    }
    // Past the element's own setParameters, which would report every slider event to a kernel.
    component.reprList.forEach(({ repr }, i) => { repr.setParameters(i ? mark : colour); repr.update({ color: true }); });
    if (stage.getParameters().backgroundColor !== hex(style.backgroundColor)) stage.setParameters({ backgroundColor: hex(style.backgroundColor) });
    stage.viewer.requestRender();
  }

  resize() {
    const size = `${this.host.clientWidth}px`;
    if (this.host.clientWidth) this.view.setSize(size, size);
  }

  dispose() { this.stage.dispose(); this.view.remove(); }
}

function nearestDistance(positions) {
  let least = Infinity;
  for (let i = 0; i < positions.length; i += 3)
    for (let j = 0; j < i; j += 3) least = Math.min(least, Math.hypot(...[0, 1, 2].map((k) => positions[i + k] - positions[j + k])));
  return least;
}
