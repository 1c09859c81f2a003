// Two pictures, one question, one key. The next pair is decoded and painted before it is needed.

import { ActiveTime } from "/static/active-time.js";
import { ApiError, imageUrl } from "/static/api.js";
import { announce, button, el, toast } from "/static/dom.js";
import { ImageCache } from "/static/image-cache.js";
import { openPage, showTrouble } from "/static/shell.js";
import { WorkQueue } from "/static/work-queue.js";

const AHEAD = 6;
const CLAIMED = 12; // few, so that raters who leave hold up little
const REMEMBERED = 50;
const RETRY_MS = 2000;
const QUESTIONS = {
  visual_appeal: {
    words: "Which picture do you like better?",
    answers: [["left", "Left", "1"], ["right", "Right", "2"], ["tie", "Alike", "0"]],
  },
  text_faithfulness: {
    words: "Which picture shows what the text says?",
    answers: [["left", "Left", "1"], ["right", "Right", "2"], ["both", "Both", "0"], ["neither", "Neither", "3"]],
  },
};

const stacked = matchMedia("(max-width: 44rem)"); // there the left picture lies above the right one
const placed = (word) => (stacked.matches ? { Left: "Upper", Right: "Lower" }[word] ?? word : word);

/** One pair on two canvases. */
class PairView {
  constructor(onPick) {
    this.canvases = ["left", "right"].map((side) => {
      const canvas = el("canvas", { role: "img", "aria-label": `The ${side} picture` });
      canvas.bitmap = null;
      return canvas;
    });
    this.sides = this.canvases.map((canvas, i) => el("button", {
      type: "button", class: "side", tabIndex: -1, "aria-label": i ? "Choose the right picture" : "Choose the left picture",
      onclick: () => onPick(i ? "right" : "left"),
    }, canvas));
    this.node = el("div", { class: "pair next" }, this.sides);
    this.entry = null;
  }

  /** Paint the pair as soon as both pictures are decoded; resolves to whether it is on the canvases. */
  async paint(entry, cache, urls) {
    this.entry = entry;
    this.ready = false;
    for (const side of this.sides) side.classList.remove("chosen");
    const found = await Promise.all(urls.map((url) => cache.get(url)?.ready));
    if (this.entry !== entry) return false;
    if (!found.every((one) => one?.bitmap)) {
      this.entry = null; // whoever shows this pair has to begin anew
      return false;
    }
    found.forEach((one, i) => {
      this.canvases[i].bitmap = one.bitmap;
    });
    this.draw();
    this.ready = true;
    return true;
  }

  /** Both at one scale, as large as their half allows. */
  draw() {
    for (const canvas of this.canvases) {
      const { bitmap } = canvas;
      const density = devicePixelRatio || 1;
      const width = Math.max(1, Math.round(canvas.clientWidth * density));
      const height = Math.max(1, Math.round(canvas.clientHeight * density));
      canvas.width = width;
      canvas.height = height;
      if (!bitmap) continue;
      const scale = Math.min(width / bitmap.width, height / bitmap.height);
      const [w, h] = [Math.round(bitmap.width * scale), Math.round(bitmap.height * scale)];
      const pen = canvas.getContext("2d");
      pen.imageSmoothingQuality = "high";
      pen.drawImage(bitmap, Math.round((width - w) / 2), Math.round((height - h) / 2), w, h);
    }
  }
}

class Voting {
  constructor(page, queue) {
    Object.assign(this, page, { queue });
    this.line = [];   // waiting entries: items
    this.behind = []; // answered: {item, eventId}
    this.done = queue.done;
    this.clock = new ActiveTime();
    this.cache = new ImageCache();
    this.views = [0, 1].map(() => new PairView((choice) => this.choose(choice)));
    this.words = el("p", {});
    this.pairs = el("div", { class: "pairs" }, this.views.map((view) => view.node));
    document.querySelector("#work").replaceChildren(el("div", { class: "question", "aria-live": "polite" }, this.words), this.pairs);
    this.work = new WorkQueue(queue.id, this.outbox, { ahead: CLAIMED });
    this.work.addEventListener("items", ({ detail }) => this.arrived(detail));
    this.work.addEventListener("lost", ({ detail }) => this.lost(new Set(detail)));
    this.work.addEventListener("end", ({ detail }) => this.ended(detail));
    this.work.addEventListener("trouble", ({ detail }) => toast(detail.message, { error: true }));
    new ResizeObserver(() => this.views.forEach((view) => view.draw())).observe(this.pairs);
    addEventListener("surround", () => requestAnimationFrame(() => this.views.forEach((view) => view.draw())));
    this.watch(this.cache);
    stacked.addEventListener("change", () => this.item && this.build(this.item.body.question));
    this.progress();
    this.work.fill();
  }

  get item() {
    return this.line[0] ?? null;
  }

  urls(item) {
    const order = item.body.left === 0 ? [0, 1] : [1, 0];
    return order.map((i) => imageUrl(this.queue.id, item.images[i].digest, "screen"));
  }

  arrived(items) {
    const known = new Set(this.line.map((item) => item.id));
    for (const item of items) if (!known.has(item.id)) this.line.push(item);
    this.pairs.querySelector(".empty")?.remove();
    this.show();
  }

  lost(ids) {
    this.line = this.line.filter((item, i) => i === 0 || !ids.has(item.id));
    this.show();
  }

  /** Show the first pair of the line; paint the second behind it. */
  async show() {
    const [item, next] = this.line;
    this.cache.hold(this.wanted());
    if (!item) {
      this.hide();
      return;
    }
    this.build(item.body.question);
    let view = this.views.find((one) => one.entry === item);
    if (!view?.ready) this.hide();
    if (!view) {
      view = this.views.find((one) => one.entry !== next) ?? this.views[0];
      if (!(await view.paint(item, this.cache, this.urls(item)))) {
        if (this.item === item) this.tryAgain(item);
        return;
      }
    }
    if (this.item !== item) return;
    this.front(view, item);
    const other = this.views.find((one) => one !== view);
    if (next && other.entry !== next) other.paint(next, this.cache, this.urls(next));
  }

  /** An answer would be refused until the next pair is there: the one before must not look as if it could be answered. */
  hide() {
    for (const one of this.views) one.node.classList.add("next");
  }

  /** The server is there and did not give all of this pair, which waits for it: forget what failed, and ask once more. */
  tryAgain(item) {
    if (this.again) return;
    const failed = (url) => this.cache.get(url)?.state === "failed";
    const [first] = this.urls(item).filter(failed);
    if (first && this.complained !== item) toast(this.cache.get(first).error, { error: true });
    this.complained = item;
    this.again = setTimeout(() => {
      this.again = null;
      this.cache.hold(this.wanted().filter((url) => !failed(url)));
      this.show();
    }, RETRY_MS);
  }

  wanted() {
    return this.line.slice(0, AHEAD).flatMap((one) => this.urls(one));
  }

  front(view, item) {
    if (this.shown === item || !view.ready) {
      if (!view.ready) setTimeout(() => this.show(), 60);
      return;
    }
    this.shown = item;
    for (const one of this.views) one.node.classList.toggle("next", one !== view);
    const question = QUESTIONS[item.body.question];
    this.words.replaceChildren(...(item.body.prompt === undefined ? [question.words] : [question.words, " ", el("span", { class: "caption" }, `“${item.body.prompt}”`)]));
    this.clock.lap();
    this.paintedAt = performance.now();
    dispatchEvent(new CustomEvent("pair-shown", { detail: item.id }));
  }

  build(question) {
    if (this.built === question && this.stacked === stacked.matches) return;
    this.stacked = stacked.matches;
    this.built = question;
    const answers = QUESTIONS[question].answers.map(([choice, word, key]) => button(placed(word), { key, class: "plain-answer" }, () => this.choose(choice)));
    document.querySelector("footer").replaceChildren(
      button("", { picture: "undo", class: "plain undo", "aria-label": "Undo", title: "Undo (Backspace)" }, () => this.undo()),
      el("div", { class: "answers", role: "group", "aria-label": QUESTIONS[question].words }, answers));
  }

  choose(choice) {
    const { item } = this;
    if (!item || this.shown !== item) return;
    const question = item.body.question;
    if (!QUESTIONS[question].answers.some(([name]) => name === choice)) return;
    const eventId = this.outbox.add("vote", this.queue.id, item.id, { question, choice, active_ms: this.clock.lap() });
    this.behind.push({ item, eventId });
    if (this.behind.length > REMEMBERED) this.behind.shift();
    this.line.shift();
    this.work.settle(item.id);
    this.done += 1;
    this.progress();
    announce(choice);
    this.show();
    if (!this.item) this.work.fill();
  }

  undo() {
    const last = this.behind.pop();
    if (!last) {
      toast("Nothing to undo.");
      return;
    }
    this.outbox.add("undo", this.queue.id, last.item.id, { event_id: last.eventId });
    this.line.unshift(last.item);
    this.work.reopen([last.item]);
    this.done -= 1;
    this.shown = null;
    this.pairs.querySelector(".empty")?.remove();
    this.progress();
    this.show();
    announce("Taken back.");
  }

  progress() {
    this.setProgress(this.done, Math.max(this.done, this.queue.total_for_me));
  }

  ended(reason) {
    if (this.item) return;
    const done = reason === "done";
    this.pairs.querySelector(".empty")?.remove();
    this.words.replaceChildren();
    this.pairs.append(el("div", { class: "empty" }, el("h2", {}, done ? "All done" : "Others hold the rest"),
      el("p", {}, done ? "You have answered every pair that was for you. Thank you." : "What is left is with other people right now. This page looks again every few seconds."),
      el("p", {}, el("a", { class: "button", href: "/" }, "All my work"))));
    announce(done ? "All done." : "Others hold the rest; looking again soon.");
  }
}

async function start() {
  let voting = null;
  const choose = (choice) => () => voting?.choose(choice);
  const page = await openPage({
    keys: [{
      title: "Answers",
      keys: [
        { on: ["Digit1"], does: "Left", run: choose("left") },
        { on: ["Digit2"], does: "Right", run: choose("right") },
        { on: ["Digit0"], does: "Alike; where the text is asked about: both", run: () => voting?.choose(voting.built === "text_faithfulness" ? "both" : "tie") },
        { on: ["Digit3"], does: "Neither, where the text is asked about", run: choose("neither") },
        { on: ["Backspace", "Control+z"], does: "Take the last answer back", run: () => voting?.undo() },
      ],
    }],
  });
  const queue = page.me.queues.find((one) => one.id === new URLSearchParams(location.search).get("queue"));
  if (!queue) throw new ApiError("This queue is closed, or it is not yours.", "", 404);
  page.setTitle(queue.title);
  voting = new Voting(page, queue);
}

start().catch((error) => showTrouble(document.querySelector("#work"), error));
