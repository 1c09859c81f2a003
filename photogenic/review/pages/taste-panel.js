// Taste on the lead's desk: learn it from the decisions so far, see what it saves, and what it proposes to look at.

import { get, imageUrl, post } from "/static/api.js";
import { button, count, el } from "/static/dom.js";

const PAST = { keep: "Kept", drop: "Dropped", unsure: "Unsure" };
const PROPOSALS = [
  ["surprises", "Surprising decisions, worth another look"],
  ["gold", "Decisions that people and taste are surest of: fit to be gold"],
];

export class TastePanel {
  /** `tried(work)`: do something; a refusal is shown as a sentence. */
  constructor(tried) {
    this.tried = tried;
    this.words = el("p", { role: "status" });
    this.proposals = el("div");
    this.node = el("div", {},
      el("p", { class: "soft" }, "Learnt from what was decided, by the measures of the funnel. It orders rounds whose order is taste, and proposes pictures; it never decides."),
      this.words,
      el("div", { class: "actions" }, this.button = button("Learn from the decisions so far", {}, () => this.learn())),
      this.proposals);
  }

  /** What the last report says, for this queue. */
  show(queueId, report) {
    const told = report?.words ?? "Nothing was learnt yet.";
    if (this.queueId === queueId && this.words.textContent === told) return;
    this.queueId = queueId;
    this.words.textContent = told;
    this.proposals.replaceChildren();
    if (report?.words) this.load(queueId);
  }

  async learn() {
    this.button.disabled = true;
    const before = this.words.textContent;
    this.words.textContent = "Learning …";
    const report = await this.tried(() => post("/api/review/taste"));
    this.button.disabled = false;
    if (!report) this.words.textContent = before;
    if (!report) return;
    const queueId = this.queueId;
    this.queueId = null;
    this.show(queueId, report);
  }

  async load(queueId) {
    const found = await this.tried(() => get(`/api/queues/${encodeURIComponent(queueId)}/proposals`));
    if (!found || this.queueId !== queueId) return;
    this.proposals.replaceChildren(...PROPOSALS.filter(([name]) => found[name].length).map(([name, title]) => el("details", {},
      el("summary", {}, `${title} (${count(found[name].length, "picture")})`),
      el("div", { class: "sheet" }, found[name].map((item) => figure(queueId, item))))));
  }
}

function figure(queueId, item) {
  const said = PAST[item.verdict] ?? "Open";
  return el("figure", {},
    el("a", { href: imageUrl(queueId, item.images[0].digest, "screen"), "aria-label": `${said}: ${item.alt_text || "without alternative text"}` },
      el("img", { src: imageUrl(queueId, item.images[0].digest, "thumb"), alt: "", loading: "lazy" })),
    el("figcaption", { class: item.verdict === "keep" ? "good" : "" }, said));
}
