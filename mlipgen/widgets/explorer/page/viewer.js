// nglview's viewer in the place of the canvas; see atoms.js for what both have in common.

/** The scene as a PDB file: the atoms, the defect (DEF), the training cell's corners (BOX). */
function pdbText(positions, corners) {
  const coordinate = (x) => x.toFixed(3).padStart(8);
  const lines = [];
  const add = (residue, xyz) =>
    lines.push(
      `HETATM${String(lines.length + 1).padStart(5)}  X   ${residue} A   1    ` +
        `${Array.from(xyz, coordinate).join("")}  1.00  0.00           X`,
    );
  for (let i = 0; i < positions.length; i += 3) add("ATM", positions.slice(i, i + 3));
  add("DEF", [0, 0, 0]);
  const first = lines.length + 1;
  if (!corners) return lines.join("\n");
  for (const corner of corners) add("BOX", corner);
  const serial = (k) => String(first + k).padStart(5);
  return [...lines, ...EDGES.map(([a, b]) => `CONECT${serial(a)}${serial(b)}`)].join("\n");
}

/** "rgb(1, 2, 3)" or "1,2,3" as "#010203". */
function hex(colour) {
  const numbers = colour.match(/[\d.]+/g).slice(0, 3);
  return `#${numbers.map((x) => Number(x).toString(16).padStart(2, "0")).join("")}`;
}

/** A view of the widget's own child model, which html-manager (no kernel) and JupyterLab know. */
class ViewerAtoms {
  /** Opens the viewer that the model carries in host. */
  static async open(model, host) {
    if (!document.createElement("canvas").getContext("webgl"))
      throw new Error("this browser has no WebGL");
    const child = await model.widget_manager.get_model(
      model.get("viewer").replace("IPY_MODEL_", ""),
    );
    const view = await model.widget_manager.create_view(child);
    host.append(view.el);
    view.trigger("displayed"); // nglview makes its stage once it is on the page
    await view.displayed;
    return new ViewerAtoms(view, host);
  }

  constructor(view, host) {
    Object.assign(this, { view, host, stage: view.stage });
    host.stage = view.stage; // for whoever wants to look inside, a test for one
    const canvas = this.stage.viewer.renderer.domElement;
    const { mouseControls, mouseObserver, viewerControls } = this.stage;
    canvas.removeAttribute("tabindex"); // the host takes the focus and has the name
    view.$container.resizable("destroy");
    view.$pickingInfo.remove();
    for (const button of [view.btn_pview_fullscreen, view.player_pview])
      Promise.resolve(button).then((v) => v?.el.remove());
    mouseControls.remove("hoverPick"); // would show "atom: [ATM]1:A.X"
    mouseObserver.handleScroll = false; // the wheel scrolls the page
    const spin = (dx, dy) => {
      for (const [axis, angle] of [
        [[0, 1, 0], dx],
        [[1, 0, 0], dy],
      ]) {
        viewerControls.spin(axis, angle);
        // else the next axis is that of the last picture
        this.stage.viewer.rotationGroup.updateMatrix();
      }
    };
    this.turn = () => spin(0.5, 0.35);
    host.addEventListener("keydown", (e) => {
      const by = ARROWS[e.key];
      if (!by) return;
      e.preventDefault();
      spin(...by);
    });
    // A finger turns the atoms sideways and scrolls the page up and down (touch-action: pan-y);
    // NGL would keep both.
    for (const type of ["touchstart", "touchmove", "touchend"])
      host.addEventListener(type, (e) => e.stopPropagation(), { passive: true });
    let last = null;
    host.addEventListener("pointermove", (e) => {
      if (e.pointerType !== "touch") return;
      if (last) spin((e.clientX - last[0]) / 120, (e.clientY - last[1]) / 120);
      last = [e.clientX, e.clientY];
    });
    for (const type of ["pointerup", "pointercancel"])
      host.addEventListener(type, () => {
        last = null;
      });
    this.stage.signals.hovered.add((picked) => {
      const atom = picked?.atom?.index;
      this.onhover?.(3 * atom < this.positions.length ? atom : null);
    });
    this.resize();
  }

  /** Other atoms, or another training cell. */
  scene(positions, corners, radius) {
    const again = positions === this.positions;
    Object.assign(this, { positions, corners, radius });
    if (again) return;
    this.component = null; // what is on the stage until then takes no more pictures
    this.loading = this.load(positions, corners);
  }

  async load(positions, corners) {
    const file = new Blob([pdbText(positions, corners)]);
    const options = { ext: "pdb", defaultRepresentation: false };
    const component = await this.stage.loadFile(file, options);
    // another crystal was chosen meanwhile
    if (positions !== this.positions) return this.stage.removeComponent(component);
    if (this.staged) this.stage.removeComponent(this.staged);
    else this.turn();
    this.component = this.staged = component;
    this.draw();
    component.autoView(0);
    this.stage.viewerControls.zoom(0.25);
  }

  show(picture) {
    this.picture = picture;
    this.draw();
  }

  /** An atom's b-factor is the logarithm of its error in Å; NGL colours by it over the range. */
  draw() {
    const { component, stage, picture } = this;
    if (!component || !picture) return;
    const { moved, errors, range } = picture;
    const { structure } = component;
    const style = getComputedStyle(this.host);
    const known = (i) => errors !== null && !Number.isNaN(errors[i]);
    const count = moved.length / 3;
    const radii = {};
    const places = new Float32Array(3 * structure.atomCount);
    structure.eachAtom((atom) => {
      const i = atom.index;
      if (i < count) places.set(moved.subarray(3 * i, 3 * i + 3), 3 * i);
      else if (i > count) places.set(this.corners[i - count - 1], 3 * i);
      const log = Math.log10(Math.min(Math.max(errors?.[i], range[0]), range[1]));
      atom.bfactor = i < count && known(i) ? log : Math.log10(range[0]);
      const size = known(i)
        ? 0.45 + 0.55 * fraction(errors[i], range)
        : errors === null
          ? 0.7
          : 0.3;
      radii[i] = this.radius * size;
    });
    structure.updatePosition(places);
    const palette = VIRIDIS.map((c) => hex(c.join()));
    const colorDomain = range.map(Math.log10);
    const balls = errors
      ? { colorScheme: "bfactor", colorScale: palette, colorDomain }
      : { colorScheme: "uniform", colorValue: hex(style.borderTopColor) };
    Object.assign(balls, { radiusType: "data", radiusData: radii });
    const mark = { colorScheme: "uniform", colorValue: hex(style.color) };
    if (component.reprList.length === 0) this.represent(component, balls, mark);
    // Past the element's own setParameters, which would report every slider event to a kernel.
    component.reprList.forEach(({ repr }, i) => {
      repr.setParameters(i ? mark : balls);
      repr.update({ color: true, position: true, radius: i === 0 });
    });
    const backgroundColor = hex(style.backgroundColor);
    if (stage.getParameters().backgroundColor !== backgroundColor)
      stage.setParameters({ backgroundColor });
    stage.viewer.requestRender();
  }

  represent(component, balls, mark) {
    const cross = { sele: "DEF", radiusType: "size", radius: 0.4 * this.radius };
    component.addRepresentation("spacefill", { sele: "ATM", ...balls });
    component.addRepresentation("spacefill", { ...cross, ...mark });
    if (this.corners) component.addRepresentation("line", { sele: "BOX", linewidth: 2, ...mark });
  }

  resize() {
    const width = innerWidth(this.host);
    if (!width || width === this.width) return;
    this.width = width;
    this.view.setSize(`${width}px`, `${width}px`);
  }

  dispose() {
    this.stage.dispose();
    this.view.remove();
  }
}
