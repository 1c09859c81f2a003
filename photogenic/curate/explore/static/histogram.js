// A histogram with one threshold that is dragged, or moved with the arrow keys.

import { el, number } from "../look/dom.js";

const SVG = "http://www.w3.org/2000/svg";

/** Four digits, as they are written into the recipe. */
export const rounded = (value) => Number(Number(value).toPrecision(4));

export class Histogram {
  /** seen: {low, high, bins, measured}; moved(value) is called for every step of a drag. */
  constructor(seen, { side, threshold, was, label, moved }) {
    this.seen = seen;
    this.side = side;
    this.moved = moved;
    this.bars = seen.bins.map((count, index) => this.bar(count, index));
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("viewBox", "0 0 100 100");
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("role", "img");
    this.svg.setAttribute("aria-label", `Histogram of ${label}, ${number(seen.measured)} values`);
    this.svg.append(...this.bars);
    this.output = el("output", { "aria-hidden": "true" });
    this.handle = el("div", {
      class: "handle", tabIndex: 0, role: "slider", "aria-label": `Threshold of ${label}`,
      "aria-valuemin": rounded(seen.low), "aria-valuemax": rounded(seen.high), onkeydown: (event) => this.key(event),
    }, this.output);
    this.was = el("div", { class: "was" });
    this.was.hidden = was === null;
    if (was !== null) this.was.style.left = `${this.share(was)}%`;
    const scale = el("p", { class: "scale", "aria-hidden": "true" }, "height: square root of the count");
    this.node = el("div", { class: "plot" }, scale, this.svg, this.was, this.handle, this.ticks());
    for (const part of [this.svg, this.handle]) part.addEventListener("pointerdown", (event) => this.drag(event));
    if (threshold === null) this.handle.hidden = true;
    else this.place(threshold);
  }

  share(value) {
    return 100 * Math.min(1, Math.max(0, (value - this.seen.low) / (this.seen.high - this.seen.low)));
  }

  bar(count, index) {
    const { bins } = this.seen, width = 100 / bins.length;
    const height = count ? Math.max(0.8, 100 * Math.sqrt(count / Math.max(...bins))) : 0;
    const bar = document.createElementNS(SVG, "rect");
    for (const [name, value] of Object.entries({ x: index * width, y: 100 - height, width: width * 0.86, height })) {
      bar.setAttribute(name, value.toFixed(3));
    }
    const title = document.createElementNS(SVG, "title");
    title.textContent = number(count);
    bar.append(title);
    return bar;
  }

  ticks() {
    const { low, high } = this.seen;
    const places = [0, 0.25, 0.5, 0.75, 1];
    return el("div", { class: "ticks", "aria-hidden": "true" }, places.map((place) => {
      const tick = el("span", {}, String(Number((low + place * (high - low)).toPrecision(3))));
      tick.style.left = `${100 * place}%`;
      return tick;
    }));
  }

  /** Move the line; what it drops is coloured. */
  place(value) {
    this.value = value;
    const share = this.share(value);
    this.handle.hidden = false;
    this.handle.style.left = `${share}%`;
    this.handle.classList.toggle("at-start", share < 6);
    this.handle.classList.toggle("at-end", share > 94);
    this.handle.setAttribute("aria-valuenow", rounded(value));
    this.output.textContent = String(rounded(value));
    const edge = (share / 100) * this.bars.length;
    this.bars.forEach((bar, index) => {
      const out = this.side === "min" ? index + 0.5 < edge : index + 0.5 > edge;
      bar.setAttribute("class", out ? "bin out" : "bin");
    });
  }

  drag(event) {
    event.preventDefault();
    this.handle.focus({ preventScroll: true });
    this.handle.setPointerCapture(event.pointerId);
    const follow = (at) => {
      const box = this.svg.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (at.clientX - box.left) / box.width));
      this.moved(rounded(this.seen.low + share * (this.seen.high - this.seen.low)));
    };
    const end = () => {
      this.handle.removeEventListener("pointermove", follow);
      for (const name of ["pointerup", "pointercancel"]) this.handle.removeEventListener(name, end);
    };
    this.handle.addEventListener("pointermove", follow);
    for (const name of ["pointerup", "pointercancel"]) this.handle.addEventListener(name, end);
    follow(event);
  }

  key(event) {
    const { low, high } = this.seen, step = (high - low) / 200;
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    let value = null;
    if (event.key in steps) value = this.value + steps[event.key] * step * (event.shiftKey ? 10 : 1);
    else if (event.key === "Home") value = low;
    else if (event.key === "End") value = high;
    if (value === null) return;
    event.preventDefault();
    this.moved(rounded(Math.min(high, Math.max(low, value))));
  }
}
