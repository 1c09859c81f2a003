// What the loupe shows: the picture, a champion beside it, both zoomed and moved together, overlays, facts, and words
// where no picture is. Which picture it is, and what is decided, is the loupe's to know.

import { announce, el, icon } from "/static/dom.js";
import { ImageCache } from "/static/image-cache.js";
import "/static/photo-stage.js";
import { clipping } from "/static/tones.js";
import { Facts, VERDICTS, labelOf, screenUrl } from "./common.js";

export class LoupeView {
  /** `bar` is told which of its tools are on. */
  constructor(queueId, bar) {
    Object.assign(this, { queueId, bar });
    this.item = null;     // on the stage, or on its way there
    this.isSeen = false;  // it is on the stage, or nobody can see it
    this.champion = null;
    this.near = { items: [], next: null };
    this.build();
    this.screens = new ImageCache({ box: () => this.stage.box });
    this.originals = new ImageCache({ atOnce: 1 });
    this.listen();
  }

  build() {
    this.stage = el("photo-stage");
    this.championStage = el("photo-stage");
    this.championHalf = el("div", { class: "half", hidden: true }, el("span", { class: "chip" }, icon("pin"), "Champion"), this.championStage);
    this.badge = el("span", { class: "chip", hidden: true });
    this.half = el("div", { class: "half" }, this.badge, this.stage);
    this.last = el("span", { class: "chip last", hidden: true });
    this.zoomChip = el("span", { class: "chip zoom-chip num", hidden: true });
    this.stages = el("div", { class: "stages" }, this.championHalf, this.half, this.last, this.zoomChip);
    this.facts = new Facts();
    this.facts.node.hidden = localStorage.getItem("photogenic.facts") !== "shown";
    this.bar.press("facts", !this.facts.node.hidden);
    this.nodes = [this.stages, this.facts.node];
  }

  listen() {
    this.stage.addEventListener("view", ({ detail }) => this.championStage.setView(detail));
    this.championStage.addEventListener("view", ({ detail }) => this.stage.setView(detail));
    for (const stage of [this.stage, this.championStage]) {
      stage.addEventListener("wants-full", () => this.fetchOriginals());
      stage.addEventListener("view", () => this.viewChanged());
    }
    this.stage.addEventListener("resized", () => this.screens.refit());
    this.screens.addEventListener("refitted", ({ detail }) => this.refitted(detail));
    this.screens.addEventListener("away", () => this.item && !this.isSeen && this.tellAway());
    addEventListener("surround", () => requestAnimationFrame(() => {
      this.stage.draw();
      this.championStage.draw();
    }));
  }

  urlOf(item, size) {
    return screenUrl(this.queueId, item, size);
  }

  // The picture

  /** Have these pictures at hand, the most wanted first; `next` is the one that the present one is followed by. */
  hold(items, next) {
    this.near = { items, next };
    const [first, ...others] = items;
    this.screens.hold([first, this.champion, ...others].filter(Boolean).map((item) => this.urlOf(item)));
    if (this.stage.view.zoomed) this.fetchOriginals();
  }

  /** Put a picture that is held on the stage as soon as it has come; null empties the stage. */
  show(item) {
    this.item = item;
    this.isSeen = false;
    if (!item) {
      this.stage.show(null);
      return;
    }
    this.untell();
    const picture = this.screens.get(this.urlOf(item));
    if (picture.bitmap) this.present(picture);
    else this.await(item, picture);
  }

  present(picture) {
    const { item } = this;
    this.isSeen = true;
    this.untell();
    const { width_px: width, height_px: height } = item.images[0];
    const original = this.originals.get(this.urlOf(item, "full"));
    this.stage.overlays.clipping = null;
    this.stage.show({ bitmap: picture.bitmap, full: original?.bitmap, width, height, label: labelOf(item), id: item.id });
  }

  await(item, picture) {
    this.stage.show(null);
    if (this.screens.isAway) this.tellAway();
    picture.ready.then(() => {
      if (this.item !== item || picture.state === "gone") return;
      if (picture.bitmap) {
        this.present(picture);
        this.drawTones();
      } else {
        this.isSeen = true; // it cannot be seen, which is itself a ground to drop it
        this.tell("This picture cannot be shown", picture.error);
      }
    });
  }

  /** Pixels that fit the window better have come for a picture that is shown. */
  refitted(url) {
    const { item, champion } = this;
    if (item && url === this.urlOf(item)) {
      this.present(this.screens.get(url));
      this.drawTones();
    }
    if (champion && url === this.urlOf(champion)) this.showChampion();
  }

  // Words over it

  /** Words where the picture would be. */
  tell(title, words, ...more) {
    this.untell();
    this.half.append(el("div", { class: "empty" }, el("h2", {}, title), el("p", {}, words), ...more));
  }

  tellAway() {
    this.tell("Waiting for the server", "This picture comes as soon as the server is back. Your decisions are kept in this browser.");
  }

  untell() {
    this.half.querySelector(".empty")?.remove();
  }

  /** What has just been done, for a moment. */
  tellLast(words, picture) {
    clearTimeout(this.lastTimer);
    this.last.hidden = false;
    this.last.replaceChildren(icon(picture), words);
    this.lastTimer = setTimeout(() => {
      announce(words);
      this.lastTimer = setTimeout(() => {
        this.last.hidden = true;
      }, 1800);
    }, 60);
  }

  /** The verdict that the picture has already, or null. */
  drawVerdict(verdict) {
    this.badge.hidden = !verdict;
    if (verdict) this.badge.replaceChildren(icon(VERDICTS[verdict].picture), VERDICTS[verdict].past);
  }

  // Zoom: the original is fetched only when somebody zooms, for this picture, the next, and the champion

  fetchOriginals() {
    const items = [this.item, this.champion, this.near.next].filter(Boolean);
    this.originals.hold(items.map((item) => this.urlOf(item, "full")));
    this.sharpenWhenReady(this.stage, this.item);
    this.sharpenWhenReady(this.championStage, this.champion);
  }

  sharpenWhenReady(stage, item) {
    if (!item) return;
    const original = this.originals.get(this.urlOf(item, "full"));
    original.ready.then(() => {
      if (original.bitmap && stage.picture?.id === item.id) stage.sharpen(original.bitmap);
    });
  }

  viewChanged() {
    const { zoomed, scale } = this.stage.view;
    this.zoomChip.hidden = !zoomed;
    this.zoomChip.textContent = `${Math.round(100 * scale)} %`;
    this.bar.press("zoom", zoomed);
    if (!zoomed) this.originals.clear();
  }

  // Compare

  /** This picture becomes the champion; without `swap` only where there is none yet. Else there is none any more. */
  pin(swap = false) {
    if (!this.item) return;
    const again = this.champion?.id === this.item.id;
    this.champion = again || (this.champion && !swap) ? null : this.item;
    this.championHalf.hidden = !this.champion;
    this.stages.classList.toggle("two", Boolean(this.champion));
    this.bar.press("compare", Boolean(this.champion));
    announce(this.champion ? "Pinned as the champion" : "No champion");
    this.championStage.setView(this.stage.view);
    if (this.champion) this.showChampion();
    else this.hold(this.near.items, this.near.next);
  }

  showChampion() {
    this.hold(this.near.items, this.near.next);
    const item = this.champion;
    const picture = this.screens.get(this.urlOf(item));
    picture.ready.then(() => {
      if (this.champion !== item || !picture.bitmap) return;
      const { width_px: width, height_px: height } = item.images[0];
      this.championStage.show({ bitmap: picture.bitmap, width, height, label: `The champion. ${labelOf(item)}`, id: item.id });
    });
  }

  // Overlays and facts

  drawTones() {
    if (!this.item) return;
    const picture = this.screens.get(this.urlOf(this.item));
    if (!this.facts.node.hidden) this.facts.show(this.item, picture?.bitmap);
    if (this.clippingShown && picture?.bitmap) this.stage.setOverlay("clipping", clipping(picture.bitmap));
  }

  toggleThirds() {
    const on = !this.stage.overlays.thirds;
    for (const stage of [this.stage, this.championStage]) stage.setOverlay("thirds", on);
    this.bar.press("thirds", on);
  }

  toggleClipping() {
    this.clippingShown = !this.clippingShown;
    this.bar.press("clipping", this.clippingShown);
    if (this.clippingShown && this.item) this.drawTones();
    else this.stage.setOverlay("clipping", null);
  }

  toggleFacts() {
    const { node } = this.facts;
    node.hidden = !node.hidden;
    localStorage.setItem("photogenic.facts", node.hidden ? "hidden" : "shown");
    this.bar.press("facts", !node.hidden);
    this.drawTones();
  }
}
