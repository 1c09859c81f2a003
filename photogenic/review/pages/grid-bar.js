// The bar below the grid: undo and a closer look on the left, what a mark means, how many a screen has, and its tally.

import { button, el, number } from "/static/dom.js";
import { VERDICTS } from "./common.js";

export const DENSITIES = [20, 30, 42, 60];
export const OTHER = { keep: "drop", drop: "keep" }; // what the pictures without a mark get, by what a mark means

export class GridBar {
  /** `does`: undo, openLarge, submit, setMode(mode), setDensity(n). */
  constructor(does) {
    this.tally = el("span", { class: "tally", role: "status" });
    this.submit = button("Submit screen", { key: "Enter", class: "main submit" }, does.submit);
    this.modes = el("div", { class: "choice", role: "group", "aria-label": "What a mark means" },
      Object.keys(OTHER).map((name) => button(name === "keep" ? "Mark keepers" : "Mark rejects", { dataset: { mode: name } }, () => does.setMode(name))));
    this.densities = el("div", { class: "choice density", role: "group", "aria-label": "Pictures per screen" },
      DENSITIES.map((n) => button(String(n), { dataset: { density: String(n) }, "aria-label": `${n} per screen` }, () => does.setDensity(n))));
    this.nodes = [
      button("", { picture: "undo", class: "plain undo", "aria-label": "Undo", title: "Undo (Backspace)" }, does.undo),
      button("", { picture: "loupe", class: "plain", "aria-label": "Look closely", title: "Look closely (E)" }, does.openLarge),
      this.modes, this.densities, el("span", { class: "gap" }), this.tally, this.submit,
    ];
  }

  drawChoices(mode, density) {
    for (const one of this.modes.children) one.setAttribute("aria-pressed", String(one.dataset.mode === mode));
    for (const one of this.densities.children) one.setAttribute("aria-pressed", String(Number(one.dataset.density) === density));
  }

  /** `tally`: verdict -> how many pictures of the screen would get it. */
  drawTally(tally, canSubmit) {
    this.submit.disabled = !canSubmit;
    this.tally.replaceChildren(...["keep", "drop", "unsure"].filter((name) => tally[name] || name !== "unsure").flatMap((name, i) =>
      [i ? " · " : "", el("b", {}, number(tally[name])), ` ${VERDICTS[name].word.toLowerCase()}`]));
  }
}
