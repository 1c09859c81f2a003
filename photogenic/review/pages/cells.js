// The cells of the grid: as many as the screen has pictures, used again for the next. They place and paint; what is on
// the screen, and what is marked, is the grid's to know.

import { el, icon } from "/static/dom.js";
import { ImageCache } from "/static/image-cache.js";
import { VERDICTS, labelOf, screenUrl } from "./common.js";

const THUMB_PX = 384;
const NARROW_PX = 640;
const MARGIN_PX = 16;  // around all cells, both sides together
const GAP_PX = 6;      // between two cells
const FRAME_PX = 10;   // inside a cell, both sides together

/**
 * Emits "refitted" when pictures have other pixels than before, "cannot" with the place of a picture that nobody can see;
 * the node emits "shown" when every picture of the screen is painted with the next frame.
 */
export class Cells extends EventTarget {
  constructor(queueId) {
    super();
    this.queueId = queueId;
    this.node = el("div", {
      class: "cells", role: "listbox", tabIndex: 0, "aria-multiselectable": "true", "aria-label": "Pictures of this screen", id: "cells",
    });
    this.cells = [];
    this.entries = []; // [{item, mark, seen, cannot}]
    this.columns = 1;
    this.size = "thumb";
    this.pictures = new ImageCache({ box: () => this.room, atOnce: 6 });
    this.pictures.addEventListener("refitted", () => this.dispatchEvent(new Event("refitted")));
  }

  /** Choose columns and the size of pictures for the room there is. */
  fit(entries, density) {
    const n = entries.length;
    const { clientWidth: width, clientHeight: height } = this.node;
    if (!n || !width) return;
    const narrow = width < NARROW_PX && n > 1;
    this.columns = narrow ? (density > 30 ? 3 : 2) : bestColumns(n, width - MARGIN_PX, height - MARGIN_PX, usualAspect(entries));
    const rows = Math.ceil(n / this.columns);
    const side = (room, count) => (room - MARGIN_PX - GAP_PX * (count - 1)) / count - FRAME_PX;
    const cellWidth = side(width, this.columns);
    const cellHeight = narrow ? cellWidth : side(height, rows);
    this.node.classList.toggle("tall", narrow);
    this.node.style.gridTemplateColumns = `repeat(${this.columns}, minmax(0, 1fr))`;
    this.node.style.gridAutoRows = narrow ? `${Math.round(cellWidth)}px` : "";
    this.room = { width: Math.max(1, Math.round(cellWidth * devicePixelRatio)), height: Math.max(1, Math.round(cellHeight * devicePixelRatio)) };
    this.size = Math.max(this.room.width, this.room.height) > THUMB_PX * 1.35 ? "screen" : "thumb";
    this.pictures.refit();
  }

  /** Have the pictures of exactly these items at hand, the most wanted first. */
  hold(items) {
    this.pictures.hold(items.map((item) => this.urlOf(item)));
  }

  urlOf(item) {
    return screenUrl(this.queueId, item, this.size);
  }

  /** Paint these entries, whose pictures are held; `mode` is the mark that counts as chosen. */
  draw(entries, mode) {
    this.entries = entries;
    while (this.cells.length > entries.length) this.cells.pop().node.remove();
    while (this.cells.length < entries.length) this.add();
    for (const i of entries.keys()) {
      this.drawPicture(i);
      this.drawMark(i, mode);
    }
  }

  add() {
    const i = this.cells.length;
    const canvas = el("canvas");
    const badge = el("span", { class: "badge" });
    const node = el("div", { class: "cell", role: "option", id: `cell-${i}`, "aria-selected": "false", dataset: { index: String(i) } }, canvas, badge);
    this.node.append(node);
    this.cells.push({ node, canvas, badge, context: canvas.getContext("2d"), mark: undefined });
  }

  drawPicture(i) {
    const [cell, entry] = [this.cells[i], this.entries[i]];
    const picture = this.pictures.get(this.urlOf(entry.item));
    entry.seen = false;
    if (entry.cannot && picture.bitmap) canAfterAll(entry);
    cell.item = entry.item;
    cell.node.querySelector(".cannot")?.remove();
    if (picture.bitmap) {
      this.paint(cell, entry, picture);
      return;
    }
    cell.canvas.width = 0;
    picture.ready.then(() => {
      if (cell.item !== entry.item || picture.state === "gone") return;
      if (picture.bitmap) this.paint(cell, entry, picture);
      else this.cannot(i, entry, picture);
    });
  }

  paint(cell, entry, { bitmap }) {
    entry.seen = true;
    cell.canvas.width = bitmap.width;
    cell.canvas.height = bitmap.height;
    cell.context.drawImage(bitmap, 0, 0);
    if (this.entries.every((one) => one.seen)) this.node.dispatchEvent(new CustomEvent("shown", { bubbles: true, detail: { id: this.entries[0].item.id } }));
  }

  /** The server is there and cannot give this picture. */
  cannot(i, entry, picture) {
    entry.seen = true;
    this.cells[i].node.append(el("span", { class: "cannot" }, picture.error));
    if (entry.cannot) return;
    entry.cannot = true;
    this.dispatchEvent(new CustomEvent("cannot", { detail: i }));
  }

  drawMark(i, mode) {
    const cell = this.cells[i];
    const { mark, item } = this.entries[i];
    if (mark) cell.node.dataset.mark = mark;
    else delete cell.node.dataset.mark;
    cell.node.setAttribute("aria-selected", String(mark === mode));
    cell.node.setAttribute("aria-label", `${i + 1}. ${mark ? `${VERDICTS[mark].past}. ` : ""}${labelOf(item)}`);
    if (cell.mark !== mark) cell.badge.replaceChildren(...(mark ? [icon(VERDICTS[mark].picture)] : []));
    cell.mark = mark;
  }

  /** The frame at one cell; those of `range` ([first, last] or null) look chosen. */
  drawFrame(here, range) {
    for (const [i, { node }] of this.cells.entries()) {
      node.classList.toggle("here", i === here);
      node.classList.toggle("ranged", range !== null && i >= range[0] && i <= range[1]);
    }
    if (this.cells[here]) this.node.setAttribute("aria-activedescendant", `cell-${here}`);
    else this.node.removeAttribute("aria-activedescendant");
  }

  reveal(i) {
    this.cells[i].node.scrollIntoView({ block: "nearest" });
  }
}

/** It was marked because it could not be seen. */
function canAfterAll(entry) {
  entry.cannot = false;
  if (entry.mark === "unsure") entry.mark = null;
}

/** The middle one of the aspects (width over height) of a screen: most pictures of a haystack are alike in this. */
function usualAspect(entries) {
  const aspects = entries.map(({ item }) => item.images[0].width_px / item.images[0].height_px).sort((a, b) => a - b);
  return Math.min(2.5, Math.max(0.5, aspects[aspects.length >> 1] || 1.3));
}

/** The number of columns that shows `n` pictures of this aspect largest. */
function bestColumns(n, width, height, aspect) {
  const lost = GAP_PX + FRAME_PX;
  let best = 1;
  let largest = 0;
  for (let columns = 1; columns <= n; columns += 1) {
    const size = Math.min((width / columns - lost) / aspect, height / Math.ceil(n / columns) - lost);
    if (size > largest) [largest, best] = [size, columns];
  }
  return best;
}
