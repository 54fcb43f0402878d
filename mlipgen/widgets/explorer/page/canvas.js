// The atoms near the defect in three dimensions on a small canvas, coloured by the logarithm of a
// length: the larger the error, the larger and the more solid the ball, so that it shows as a halo.

// Seventeen anchors of matplotlib's viridis (Smith and van der Walt, CC0).
const VIRIDIS = [
  "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73",
  "5ec962 84d44b addc30 d8e219 fde725",
]
  .flatMap((line) => line.split(" "))
  .map((c) => [0, 2, 4].map((k) => parseInt(c.slice(k, k + 2), 16)));
const EDGES = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((a) =>
  [1, 2, 4].filter((bit) => !(a & bit)).map((bit) => [a, a | bit]),
);
const ARROWS = {
  ArrowLeft: [-0.15, 0],
  ArrowRight: [0.15, 0],
  ArrowUp: [0, -0.15],
  ArrowDown: [0, 0.15],
};

function viridis(t) {
  const last = VIRIDIS.length - 1;
  const u = Math.min(1, Math.max(0, t)) * last;
  const i = Math.min(last - 1, Math.floor(u));
  return VIRIDIS[i].map((c, k) => Math.round(c + (u - i) * (VIRIDIS[i + 1][k] - c)));
}

/** Where a length stands in a range on the logarithmic scale, 0 to 1; nan stays. */
function fraction(x, [low, high]) {
  const t = Math.log10(Math.min(Math.max(x, low), high) / low) / Math.log10(high / low);
  return Number.isNaN(x) ? NaN : t;
}

/** The atoms as shaded balls; drag or arrow keys turn them. */
class AtomView {
  constructor(canvas) {
    this.canvas = canvas;
    this.turn = [0.5, -0.35];
    const rotate = (dx, dy) => {
      const tilt = Math.max(-1.57, Math.min(1.57, this.turn[1] + dy));
      this.turn = [this.turn[0] + dx, tilt];
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
      const by = ARROWS[e.key];
      if (!by) return;
      e.preventDefault();
      rotate(...by);
    });
  }

  scene(positions, corners, radius) {
    Object.assign(this, { positions, corners, radius });
    let extent = 0;
    for (let i = 0; i < positions.length; i += 3)
      extent = Math.max(extent, Math.hypot(positions[i], positions[i + 1], positions[i + 2]));
    const corner = corners ? Math.hypot(...corners[0]) : 0;
    this.extent = Math.max(extent, 0.8 * corner);
  }

  show({ moved, errors, range }) {
    this.moved = moved;
    this.values = errors && Array.from(errors, (e) => fraction(e, range));
    this.draw();
  }

  resize() {}
  dispose() {}

  /** Screen coordinates, depth and size of a point. */
  projection(size) {
    const [a, b] = this.turn;
    const [ca, sa, cb, sb] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
    const { extent } = this;
    const scale = (0.5 * size - 12) / extent;
    return (x, y, z) => {
      const u = ca * x + sa * z;
      const w = -sa * x + ca * z;
      const v = cb * y - sb * w;
      const depth = sb * y + cb * w;
      const f = (3.2 * extent) / (3.2 * extent - depth);
      return [size / 2 + scale * u * f * 0.86, size / 2 - scale * v * f * 0.86, depth, scale * f];
    };
  }

  draw() {
    const { canvas, moved } = this;
    if (!moved) return;
    const size = innerWidth(canvas) || 240;
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(size * ratio))
      canvas.width = canvas.height = Math.round(size * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, size, size);
    const style = getComputedStyle(canvas);
    const rgb = (colour) =>
      colour
        .match(/[\d.]+/g)
        .slice(0, 3)
        .map(Number);
    const looks = { grey: rgb(style.borderTopColor), ground: rgb(style.backgroundColor) };
    const project = this.projection(size);
    this.drawFrame(pen, project, style.color, false);
    const balls = [[...project(0, 0, 0), -1]];
    for (let i = 0; i < moved.length / 3; i++)
      balls.push([...project(moved[3 * i], moved[3 * i + 1], moved[3 * i + 2]), i]);
    balls.sort((p, q) => p[2] - q[2]);
    for (const ball of balls) {
      if (ball[4] < 0) drawCross(pen, ball, style.color);
      else this.drawBall(pen, ball, looks);
    }
    this.drawFrame(pen, project, style.color, true);
  }

  /** The edges of the training cell, those behind the defect before the atoms are drawn. */
  drawFrame(pen, project, colour, front) {
    if (!this.corners) return;
    const ends = this.corners.map((corner) => project(...corner));
    pen.strokeStyle = colour;
    pen.lineWidth = front ? 1.4 : 0.8;
    pen.globalAlpha = front ? 0.9 : 0.5;
    for (const [a, b] of EDGES) {
      if (ends[a][2] + ends[b][2] > 0 !== front) continue;
      pen.beginPath();
      pen.moveTo(ends[a][0], ends[a][1]);
      pen.lineTo(ends[b][0], ends[b][1]);
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  drawBall(pen, [x, y, depth, scale, i], { grey, ground }) {
    const t = this.values ? this.values[i] : 0.5;
    const known = !Number.isNaN(t);
    const r = this.radius * scale * (known ? 0.45 + 0.55 * t : 0.3);
    const near = 0.6 + 0.2 * (depth / this.extent + 1); // what is far fades into the ground
    const colour = this.values && known ? viridis(t) : grey;
    const base = colour.map((c, k) => near * c + (1 - near) * ground[k]);
    const ball = pen.createRadialGradient(x - 0.35 * r, y - 0.4 * r, 0.1 * r, x, y, r);
    ball.addColorStop(0, `rgb(${base.map((c) => c + 0.35 * (255 - c)).join()})`);
    ball.addColorStop(0.55, `rgb(${base.join()})`);
    ball.addColorStop(1, `rgb(${base.map((c) => 0.82 * c).join()})`);
    pen.globalAlpha = known ? 0.35 + 0.65 * t : 0.3;
    pen.beginPath();
    pen.arc(x, y, r, 0, 2 * Math.PI);
    pen.fillStyle = ball;
    pen.fill();
    pen.strokeStyle = `rgb(${ground.join()})`;
    pen.lineWidth = 1;
    pen.stroke();
    pen.globalAlpha = 1;
  }
}

/** Where the defect is. */
function drawCross(pen, [x, y], colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(x - 5, y);
  pen.lineTo(x + 5, y);
  pen.moveTo(x, y - 5);
  pen.lineTo(x, y + 5);
  pen.stroke();
}
