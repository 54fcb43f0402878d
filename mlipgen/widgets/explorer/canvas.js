// The atoms near the defect in three dimensions on a small canvas, coloured by the logarithm of a
// length.  Like the viewer in viewer.js it has positions (x, y, z of each atom, the defect at the
// origin), show(lengths or null for grey, [low, high]), draw() and resize().

// Nine anchors of matplotlib's viridis (Smith and van der Walt, CC0).
const VIRIDIS = [
  [68, 1, 84],
  [71, 44, 122],
  [59, 81, 139],
  [44, 113, 142],
  [33, 144, 141],
  [39, 173, 129],
  [92, 200, 99],
  [170, 220, 50],
  [253, 231, 37],
];
function viridis(t) {
  const u = Math.min(1, Math.max(0, t)) * 8,
    i = Math.min(7, Math.floor(u)),
    f = u - i;
  return VIRIDIS[i].map((c, k) => Math.round(c + f * (VIRIDIS[i + 1][k] - c)));
}

/** Decimal logarithms, those of lengths outside the range moved to its ends. */
function logarithms(lengths, [low, high]) {
  return Array.from(lengths, (x) => Math.log10(Math.min(Math.max(x, low), high)));
}

/** The atoms nearest the defect as shaded balls; drag or arrow keys turn them. */
class AtomView {
  constructor(canvas) {
    this.canvas = canvas;
    this.positions = [];
    this.turn = [0.5, -0.35];
    this.colour = null;
    const rotate = (dx, dy) => {
      this.turn = [this.turn[0] + dx, Math.max(-1.57, Math.min(1.57, this.turn[1] + dy))];
      this.draw();
    };
    canvas.addEventListener("pointerdown", (e) => {
      canvas.setPointerCapture(e.pointerId);
      this.drag = [e.clientX, e.clientY];
    });
    canvas.addEventListener("pointermove", (e) => {
      if (!this.drag) return;
      rotate((e.clientX - this.drag[0]) / 120, (e.clientY - this.drag[1]) / 120);
      this.drag = [e.clientX, e.clientY];
    });
    for (const type of ["pointerup", "pointercancel"])
      canvas.addEventListener(type, () => {
        this.drag = null;
      });
    canvas.addEventListener("keydown", (e) => {
      const by = {
        ArrowLeft: [-0.15, 0],
        ArrowRight: [0.15, 0],
        ArrowUp: [0, -0.15],
        ArrowDown: [0, 0.15],
      }[e.key];
      if (!by) return;
      e.preventDefault();
      rotate(...by);
    });
  }

  show(lengths, range) {
    this.colour =
      lengths &&
      logarithms(lengths, range).map(
        (x) => (x - Math.log10(range[0])) / Math.log10(range[1] / range[0]),
      );
    this.draw();
  }

  resize() {
    this.draw();
  }

  draw() {
    const { canvas, positions } = this,
      n = positions.length / 3;
    const size = canvas.clientWidth || 240,
      ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(size * ratio))
      canvas.width = canvas.height = Math.round(size * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, size, size);
    const [a, b] = this.turn,
      ca = Math.cos(a),
      sa = Math.sin(a),
      cb = Math.cos(b),
      sb = Math.sin(b);
    let extent = 0;
    for (let i = 0; i < 3 * n; i += 3)
      extent = Math.max(extent, Math.hypot(positions[i], positions[i + 1], positions[i + 2]));
    const scale = (0.5 * size - 12) / extent,
      style = getComputedStyle(canvas);
    const rgb = (colour) =>
      colour
        .match(/[\d.]+/g)
        .slice(0, 3)
        .map(Number);
    const grey = rgb(style.borderTopColor),
      ground = rgb(style.backgroundColor);
    const projected = [];
    const project = (x, y, z) => {
      const u = ca * x + sa * z,
        w = -sa * x + ca * z,
        v = cb * y - sb * w,
        depth = sb * y + cb * w;
      const f = (3.2 * extent) / (3.2 * extent - depth);
      return [size / 2 + scale * u * f * 0.86, size / 2 - scale * v * f * 0.86, depth, f];
    };
    for (let i = 0; i < n; i++)
      projected.push([...project(positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]), i]);
    projected.push([...project(0, 0, 0), -1]);
    projected.sort((p, q) => p[2] - q[2]);
    for (const [x, y, depth, f, i] of projected) {
      if (i < 0) {
        // where the defect is
        pen.strokeStyle = style.color;
        pen.lineWidth = 1.5;
        pen.beginPath();
        pen.moveTo(x - 5, y);
        pen.lineTo(x + 5, y);
        pen.moveTo(x, y - 5);
        pen.lineTo(x, y + 5);
        pen.stroke();
        continue;
      }
      const r = 0.85 * scale * f;
      const near = 0.55 + (0.45 * (depth / extent + 1)) / 2; // what is far fades into the ground
      const base = (this.colour ? viridis(this.colour[i]) : grey).map(
        (c, k) => near * c + (1 - near) * ground[k],
      );
      const ball = pen.createRadialGradient(x - 0.35 * r, y - 0.4 * r, 0.1 * r, x, y, r);
      ball.addColorStop(0, `rgb(${base.map((c) => c + 0.35 * (255 - c)).join()})`);
      ball.addColorStop(0.55, `rgb(${base.join()})`);
      ball.addColorStop(1, `rgb(${base.map((c) => 0.82 * c).join()})`);
      pen.beginPath();
      pen.arc(x, y, r, 0, 2 * Math.PI);
      pen.fillStyle = ball;
      pen.fill();
      pen.strokeStyle = `rgb(${ground.join()})`;
      pen.lineWidth = 1;
      pen.stroke();
    }
  }
}
