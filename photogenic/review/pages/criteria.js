// The five criteria as rows of marks. Digits fill the framed one and frame the next; a click sets any of them.

import { el } from "/static/dom.js";

const HIGHEST = 5;

export class Criteria {
  /** `criteria`: [[name, words], …]. */
  constructor(criteria) {
    this.names = criteria.map(([name]) => name);
    this.rows = new Map();
    this.marks = {};
    this.at = 0;
    this.node = el("div", { class: "criteria", role: "group", "aria-label": "Criteria" }, criteria.map(([name, words]) => this.row(name, words)));
    this.draw();
  }

  row(name, words) {
    const buttons = Array.from({ length: HIGHEST }, (_, i) => el("button", {
      type: "button", "aria-label": `${words}: ${i + 1} of ${HIGHEST}`, title: `${words}: ${i + 1}`, "aria-pressed": "false",
      onclick: () => this.mark(name, this.marks[name] === i + 1 ? 0 : i + 1),
    }, el("i")));
    const node = el("fieldset", {}, el("legend", {}, words), el("div", { class: "marks" }, buttons));
    this.rows.set(name, { node, buttons });
    return node;
  }

  /** A digit for the framed criterion; 0 leaves it out. */
  rate(digit) {
    this.mark(this.names[this.at], digit);
    this.at = (this.at + 1) % this.names.length;
    this.draw();
  }

  mark(name, value) {
    if (value) this.marks[name] = value;
    else delete this.marks[name];
    this.draw();
  }

  set(marks) {
    this.marks = { ...marks };
    this.at = 0;
    this.draw();
  }

  values() {
    return { ...this.marks };
  }

  draw() {
    for (const [i, name] of this.names.entries()) {
      const { node, buttons } = this.rows.get(name);
      const value = this.marks[name] ?? 0;
      node.classList.toggle("next", i === this.at);
      for (const [k, one] of buttons.entries()) {
        one.classList.toggle("on", k < value);
        one.setAttribute("aria-pressed", String(k + 1 === value));
      }
    }
  }
}
