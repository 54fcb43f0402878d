// The data of a page: base64 text of a gzipped header and arrays, and products with packed factors.
// Factors are upper trapezoids, packed by columns.

/** Undo ExplorerData.pack: base64 -> gzip -> header + byte-shuffled float64 arrays. */
async function unpackData(text) {
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const raw = new Uint8Array(await new Response(stream).arrayBuffer());
  const length = new DataView(raw.buffer).getUint32(0, true);
  const meta = JSON.parse(new TextDecoder().decode(raw.subarray(4, 4 + length)));
  const shuffled = raw.subarray(4 + length);
  const count = shuffled.length / 8;
  const bytes = new Uint8Array(shuffled.length);
  for (let b = 0; b < 8; b++)
    for (let i = 0, from = b * count; i < count; i++) bytes[8 * i + b] = shuffled[from + i];
  const floats = new Float64Array(bytes.buffer);
  const arrays = {};
  for (const [name, [offset, shape]] of Object.entries(meta.arrays)) {
    const trapezoid = name.startsWith("R/");
    const size = trapezoid ? packedLength(shape[0], shape[1]) : shape.reduce((a, b) => a * b, 1);
    arrays[name] = { data: floats.subarray(offset, offset + size), shape };
  }
  const kept = { triangles: new Recent(24), predictions: new Recent(64) };
  return { meta, arrays, kept };
}

/** All data sets of a widget, with a notice in its section meanwhile; null, and why, on failure. */
async function unpackAll(root, payloads) {
  const megabytes = payloads.reduce((s, p) => s + p.length, 0) * 0.75e-6;
  const text = `Unpacking ${megabytes.toFixed(1)} MB of fit data …`;
  const bar = h("progress", { "aria-label": "Unpacking" });
  root.append(h("div", { class: "mx-wait", role: "status" }, text, bar));
  await new Promise((resolve) => setTimeout(resolve, 0)); // let the notice appear
  try {
    return await Promise.all(payloads.map(unpackData));
  } catch (error) {
    root.dataset.state = "failed";
    const why =
      `The fit data could not be unpacked (${error.message}). ` +
      "A browser from 2023 or later is needed.";
    root.replaceChildren(h("div", { class: "mx-wait", role: "alert" }, why));
    return null;
  }
}

/** Entries of an upper trapezoid with r rows and n columns, and where column j starts. */
function packedLength(r, n) {
  return columnStart(r, n);
}
function columnStart(r, j) {
  return j <= r ? (j * (j + 1)) / 2 : (r * (r + 1)) / 2 + (j - r) * r;
}

/** R x, R packed; x is theta on the first columns and the extras on the last ones. */
function packedProduct(R, theta, extras) {
  const [r, n] = R.shape,
    a = R.data,
    out = new Float64Array(r);
  const add = (j, x) => {
    if (x === 0) return;
    const start = columnStart(r, j),
      m = Math.min(j + 1, r);
    for (let i = 0; i < m; i++) out[i] += a[start + i] * x;
  };
  for (let j = 0; j < theta.length; j++) add(j, theta[j]);
  extras.forEach((x, i) => add(n - extras.length + i, x));
  return out;
}
function norm2(v) {
  let s = 0;
  for (let i = 0; i < v.length; i++) s += v[i] * v[i];
  return s;
}
