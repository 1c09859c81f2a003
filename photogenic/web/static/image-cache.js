// Decoded pictures, ready to be painted: those ahead and a few behind, and no others, so that memory stays flat.

const AT_ONCE = 3;
const TRIES = 4;

let worker = null;
let nextId = 0;
const waiting = new Map(); // id -> the entry it is for

function decoder() {
  if (worker) return worker;
  worker = new Worker(new URL("./decode-worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => {
    const entry = waiting.get(data.id);
    waiting.delete(data.id);
    if (entry) entry.answered(data);
    else data.bitmap?.close();
  };
  return worker;
}

class Entry {
  constructor(cache, url, box) {
    Object.assign(this, { cache, url, box, bitmap: null, error: null, tries: 0, state: "idle" });
    this.ready = new Promise((done) => {
      this.done = done;
    });
  }

  start() {
    this.state = "loading";
    this.id = nextId++;
    waiting.set(this.id, this);
    decoder().postMessage({ id: this.id, url: this.url, box: this.box });
  }

  answered({ bitmap, width, height, error, final = false }) {
    if (this.state === "gone") {
      bitmap?.close();
      return;
    }
    if (bitmap) this.filled(bitmap, width, height);
    else if (!final && ++this.tries < TRIES) return this.again();
    else Object.assign(this, { error, state: "failed" });
    this.done(this);
    this.cache.next();
    return undefined;
  }

  filled(bitmap, width, height) {
    const before = this.bitmap;
    Object.assign(this, { bitmap, width, height, state: "ready" });
    if (!before) return;
    this.cache.dispatchEvent(new CustomEvent("refitted", { detail: this.url }));
    before.close();
  }

  /** Whether its pixels are enough for a box of this size. */
  fills(box) {
    if (!box || this.bitmap.width >= this.width) return true;
    return this.bitmap.width >= 0.95 * this.width * Math.min(1, box.width / this.width, box.height / this.height);
  }

  again() {
    this.state = "resting";
    setTimeout(() => {
      if (this.state !== "resting") return;
      this.state = "idle";
      this.cache.next();
    }, 300 * 3 ** this.tries);
    this.cache.next();
  }

  drop() {
    if (this.state === "loading") {
      waiting.delete(this.id);
      decoder().postMessage({ drop: this.id });
    }
    this.bitmap?.close();
    this.bitmap = null;
    this.state = "gone";
    this.done(this);
  }
}

/** Pictures by address; emits "refitted". `box()` gives the size in device pixels to shrink to while decoding, or null for the whole picture. */
export class ImageCache extends EventTarget {
  constructor({ box = () => null, atOnce = AT_ONCE } = {}) {
    super();
    this.box = box;
    this.atOnce = atOnce;
    this.entries = new Map();
  }

  /** Hold exactly these addresses, the most wanted first; everything else is let go. */
  hold(urls) {
    const wanted = new Set(urls);
    for (const [url, entry] of this.entries) {
      if (wanted.has(url)) continue;
      entry.drop();
      this.entries.delete(url);
    }
    const box = this.box();
    const ordered = new Map();
    for (const url of wanted) ordered.set(url, this.entries.get(url) ?? new Entry(this, url, box));
    this.entries = ordered;
    this.next();
  }

  /** The entry of an address that is held: `.bitmap` when decoded, `.ready` a promise of it, `.error` a sentence. */
  get(url) {
    return this.entries.get(url);
  }

  next() {
    let busy = 0;
    for (const entry of this.entries.values()) if (entry.state === "loading") busy += 1;
    for (const entry of this.entries.values()) {
      if (busy >= this.atOnce) return;
      if (entry.state !== "idle") continue;
      entry.start();
      busy += 1;
    }
  }

  /** The room has grown: decode again what has too few pixels; "refitted" tells of each, and the old pixels serve until then. */
  refit() {
    const box = this.box();
    for (const entry of this.entries.values()) {
      if (entry.state !== "ready" || entry.fills(box)) continue;
      Object.assign(entry, { box, state: "idle" });
    }
    this.next();
  }

  clear() {
    for (const entry of this.entries.values()) entry.drop();
    this.entries.clear();
  }
}
