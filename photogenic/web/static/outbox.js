// What a person decided, kept in the browser (IndexedDB) until the server has confirmed it. Nothing is lost when the
// network, the server or this tab goes away; nothing is doubled, since each event carries an id made here.

import { newId, post } from "./api.js";

const BATCH = 200;
const PAUSE_MS = 400; // events gather for a moment, so that a fast hand makes a few writes and not hundreds
const LONGEST_WAIT_MS = 20_000;
const ABOUT_CONTENT = new Set([400, 413, 422]); // the server cannot take what was sent, and never will

/** Emits "change" with {unsaved, state, refused}; state: saved | sending | waiting | refused | signed-out. */
export class Outbox extends EventTarget {
  /** `personId` keeps people apart who share a browser. */
  static async open(personId) {
    const database = await openDatabase(`photogenic-outbox-${personId}`);
    const events = await inStore(database, "readonly", (store) => store.getAll());
    return new Outbox(personId, database, events);
  }

  constructor(personId, database, events) {
    super();
    Object.assign(this, { personId, database });
    this.events = events; // in the order they were made
    this.refused = 0;
    this.failures = 0;
    this.atOnce = BATCH; // fewer while a batch with something in it that the server cannot take is halved
    this.state = events.length ? "sending" : "saved";
    this.writing = Promise.resolve();
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => this.hurry());
    addEventListener("pagehide", () => this.lastWords());
    this.schedule(0);
  }

  get unsaved() {
    return this.events.length;
  }

  /** Items of a queue whose decision is not with the server yet, so that they are not shown again. */
  pendingItems(queueId) {
    const pending = new Set();
    for (const event of this.events) {
      if (event.queue_id !== queueId) continue;
      if (event.kind === "undo") pending.delete(event.item_id);
      else pending.add(event.item_id);
    }
    return pending;
  }

  /** Keep an event and send it soon; returns its id at once. */
  add(kind, queueId, itemId, body) {
    return this.addAll([[kind, queueId, itemId, body]])[0];
  }

  /** The same for many, in one write: [[kind, queueId, itemId, body], …]. */
  addAll(rows) {
    const events = rows.map(([kind, queueId, itemId, body]) => (
      { event_id: newId(), kind, queue_id: queueId, item_id: itemId, client_at: this.now(), body }));
    this.events.push(...events);
    this.writing = inStore(this.database, "readwrite", (store) => {
      for (const event of events) store.put(event);
    });
    this.writing.catch((error) => this.dispatchEvent(new CustomEvent("refused", { detail: { error: `This browser cannot store decisions (${error.message}).` } })));
    this.changed(this.failures ? "waiting" : "sending");
    // What is planned stays: a hand faster than the pause would put it off for ever.
    if (!this.timer) this.schedule(PAUSE_MS);
    return events.map((event) => event.event_id);
  }

  /** Never the same moment twice: the order of events is told by it. */
  now() {
    this.latest = Math.max(Date.now(), (this.latest ?? 0) + 1);
    return new Date(this.latest).toISOString();
  }

  /** Resolves when the server has everything (or has refused it). */
  settled() {
    if (!this.events.length) return Promise.resolve();
    this.hurry();
    return new Promise((done) => {
      const look = () => {
        if (this.events.length) return;
        this.removeEventListener("change", look);
        done();
      };
      this.addEventListener("change", look);
    });
  }

  hurry() {
    if (this.events.length) this.schedule(0);
  }

  schedule(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), delay);
  }

  async send() {
    this.timer = null;
    if (this.sending || !this.events.length) return this.changed();
    this.sending = true;
    const batch = this.events.slice(0, this.atOnce);
    try {
      await this.writing.catch(() => null);
      const { accepted, refused, feedback } = await post("/api/events", { events: batch, person_id: this.personId });
      this.failures = 0;
      this.atOnce = Math.min(BATCH, 2 * this.atOnce);
      if (feedback?.length) this.dispatchEvent(new CustomEvent("feedback", { detail: feedback }));
      await this.forget([...accepted, ...refused.map((one) => one.event_id)]);
      this.tellRefused(batch, refused);
    } catch (error) {
      if (ABOUT_CONTENT.has(error.status)) await this.halve(batch, error);
      else this.failed(error);
    } finally {
      this.sending = false;
    }
    this.changed();
    if (this.events.length && this.state !== "signed-out" && !this.timer) this.schedule(this.wait());
    return undefined;
  }

  /** How long until the next try: at once after a success, else doubling, with some chance so that tabs do not march in step. */
  wait() {
    if (!this.failures) return 0;
    return Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.failures) * (0.75 + Math.random() / 2);
  }

  async forget(ids) {
    const gone = new Set(ids);
    this.events = this.events.filter((event) => !gone.has(event.event_id));
    await inStore(this.database, "readwrite", (store) => {
      for (const id of gone) store.delete(id);
      return store.count();
    });
  }

  tellRefused(batch, refused) {
    if (!refused.length) return;
    this.refused += refused.length;
    const events = new Map(batch.map((event) => [event.event_id, event]));
    for (const one of refused) {
      this.dispatchEvent(new CustomEvent("refused", { detail: { ...one, event: events.get(one.event_id) } }));
    }
  }

  /** The server refuses the whole batch for what is in it: send less, until the one it is about is alone and is let go. */
  async halve(batch, error) {
    this.failures = 0;
    this.atOnce = Math.max(1, Math.floor(batch.length / 2));
    if (batch.length > 1) return;
    await this.forget([batch[0].event_id]);
    this.tellRefused(batch, [{ event_id: batch[0].event_id, error: error.message }]);
  }

  failed(error) {
    this.failures += 1;
    this.state = error.status === 401 ? "signed-out" : "waiting";
    if (this.failures === 1 && error.status >= 400 && error.status < 500 && !error.passing && error.status !== 401) {
      this.dispatchEvent(new CustomEvent("refused", { detail: { error: error.message, event: null } }));
    }
  }

  changed(state) {
    if (state) this.state = state;
    else if (!this.events.length) this.state = "saved";
    else if (this.state === "saved") this.state = "sending";
    this.dispatchEvent(new CustomEvent("change", { detail: { unsaved: this.unsaved, state: this.state } }));
  }

  /** The tab closes: try once more with a request that outlives the page (limited to 64 kB by browsers). */
  lastWords() {
    if (!this.events.length) return;
    post("/api/events", { events: this.events.slice(0, 60), person_id: this.personId }, { keepalive: true }).catch(() => {
      // They stay in IndexedDB and are sent when a page of this site is opened again.
    });
  }
}

function openDatabase(name) {
  return new Promise((done, fail) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      const store = request.result.createObjectStore("events", { keyPath: "event_id" });
      store.createIndex("client_at", "client_at");
    };
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
}

/** Run `work` in one transaction; resolves with its last result once the transaction is on disk. */
async function inStore(database, mode, work) {
  const result = await new Promise((done, fail) => {
    const transaction = database.transaction("events", mode);
    const request = work(transaction.objectStore("events"));
    transaction.oncomplete = () => done(request?.result);
    transaction.onabort = transaction.onerror = () => fail(transaction.error);
  });
  if (!Array.isArray(result)) return result;
  return result.sort((a, b) => (a.client_at < b.client_at ? -1 : a.client_at > b.client_at ? 1 : 0));
}
