// The caption desk: a picture, a draft, what the writer makes of it; and the second reader, who approves or returns.

import { post } from "/static/api.js";
import { ActiveTime } from "/static/active-time.js";
import { announce, button, el, toast } from "/static/dom.js";
import { ImageCache } from "/static/image-cache.js";
import "/static/photo-stage.js";
import { WorkQueue } from "/static/work-queue.js";
import { approximateTokens, diffNodes, lint } from "./caption-text.js";
import { guidelinesVersion, labelOf, openWork, run, screenUrl } from "./common.js";

const CLAIMED = 6;
const CHECKLIST = { subject: "Subject", setting: "Setting", light: "Light", composition: "Composition", style: "Style" };
const CHECK_WORDS = {
  subject: "Who or what, and what they do", setting: "Where, when, what surrounds it", light: "Where the light comes from, its quality and colour",
  composition: "Viewpoint, distance, arrangement", style: "Kind of photograph, mood, process",
};

class CaptionDesk {
  constructor(page) {
    Object.assign(this, page);
    this.done = this.queue.done;
    this.clock = new ActiveTime();
    this.work = new WorkQueue(this.queue.id, this.outbox, { ahead: CLAIMED });
    this.past = [];
    this.guidelines = guidelinesVersion(this.queue.id);
    this.build();
    this.screens = new ImageCache({ box: () => this.stage.box });
    this.listen();
  }

  build() {
    this.stage = el("photo-stage");
    this.picture = el("section", { class: "picture", "aria-label": "Picture" }, this.stage);
    this.panel = el("section", { class: "writing", "aria-label": "Writing" });
    document.querySelector("#work").replaceChildren(this.picture, this.panel);
    this.bar = document.querySelector("footer");
  }

  listen() {
    this.work.addEventListener("items", () => this.item ? this.holdPictures() : this.next());
    this.work.addEventListener("end", ({ detail }) => this.ended(detail));
    this.work.addEventListener("lost", ({ detail }) => {
      if (detail.includes(this.item?.id)) toast("This picture went to somebody else while you were away; what you save still counts if there is room.");
    });
    this.work.addEventListener("trouble", ({ detail }) => toast(detail.message, { error: true }));
    this.stage.addEventListener("resized", () => this.screens.refit());
    this.screens.addEventListener("refitted", () => this.item && this.showPicture());
    this.watch(this.screens);
    this.stage.addEventListener("wants-full", () => this.sharpen());
    addEventListener("surround", () => requestAnimationFrame(() => this.stage.draw()));
  }

  next() {
    const item = this.work.waiting.values().next().value ?? null;
    this.item = item;
    this.setProgress(this.done, this.queue.total_for_me);
    if (item) this.show(item);
    else this.await();
  }

  /** Nothing at hand: what stands there belongs to a picture that is done, and cannot be worked on any more. */
  await() {
    this.stage.show(null);
    this.panel.replaceChildren(el("div", { class: "empty" }, el("p", {}, "Fetching the next ones …")));
    this.bar.replaceChildren(this.backButton());
    this.work.fill();
  }

  show(item) {
    this.item = item;
    this.clock.lap();
    this.showPicture();
    if (item.body.read) this.showReading(item);
    else this.showWriting(item);
  }

  showPicture() {
    this.holdPictures();
    const { item } = this;
    this.isSeen = false;
    const entry = this.screens.get(screenUrl(this.queue.id, item));
    const { width_px: width, height_px: height } = item.images[0];
    const present = () => {
      this.isSeen = true;
      this.stage.show({ bitmap: entry.bitmap, width, height, label: labelOf(item), id: item.id });
    };
    if (entry.bitmap) {
      present();
      return;
    }
    this.stage.show(null);
    entry.ready.then(() => {
      if (this.item !== item || entry.state === "gone") return;
      if (entry.bitmap) present();
      else {
        this.isSeen = true; // it cannot be seen; the second reader may say so
        toast(entry.error, { error: true });
      }
    });
  }

  /** Whether the picture has not come yet, and says so: nobody finishes with one that they have not seen. */
  isUnseen() {
    if (!this.isSeen) toast("The picture is still coming");
    return !this.isSeen;
  }

  holdPictures() {
    const others = [...this.work.waiting.values()].filter((item) => item !== this.item).slice(0, 4);
    this.screens.hold([this.item, ...others].map((item) => screenUrl(this.queue.id, item)));
  }

  async sharpen() {
    const { item } = this;
    const url = screenUrl(this.queue.id, item, "full");
    this.originals ??= new ImageCache({ atOnce: 1 });
    this.originals.hold([url]);
    const picture = await this.originals.get(url).ready;
    if (picture.bitmap && this.stage.picture?.id === item.id) this.stage.sharpen(picture.bitmap);
  }

  // Writing

  showWriting(item) {
    const { draft, name } = draftOf(item);
    const { returned } = item.body;
    this.text = el("textarea", { id: "caption-text", spellcheck: true, lang: "en", rows: 6, "aria-describedby": "caption-lint", oninput: () => this.typed() });
    this.text.value = this.remembered(item) ?? item.mine ?? returned?.text ?? draft;
    this.diff = el("div", { class: "diff", "aria-label": "Changes against the draft", role: "group" });
    this.tokens = el("ul", { class: "tokens", "aria-label": "Length for the text encoders" });
    this.lintList = el("ul", { class: "lint", id: "caption-lint" });
    this.boxes = Object.fromEntries(Object.keys(CHECKLIST).map((name) => [name, el("input", { type: "checkbox", name })]));
    this.panel.replaceChildren(
      ...(returned ? [el("blockquote", {}, el("span", { class: "soft small" }, "Returned by the second reader: "), returned.words)] : []),
      el("label", { class: "field" }, el("span", {}, "Caption"), this.text),
      this.tokens, this.lintList,
      el("fieldset", {}, el("legend", {}, "The caption says"), el("div", { class: "checklist" },
        Object.entries(CHECKLIST).map(([name, word]) => el("label", { class: "check", title: CHECK_WORDS[name] }, this.boxes[name], word)))),
      el("div", {}, el("div", { class: "draft-of" },
        el("span", {}, draft ? `Against the draft, ${name}` : "There is no draft."),
        draft ? button("Start again from it", { class: "plain" }, () => this.setText(draft)) : null), draft ? this.diff : null));
    this.saveButton = button("Save, next", { key: "Ctrl Enter", class: "main" }, () => this.save());
    this.bar.replaceChildren(this.backButton(), el("span", { class: "gap" }), this.saveButton);
    this.typed();
    this.text.focus({ preventScroll: true });
    this.text.setSelectionRange(this.text.value.length, this.text.value.length);
    announce(`Picture. ${draft ? `Draft: ${draft}` : "No draft."}`);
  }

  backButton() {
    return button("Back", { picture: "undo", key: "Page up", class: "plain", disabled: !this.past.length }, () => this.back());
  }

  setText(text) {
    this.text.value = text;
    this.typed();
    this.text.focus();
  }

  typed() {
    const text = this.text.value;
    const { draft } = draftOf(this.item);
    const found = lint(text, { forbidden: this.item.body.forbidden, draft });
    this.lintList.replaceChildren(...(found.length ? found.map(({ must, says }) => el("li", { class: must ? "must" : "" }, says)) : [el("li", { class: "fine" }, "Nothing to object to.")]));
    this.saveButton.disabled = found.some(({ must }) => must);
    this.diff.replaceChildren(...diffNodes(draft, text));
    this.remember(text);
    clearTimeout(this.counting);
    this.counting = setTimeout(() => this.countTokens(text), 300);
  }

  async countTokens(text) {
    const item = this.item;
    let encoders = [];
    if (!this.noTokenizer) {
      try {
        ({ encoders } = await post("/api/review/tokens", { text }));
      } catch (error) {
        this.noTokenizer = !error.passing;
      }
    }
    if (this.item !== item || this.text?.value !== text) return;
    const rows = encoders.length ? encoders.map(({ name, tokens, limit }) => el("li", { class: limit && tokens > limit ? "over" : "" },
      `${name} `, el("b", {}, limit ? `${tokens} of ${limit}` : String(tokens)), limit && tokens > limit ? " tokens: the end is cut off" : " tokens"))
      : [el("li", {}, "About ", el("b", {}, String(approximateTokens(text))), " tokens (approximate: no tokenizer to ask)")];
    this.tokens.replaceChildren(...rows);
  }

  /** Unfinished words outlive a reload of the page. */
  remember(text) {
    sessionStorage.setItem(`photogenic.caption.${this.item.id}`, text);
  }

  remembered(item) {
    return sessionStorage.getItem(`photogenic.caption.${item.id}`);
  }

  save() {
    if (!this.item || this.item.body.read || this.saveButton.disabled || this.isUnseen()) return;
    const { draft, by } = draftOf(this.item);
    const checklist = Object.fromEntries(Object.entries(this.boxes).map(([name, box]) => [name, box.checked]));
    this.finish("caption", { text: this.text.value.trim(), source: "writer", draft, ...(by ? { draft_by: by } : {}), checklist, guidelines_version: this.guidelines.version, screen: "captions", active_ms: this.clock.lap() });
  }

  // The second reader

  showReading(item) {
    const { read: caption } = item.body;
    const { draft } = draftOf(item);
    this.words = el("textarea", { id: "return-words", rows: 3, oninput: () => {
      this.returnButton.disabled = !this.words.value.trim();
    } });
    this.panel.replaceChildren(
      el("h2", {}, "Second reader"),
      el("p", { class: "read-text" }, caption.text),
      this.tokens = el("ul", { class: "tokens", "aria-label": "Length for the text encoders" }),
      el("ul", { class: "lint", id: "caption-lint" }, lint(caption.text, { forbidden: item.body.forbidden, draft }).map(({ must, says }) => el("li", { class: must ? "must" : "" }, says))),
      draft ? el("div", {}, el("div", { class: "draft-of" }, "What the writer changed in the draft"), el("div", { class: "diff" }, diffNodes(draft, caption.text))) : null,
      el("label", { class: "field" }, el("span", {}, "If it goes back: what is missing or wrong"), this.words));
    this.text = { value: caption.text };
    this.countTokens(caption.text);
    this.returnButton = button("Return to the writer", { disabled: true }, () => this.giveBack());
    this.bar.replaceChildren(this.backButton(), el("span", { class: "gap" }), this.returnButton,
      button("Approve, next", { key: "Ctrl Enter", class: "main" }, () => this.approve()));
    document.querySelector("#work").focus({ preventScroll: true });
    announce(`Caption to read: ${caption.text}`);
  }

  approve() {
    if (!this.item?.body.read || this.isUnseen()) return;
    this.finish("approve", { caption_event_id: this.item.body.read.caption_event_id, active_ms: this.clock.lap() });
  }

  giveBack() {
    const words = this.words.value.trim();
    if (words && !this.isUnseen()) this.finish("return", { caption_event_id: this.item.body.read.caption_event_id, words, active_ms: this.clock.lap() });
  }

  // On and back

  finish(kind, body) {
    const item = this.item;
    const eventId = this.outbox.add(kind, this.queue.id, item.id, body);
    this.past.push({ item, eventId });
    sessionStorage.removeItem(`photogenic.caption.${item.id}`);
    if (kind === "caption") item.mine = body.text;
    this.work.settle(item.id);
    this.done += 1;
    this.item = null;
    this.next();
  }

  back() {
    const latest = this.past.pop();
    if (!latest) return;
    this.outbox.add("undo", this.queue.id, latest.item.id, { event_id: latest.eventId });
    this.work.reopen([latest.item]);
    this.done -= 1;
    this.show(latest.item);
    toast("Taken back");
  }

  primary() {
    if (this.item?.body.read) this.approve();
    else this.save();
  }

  ended(reason) {
    if (this.item) return;
    this.stage.show(null);
    const done = reason === "done";
    this.panel.replaceChildren(el("div", { class: "empty" }, el("h2", {}, done ? "All done" : "Others hold the rest"),
      el("p", {}, done ? "Every picture that was for you has its caption." : "This page looks again every few seconds."),
      el("p", {}, el("a", { class: "button", href: "/" }, "All my work"))));
    this.bar.replaceChildren(this.backButton());
    this.setProgress(this.done, this.queue.total_for_me);
    announce(done ? "All done." : "Others hold the rest; looking again soon.");
  }
}

/** What a writer starts from: a model's draft where there is one, else the alternative text. */
function draftOf(item) {
  const [model] = item.body.caption_drafts ?? [];
  if (model) return { draft: model.text, by: model.by || "a model", name: `written by a model${model.by ? ` (${model.by})` : ""}` };
  return { draft: item.alt_text ?? "", name: "the alternative text from the web" };
}

run(async () => {
  let desk = null;
  const page = await openWork({ keys: [{ title: "Caption", keys: [
    { on: ["Control+Enter"], does: "Save or approve, and on to the next", always: true, run: () => desk?.primary() },
    { on: ["PageUp"], does: "Back to the last one, taking it back", always: true, run: () => desk?.back() },
    { on: ["z"], does: "Fit or 100 % (outside the text)", run: () => desk?.stage.toggleZoom() },
    { on: ["Escape"], does: "Out of the text, so that keys work", always: true, run: () => document.querySelector("#work").focus() },
    { on: ["t"], does: "Into the text", run: () => desk?.text?.focus?.() },
  ] }] });
  desk = new CaptionDesk(page);
  await desk.work.fill();
});
