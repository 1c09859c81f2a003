// The bar below the loupe: tools on the left, criteria in the middle, verdicts with their reasons on the right.

import { button, el } from "/static/dom.js";
import { VERDICTS, criteriaOf, reasonsOf } from "./common.js";
import { Criteria } from "./criteria.js";

const TOOLS = {
  undo: ["Undo", "Backspace", "undo"],
  zoom: ["Zoom to 100 %", "Z", "loupe"],
  compare: ["Pin as champion and compare", "C", "pin"],
  thirds: ["Thirds", "T", "thirds"],
  clipping: ["Clipping", "J", "clip"],
  facts: ["Histogram and metadata", "I", "bars"],
};

export class LoupeBar {
  /** `does`: what each tool does, by name, and `decide(verdict, reason)`. `body`: the queue's criteria and reasons. */
  constructor(body, does) {
    this.criteria = new Criteria(criteriaOf(body));
    this.tools = Object.fromEntries(Object.entries(TOOLS).map(([name, [words, key, picture]]) => [name, button("", {
      picture, class: "plain", "aria-label": words, title: `${words} (${key})`, "aria-pressed": name === "undo" ? null : "false",
    }, does[name])]));
    this.verdicts = Object.fromEntries(Object.entries(VERDICTS).map(([name, { word, key, picture }]) => [name, button(word, {
      key, picture, class: name, "aria-pressed": "false",
    }, () => does.decide(name))]));
    this.reasons = el("div", { class: "reasons", hidden: true, role: "group", "aria-label": "Reason for dropping" },
      reasonsOf(body).map((reason, i) => button(reason, { key: `Shift ${i + 1}` }, () => does.decide("drop", reason))));
    this.why = button("", { picture: "more", class: "why", "aria-label": "Drop with a reason", "aria-expanded": "false" }, () => this.showReasons(this.reasons.hidden));
    const { drop, unsure, keep } = this.verdicts;
    this.nodes = [
      el("div", { class: "tools", role: "toolbar", "aria-label": "View" }, Object.values(this.tools)),
      this.criteria.node,
      el("div", { class: "verdicts", role: "group", "aria-label": "Verdict" }, el("div", { class: "drop-pair" }, drop, this.why, this.reasons), unsure, keep),
    ];
    document.addEventListener("click", (event) => event.target.closest(".drop-pair") || this.showReasons(false));
  }

  /** Whether a tool is on. */
  press(tool, on) {
    this.tools[tool].setAttribute("aria-pressed", String(on));
  }

  /** The verdict that the picture on the stage has, or null. */
  markVerdict(verdict) {
    for (const [name, node] of Object.entries(this.verdicts)) node.setAttribute("aria-pressed", String(verdict === name));
  }

  showReasons(open) {
    this.reasons.hidden = !open;
    this.why.setAttribute("aria-expanded", String(open));
  }
}
