// The loupe: one picture, one key, the next picture. Verdicts go to the outbox; pictures come decoded from ahead.

import { ActiveTime } from "/static/active-time.js";
import { announce, count, el, icon, toast } from "/static/dom.js";
import { ImageCache } from "/static/image-cache.js";
import "/static/photo-stage.js";
import { clipping } from "/static/tones.js";
import { WorkQueue } from "/static/work-queue.js";
import { calibrationCard } from "./calibration.js";
import { Facts, VERDICTS, guidelinesVersion, labelOf, openWork, reasonsOf, run, screenUrl } from "./common.js";
import { LoupeBar } from "./loupe-bar.js";

const AHEAD = 8;
const BEHIND = 3;
const CLAIMED = 12;     // leased at a time: those decoded ahead and some more; what one person holds, others wait for
const REMEMBERED = 400; // decided pictures that the arrows still reach

class Loupe {
  constructor(page) {
    Object.assign(this, page);
    this.line = [];     // {item, verdict, eventId}: those behind, this one, those ahead
    this.index = -1;
    this.done = this.queue.done;
    this.clock = new ActiveTime();
    this.guidelines = guidelinesVersion(this.queue.id);
    this.work = new WorkQueue(this.queue.id, this.outbox, { ahead: CLAIMED });
    this.build();
    this.screens = new ImageCache({ box: () => this.stage.box });
    this.originals = new ImageCache({ atOnce: 1 });
    this.listen();
  }

  get entry() {
    return this.line[this.index] ?? null;
  }

  build() {
    this.stage = el("photo-stage");
    this.championStage = el("photo-stage");
    this.championHalf = el("div", { class: "half", hidden: true }, el("span", { class: "chip" }, icon("pin"), "Champion"), this.championStage);
    this.badge = el("span", { class: "chip", hidden: true });
    this.half = el("div", { class: "half" }, this.badge, this.stage);
    this.last = el("span", { class: "chip last", hidden: true });
    this.zoomChip = el("span", { class: "chip zoom-chip num", hidden: true });
    this.stages = el("div", { class: "stages" }, this.championHalf, this.half, this.last, this.zoomChip);
    this.facts = new Facts();
    this.facts.node.hidden = localStorage.getItem("photogenic.facts") !== "shown";
    document.querySelector("#work").replaceChildren(this.stages, this.facts.node);
    this.bar = new LoupeBar(this.body, {
      undo: () => this.undo(), zoom: () => this.stage.toggleZoom(), compare: () => this.pin(), thirds: () => this.toggleThirds(),
      clipping: () => this.toggleClipping(), facts: () => this.toggleFacts(), decide: (verdict, reason) => this.decide(verdict, reason),
    });
    this.bar.press("facts", !this.facts.node.hidden);
    document.querySelector("footer").replaceChildren(...this.bar.nodes);
  }

  listen() {
    this.work.addEventListener("items", ({ detail }) => this.arrived(detail));
    this.work.addEventListener("lost", ({ detail }) => this.lost(detail));
    this.work.addEventListener("end", ({ detail }) => this.ended(detail));
    this.work.addEventListener("trouble", ({ detail }) => toast(detail.message, { error: true }));
    this.outbox.addEventListener("feedback", ({ detail }) => this.teach(detail));
    this.stage.addEventListener("view", ({ detail }) => this.championStage.setView(detail));
    this.championStage.addEventListener("view", ({ detail }) => this.stage.setView(detail));
    for (const stage of [this.stage, this.championStage]) {
      stage.addEventListener("wants-full", () => this.fetchOriginals());
      stage.addEventListener("view", () => this.viewChanged());
    }
    this.stage.addEventListener("resized", () => this.screens.refit());
    this.screens.addEventListener("refitted", ({ detail }) => this.refitted(detail));
    this.screens.addEventListener("away", () => this.entry && !this.shown && this.tellAway());
    this.watch(this.screens);
    addEventListener("surround", () => requestAnimationFrame(() => {
      this.stage.draw();
      this.championStage.draw();
    }));
  }

  arrived(items) {
    const known = new Set(this.line.map((entry) => entry.item.id));
    const atTheEnd = !this.entry; // asked before they stand where I wait for them
    for (const item of items) if (!known.has(item.id)) this.line.push({ item, verdict: null, eventId: null });
    if (atTheEnd) this.go(this.nextOpen(0));
    else this.holdPictures();
  }

  lost(ids) {
    const gone = new Set(ids);
    const current = this.entry;
    this.line = this.line.filter((entry) => entry.verdict || entry === current || !gone.has(entry.item.id));
    this.index = this.line.indexOf(current);
    this.holdPictures();
  }

  /** Nothing to decide is left in the line. */
  ended(reason) {
    if (this.entry && !this.entry.verdict) return;
    const done = reason === "done";
    this.index = this.line.length;
    this.stage.show(null);
    this.tell(done ? "All done" : "Others hold the rest",
      done ? "Every picture that was for you has your decision." : "What is left is with other people right now. This page looks again every few seconds.",
      el("p", {}, el("a", { class: "button", href: "/" }, "All my work")));
    announce(done ? "All done." : "Others hold the rest; looking again soon.");
  }

  /** Words where the picture would be. */
  tell(title, words, ...more) {
    this.untell();
    this.half.append(el("div", { class: "empty" }, el("h2", {}, title), el("p", {}, words), ...more));
  }

  tellAway() {
    this.tell("Waiting for the server", "This picture comes as soon as the server is back. Your decisions are kept in this browser.");
  }

  untell() {
    this.half.querySelector(".empty")?.remove();
  }

  /** The first undecided place at or after `from`, else before it, else past the end. */
  nextOpen(from) {
    for (let i = from; i < this.line.length; i += 1) if (!this.line[i].verdict) return i;
    for (let i = 0; i < from && i < this.line.length; i += 1) if (!this.line[i].verdict) return i;
    return this.line.length;
  }

  go(index) {
    this.index = index;
    this.shown = false;
    const entry = this.entry;
    if (!entry) {
      this.stage.show(null);
      this.work.fill();
      return;
    }
    this.untell();
    this.holdPictures();
    const picture = this.screens.get(screenUrl(this.queue.id, entry.item));
    if (picture.bitmap) this.present(entry, picture);
    else this.await(entry, picture);
    this.afterwards(entry);
  }

  present(entry, picture) {
    this.shown = true;
    this.untell();
    const { width_px: width, height_px: height } = entry.item.images[0];
    const original = this.originals.get(screenUrl(this.queue.id, entry.item, "full"));
    this.stage.overlays.clipping = null;
    this.stage.show({ bitmap: picture.bitmap, full: original?.bitmap, width, height, label: labelOf(entry.item), id: entry.item.id });
  }

  await(entry, picture) {
    this.stage.show(null);
    if (this.screens.isAway) this.tellAway();
    picture.ready.then(() => {
      if (this.entry !== entry || picture.state === "gone") return;
      if (picture.bitmap) {
        this.present(entry, picture);
        this.tones(entry);
      } else {
        this.shown = true; // it cannot be seen, which is itself a ground to drop it
        this.tell("This picture cannot be shown", picture.error);
      }
    });
  }

  /** What need not be on the screen in the first frame. */
  afterwards(entry) {
    clearTimeout(this.later);
    this.bar.criteria.set(entry.criteria ?? {});
    this.later = setTimeout(() => {
      this.setProgress(this.done, this.queue.total_for_me);
      this.badge.hidden = !entry.verdict;
      if (entry.verdict) this.badge.replaceChildren(icon(VERDICTS[entry.verdict].picture), VERDICTS[entry.verdict].past);
      this.bar.markVerdict(entry.verdict);
      this.tones(entry);
    }, 40);
  }

  tones(entry) {
    const picture = this.screens.get(screenUrl(this.queue.id, entry.item));
    if (!this.facts.node.hidden) this.facts.show(entry.item, picture?.bitmap);
    if (this.clippingShown && picture?.bitmap) this.stage.setOverlay("clipping", clipping(picture.bitmap));
  }

  holdPictures() {
    const order = [0, 1, 2, -1];
    for (let i = 3; i <= AHEAD; i += 1) order.push(i);
    for (let i = 2; i <= BEHIND; i += 1) order.push(-i);
    const near = order.map((offset) => this.line[this.index + offset]).filter(Boolean);
    const champion = this.champion ? [screenUrl(this.queue.id, this.champion)] : [];
    this.screens.hold([...near.slice(0, 1).map((entry) => screenUrl(this.queue.id, entry.item)), ...champion,
      ...near.slice(1).map((entry) => screenUrl(this.queue.id, entry.item))]);
    if (this.stage.view.zoomed) this.fetchOriginals();
  }

  /** The original is fetched only when somebody zooms: for this picture, the next, and the champion. */
  fetchOriginals() {
    const items = [this.entry?.item, this.champion, this.line[this.index + 1]?.item].filter(Boolean);
    this.originals.hold(items.map((item) => screenUrl(this.queue.id, item, "full")));
    this.sharpenWhenReady(this.stage, this.entry?.item);
    this.sharpenWhenReady(this.championStage, this.champion);
  }

  sharpenWhenReady(stage, item) {
    if (!item) return;
    const original = this.originals.get(screenUrl(this.queue.id, item, "full"));
    original.ready.then(() => {
      if (original.bitmap && stage.picture?.id === item.id) stage.sharpen(original.bitmap);
    });
  }

  viewChanged() {
    const { zoomed, scale } = this.stage.view;
    this.zoomChip.hidden = !zoomed;
    this.zoomChip.textContent = `${Math.round(100 * scale)} %`;
    this.bar.press("zoom", zoomed);
    if (!zoomed) this.originals.clear();
  }

  /** Pixels that fit the window better have come for a picture that is shown. */
  refitted(url) {
    const { entry, champion } = this;
    if (entry && url === screenUrl(this.queue.id, entry.item)) {
      this.present(entry, this.screens.get(url));
      this.tones(entry);
    }
    if (champion && url === screenUrl(this.queue.id, champion)) this.showChampion();
  }

  decide(verdict, reason) {
    const entry = this.entry;
    this.bar.showReasons(false);
    if (!entry || !this.shown || this.feedback) return;
    if (entry.verdict) this.takeBack(entry);
    const criteria = verdict === "drop" ? {} : this.bar.criteria.values();
    entry.criteria = criteria;
    entry.verdict = verdict;
    entry.eventId = this.outbox.add("decide", this.queue.id, entry.item.id, {
      verdict, ...(Object.keys(criteria).length ? { criteria } : {}), ...(reason ? { reason } : {}),
      guidelines_version: this.guidelines.version, active_ms: this.clock.lap(), screen: "loupe",
    });
    this.done += 1;
    this.work.settle(entry.item.id);
    this.advance(entry, reason);
  }

  advance(entry, reason) {
    this.go(this.nextOpen(this.index + 1));
    this.trim();
    this.tellLast(`${VERDICTS[entry.verdict].past}${reason ? `: ${reason.toLowerCase()}` : ""}`, VERDICTS[entry.verdict].picture);
  }

  tellLast(words, picture) {
    clearTimeout(this.lastTimer);
    this.last.hidden = false;
    this.last.replaceChildren(icon(picture), words);
    this.lastTimer = setTimeout(() => {
      announce(words);
      this.lastTimer = setTimeout(() => {
        this.last.hidden = true;
      }, 1800);
    }, 60);
  }

  trim() {
    const surplus = this.index - REMEMBERED;
    if (surplus <= 0) return;
    this.line.splice(0, surplus);
    this.index -= surplus;
  }

  /** A picture of the calibration set was judged: say what the guidelines say, before more is judged. */
  teach([answer, ...rest]) {
    const entry = this.line.find((one) => one.eventId === answer.event_id);
    if (!entry || this.feedback) return;
    const onwards = () => {
      this.feedback.remove();
      this.feedback = null;
      document.querySelector("#work").focus({ preventScroll: true });
      if (rest.length) this.teach(rest);
    };
    this.feedback = calibrationCard(this.queue.id, entry, answer, onwards);
    this.half.append(this.feedback);
    this.feedback.querySelector("button").focus();
  }

  takeBack(entry) {
    this.outbox.add("undo", this.queue.id, entry.item.id, { event_id: entry.eventId });
    entry.verdict = null;
    entry.eventId = null;
    this.done -= 1;
    this.work.reopen([entry.item]);
  }

  /** Take back the last decision and show its picture; after a reload the server remembers them. */
  async undo() {
    if (this.feedback) return;
    const before = this.line.slice(0, Math.max(0, this.index)).findLastIndex((entry) => entry.verdict);
    const latest = before >= 0 ? before : this.line.findLastIndex((entry) => entry.verdict);
    if (latest < 0 && !(await this.recall())) {
      toast("Nothing to undo");
      return;
    }
    const at = Math.max(latest, 0);
    const entry = this.line[at];
    if (entry.verdict) this.takeBack(entry);
    this.go(at);
    this.tellLast("Taken back", "undo");
  }

  /** Put the last decision that the server knows of before the line; false when there is none. */
  async recall() {
    await this.outbox.settled();
    const known = new Set(this.line.map((entry) => entry.item.id));
    const { events, next } = await this.work.mine(this.before);
    const event = events.find((one) => one.kind === "decide" && !one.undone && !known.has(one.item.id));
    if (!event) {
      this.before = next;
      return next === null ? false : this.recall();
    }
    this.line.unshift({ item: event.item, verdict: event.body.verdict, criteria: event.body.criteria, eventId: event.event_id });
    this.index += 1;
    return true;
  }

  step(by) {
    const to = this.index + by;
    if (to >= 0 && to < this.line.length) this.go(to);
    else if (by > 0) this.work.fill();
  }

  rate(digit) {
    if (this.entry) this.bar.criteria.rate(digit);
  }

  pin(swap = false) {
    if (!this.entry) return;
    const again = this.champion?.id === this.entry.item.id;
    this.champion = this.champion && !swap && !again ? null : again ? null : this.entry.item;
    this.championHalf.hidden = !this.champion;
    this.stages.classList.toggle("two", Boolean(this.champion));
    this.bar.press("compare", Boolean(this.champion));
    announce(this.champion ? "Pinned as the champion" : "No champion");
    this.championStage.setView(this.stage.view);
    if (this.champion) this.showChampion();
    this.holdPictures();
  }

  showChampion() {
    this.holdPictures();
    const item = this.champion;
    const picture = this.screens.get(screenUrl(this.queue.id, item));
    picture.ready.then(() => {
      if (this.champion !== item || !picture.bitmap) return;
      const { width_px: width, height_px: height } = item.images[0];
      this.championStage.show({ bitmap: picture.bitmap, width, height, label: `The champion. ${labelOf(item)}`, id: item.id });
    });
  }

  toggleThirds() {
    const on = !this.stage.overlays.thirds;
    for (const stage of [this.stage, this.championStage]) stage.setOverlay("thirds", on);
    this.bar.press("thirds", on);
  }

  toggleClipping() {
    this.clippingShown = !this.clippingShown;
    this.bar.press("clipping", this.clippingShown);
    if (this.clippingShown && this.entry) this.tones(this.entry);
    else this.stage.setOverlay("clipping", null);
  }

  toggleFacts() {
    const node = this.facts.node;
    node.hidden = !node.hidden;
    localStorage.setItem("photogenic.facts", node.hidden ? "hidden" : "shown");
    this.bar.press("facts", !node.hidden);
    if (this.entry) this.tones(this.entry);
  }
}

run(async () => {
  let loupe = null;
  const does = (name, ...rest) => () => loupe?.[name](...rest);
  const reason = (i) => () => loupe && reasonsOf(loupe.body)[i] && loupe.decide("drop", reasonsOf(loupe.body)[i]);
  const page = await openWork({ keys: [
    { title: "Verdict, and on to the next", keys: [
      { on: ["p"], does: "Keep", run: does("decide", "keep") },
      { on: ["x"], does: "Drop", run: does("decide", "drop") },
      { on: ["u"], does: "Unsure", run: does("decide", "unsure") },
      ...[1, 2, 3, 4, 5, 6].map((digit) => ({ on: [`Shift+Digit${digit}`], does: "Drop with a reason", print: "Shift 1 … 6", hidden: digit > 1, run: reason(digit - 1) })),
      { on: ["Backspace", "Control+z"], does: "Undo, as often as you like", run: does("undo"), repeats: true },
    ] },
    { title: "Criteria, for keepers and borderlines", keys: [
      ...[1, 2, 3, 4, 5].map((digit) => ({ on: [`Digit${digit}`], does: "Rate the framed criterion, frame the next", print: "1 … 5", hidden: digit > 1, run: () => loupe?.rate(digit) })),
      { on: ["Digit0"], does: "Skip a criterion", run: () => loupe?.rate(0) },
    ] },
    { title: "View", keys: [
      { on: ["z", " "], does: "Fit or 100 %; stays for the next picture", run: () => loupe?.stage.toggleZoom() },
      { on: ["ArrowLeft"], does: "Back, without deciding", repeats: true, run: does("step", -1) },
      { on: ["ArrowRight"], does: "On, without deciding", repeats: true, run: does("step", 1) },
      { on: ["c"], does: "Pin as champion; again: unpin", run: does("pin") },
      { on: ["Shift+c"], does: "This picture becomes the champion", run: does("pin", true) },
      { on: ["t"], does: "Thirds", run: does("toggleThirds") },
      { on: ["j"], does: "Clipped highlights and shadows", run: does("toggleClipping") },
      { on: ["i", "h"], does: "Histogram and metadata", run: does("toggleFacts") },
    ] },
  ] });
  loupe = new Loupe(page);
  loupe.setProgress(loupe.done, page.queue.total_for_me);
  document.querySelector("#work").focus({ preventScroll: true });
  loupe.stage.setAttribute("aria-description", `${count(page.queue.left, "picture")} left`);
  await loupe.work.fill();
});
