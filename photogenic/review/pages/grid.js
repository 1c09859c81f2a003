// The grid: a screen of pictures, the few are marked, Enter submits them all and the next screen is there.

import { ActiveTime } from "/static/active-time.js";
import { announce, count, el, once, toast } from "/static/dom.js";
import { WorkQueue } from "/static/work-queue.js";
import { Cells } from "./cells.js";
import { guidelinesVersion, openWork, run } from "./common.js";
import { DENSITIES, GridBar, OTHER } from "./grid-bar.js";
import { gridKeys } from "./grid-keys.js";
import { LargeView } from "./large-view.js";
import { Screenful } from "./screenful.js";

const SETTLE_MS = 350; // a screen cannot be submitted sooner: nobody has seen it, and a key pressed twice is a mistake
const TOGETHER_MS = 250; // decisions of one screen are made in less

class Grid {
  constructor(page) {
    Object.assign(this, page);
    this.density = Number(localStorage.getItem("photogenic.density")) || 30;
    this.mode = this.body.mark === "drop" ? "drop" : "keep";
    this.done = this.queue.done;
    this.clock = new ActiveTime();
    this.guidelines = guidelinesVersion(this.queue.id);
    this.work = new WorkQueue(this.queue.id, this.outbox, { ahead: 2 * this.density + 10 });
    this.screen = new Screenful();
    this.undoable = []; // {marks: [[entry, mark before]]} of this screen, and {entries, mode} of those before it
    this.cells = new Cells(this.queue.id);
    this.large = new LargeView(this.queue.id);
    this.recallOnce = once(() => this.recall());
    this.build();
    this.listen();
  }

  build() {
    document.querySelector("#work").replaceChildren(this.cells.node, this.large.node);
    this.bar = new GridBar({
      undo: () => this.undo(), openLarge: () => this.openLarge(), submit: () => this.submit(),
      setMode: (mode) => this.setMode(mode), setDensity: (n) => this.setDensity(n),
    });
    document.querySelector("footer").replaceChildren(...this.bar.nodes);
    this.drawChoices();
  }

  drawChoices() {
    this.bar.drawChoices(this.mode, this.density);
  }

  listen() {
    this.work.addEventListener("items", () => this.arrived());
    // Fewer than a screen, because others hold the rest: show those.
    this.work.addEventListener("claimed", () => this.screen.isEmpty && this.work.waiting.size && this.nextScreen());
    this.work.addEventListener("lost", ({ detail }) => this.lost(new Set(detail)));
    this.work.addEventListener("end", ({ detail }) => this.ended(detail));
    this.work.addEventListener("trouble", ({ detail }) => toast(detail.message, { error: true }));
    this.cells.node.addEventListener("click", (event) => this.clicked(event));
    this.cells.node.addEventListener("dblclick", (event) => {
      if (event.target.closest(".cell")) this.openLarge();
    });
    new ResizeObserver(() => this.layout()).observe(this.cells.node);
    this.cells.addEventListener("refitted", () => this.draw());
    this.cells.addEventListener("cannot", ({ detail }) => this.mark(detail, detail, "unsure"));
    this.watch(this.cells.pictures);
    this.watch(this.large.pictures);
  }

  // What is on the screen

  arrived() {
    if (this.screen.isEmpty && this.enough()) this.nextScreen();
    else this.holdPictures();
  }

  /** Whether a whole screen is at hand, or all that there is. */
  enough() {
    return this.work.waiting.size >= this.density || this.work.reason !== null || (this.work.left ?? Infinity) <= this.work.waiting.size;
  }

  /** The items of the screen after the first `skip`. */
  upcoming(skip = 0) {
    return [...this.work.waiting.values()].slice(skip, skip + this.density);
  }

  nextScreen() {
    this.show(this.upcoming().map((item) => ({ item, mark: null })));
  }

  show(entries) {
    this.closeLarge();
    this.screen = new Screenful(entries);
    this.since = performance.now();
    document.querySelector("#work .empty")?.remove();
    this.layout();
    if (!entries.length) this.work.fill();
    setTimeout(() => this.setProgress(this.done, this.queue.total_for_me), 40);
  }

  lost(ids) {
    const { framed } = this.screen;
    if (!this.screen.lose(ids)) return;
    this.forgetMarks();
    if (this.screen.isEmpty) {
      this.nextScreen();
      return;
    }
    if (this.screen.framed !== framed) this.closeLarge(); // what was looked at is gone: a mark would go to another
    this.layout();
  }

  /** Marks on pictures that are not on the screen any more cannot be undone. */
  forgetMarks() {
    this.undoable = this.undoable.filter((step) => step.entries || step.marks.some(([entry]) => this.screen.entries.includes(entry)));
  }

  ended(reason) {
    if (!this.screen.isEmpty) return;
    const done = reason === "done";
    this.cells.draw([], this.mode);
    document.querySelector("#work .empty")?.remove();
    document.querySelector("#work").append(el("div", { class: "empty" },
      el("h2", {}, done ? "All done" : "Others hold the rest"),
      el("p", {}, done ? "Every picture that was for you has your decision." : "What is left is with other people right now. This page looks again every few seconds."),
      el("p", {}, el("a", { class: "button", href: "/" }, "All my work"))));
    this.setProgress(this.done, this.queue.total_for_me);
    this.drawTally();
    announce(done ? "All done." : "Others hold the rest; looking again soon.");
  }

  layout() {
    this.cells.fit(this.screen.entries, this.density);
    this.draw();
  }

  draw() {
    this.holdPictures();
    this.cells.draw(this.screen.entries, this.mode);
    this.drawFrame();
    this.drawTally();
  }

  /** Hold this screen, then the next, so that Enter shows pictures and not frames; then what was just submitted, for undo. */
  holdPictures() {
    const ahead = this.upcoming(this.screen.entries.length);
    const before = this.undoable.findLast((step) => step.entries)?.entries ?? [];
    this.cells.hold([...this.screen.items, ...ahead, ...before.map((entry) => entry.item)]);
  }

  drawFrame() {
    this.cells.drawFrame(this.screen.here, this.screen.anchor === null ? null : this.screen.range);
  }

  drawTally() {
    this.bar.drawTally(this.screen.tally(this.mode), !this.screen.isEmpty);
  }

  // Marks

  mark(from, to, mark) {
    this.undoable.push({ marks: this.screen.mark(from, to, mark) });
    for (let i = from; i <= to; i += 1) this.cells.drawMark(i, this.mode);
    this.drawTally();
    this.large.drawMark(this.screen.framed.mark);
  }

  /** A key's mark goes to the range, or to the framed picture, and the frame moves on. */
  put(mark) {
    if (this.screen.isEmpty) return;
    const [from, to] = this.screen.range;
    this.mark(from, to, mark);
    this.moveTo(Math.min(to + 1, this.screen.entries.length - 1));
  }

  toggle(i = this.screen.here) {
    if (!this.screen.isEmpty) this.mark(i, i, this.screen.entries[i].mark === this.mode ? null : this.mode);
  }

  clicked(event) {
    const node = event.target.closest(".cell");
    if (!node) return;
    const i = Number(node.dataset.index);
    const { here } = this.screen;
    if (event.shiftKey) this.mark(Math.min(here, i), Math.max(here, i), this.mode);
    else this.toggle(i);
    this.moveTo(i);
  }

  moveTo(i, extend = false) {
    if (!this.screen.moveTo(i, extend)) return;
    this.drawFrame();
    this.cells.reveal(i);
    if (this.large.isOpen) this.showLarge();
  }

  move(by, event) {
    this.moveTo(this.screen.here + by, event.shiftKey);
  }

  setMode(mode) {
    this.mode = mode;
    this.drawChoices();
    for (const i of this.screen.entries.keys()) this.cells.drawMark(i, mode);
    this.drawTally();
    announce(mode === "keep" ? "Marks are keepers; the others are dropped." : "Marks are rejects; the others are kept.");
  }

  setDensity(n) {
    if (!n || n === this.density) return;
    this.density = n;
    localStorage.setItem("photogenic.density", String(n));
    this.work.ahead = 2 * n + 10;
    this.drawChoices();
    if (this.work.waiting.size >= n) this.regrid();
    this.work.fill().then(() => this.regrid());
  }

  /** The pictures of the screen, with the marks that they have by now, on a screen of another size. */
  regrid() {
    const { entries } = this.screen;
    const known = new Map(entries.map((entry) => [entry.item.id, entry]));
    const wanted = this.upcoming().map((item) => known.get(item.id) ?? { item, mark: null });
    if (wanted.length === entries.length && wanted.every((entry, i) => entry === entries[i])) return;
    this.show(wanted);
    this.forgetMarks();
  }

  stepDensity(by) {
    this.setDensity(DENSITIES[DENSITIES.indexOf(this.density) + by]);
  }

  // The whole screen

  submit() {
    const { entries } = this.screen;
    if (!entries.length || performance.now() - this.since < SETTLE_MS) return;
    if (!entries.every((entry) => entry.seen)) {
      toast("Some pictures are still coming");
      return;
    }
    const active = Math.round(this.clock.lap() / entries.length);
    const bulk = entries.length > 1;
    const ids = this.outbox.addAll(entries.map((entry) => ["decide", this.queue.id, entry.item.id, {
      verdict: Screenful.verdictOf(entry, this.mode), ...(bulk && !entry.mark ? { bulk: true } : {}),
      guidelines_version: this.guidelines.version, active_ms: active, screen: "grid",
    }]));
    for (const [i, entry] of entries.entries()) {
      entry.eventId = ids[i];
      this.work.settle(entry.item.id, { refill: false });
    }
    this.done += entries.length;
    this.undoable = [...this.undoable.filter((step) => step.entries).slice(-20), { entries, mode: this.mode }];
    this.nextScreen();
    setTimeout(() => {
      this.work.fill();
      announce(`${count(entries.length, "picture")} submitted.`);
    }, 60);
  }

  undo() {
    const step = this.undoable.pop();
    if (!step) return this.recallOnce();
    if (step.marks) return this.undoMarks(step.marks);
    return this.undoScreen(step);
  }

  undoMarks(marks) {
    for (const [entry, mark] of marks) entry.mark = mark;
    const places = marks.map(([entry]) => this.screen.entries.indexOf(entry)).filter((i) => i >= 0);
    for (const i of places) this.cells.drawMark(i, this.mode);
    this.moveTo(places[0]);
    this.drawTally();
  }

  undoScreen({ entries, mode }) {
    this.outbox.addAll(entries.map((entry) => ["undo", this.queue.id, entry.item.id, { event_id: entry.eventId }]));
    this.work.reopen(entries.map((entry) => entry.item));
    this.done -= entries.length;
    this.mode = mode;
    this.drawChoices();
    this.show(entries);
    toast(`${count(entries.length, "decision")} taken back`);
  }

  /** After a reload the server knows the last screen: take back what it decided in one go. */
  async recall() {
    await this.outbox.settled();
    const together = await lastTogether(this.work);
    if (this.undoable.length) return; // marked or submitted while the server looked: undo is about that by now
    if (!together.length) {
      toast("Nothing to undo");
      return;
    }
    this.undoScreen({ mode: this.mode, entries: together.reverse().map((one) => ({
      item: one.item, mark: one.body.verdict === OTHER[this.mode] ? null : one.body.verdict, eventId: one.event_id,
    })) });
  }

  // One picture of the screen, large

  openLarge() {
    if (this.screen.isEmpty) return;
    if (this.large.isOpen) {
      this.closeLarge();
      return;
    }
    this.large.open();
    this.showLarge();
  }

  closeLarge() {
    if (!this.large.isOpen) return;
    this.large.close();
    this.cells.node.focus({ preventScroll: true });
  }

  showLarge() {
    const { entries, here, framed } = this.screen;
    const near = [1, -1, 2].map((offset) => entries[here + offset]?.item).filter(Boolean);
    this.large.show(framed, near);
  }
}

/** The decisions of mine that hold and were made in one go, the newest first; behind those that were taken back. */
async function lastTogether(work) {
  const standing = [];
  const together = (one) => Math.abs(new Date(one.client_at) - new Date(standing[0].client_at)) < TOGETHER_MS;
  for (let before = null; ;) {
    const { events, next } = await work.mine(before);
    standing.push(...events.filter((one) => one.kind === "decide" && !one.undone));
    if (next === null || (standing.length && !together(standing.at(-1)))) return standing.filter(together);
    before = next;
  }
}

run(async () => {
  let grid = null;
  const page = await openWork({ keys: gridKeys(() => grid) });
  grid = new Grid(page);
  grid.setProgress(grid.done, page.queue.total_for_me);
  grid.cells.node.focus({ preventScroll: true });
  await grid.work.fill();
});
