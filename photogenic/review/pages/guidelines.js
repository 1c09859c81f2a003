// Guidelines: everybody reads them, the lead writes them. A change is a new version; decisions keep the version they were made by.

import { get, imageUrl, put } from "/static/api.js";
import { button, el, icon, toast } from "/static/dom.js";
import { openPage, showTrouble } from "/static/shell.js";
import { CRITERIA, guidelinesBody, queueInAddress } from "./common.js";

const PAGE = 60;

class Editor {
  constructor(queueId, guidelines, place) {
    Object.assign(this, { queueId, guidelines, place });
    this.examples = new Map(CRITERIA.map(([criterion]) => [criterion,
      { good: null, bad: null, words: "", ...guidelines.examples?.find((one) => one.criterion === criterion) }]));
    this.text = el("textarea", { oninput: () => this.changed(), spellcheck: true, id: "guidelines-text" });
    this.text.value = guidelines.markdown ?? "";
    this.look = el("section", { class: "preview", "aria-label": "As others see it", tabIndex: 0 });
    this.rows = el("div", { class: "example-rows" });
    this.standing = [guidelines.version ? `Version ${guidelines.version} is in force.` : "Nothing has been written yet."];
    this.state = el("span", { class: "soft small", role: "status" }, this.standing);
    place.replaceChildren(
      el("h1", {}, "Guidelines"),
      el("p", { class: "soft" }, "One key away (B) on every screen. Saving makes a new version; each decision keeps the version it was made by."),
      el("div", { class: "editor" },
        el("div", {}, el("label", { class: "field" }, el("span", {}, "Text, in markdown"), this.text),
          el("h2", { class: "visually-hidden" }, "Examples"), this.rows),
        this.look),
      el("div", { class: "save-row" }, button("Save as a new version", { class: "main" }, () => this.save()), this.state,
        el("a", { href: `/review/lead?queue=${encodeURIComponent(queueId)}` }, "The lead's desk")));
    this.drawRows();
    this.preview();
    this.saved = JSON.stringify(this.value());
    addEventListener("beforeunload", (event) => this.isSaved || event.preventDefault());
  }

  get isSaved() {
    return JSON.stringify(this.value()) === this.saved;
  }

  changed() {
    this.preview();
    this.drawState();
  }

  drawState() {
    this.state.replaceChildren(...(this.isSaved ? this.standing : ["Not saved yet."]));
  }

  value() {
    const examples = [...this.examples].map(([criterion, one]) => ({ criterion, good: one.good, bad: one.bad, words: one.words.trim() }));
    return { markdown: this.text.value, examples: examples.filter((one) => one.good || one.bad || one.words) };
  }

  preview() {
    this.look.replaceChildren(el("h2", {}, "As others see it"), ...guidelinesBody(this.queueId, this.value()));
  }

  drawRows() {
    this.rows.replaceChildren(...CRITERIA.map(([criterion, words]) => {
      const one = this.examples.get(criterion);
      const input = el("textarea", { value: one.words, maxLength: 400, oninput: () => {
        one.words = input.value;
        this.changed();
      } });
      return el("div", { class: "example-row" }, el("h3", {}, words), this.choose(criterion, words, "good"), this.choose(criterion, words, "bad"),
        el("label", { class: "field" }, el("span", {}, "What the two show"), input));
    }));
  }

  choose(criterion, words, kind) {
    const digest = this.examples.get(criterion)[kind];
    return el("div", { class: "choose" }, el("button", { type: "button", class: "pick", "aria-label": `${words}: choose the ${kind} example`, onclick: () => this.pick(criterion, kind) },
      digest ? el("img", { src: imageUrl(this.queueId, digest, "thumb"), alt: "" }) : "Choose"),
    el("span", { class: kind === "good" ? "good" : "bad", "aria-hidden": "true" }, kind === "good" ? "Good" : "Bad"));
  }

  /** A sheet of the round's pictures, to choose an example from. */
  async pick(criterion, kind) {
    const grid = el("div", { class: "picker" });
    const more = button("More", { hidden: true }, () => load());
    const choose = (digest) => {
      this.examples.get(criterion)[kind] = digest;
      dialog.close();
      this.drawRows();
      this.changed();
    };
    const dialog = el("dialog", { class: "guidelines", "aria-labelledby": "picker-title", onclose: () => dialog.remove() },
      el("header", {}, el("h2", { id: "picker-title" }, `Choose a ${kind} example`),
        el("span", {}, button("None", { class: "plain" }, () => choose(null)), button("Close", { key: "Esc", class: "plain" }, () => dialog.close()))), grid, more);
    const load = async () => {
      try {
        const { items, total } = await get(`/api/queues/${encodeURIComponent(this.queueId)}/items?offset=${grid.children.length}&limit=${PAGE}`);
        grid.append(...items.map(({ images: [{ digest }], alt_text: alt }) => el("button", { type: "button", "aria-label": alt || "Picture", onclick: () => choose(digest) },
          el("img", { src: imageUrl(this.queueId, digest, "thumb"), alt: "", loading: "lazy" }))));
        more.hidden = grid.children.length >= total;
      } catch (error) {
        toast(error.message, { error: true });
        more.hidden = false; // to ask once more
      }
    };
    document.body.append(dialog);
    dialog.showModal();
    await load();
  }

  async save() {
    const value = this.value();
    const { version } = await put(`/api/queues/${encodeURIComponent(this.queueId)}/guidelines`, value);
    this.saved = JSON.stringify(value);
    this.standing = [icon("check"), ` Version ${version} is in force.`];
    this.drawState();
    toast(`Saved as version ${version}`);
  }
}

async function start() {
  const { me } = await openPage({ title: "Guidelines" });
  const place = document.querySelector("#work");
  const id = queueInAddress();
  const guidelines = await get(`/api/queues/${encodeURIComponent(id)}/guidelines`);
  if (me.person.role === "lead") new Editor(id, guidelines, place);
  else place.replaceChildren(el("h1", {}, "Guidelines"), ...guidelinesBody(id, guidelines));
}

start().catch((error) => showTrouble(document.querySelector("#work"), error));
