// nglview's viewer in the place of the canvas; see canvas.js for what both have in common.

/** Positions as a PDB file; the defect itself is one more atom, of residue DEF. */
function pdbText(positions) {
  const lines = [],
    coordinate = (x) => x.toFixed(3).padStart(8);
  for (let i = 0; i <= positions.length; i += 3) {
    const atom = i < positions.length,
      xyz = atom ? [positions[i], positions[i + 1], positions[i + 2]] : [0, 0, 0];
    lines.push(
      `HETATM${String(i / 3 + 1).padStart(5)}  X   ${atom ? "ATM" : "DEF"} A   1    ` +
        `${xyz.map(coordinate).join("")}  1.00  0.00           X`,
    );
  }
  return lines.join("\n");
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
    const canvas = this.stage.viewer.renderer.domElement,
      { mouseControls, mouseObserver, viewerControls } = this.stage;
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
      const by = {
        ArrowLeft: [-0.15, 0],
        ArrowRight: [0.15, 0],
        ArrowUp: [0, -0.15],
        ArrowDown: [0, 0.15],
      }[e.key];
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
    this.stage.signals.hovered.add((picked) =>
      this.onhover?.(
        picked?.atom && 3 * picked.atom.index < this.shown.length ? picked.atom.index : null,
      ),
    );
    this.resize();
  }

  set positions(positions) {
    if (positions === this.shown) return;
    this.shown = positions;
    this.loading = this.load(positions);
  }

  async load(positions) {
    const component = await this.stage.loadFile(new Blob([pdbText(positions)]), {
      ext: "pdb",
      defaultRepresentation: false,
    });
    // another crystal was chosen meanwhile
    if (positions !== this.shown) return this.stage.removeComponent(component);
    if (this.component) this.stage.removeComponent(this.component);
    else this.turn();
    this.component = component;
    this.draw();
    component.autoView(0);
    this.stage.viewerControls.zoom(0.25);
  }

  show(lengths, range) {
    Object.assign(this, { lengths, range });
    this.draw();
  }

  /** An atom's b-factor is the logarithm of its length in Å; NGL colours by it over the range. */
  draw() {
    const { component, stage, lengths, range } = this;
    if (!component || !range) return;
    const style = getComputedStyle(this.host),
      hex = (colour) =>
        `#${colour
          .match(/[\d.]+/g)
          .slice(0, 3)
          .map((x) => (+x).toString(16).padStart(2, "0"))
          .join("")}`;
    const logs = lengths && logarithms(lengths, range);
    component.structure.eachAtom((atom) => {
      atom.bfactor = logs?.[atom.index] ?? 0;
    });
    const domain = range.map(Math.log10),
      palette = VIRIDIS.map((c) => hex(c.join()));
    const colour = lengths
      ? { colorScheme: "bfactor", colorScale: palette, colorDomain: domain }
      : { colorScheme: "uniform", colorValue: hex(style.borderTopColor) };
    const mark = { colorScheme: "uniform", colorValue: hex(style.color) };
    if (component.reprList.length < 2) {
      component.removeAllRepresentations();
      const size = 0.27 * nearestDistance(this.shown);
      component.addRepresentation("spacefill", { sele: "ATM", radius: size, ...colour });
      component.addRepresentation("spacefill", { sele: "DEF", radius: 0.5 * size, ...mark });
    }
    // Past the element's own setParameters, which would report every slider event to a kernel.
    component.reprList.forEach(({ repr }, i) => {
      repr.setParameters(i ? mark : colour);
      repr.update({ color: true });
    });
    if (stage.getParameters().backgroundColor !== hex(style.backgroundColor))
      stage.setParameters({ backgroundColor: hex(style.backgroundColor) });
    stage.viewer.requestRender();
  }

  resize() {
    const size = `${this.host.clientWidth}px`;
    if (this.host.clientWidth) this.view.setSize(size, size);
  }

  dispose() {
    this.stage.dispose();
    this.view.remove();
  }
}

function nearestDistance(positions) {
  let least = Infinity;
  for (let i = 0; i < positions.length; i += 3)
    for (let j = 0; j < i; j += 3)
      least = Math.min(
        least,
        Math.hypot(...[0, 1, 2].map((k) => positions[i + k] - positions[j + k])),
      );
  return least;
}
