// Leased items of one queue: claimed some ahead, renewed by a heartbeat, never claimed for more than a person can use.

import { get, post } from "./api.js";

const HEARTBEAT_MS = 60_000;
const MOST_PER_CALL = 60;
const MOST_HELD = 300; // that the server reads in one call

/** Emits "items" when some came, "claimed" when a round of asking is over, "lost" with ids that went to others, "end" with the reason when there is nothing now. */
export class WorkQueue extends EventTarget {
  /** `ahead`: how many undecided items to have at hand. */
  constructor(queueId, outbox, { ahead }) {
    super();
    Object.assign(this, { queueId, outbox, ahead, left: null, reason: null });
    this.path = `/api/queues/${encodeURIComponent(queueId)}`;
    this.waiting = new Map(); // leased and undecided, in order
    this.decided = new Set();
    this.heart = setInterval(() => this.beat(), HEARTBEAT_MS);
  }

  /** Claim until enough are at hand; one call at a time. */
  async fill() {
    if (this.filling) return this.filling;
    this.filling = this.claim().finally(() => {
      this.filling = null;
    });
    return this.filling;
  }

  async claim() {
    try {
      for (let fresh = 1; fresh > 0 && this.waiting.size < this.ahead;) {
        const wanted = Math.min(MOST_PER_CALL, this.ahead - this.waiting.size);
        // As it is when the server is asked: what is saved before its answer comes, the answer may still hold.
        const pending = this.outbox.pendingItems(this.queueId);
        // They are held too: what waits to be saved is not to be given to me again in place of new items.
        const held = [...this.waiting.keys(), ...pending].slice(0, MOST_HELD);
        fresh = this.take(await post(`${this.path}/claim`, { count: wanted, held }), pending);
        if (this.reason) return;
      }
    } catch (error) {
      this.dispatchEvent(new CustomEvent("trouble", { detail: error }));
      if (error.passing || error.status === 401) this.later(3000); // who signs in again in another tab goes on here
    } finally {
      this.dispatchEvent(new Event("claimed"));
    }
  }

  take(answer, pending) {
    const fresh = answer.items.filter((item) => !this.waiting.has(item.id) && !this.decided.has(item.id) && !pending.has(item.id));
    for (const item of fresh) this.waiting.set(item.id, item);
    this.left = answer.left ?? this.left;
    this.reason = answer.reason;
    this.lose(answer.lost ?? []);
    if (fresh.length) this.dispatchEvent(new CustomEvent("items", { detail: fresh }));
    else if (!this.waiting.size) this.nothing(answer, pending.size > 0 || this.outbox.unsaved > 0);
    return fresh.length;
  }

  nothing(answer, unsaved) {
    if (unsaved) {
      // The server did not know of my last decisions yet: what it says of the end would be wrong.
      // This call has to be over first: asked before, `fill` would give back the call that has brought nothing.
      Promise.all([this.outbox.settled(), this.filling]).then(() => this.fill());
      return;
    }
    this.dispatchEvent(new CustomEvent("end", { detail: answer.reason ?? "all leased" }));
    // What others hold may come free: look again.
    if (answer.reason !== "done") this.later(5000);
  }

  later(delay) {
    clearTimeout(this.again);
    this.again = setTimeout(() => this.fill(), delay);
  }

  lose(ids) {
    const mine = ids.filter((id) => this.waiting.delete(id));
    if (mine.length) this.dispatchEvent(new CustomEvent("lost", { detail: mine }));
  }

  async beat() {
    if (!this.waiting.size || document.hidden) return;
    try {
      const answer = await post(`${this.path}/claim`, { count: 0, held: [...this.waiting.keys()] });
      this.left = answer.left ?? this.left;
      this.lose(answer.lost ?? []);
    } catch (error) {
      if (!error.passing) this.dispatchEvent(new CustomEvent("trouble", { detail: error }));
    }
  }

  /** An item is decided: it leaves my hands, and more are claimed when few are left. */
  settle(id, { refill = true } = {}) {
    const known = this.waiting.delete(id);
    this.decided.add(id);
    if (known && this.left !== null) this.left = Math.max(0, this.left - 1);
    if (refill && this.waiting.size <= this.ahead / 2) this.fill();
  }

  /** Their decisions were taken back: they are mine again, and the next. */
  reopen(items) {
    for (const item of items) this.decided.delete(item.id);
    this.waiting = new Map([...items.map((item) => [item.id, item]), ...this.waiting]);
    if (this.left !== null) this.left += items.length;
  }

  /** My own earlier decisions, newest first, for undo after a reload: {events, next}. */
  mine(before = null) {
    return get(`${this.path}/mine?limit=60${before === null ? "" : `&before=${before}`}`);
  }
}
