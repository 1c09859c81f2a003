// One screen of the grid: its pictures, their marks, the frame, and the range that the frame has been drawn over. Nothing
// here paints or asks the server.

import { OTHER } from "./grid-bar.js";

export class Screenful {
  /** `entries`: [{item, mark, seen: painted}]. */
  constructor(entries = []) {
    this.entries = entries;
    this.here = 0;
    this.anchor = null; // where a range begins
  }

  get isEmpty() {
    return !this.entries.length;
  }

  get framed() {
    return this.entries[this.here] ?? null;
  }

  get items() {
    return this.entries.map((entry) => entry.item);
  }

  /** First and last place of the range, or of the framed picture alone. */
  get range() {
    const anchor = this.anchor ?? this.here;
    return [Math.min(anchor, this.here), Math.max(anchor, this.here)];
  }

  /** Frame another; false where there is none. `extend`: the range goes on to there. */
  moveTo(i, extend = false) {
    if (!(i >= 0 && i < this.entries.length)) return false;
    this.anchor = extend ? this.anchor ?? this.here : null;
    this.here = i;
    return true;
  }

  /** Take pictures out that others have now; whether any was here. The frame stays on its picture, if that is left. */
  lose(ids) {
    const { framed } = this;
    const left = this.entries.filter((entry) => !ids.has(entry.item.id));
    if (left.length === this.entries.length) return false;
    this.entries = left;
    this.anchor = null;
    this.here = left.includes(framed) ? left.indexOf(framed) : Math.max(0, Math.min(this.here, left.length - 1));
    return true;
  }

  /** Mark all from one place to another; [[entry, mark before]], to be undone by. */
  mark(from, to, mark) {
    const marked = this.entries.slice(from, to + 1);
    const before = marked.map((entry) => [entry, entry.mark]);
    for (const entry of marked) entry.mark = mark;
    return before;
  }

  /** What a picture gets: its mark, or what those without one get. */
  static verdictOf(entry, mode) {
    return entry.mark ?? OTHER[mode];
  }

  tally(mode) {
    const tally = { keep: 0, drop: 0, unsure: 0 };
    for (const entry of this.entries) tally[Screenful.verdictOf(entry, mode)] += 1;
    return tally;
  }
}
