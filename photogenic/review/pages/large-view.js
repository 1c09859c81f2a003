// One picture of the grid's screen, large, over the grid.

import { el, icon } from "/static/dom.js";
import { ImageCache } from "/static/image-cache.js";
import "/static/photo-stage.js";
import { VERDICTS, labelOf, screenUrl } from "./common.js";

export class LargeView {
  constructor(queueId) {
    this.queueId = queueId;
    this.stage = el("photo-stage");
    this.chip = el("span", { class: "chip", hidden: true });
    this.node = el("div", { class: "large", hidden: true }, this.chip, this.stage);
    this.pictures = new ImageCache({ box: () => this.stage.box });
    this.originals = new ImageCache({ atOnce: 1 });
    this.item = null;
    this.stage.addEventListener("resized", () => this.isOpen && this.pictures.refit());
    this.stage.addEventListener("wants-full", () => this.sharpen());
    this.pictures.addEventListener("refitted", () => this.item && this.present());
    addEventListener("surround", () => requestAnimationFrame(() => this.stage.draw()));
  }

  get isOpen() {
    return !this.node.hidden;
  }

  open() {
    this.node.hidden = false;
    this.stage.resized(); // it learns its size first, so that the picture is decoded to fit it
  }

  close() {
    this.node.hidden = true;
    this.item = null;
    this.stage.show(null);
    this.pictures.clear();
    this.originals.clear();
  }

  /** Show an entry's picture; `near` are the items that may be next. */
  show({ item, mark }, near) {
    this.item = item;
    this.pictures.hold([item, ...near].map((one) => screenUrl(this.queueId, one)));
    const picture = this.picture();
    if (picture.bitmap) this.present();
    else {
      this.stage.show(null);
      picture.ready.then(() => this.item === item && picture.bitmap && this.present());
    }
    this.drawMark(mark);
  }

  picture() {
    return this.pictures.get(screenUrl(this.queueId, this.item));
  }

  present() {
    const { bitmap } = this.picture();
    const { width_px: width, height_px: height } = this.item.images[0];
    if (bitmap) this.stage.show({ bitmap, width, height, label: labelOf(this.item), id: this.item.id });
  }

  drawMark(mark) {
    this.chip.hidden = !mark;
    if (mark) this.chip.replaceChildren(icon(VERDICTS[mark].picture), VERDICTS[mark].past);
  }

  async sharpen() {
    const { item } = this;
    const url = screenUrl(this.queueId, item, "full");
    this.originals.hold([url]);
    const picture = await this.originals.get(url).ready;
    if (picture.bitmap && this.stage.picture?.id === item.id) this.stage.sharpen(picture.bitmap);
  }
}
