// Decoded pictures, ready to be painted: those ahead and a few behind, and no others, so that memory stays flat.
// While the server is away one picture asks for it again and again, and the others follow once it is back. A picture
// that the server itself cannot give is told of after some tries, and still asked for now and then.

const AT_ONCE = 3;
const TRIES = 4;
const SHORTEST_MS = 300;
const LONGEST_MS = 4000; // between two questions to a server that is away: so late, at most, pictures come when it is back
const RARELY_MS = 15_000;

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
  worker.onerror = withoutDecoder;
  return worker;
}

/** The worker's own text has not come, or it broke: who waits for its answers asks the next one. */
function withoutDecoder() {
  worker.terminate();
  worker = null;
  const left = [...waiting.values()];
  waiting.clear();
  for (const entry of left) entry.answered({ away: "gone" });
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

  answered({ bitmap, width, height, error, final, away }) {
    if (this.state === "gone") {
      bitmap?.close();
      return;
    }
    if (away) {
      this.state = "idle";
      this.cache.rest(away);
      return;
    }
    if (bitmap) this.filled(bitmap, width, height);
    else this.refused(error, final);
    this.cache.heard();
    this.cache.next();
  }

  filled(bitmap, width, height) {
    const before = this.bitmap;
    const late = this.error !== null;
    Object.assign(this, { bitmap, width, height, error: null, tries: 0, state: "ready" });
    this.done(this);
    if (before || late) this.cache.dispatchEvent(new CustomEvent("refitted", { detail: this.url }));
    before?.close();
  }

  /** Whether its pixels are enough for a box of this size. */
  fills(box) {
    if (!box || this.bitmap.width >= this.width) return true;
    return this.bitmap.width >= 0.95 * this.width * Math.min(1, box.width / this.width, box.height / this.height);
  }

  /** The server is there and does not give this picture: perhaps later, perhaps never. */
  refused(error, final) {
    this.tries += 1;
    this.state = "resting";
    if (final || this.tries >= TRIES) {
      Object.assign(this, { error, state: "failed" });
      this.done(this);
    }
    if (!final) this.later(this.error === null ? SHORTEST_MS * 3 ** this.tries : RARELY_MS);
  }

  later(delay) {
    setTimeout(() => {
      if (this.state !== "resting" && this.state !== "failed") return;
      this.state = "idle";
      this.cache.next();
    }, delay);
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

/**
 * Pictures by address. `box()` gives the size in device pixels to shrink to while decoding, or null for the whole picture.
 *
 * Emits "refitted" (the address) when a picture has other pixels than before, or comes after all; "away" (why: gone |
 * signed-out) when pictures wait for the server, and "back" when they do not any more.
 */
export class ImageCache extends EventTarget {
  constructor({ box = () => null, atOnce = AT_ONCE } = {}) {
    super();
    this.box = box;
    this.atOnce = atOnce;
    this.entries = new Map();
    this.failures = 0; // to reach the server, one after the other
    this.pause = null;
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
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

  /** Whether pictures wait for a server that cannot be reached. */
  get isAway() {
    return this.failures > 1;
  }

  next() {
    if (this.pause !== null) return;
    const most = this.failures ? 1 : this.atOnce;
    let busy = 0;
    for (const entry of this.entries.values()) if (entry.state === "loading") busy += 1;
    for (const entry of this.entries.values()) {
      if (busy >= most) return;
      if (entry.state !== "idle") continue;
      entry.start();
      busy += 1;
    }
    if (!busy) this.heard(); // nothing waits for the server, whether it is there or not
  }

  /** The server cannot be reached: ask again after a while, that doubles, with some chance so that pages do not march in step. */
  rest(why) {
    if (this.pause !== null) return; // those that were under way together say the same
    this.failures += 1;
    if (this.failures === 2) this.dispatchEvent(new CustomEvent("away", { detail: why }));
    const delay = Math.min(LONGEST_MS, SHORTEST_MS * 2 ** this.failures) * (0.75 + Math.random() / 2);
    this.pause = setTimeout(() => this.hurry(), delay);
  }

  hurry() {
    clearTimeout(this.pause);
    this.pause = null;
    this.next();
  }

  heard() {
    const told = this.isAway;
    this.failures = 0;
    if (told) this.dispatchEvent(new Event("back"));
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
    this.hold([]);
  }
}
