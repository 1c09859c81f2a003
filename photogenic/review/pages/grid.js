// The grid: a screen of pictures, the few are marked, Enter submits them all and the next screen is there.

import { ActiveTime } from "/static/active-time.js";
import { announce, button, count, el, icon, number, toast } from "/static/dom.js";
import { ImageCache } from "/static/image-cache.js";
import "/static/photo-stage.js";
import { WorkQueue } from "/static/work-queue.js";
import { VERDICTS, guidelinesVersion, labelOf, openWork, run, screenUrl } from "./common.js";

const DENSITIES = [20, 30, 42, 60];
const THUMB_PX = 384;
const NARROW_PX = 640;
const GAP_PX = 16; // between two pictures
const SETTLE_MS = 350; // a screen cannot be submitted sooner: nobody has seen it, and a key pressed twice is a mistake
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
    this.screen = [];      // [{item, mark}]
    this.undoable = [];    // marks of this screen, and whole screens before it
    this.here = 0;
    this.cells = [];
    this.thumbs = new ImageCache({ box: () => this.room, atOnce: 6 });
    this.singles = new ImageCache({ box: () => this.large.box });
    this.build();
    this.listen();
  }

  get mark() {
    return this.mode;
  }

  build() {
    this.board = el("div", {
      class: "cells", role: "listbox", tabIndex: 0, "aria-multiselectable": "true", "aria-label": "Pictures of this screen", id: "cells",
    });
    this.large = el("photo-stage");
    this.largeChip = el("span", { class: "chip", hidden: true });
    this.largeView = el("div", { class: "large", hidden: true }, this.largeChip, this.large);
    document.querySelector("#work").replaceChildren(this.board, this.largeView);
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
    this.board.addEventListener("click", (event) => this.clicked(event));
    this.board.addEventListener("dblclick", (event) => {
      if (event.target.closest(".cell")) this.openLarge();
    });
    new ResizeObserver(() => this.layout()).observe(this.board);
    addEventListener("surround", () => requestAnimationFrame(() => this.large.draw()));
    this.thumbs.addEventListener("refitted", () => this.drawCells());
    this.large.addEventListener("wants-full", () => this.sharpen());
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
    this.cells.forEach((cell) => cell.node.remove());
    this.cells = [];
    document.querySelector("#work .empty")?.remove();
    document.querySelector("#work").append(el("div", { class: "empty" },
      el("h2", {}, done ? "All done" : "Others hold the rest"),
      el("p", {}, done ? "Every picture that was for you has your decision." : "What is left is with other people right now. This page looks again every few seconds."),
      el("p", {}, el("a", { class: "button", href: "/" }, "All my work"))));
    this.setProgress(this.done, this.queue.total_for_me);
    this.drawTally();
    announce(done ? "All done." : "Others hold the rest; looking again soon.");
  }

  // Cells: as many as the screen has, used again for the next

  layout() {
    const n = this.screen.length;
    const { clientWidth: width, clientHeight: height } = this.board;
    if (!n || !width) return this.drawCells();
    const narrow = width < NARROW_PX && n > 1;
    const columns = narrow ? (this.density > 30 ? 3 : 2) : bestColumns(n, width - 16, height - 16, this.usualAspect());
    const rows = Math.ceil(n / columns);
    this.columns = columns;
    this.board.classList.toggle("tall", narrow);
    this.board.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    const cellWidth = (width - 16 - 6 * (columns - 1)) / columns - 10;
    this.board.style.gridAutoRows = narrow ? `${Math.round(cellWidth)}px` : "";
    const cellHeight = narrow ? cellWidth : (height - 16 - 6 * (rows - 1)) / rows - 10;
    this.room = { width: Math.max(1, Math.round(cellWidth * devicePixelRatio)), height: Math.max(1, Math.round(cellHeight * devicePixelRatio)) };
    this.thumbs.refit();
    this.size = Math.max(this.room.width, this.room.height) > THUMB_PX * 1.35 ? "screen" : "thumb";
    return this.drawCells();
  }

  /** The middle one of the aspects on this screen: most pictures of a haystack are alike in this. */
  usualAspect() {
    const aspects = this.screen.map(({ item }) => item.images[0].width_px / item.images[0].height_px).sort((a, b) => a - b);
    return Math.min(2.5, Math.max(0.5, aspects[aspects.length >> 1] || 1.3));
  }

  drawCells() {
    while (this.cells.length > this.screen.length) this.cells.pop().node.remove();
    while (this.cells.length < this.screen.length) this.addCell();
    this.holdPictures();
    for (const [i, entry] of this.screen.entries()) {
      this.drawPicture(i, entry);
      this.drawMark(i);
    }
    this.drawHere();
    this.drawTally();
  }

  addCell() {
    const i = this.cells.length;
    const canvas = el("canvas");
    const badge = el("span", { class: "badge" });
    const node = el("div", { class: "cell", role: "option", id: `cell-${i}`, "aria-selected": "false", dataset: { index: String(i) } }, canvas, badge);
    this.board.append(node);
    this.cells.push({ node, canvas, badge, context: canvas.getContext("2d"), mark: undefined });
  }

  urlOf(item) {
    return screenUrl(this.queue.id, item, this.size ?? "thumb");
  }

  /** Hold this screen, then the next, so that Enter shows pictures and not frames; then what was just submitted, for undo. */
  holdPictures() {
    const ahead = this.upcoming(this.screen.length);
    const before = this.undoable.findLast((step) => step.screen)?.screen ?? [];
    this.thumbs.hold([...this.screen.map((entry) => entry.item), ...ahead, ...before.map((entry) => entry.item)].map((item) => this.urlOf(item)));
  }

  drawPicture(i, entry) {
    const cell = this.cells[i];
    const picture = this.thumbs.get(this.urlOf(entry.item));
    entry.seen = false;
    cell.item = entry.item;
    cell.node.querySelector(".cannot")?.remove();
    if (picture.bitmap) {
      this.paint(cell, entry, picture);
      return;
    }
    cell.canvas.width = 0;
    picture.ready.then(() => {
      if (cell.item !== entry.item || picture.state === "gone") return;
      if (picture.bitmap) this.paint(cell, entry, picture);
      else this.cannot(i, entry, picture);
    });
  }

  paint(cell, entry, { bitmap }) {
    entry.seen = true;
    cell.canvas.width = bitmap.width;
    cell.canvas.height = bitmap.height;
    cell.context.drawImage(bitmap, 0, 0);
    if (this.screen.every((one) => one.seen)) this.dispatchShown();
  }

  /** Every picture of the screen is painted with the next frame. */
  dispatchShown() {
    this.board.dispatchEvent(new CustomEvent("shown", { bubbles: true, detail: { id: this.screen[0].item.id } }));
  }

  cannot(i, entry, picture) {
    entry.seen = true;
    this.cells[i].node.append(el("span", { class: "cannot" }, picture.error));
    this.setMarks([i], "unsure");
  }

  drawMark(i) {
    const cell = this.cells[i];
    const { mark, item } = this.screen[i];
    if (mark) cell.node.dataset.mark = mark;
    else delete cell.node.dataset.mark;
    cell.node.setAttribute("aria-selected", String(mark === this.mark));
    cell.node.setAttribute("aria-label", `${i + 1}. ${mark ? `${VERDICTS[mark].past}. ` : ""}${labelOf(item)}`);
    if (cell.mark !== mark) cell.badge.replaceChildren(...(mark ? [icon(VERDICTS[mark].picture)] : []));
    cell.mark = mark;
  }

  drawHere() {
    const [from, to] = this.range();
    for (const [i, cell] of this.cells.entries()) {
      cell.node.classList.toggle("here", i === this.here);
      cell.node.classList.toggle("ranged", this.anchor !== null && i >= from && i <= to);
    }
    if (this.cells[this.here]) this.board.setAttribute("aria-activedescendant", `cell-${this.here}`);
    else this.board.removeAttribute("aria-activedescendant");
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
    if (this.anchor === null || this.anchor === undefined) return [this.here, this.here];
    return [Math.min(this.anchor, this.here), Math.max(this.anchor, this.here)];
  }

  setMarks(indices, mark) {
    const before = indices.map((i) => [i, this.screen[i].mark]);
    this.undoable.push({ marks: before });
    for (const i of indices) {
      this.screen[i].mark = mark;
      this.drawMark(i);
    }
    this.drawTally();
    this.drawLargeChip();
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
    this.setMarks([i], this.screen[i].mark === this.mark ? null : this.mark);
  }

  clicked(event) {
    const node = event.target.closest(".cell");
    if (!node) return;
    const i = Number(node.dataset.index);
    if (event.shiftKey) {
      const [from, to] = [Math.min(this.here, i), Math.max(this.here, i)];
      this.setMarks(Array.from({ length: to - from + 1 }, (_, k) => from + k), this.mark);
    } else this.toggle(i);
    this.anchor = null;
    this.moveTo(i);
  }

  moveTo(i, extend = false) {
    if (i < 0 || i >= this.screen.length) return;
    if (extend) this.anchor ??= this.here;
    else this.anchor = null;
    this.here = i;
    this.drawHere();
    this.cells[i].node.scrollIntoView({ block: "nearest" });
    if (!this.largeView.hidden) this.showLarge();
  }

  move(by, event) {
    this.moveTo(this.here + by, event.shiftKey);
  }

  setMode(mode) {
    this.mode = mode;
    this.drawChoices();
    for (const i of this.screen.keys()) this.drawMark(i);
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
      this.drawMark(i);
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
    const { events } = await this.work.mine();
    const latest = events.find((one) => one.kind === "decide" && !one.undone);
    if (!latest) {
      toast("Nothing to undo");
      return;
    }
    const together = events.filter((one) => one.kind === "decide" && !one.undone && Math.abs(new Date(one.client_at) - new Date(latest.client_at)) < 250);
    this.undoScreen({ mode: this.mode, screen: together.reverse().map((one) => ({
      item: one.item, mark: one.body.verdict === OTHER[this.mode] ? null : one.body.verdict, eventId: one.event_id,
    })) });
  }

  // One picture of the screen, large

  openLarge() {
    if (!this.screen.length) return;
    if (!this.largeView.hidden) {
      this.closeLarge();
      return;
    }
    this.largeView.hidden = false;
    // The stage learns its size first, so that the picture is decoded to fit it.
    this.large.resized();
    this.showLarge();
  }

  closeLarge() {
    if (this.largeView.hidden) return;
    this.largeView.hidden = true;
    this.large.show(null);
    this.singles.clear();
    this.board.focus({ preventScroll: true });
  }

  showLarge() {
    const { item } = this.screen[this.here];
    const near = [0, 1, -1, 2].map((offset) => this.screen[this.here + offset]?.item).filter(Boolean);
    this.singles.hold(near.map((one) => screenUrl(this.queue.id, one)));
    const picture = this.singles.get(screenUrl(this.queue.id, item));
    const { width_px: width, height_px: height } = item.images[0];
    const present = () => this.large.show({ bitmap: picture.bitmap, width, height, label: labelOf(item), id: item.id });
    if (picture.bitmap) present();
    else {
      this.large.show(null);
      picture.ready.then(() => {
        if (this.screen[this.here]?.item === item && picture.bitmap && !this.largeView.hidden) present();
      });
    }
    this.drawLargeChip();
  }

  drawLargeChip() {
    const mark = this.screen[this.here]?.mark;
    this.largeChip.hidden = !mark;
    if (mark) this.largeChip.replaceChildren(icon(VERDICTS[mark].picture), VERDICTS[mark].past);
  }

  async sharpen() {
    const { item } = this.screen[this.here];
    const url = screenUrl(this.queue.id, item, "full");
    this.originals ??= new ImageCache({ atOnce: 1 });
    this.originals.hold([url]);
    const picture = await this.originals.get(url).ready;
    if (picture.bitmap && this.large.picture?.id === item.id) this.large.sharpen(picture.bitmap);
  }
}

/** Columns for which n three-by-two pictures are largest in a window. */
/** The number of columns that shows `n` pictures of this aspect (width over height) largest. */
function bestColumns(n, width, height, aspect) {
  let best = 1;
  let largest = 0;
  for (let columns = 1; columns <= n; columns += 1) {
    const size = Math.min((width / columns - GAP_PX) / aspect, height / Math.ceil(n / columns) - GAP_PX);
    if (size > largest) [largest, best] = [size, columns];
  }
  return best;
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
      arrow("ArrowUp", () => -grid.columns, { does: "Mark the range up to there", print: "Shift click" }),
      arrow("ArrowDown", () => grid.columns, { hidden: true }),
      { on: ["e"], does: "Look closely; arrows and marks go on", run: does("openLarge") },
      { on: ["g", "Escape"], does: "Back to the grid", run: does("closeLarge") },
      { on: ["z"], does: "Zoom while looking closely", run: () => grid && !grid.largeView.hidden && grid.large.toggleZoom() },
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
  grid.board.focus({ preventScroll: true });
  await grid.work.fill();
});
