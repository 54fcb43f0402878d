// Turns the picture of a defect: by the pointer, or by the buttons below it.
"use strict";
for (const figure of document.querySelectorAll(".turnable")) {
  const svg = figure.querySelector("svg.scene");
  const data = JSON.parse(document.getElementById(figure.dataset.scene).textContent);
  const circles = [...svg.querySelectorAll("circle")];
  const size = svg.viewBox.baseVal.width;
  const reach = Math.max(...data.positions.map((p) => Math.hypot(...p)));
  const largest = Math.max(...data.error) || 1;
  const ball = (size * 0.44 * nearest(data.positions)) / reach;
  const radius = (share, depth) => (0.09 + 0.23 * Math.sqrt(share)) * (1 + 0.15 * depth);
  let { turn, tilt } = data;

  function nearest(points) {
    let least = Infinity;
    for (const [k, p] of points.slice(0, 30).entries()) {
      for (const q of points.slice(0, k)) {
        least = Math.min(least, Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]));
      }
    }
    return Number.isFinite(least) ? least : 1;
  }

  function colour(share) {
    const stops = ["440154", "3b528b", "21918c", "5ec962", "fde725"];
    const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2);
    const channel = (k) => {
      const [a, b] = [stops[low], stops[low + 1]].map((s) => parseInt(s.slice(k, k + 2), 16));
      return Math.round(a + (place - low) * (b - a));
    };
    return `rgb(${channel(0)}, ${channel(2)}, ${channel(4)})`;
  }

  function draw() {
    const [c, s, d, t] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
    const seen = data.positions.map(([x, y, z], k) => {
      const [right, back] = [c * x + s * z, -s * x + c * z];
      return { x: right, y: d * y - t * back, z: t * y + d * back, error: data.error[k] };
    });
    seen.sort((a, b) => a.z - b.z);
    seen.forEach((atom, k) => {
      circles[k].setAttribute("cx", size / 2 + (size * 0.44 * atom.x) / reach);
      circles[k].setAttribute("cy", size / 2 - (size * 0.44 * atom.y) / reach);
      circles[k].setAttribute("r", ball * radius(atom.error / largest, atom.z / reach));
      circles[k].setAttribute("fill", colour(atom.error / largest));
    });
  }

  function by(right, up) {
    turn += 0.2 * right;
    tilt = Math.min(Math.max(tilt + 0.2 * up, -1.5), 1.5);
    draw();
  }

  figure.querySelector(".turn").hidden = false;
  for (const button of figure.querySelectorAll("button")) {
    const [right, up] = button.dataset.turn.split(" ").map(Number);
    button.setAttribute("aria-label", `Turn the picture ${button.textContent}`);
    button.addEventListener("click", () => by(right, up));
  }
  svg.addEventListener("pointerdown", (event) => svg.setPointerCapture(event.pointerId));
  svg.addEventListener("pointermove", (event) => {
    if (svg.hasPointerCapture(event.pointerId)) by(event.movementX / 20, -event.movementY / 20);
  });
}
