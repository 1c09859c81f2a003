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
    this.known = { queueId: null, report: null };
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
    this.known = { queueId, report };
    if (this.isLearning) return; // its own end shows what is known then
    const told = report?.words ?? "Nothing was learnt yet.";
    if (this.queueId === queueId && this.words.textContent === told) return;
    this.queueId = queueId;
    this.words.textContent = told;
    this.proposals.replaceChildren();
    if (queueId && report?.words) this.load(queueId);
  }

  async learn() {
    this.isLearning = this.button.disabled = true;
    this.words.textContent = "Learning …";
    const learnt = await this.tried(() => post("/api/review/taste"));
    this.isLearning = this.button.disabled = false;
    const { queueId, report } = this.known; // another round may have been chosen meanwhile
    if (learnt) this.queueId = null;
    this.show(queueId, learnt ?? report);
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
