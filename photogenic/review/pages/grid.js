// The grid: a screen of pictures, the few are marked, Enter submits them all and the next screen is there.

import { ActiveTime } from "/static/active-time.js";
import { announce, button, count, el, number, toast } from "/static/dom.js";
import { WorkQueue } from "/static/work-queue.js";
import { Cells } from "./cells.js";
import { VERDICTS, guidelinesVersion, openWork, run } from "./common.js";
import { LargeView } from "./large-view.js";

const DENSITIES = [20, 30, 42, 60];
const SETTLE_MS = 350; // a screen cannot be submitted sooner: nobody has seen it, and a key pressed twice is a mistake
const TOGETHER_MS = 250; // decisions of one screen are made in less
const OTHER = { keep: "drop", drop: "keep" };

class Grid {
  constructor(page) {
    Object.assign(this, page);
    this.density = Number(localStorage.getItem("photogenic.density")) || 30;
    this.mode = this.body.mark === "drop" ? "drop" : "keep";
    this.done = this.queue.done;
    this.clock = new ActiveTime();
    this.guidelines = guidelinesVersion(this.queue.id);
    this.work = new WorkQueue(this.queue.id, this.outbox, { ahead: 2 * this.density + 10 });
    this.screen = [];      // [{item, mark, seen: painted}]
    this.undoable = [];    // marks of this screen, and whole screens before it
    this.here = 0;
    this.anchor = null;    // where a range begins
    this.cells = new Cells(this.queue.id);
    this.large = new LargeView(this.queue.id);
    this.build();
    this.listen();
  }

  build() {
    document.querySelector("#work").replaceChildren(this.cells.node, this.large.node);
    this.tally = el("span", { class: "tally", role: "status" });
    this.submitButton = button("Submit screen", { key: "Enter", class: "main submit" }, () => this.submit());
    this.modes = el("div", { class: "choice", role: "group", "aria-label": "What a mark means" },
      ["keep", "drop"].map((name) => button(name === "keep" ? "Mark keepers" : "Mark rejects", { dataset: { mode: name } }, () => this.setMode(name))));
    this.densities = el("div", { class: "choice density", role: "group", "aria-label": "Pictures per screen" },
      DENSITIES.map((n) => button(String(n), { dataset: { density: String(n) }, "aria-label": `${n} per screen` }, () => this.setDensity(n))));
    document.querySelector("footer").replaceChildren(
      button("", { picture: "undo", class: "plain undo", "aria-label": "Undo", title: "Undo (Backspace)" }, () => this.undo()),
      button("", { picture: "loupe", class: "plain", "aria-label": "Look closely", title: "Look closely (E)" }, () => this.openLarge()),
      this.modes, this.densities, el("span", { class: "gap" }), this.tally, this.submitButton);
    this.drawChoices();
  }

  drawChoices() {
    for (const one of this.modes.children) one.setAttribute("aria-pressed", String(one.dataset.mode === this.mode));
    for (const one of this.densities.children) one.setAttribute("aria-pressed", String(Number(one.dataset.density) === this.density));
  }

  listen() {
    this.work.addEventListener("items", () => this.arrived());
    // Fewer than a screen, because others hold the rest: show those.
    this.work.addEventListener("claimed", () => this.screen.length || !this.work.waiting.size || this.nextScreen());
    this.work.addEventListener("lost", ({ detail }) => this.lost(new Set(detail)));
    this.work.addEventListener("end", ({ detail }) => this.ended(detail));
    this.work.addEventListener("trouble", ({ detail }) => toast(detail.message, { error: true }));
    this.cells.node.addEventListener("click", (event) => this.clicked(event));
    this.cells.node.addEventListener("dblclick", (event) => {
      if (event.target.closest(".cell")) this.openLarge();
    });
    new ResizeObserver(() => this.layout()).observe(this.cells.node);
    this.cells.addEventListener("refitted", () => this.draw());
    this.cells.addEventListener("cannot", ({ detail }) => this.setMarks([detail], "unsure"));
    this.watch(this.cells.pictures);
    this.watch(this.large.pictures);
  }

  // What is on the screen

  arrived() {
    if (!this.screen.length && this.enough()) this.nextScreen();
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
    this.screen = entries;
    this.here = 0;
    this.anchor = null;
    this.since = performance.now();
    document.querySelector("#work .empty")?.remove();
    this.layout();
    if (!entries.length) this.work.fill();
    setTimeout(() => this.setProgress(this.done, this.queue.total_for_me), 40);
  }

  lost(ids) {
    if (!this.screen.some((entry) => ids.has(entry.item.id))) return;
    this.screen = this.screen.filter((entry) => !ids.has(entry.item.id));
    this.here = Math.min(this.here, Math.max(0, this.screen.length - 1));
    this.layout();
  }

  ended(reason) {
    if (this.screen.length) return;
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
    this.cells.fit(this.screen, this.density);
    this.draw();
  }

  draw() {
    this.holdPictures();
    this.cells.draw(this.screen, this.mode);
    this.drawFrame();
    this.drawTally();
  }

  /** Hold this screen, then the next, so that Enter shows pictures and not frames; then what was just submitted, for undo. */
  holdPictures() {
    const ahead = this.upcoming(this.screen.length);
    const before = this.undoable.findLast((step) => step.screen)?.screen ?? [];
    this.cells.hold([...this.screen.map((entry) => entry.item), ...ahead, ...before.map((entry) => entry.item)]);
  }

  drawFrame() {
    this.cells.drawFrame(this.here, this.anchor === null ? null : this.range());
  }

  drawTally() {
    const tally = { keep: 0, drop: 0, unsure: 0 };
    for (const entry of this.screen) tally[this.verdictOf(entry)] += 1;
    this.submitButton.disabled = !this.screen.length;
    this.tally.replaceChildren(...["keep", "drop", "unsure"].filter((name) => tally[name] || name !== "unsure").flatMap((name, i) =>
      [i ? " · " : "", el("b", {}, number(tally[name])), ` ${VERDICTS[name].word.toLowerCase()}`]));
  }

  verdictOf(entry) {
    return entry.mark ?? OTHER[this.mode];
  }

  // Marks

  range() {
    if (this.anchor === null) return [this.here, this.here];
    return [Math.min(this.anchor, this.here), Math.max(this.anchor, this.here)];
  }

  setMarks(indices, mark) {
    const before = indices.map((i) => [i, this.screen[i].mark]);
    this.undoable.push({ marks: before });
    for (const i of indices) {
      this.screen[i].mark = mark;
      this.cells.drawMark(i, this.mode);
    }
    this.drawTally();
    this.large.drawMark(this.screen[this.here].mark);
  }

  /** A key's mark goes to the range, or to the framed picture, and the frame moves on. */
  put(mark) {
    if (!this.screen.length) return;
    const [from, to] = this.range();
    this.setMarks(Array.from({ length: to - from + 1 }, (_, i) => from + i), mark);
    this.anchor = null;
    this.moveTo(Math.min(to + 1, this.screen.length - 1));
  }

  toggle(i) {
    this.setMarks([i], this.screen[i].mark === this.mode ? null : this.mode);
  }

  clicked(event) {
    const node = event.target.closest(".cell");
    if (!node) return;
    const i = Number(node.dataset.index);
    if (event.shiftKey) {
      const [from, to] = [Math.min(this.here, i), Math.max(this.here, i)];
      this.setMarks(Array.from({ length: to - from + 1 }, (_, k) => from + k), this.mode);
    } else this.toggle(i);
    this.anchor = null;
    this.moveTo(i);
  }

  moveTo(i, extend = false) {
    if (i < 0 || i >= this.screen.length) return;
    if (extend) this.anchor ??= this.here;
    else this.anchor = null;
    this.here = i;
    this.drawFrame();
    this.cells.reveal(i);
    if (this.large.isOpen) this.showLarge();
  }

  move(by, event) {
    this.moveTo(this.here + by, event.shiftKey);
  }

  setMode(mode) {
    this.mode = mode;
    this.drawChoices();
    for (const i of this.screen.keys()) this.cells.drawMark(i, mode);
    this.drawTally();
    announce(mode === "keep" ? "Marks are keepers; the others are dropped." : "Marks are rejects; the others are kept.");
  }

  setDensity(n) {
    if (!n || n === this.density) return;
    this.density = n;
    localStorage.setItem("photogenic.density", String(n));
    this.work.ahead = 2 * n + 10;
    this.drawChoices();
    const marks = new Map(this.screen.map((entry) => [entry.item.id, entry.mark]));
    this.undoable = this.undoable.filter((step) => step.screen);
    this.work.fill().then(() => {
      this.show(this.upcoming().map((item) => ({ item, mark: marks.get(item.id) ?? null })));
    });
  }

  stepDensity(by) {
    this.setDensity(DENSITIES[DENSITIES.indexOf(this.density) + by]);
  }

  // The whole screen

  submit() {
    if (!this.screen.length || performance.now() - this.since < SETTLE_MS) return;
    if (!this.screen.every((entry) => entry.seen)) {
      toast("Some pictures are still coming");
      return;
    }
    const screen = this.screen;
    const active = Math.round(this.clock.lap() / screen.length);
    const bulk = screen.length > 1;
    const ids = this.outbox.addAll(screen.map((entry) => ["decide", this.queue.id, entry.item.id, {
      verdict: this.verdictOf(entry), ...(bulk && !entry.mark ? { bulk: true } : {}),
      guidelines_version: this.guidelines.version, active_ms: active, screen: "grid",
    }]));
    for (const [i, entry] of screen.entries()) {
      entry.eventId = ids[i];
      this.work.settle(entry.item.id, { refill: false });
    }
    this.done += screen.length;
    this.undoable = [...this.undoable.filter((step) => step.screen).slice(-20), { screen, mode: this.mode }];
    this.nextScreen();
    setTimeout(() => {
      this.work.fill();
      announce(`${count(screen.length, "picture")} submitted.`);
    }, 60);
  }

  async undo() {
    const step = this.undoable.pop();
    if (!step) await this.recall();
    else if (step.marks) this.undoMarks(step.marks);
    else this.undoScreen(step);
  }

  undoMarks(marks) {
    for (const [i, mark] of marks) {
      if (!this.screen[i]) continue;
      this.screen[i].mark = mark;
      this.cells.drawMark(i, this.mode);
    }
    this.moveTo(marks[0][0]);
    this.drawTally();
  }

  undoScreen({ screen, mode }) {
    this.outbox.addAll(screen.map((entry) => ["undo", this.queue.id, entry.item.id, { event_id: entry.eventId }]));
    this.work.reopen(screen.map((entry) => entry.item));
    this.done -= screen.length;
    this.mode = mode;
    this.drawChoices();
    this.show(screen);
    toast(`${count(screen.length, "decision")} taken back`);
  }

  /** After a reload the server knows the last screen: take back what it decided in one go. */
  async recall() {
    await this.outbox.settled();
    const together = await this.lastScreen();
    if (!together.length) {
      toast("Nothing to undo");
      return;
    }
    this.undoScreen({ mode: this.mode, screen: together.reverse().map((one) => ({
      item: one.item, mark: one.body.verdict === OTHER[this.mode] ? null : one.body.verdict, eventId: one.event_id,
    })) });
  }

  /** My newest decisions that hold and were made together, newest first; behind those that were taken back. */
  async lastScreen() {
    const standing = [];
    const together = (one) => Math.abs(new Date(one.client_at) - new Date(standing[0].client_at)) < TOGETHER_MS;
    for (let before = null; ;) {
      const { events, next } = await this.work.mine(before);
      standing.push(...events.filter((one) => one.kind === "decide" && !one.undone));
      if (next === null || (standing.length && !together(standing.at(-1)))) return standing.filter(together);
      before = next;
    }
  }

  // One picture of the screen, large

  openLarge() {
    if (!this.screen.length) return;
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
    const near = [1, -1, 2].map((offset) => this.screen[this.here + offset]?.item).filter(Boolean);
    this.large.show(this.screen[this.here], near);
  }
}

run(async () => {
  let grid = null;
  const does = (name, ...rest) => (event) => grid?.[name](...rest, event);
  const arrow = (key, by, shown) => ({ on: [key, `Shift+${key}`], repeats: true, run: (event) => grid?.move(by(), event), ...shown });
  const page = await openWork({ keys: [
    { title: "Mark", keys: [
      { on: [" "], does: "Mark or unmark (or click)", run: () => grid?.screen.length && grid.toggle(grid.here) },
      { on: ["p"], does: "Keep", run: () => grid?.put("keep") },
      { on: ["x"], does: "Drop", run: () => grid?.put("drop") },
      { on: ["u"], does: "Unsure", run: () => grid?.put("unsure") },
      { on: ["Digit0"], does: "No mark", run: () => grid?.put(null) },
      { on: ["Backspace", "Control+z"], does: "Undo a mark, then whole screens", repeats: true, run: does("undo") },
    ] },
    { title: "Move", keys: [
      arrow("ArrowLeft", () => -1, { does: "Frame another picture", print: "← ↑ ↓ →" }),
      arrow("ArrowRight", () => 1, { does: "Choose a range; the next mark is for all of it", print: "Shift ← →" }),
      arrow("ArrowUp", () => -grid.cells.columns, { does: "Mark the range up to there", print: "Shift click" }),
      arrow("ArrowDown", () => grid.cells.columns, { hidden: true }),
      { on: ["e"], does: "Look closely; arrows and marks go on", run: does("openLarge") },
      { on: ["g", "Escape"], does: "Back to the grid", run: does("closeLarge") },
      { on: ["z"], does: "Zoom while looking closely", run: () => grid?.large.isOpen && grid.large.stage.toggleZoom() },
    ] },
    { title: "Screen", keys: [
      { on: ["Enter"], does: "Submit this screen", run: does("submit") },
      { on: ["m"], does: "Marks are keepers or rejects", run: () => grid?.setMode(OTHER[grid.mode]) },
      { on: ["-"], does: "Fewer, larger", run: () => grid?.stepDensity(-1) },
      { on: ["+", "="], does: "More, smaller", run: () => grid?.stepDensity(1) },
    ] },
  ] });
  grid = new Grid(page);
  grid.setProgress(grid.done, page.queue.total_for_me);
  grid.cells.node.focus({ preventScroll: true });
  await grid.work.fill();
});
