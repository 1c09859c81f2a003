// What the screens of review share: the queue named in the address, verdicts, guidelines, facts about a picture.

import { ApiError, get, imageUrl } from "/static/api.js";
import { announce, button, el, icon, number } from "/static/dom.js";
import { markdown } from "/static/markdown.js";
import { openPage, showTrouble } from "/static/shell.js";
import { drawHistogram, histogram } from "/static/tones.js";

export const VERDICTS = {
  drop: { word: "Drop", past: "Dropped", picture: "cross", key: "X" },
  unsure: { word: "Unsure", past: "Unsure", picture: "doubt", key: "U" },
  keep: { word: "Keep", past: "Kept", picture: "check", key: "P" },
};

/** The paper's criteria, in the order of the digits. */
export const CRITERIA = [
  ["composition", "Composition"], ["lighting", "Lighting"], ["colour_contrast", "Colour & contrast"],
  ["subject_background", "Subject & background"], ["story", "Story"],
];

const REASONS = ["Soft or blurred", "Text or watermark", "Cluttered", "Poor light", "Over-processed", "Ordinary"];

export const queueInAddress = () => new URLSearchParams(location.search).get("queue");

/** Open a screen of work: the page's bar and keys, the queue, and its guidelines one key away. */
export async function openWork({ keys, adds = [] }) {
  const id = queueInAddress();
  const page = await openPage({
    keys: [...keys, { title: "Guidelines", keys: [{ on: ["b"], does: "Guidelines", run: () => showGuidelines(id) }] }],
    extras: [...adds, button("Guidelines", { key: "B", picture: "book", class: "plain guidelines-button", "aria-label": "Guidelines" }, () => showGuidelines(id))],
  });
  const queue = page.me.queues.find((one) => one.id === id);
  if (!queue) throw new ApiError("This queue is closed, or it is not yours.", "", 404);
  page.setTitle(queue.title);
  return { ...page, queue, body: queue.body ?? {} };
}

export const reasonsOf = (body) => body.reasons ?? REASONS;

export function criteriaOf(body) {
  if (!body.criteria) return CRITERIA;
  const words = new Map(CRITERIA);
  return body.criteria.slice(0, 5).map((name) => [name, words.get(name) ?? name.replaceAll("_", " ")]);
}

/** What a screen reader hears for a picture. */
export function labelOf(item) {
  return item.alt_text ? `Photograph. Its alternative text: ${item.alt_text}` : "Photograph without an alternative text";
}

export const screenUrl = (queueId, item, size = "screen") => imageUrl(queueId, item.images[0].digest, size);

let openSheet = null;

/** The guidelines in force, with a good and a bad picture for each criterion. */
export async function showGuidelines(queueId) {
  if (openSheet) return;
  const dialog = el("dialog", { class: "guidelines", "aria-labelledby": "guidelines-title" },
    el("header", {}, el("h2", { id: "guidelines-title" }, "Guidelines"), button("Close", { key: "Esc", class: "plain" }, () => dialog.close())));
  openSheet = dialog;
  dialog.addEventListener("close", () => {
    openSheet = null;
    dialog.remove();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "b") dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  try {
    dialog.append(...guidelinesBody(queueId, await get(`/api/queues/${encodeURIComponent(queueId)}/guidelines`)));
  } catch (error) {
    dialog.append(el("p", { class: "notice" }, error.message));
  }
}

/** Elements for a version of the guidelines. */
export function guidelinesBody(queueId, { version, markdown: text, examples }) {
  const picture = (digest, good) => el("figure", {},
    el("div", { class: "frame" }, digest ? el("img", { src: imageUrl(queueId, digest, "thumb"), alt: good ? "A good example" : "A bad example" }) : "None yet"),
    el("figcaption", { class: good ? "good" : "bad" }, icon(good ? "check" : "cross"), good ? "Good" : "Bad"));
  const names = new Map(CRITERIA);
  return [
    text ? markdown(text, 2) : el("p", { class: "soft" }, "No guidelines have been written yet."),
    examples?.length ? el("div", { class: "examples" }, examples.map((one) => el("section", {},
      el("h3", {}, names.get(one.criterion) ?? one.criterion),
      el("div", { class: "pair" }, picture(one.good, true), picture(one.bad, false)),
      one.words ? el("p", {}, one.words) : null))) : null,
    version ? el("p", { class: "soft small" }, `Version ${version}`) : null,
  ].filter(Boolean);
}

/** The version of the guidelines that decisions are made by; asked again each few minutes, since the lead may change them. */
export function guidelinesVersion(queueId) {
  const state = { version: null };
  const ask = async () => {
    try {
      const { version } = await get(`/api/queues/${encodeURIComponent(queueId)}/guidelines`);
      if (state.version !== null && version !== state.version) announce("The guidelines have changed.");
      state.version = version;
    } catch {
      // Asked again later; a decision without a version is still a decision.
    }
  };
  ask();
  setInterval(ask, 180_000);
  return state;
}

/** The panel beside a picture: histogram, lost highlights and shadows, what is known of the file, the alternative text. */
export class Facts {
  constructor() {
    this.canvas = el("canvas", { width: 512, height: 208, role: "img", "aria-label": "Histogram of the picture on the screen" });
    this.lost = el("p", { class: "soft small num" });
    this.list = el("dl");
    this.alt = el("p");
    this.node = el("aside", { class: "facts", "aria-label": "About this picture", tabIndex: 0 },
      el("h2", {}, "Histogram"), this.canvas, this.lost, el("h2", {}, "File"), this.list, el("h2", {}, "Alternative text"), this.alt);
  }

  show(item, bitmap) {
    const { width_px: width, height_px: height } = item.images[0];
    const rows = { Size: `${number(width)} × ${number(height)} px`, Pixels: `${((width * height) / 1e6).toFixed(1)} million`, ...facts(item.body?.metadata) };
    this.list.replaceChildren(...Object.entries(rows).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]));
    this.alt.textContent = item.alt_text || "None";
    if (bitmap) this.showTones(bitmap);
    else this.forgetTones();
  }

  /** The picture has not come: the tones of the one before are not its own. */
  forgetTones() {
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.lost.textContent = "";
  }

  showTones(bitmap) {
    const tones = histogram(bitmap);
    drawHistogram(this.canvas, tones);
    this.lost.textContent = `Highlights blown ${(100 * tones.blown).toFixed(1)} %, shadows blocked ${(100 * tones.blocked).toFixed(1)} %`;
  }
}

/** Names and values of a file as people read them; what the picture itself tells is left out. */
function facts(metadata = {}) {
  const { key, size_bytes: bytes, width_px: _width, height_px: _height, ...rest } = metadata;
  return { ...(key ? { Name: key } : {}), ...(bytes ? { File: `${number(Math.round(bytes / 1000))} kB` } : {}), ...rest };
}

/** Run a page's start; what it throws is shown as a sentence. */
export function run(start) {
  start().catch((error) => showTrouble(document.querySelector("#work"), error));
}
