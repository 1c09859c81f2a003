// The loupe: one picture, one key, the next picture. Verdicts go to the outbox; pictures come decoded from ahead.

import { ActiveTime } from "/static/active-time.js";
import { announce, count, el, once, toast } from "/static/dom.js";
import { WorkQueue } from "/static/work-queue.js";
import { calibrationCard } from "./calibration.js";
import { VERDICTS, guidelinesVersion, openWork, reasonsOf, run } from "./common.js";
import { LoupeBar } from "./loupe-bar.js";
import { LoupeView } from "./loupe-view.js";

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
    this.lessons = [];  // answers about pictures of the calibration set that were not read yet
    this.clock = new ActiveTime();
    this.guidelines = guidelinesVersion(this.queue.id);
    this.work = new WorkQueue(this.queue.id, this.outbox, { ahead: CLAIMED });
    this.recallOnce = once(() => this.recall());
    this.build();
    this.listen();
  }

  get entry() {
    return this.line[this.index] ?? null;
  }

  build() {
    this.bar = new LoupeBar(this.body, {
      undo: () => this.undo(), zoom: () => this.toggleZoom(), compare: () => this.view.pin(), thirds: () => this.view.toggleThirds(),
      clipping: () => this.view.toggleClipping(), facts: () => this.view.toggleFacts(), decide: (verdict, reason) => this.decide(verdict, reason),
    });
    this.view = new LoupeView(this.queue.id, this.bar);
    document.querySelector("#work").replaceChildren(...this.view.nodes);
    document.querySelector("footer").replaceChildren(...this.bar.nodes);
  }

  listen() {
    this.work.addEventListener("items", ({ detail }) => this.arrived(detail));
    this.work.addEventListener("lost", ({ detail }) => this.lost(detail));
    this.work.addEventListener("end", ({ detail }) => this.ended(detail));
    this.work.addEventListener("trouble", ({ detail }) => toast(detail.message, { error: true }));
    this.outbox.addEventListener("feedback", ({ detail }) => {
      this.lessons.push(...detail);
      this.teach();
    });
    this.watch(this.view.screens);
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
    this.index = current ? this.line.indexOf(current) : this.line.length;
    this.holdPictures();
  }

  /** Nothing is left to decide. Who looks once more at what they have decided stays there. */
  ended(reason) {
    if (this.entry) return;
    const done = reason === "done";
    this.index = this.line.length;
    this.view.show(null);
    this.view.tell(done ? "All done" : "Others hold the rest",
      done ? "Every picture that was for you has your decision." : "What is left is with other people right now. This page looks again every few seconds.",
      el("p", {}, el("a", { class: "button", href: "/" }, "All my work")));
    announce(done ? "All done." : "Others hold the rest; looking again soon.");
  }

  /** The first undecided place at or after `from`, else before it, else past the end. */
  nextOpen(from) {
    for (let i = from; i < this.line.length; i += 1) if (!this.line[i].verdict) return i;
    for (let i = 0; i < from && i < this.line.length; i += 1) if (!this.line[i].verdict) return i;
    return this.line.length;
  }

  go(index) {
    this.index = index;
    const { entry } = this;
    if (!entry) {
      this.view.show(null);
      this.work.fill();
      return;
    }
    this.holdPictures();
    this.view.show(entry.item);
    this.afterwards(entry);
  }

  /** What need not be on the screen in the first frame. */
  afterwards(entry) {
    clearTimeout(this.later);
    this.bar.criteria.set(entry.criteria ?? {});
    this.later = setTimeout(() => {
      this.setProgress(this.done, this.queue.total_for_me);
      this.view.drawVerdict(entry.verdict);
      this.bar.markVerdict(entry.verdict);
      this.view.drawTones();
    }, 40);
  }

  holdPictures() {
    const order = [0, 1, 2, -1];
    for (let i = 3; i <= AHEAD; i += 1) order.push(i);
    for (let i = 2; i <= BEHIND; i += 1) order.push(-i);
    const items = order.map((offset) => this.line[this.index + offset]?.item).filter(Boolean);
    this.view.hold(items, this.line[this.index + 1]?.item);
  }

  decide(verdict, reason) {
    const { entry } = this;
    this.bar.showReasons(false);
    if (!entry || this.feedback) return;
    if (!this.view.isSeen) {
      toast("The picture is still coming");
      return;
    }
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
    this.view.tellLast(`${VERDICTS[entry.verdict].past}${reason ? `: ${reason.toLowerCase()}` : ""}`, VERDICTS[entry.verdict].picture);
  }

  trim() {
    const surplus = this.index - REMEMBERED;
    if (surplus <= 0) return;
    this.line.splice(0, surplus);
    this.index -= surplus;
  }

  /** Pictures of the calibration set were judged: say what the guidelines say of each, before more is judged. */
  teach() {
    while (!this.feedback && this.lessons.length) {
      const answer = this.lessons.shift();
      const entry = this.line.find((one) => one.eventId === answer.event_id);
      if (entry) this.showLesson(entry, answer);
    }
  }

  showLesson(entry, answer) {
    this.feedback = calibrationCard(this.queue.id, entry, answer, () => {
      this.feedback.remove();
      this.feedback = null;
      document.querySelector("#work").focus({ preventScroll: true });
      this.teach();
    });
    this.view.half.append(this.feedback);
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
  undo() {
    if (this.feedback) return undefined;
    const before = this.line.slice(0, Math.max(0, this.index)).findLastIndex((entry) => entry.verdict);
    const latest = before >= 0 ? before : this.latestDecided();
    return latest < 0 ? this.recallOnce() : this.undoAt(latest);
  }

  latestDecided() {
    return this.line.findLastIndex((entry) => entry.verdict);
  }

  undoAt(index) {
    this.takeBack(this.line[index]);
    this.go(index);
    this.view.tellLast("Taken back", "undo");
  }

  /** Put the last decision that the server knows of before the line, and take it back. */
  async recall() {
    await this.outbox.settled();
    const event = await this.lastDecision();
    if (this.latestDecided() >= 0) return; // decided while the server looked: undo is about that by now
    if (!event) {
      toast("Nothing to undo");
      return;
    }
    this.line.unshift({ item: event.item, verdict: event.body.verdict, criteria: event.body.criteria, eventId: event.event_id });
    this.undoAt(0);
  }

  /** My newest decision that holds, of a picture that is not in the line; undefined where there is none. */
  async lastDecision() {
    const { events, next } = await this.work.mine(this.before);
    const known = new Set(this.line.map((entry) => entry.item.id));
    const event = events.find((one) => one.kind === "decide" && !one.undone && !known.has(one.item.id));
    if (event || next === null) return event;
    this.before = next;
    return this.lastDecision();
  }

  step(by) {
    const to = this.index + by;
    // Behind the last one, where all are decided, stands what comes next: others, or the end.
    if (to >= 0 && (to < this.line.length || this.nextOpen(0) === this.line.length)) this.go(Math.min(to, this.line.length));
    else if (by > 0) this.work.fill();
  }

  rate(digit) {
    if (this.entry) this.bar.criteria.rate(digit);
  }

  toggleZoom() {
    this.view.stage.toggleZoom();
  }
}

run(async () => {
  let loupe = null;
  const does = (name, ...rest) => () => loupe?.[name](...rest);
  const views = (name, ...rest) => () => loupe?.view[name](...rest);
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
      ...[1, 2, 3, 4, 5].map((digit) => ({ on: [`Digit${digit}`], does: "Rate the framed criterion, frame the next", print: "1 … 5", hidden: digit > 1, run: does("rate", digit) })),
      { on: ["Digit0"], does: "Skip a criterion", run: does("rate", 0) },
    ] },
    { title: "View", keys: [
      { on: ["z", " "], does: "Fit or 100 %; stays for the next picture", run: does("toggleZoom") },
      { on: ["ArrowLeft"], does: "Back, without deciding", repeats: true, run: does("step", -1) },
      { on: ["ArrowRight"], does: "On, without deciding", repeats: true, run: does("step", 1) },
      { on: ["c"], does: "Pin as champion; again: unpin", run: views("pin") },
      { on: ["Shift+c"], does: "This picture becomes the champion", run: views("pin", true) },
      { on: ["t"], does: "Thirds", run: views("toggleThirds") },
      { on: ["j"], does: "Clipped highlights and shadows", run: views("toggleClipping") },
      { on: ["i", "h"], does: "Histogram and metadata", run: views("toggleFacts") },
    ] },
  ] });
  loupe = new Loupe(page);
  loupe.setProgress(loupe.done, page.queue.total_for_me);
  document.querySelector("#work").focus({ preventScroll: true });
  loupe.view.stage.setAttribute("aria-description", `${count(page.queue.left, "picture")} left`);
  await loupe.work.fill();
});
