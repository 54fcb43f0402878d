// The page's own relaxation: a worker that starts when the controls have come to rest.

const REST = 200; // ms without a move

/** The worker's program as an address: the text of the function that holds it all. */
function workerAddress() {
  const program = `(${relaxation})().listen(self);`;
  return URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
}

class Relaxation {
  /** on(message): of the worker, for the last start only; see Problem.study, or { failed }. */
  constructor(on) {
    Object.assign(this, { on, id: 0, problem: null });
  }

  /** Relax the potential theta of a data set, once the controls rest; drops what ran before. */
  start(data, theta) {
    this.stop();
    const id = ++this.id;
    this.timer = setTimeout(() => this.send(id, data, theta), REST);
  }

  /** Nothing is wanted any more. */
  stop() {
    clearTimeout(this.timer);
    this.id++;
    this.worker?.postMessage({ stop: true });
  }

  send(id, data, theta) {
    try {
      this.worker ??= this.open();
    } catch (error) {
      return this.on({ failed: error.message }); // a page that forbids workers
    }
    if (this.problem !== data) this.worker.postMessage({ problem: problemOf(data) });
    this.problem = data;
    this.worker.postMessage({ start: id, theta });
  }

  open() {
    const address = workerAddress();
    const worker = new Worker(address);
    worker.onmessage = ({ data: message }) => {
      if (message.id === this.id) this.on(message);
    };
    worker.onerror = (event) => this.on({ failed: event.message ?? "the worker did not start" });
    return worker;
  }

  dispose() {
    this.stop();
    this.worker?.terminate();
  }
}

/** What the worker needs of a data set. */
function problemOf({ meta, arrays }) {
  const { relax, limits, shells, test_atoms } = meta;
  const own = Object.entries(arrays).filter(([name]) => name.startsWith("relax/"));
  // slices: a part of the page's one big buffer would travel with all of it
  const copies = own.map(([name, a]) => [name, { ...a, data: a.data.slice() }]);
  return { meta: { relax, limits, shells, test_atoms }, arrays: Object.fromEntries(copies) };
}

/** How far a study has come, between 0 and 1, from one of its messages. */
function progressOf({ stage, left, worst, products }, limits) {
  const part = (x, from, to) => Math.min(1, Math.max(0, Math.log(x / from) / Math.log(to / from)));
  if (stage === "newton") return 0.4 * part(left, 1, limits.rtol);
  if (stage === "relaxation") return 0.4 + 0.25 * part(worst, 1, limits.tolerance[1]);
  return 0.65 + 0.35 * Math.min(1, products / 15);
}
