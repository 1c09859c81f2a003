// Where people disagreed: the picture, every vote with its reasons, and the lead's word that settles it.

import { get } from "/static/api.js";
import { announce, button, el, icon, toast } from "/static/dom.js";
import { ImageCache } from "/static/image-cache.js";
import "/static/photo-stage.js";
import { showTrouble } from "/static/shell.js";
import { CRITERIA, VERDICTS, labelOf, openWork, run, screenUrl } from "./common.js";

const RETRY_MS = 3000;

class Adjudication {
  constructor(page) {
    Object.assign(this, page);
    this.items = [];
    this.past = [];
    this.stage = el("photo-stage");
    this.votes = el("section", { class: "votes", "aria-label": "Votes", tabIndex: 0 });
    this.words = el("textarea", { id: "outcome-words", rows: 3 });
    document.querySelector("#work").replaceChildren(el("section", { class: "picture", "aria-label": "Picture" }, this.stage), this.votes);
    document.querySelector("footer").replaceChildren(
      button("Back", { picture: "undo", class: "plain" }, () => this.undo()),
      el("div", { class: "verdicts", role: "group", "aria-label": "Outcome" }, ["drop", "keep"].map((name) => [name, VERDICTS[name]]).map(([name, verdict]) =>
        button(verdict.word, { key: verdict.key, picture: verdict.picture, class: name }, () => this.decide(name)))));
    this.screens = new ImageCache({ box: () => this.stage.box });
    this.stage.addEventListener("resized", () => this.screens.refit());
    this.screens.addEventListener("refitted", () => this.item && this.showPicture());
    this.watch(this.screens);
    addEventListener("surround", () => requestAnimationFrame(() => this.stage.draw()));
  }

  async load() {
    const after = this.items.at(-1)?.position;
    const query = after === undefined ? "" : `?after=${after}`;
    const { items, left } = await get(`/api/queues/${encodeURIComponent(this.queue.id)}/adjudicate${query}`);
    const pending = this.outbox.pendingItems(this.queue.id);
    const isWaited = !this.item; // else somebody went back meanwhile, and writes on what they went back to
    const mine = new Set(this.items.map((item) => item.id));
    this.items.push(...items.filter((item) => !pending.has(item.id) && !mine.has(item.id)));
    this.left = left + this.items.filter((item) => item.isBack).length; // which the server has as settled
    if (isWaited) this.show();
    else this.drawLeft();
  }

  get item() {
    return this.items[0] ?? null;
  }

  show() {
    this.setProgress(0, 0);
    if (!this.item) {
      this.stage.show(null);
      this.votes.replaceChildren(el("div", { class: "empty" }, el("h2", {}, "Nothing to settle"), el("p", {}, "Where two differ, a third person is asked first; what is still open then comes here."),
        el("p", {}, el("a", { class: "button", href: "/review/lead" }, "The lead's desk"))));
      announce("Nothing to settle.");
      return;
    }
    this.showPicture();
    this.words.value = this.item.words ?? "";
    this.heading = el("h2", {});
    this.drawLeft();
    this.votes.replaceChildren(
      this.heading,
      el("ul", {}, this.item.judgments.map(vote)),
      el("label", { class: "field" }, el("span", {}, "Your reason"), this.words));
    this.votes.scrollTop = 0;
  }

  drawLeft() {
    this.heading.textContent = `${this.left} to settle`;
  }

  showPicture() {
    this.screens.hold(this.items.slice(0, 5).map((item) => screenUrl(this.queue.id, item)));
    const { item } = this;
    const entry = this.screens.get(screenUrl(this.queue.id, item));
    const { width_px: width, height_px: height } = item.images[0];
    const present = () => {
      this.isSeen = true;
      this.stage.show({ bitmap: entry.bitmap, width, height, label: labelOf(item), id: item.id });
    };
    this.isSeen = false;
    if (entry.bitmap) {
      present();
      return;
    }
    this.stage.show(null);
    entry.ready.then(() => {
      if (this.item !== item || entry.state === "gone") return;
      if (entry.bitmap) present();
      else {
        this.isSeen = true; // it cannot be seen, which is itself a ground to drop it
        toast(entry.error, { error: true });
      }
    });
  }

  decide(verdict) {
    const { item } = this;
    if (!item) return;
    if (!this.isSeen) {
      toast("The picture is still coming");
      return;
    }
    const words = this.words.value.trim();
    item.words = words;
    this.outbox.add("adjudicate", this.queue.id, item.id, { verdict, words });
    this.past.push(item);
    this.items.shift();
    this.left = Math.max(0, this.left - 1);
    announce(`${VERDICTS[verdict].past}.`);
    if (this.items.length || !this.left) this.show();
    else this.more();
  }

  /** The next ones, once the server has my words on those before; one that is away is asked until it is back. */
  async more() {
    this.stage.show(null);
    this.votes.replaceChildren(el("div", { class: "empty" }, el("p", {}, "Fetching the next ones …")));
    try {
      await this.outbox.settled();
      await this.load();
    } catch (error) {
      if (!error.passing) showTrouble(document.querySelector("#work"), error);
      else {
        toast(error.message, { error: true });
        setTimeout(() => this.item || this.more(), RETRY_MS);
      }
    }
  }

  /** Back to the last one: a new word on it counts instead of the one before. */
  undo() {
    const latest = this.past.pop();
    if (!latest) {
      toast("Nothing before this one");
      return;
    }
    if (this.item) this.item.words = this.words.value;
    latest.isBack = true;
    this.items.unshift(latest);
    this.left += 1;
    this.show();
  }
}

function vote({ person, answer, body }) {
  const verdict = VERDICTS[answer];
  const marks = CRITERIA.filter(([criterion]) => body.criteria?.[criterion]);
  return el("li", {},
    el("div", { class: "who" }, el("span", {}, person), el("span", { class: `said ${answer}` }, icon(verdict.picture), verdict.word)),
    marks.length ? el("dl", {}, marks.flatMap(([criterion, words]) => [el("dt", {}, words), el("dd", {}, `${body.criteria[criterion]} of 5`)])) : null,
    body.reason ? el("p", {}, body.reason) : null,
    body.words ? el("p", {}, body.words) : null);
}

run(async () => {
  let desk = null;
  const page = await openWork({ keys: [{ title: "Outcome, and on to the next", keys: [
    { on: ["p"], does: "Keep", run: () => desk?.decide("keep") },
    { on: ["x"], does: "Drop", run: () => desk?.decide("drop") },
    { on: ["n"], does: "Write the reason", run: () => desk?.words.focus() },
    { on: ["Escape"], does: "Out of the text, so that keys work", always: true, run: () => document.querySelector("#work").focus() },
    { on: ["Backspace", "Control+z"], does: "Back to the last one", run: () => desk?.undo(), repeats: true },
    { on: ["z", " "], does: "Fit or 100 %", run: () => desk?.stage.toggleZoom() },
  ] }] });
  page.setTitle(`${page.queue.title}: disagreements`);
  desk = new Adjudication(page);
  document.querySelector("#work").focus({ preventScroll: true });
  await desk.more();
});
