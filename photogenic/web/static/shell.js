// What every page has: who is here, the bar on top, the theme, the saved line, the keys' sheet.

import { ApiError, get, post } from "./api.js";
import { announce, button, count, el, icon, number, toast } from "./dom.js";
import { Keymap } from "./keys.js";
import { Outbox } from "./outbox.js";

/** The person who is signed in: {person, queues}. Without one the browser goes to the sign-in page and this never returns. */
export async function signedIn() {
  for (let failures = 0; ; failures += 1) {
    try {
      return await get("/api/me");
    } catch (error) {
      if (error.status === 401) return leaveForSignIn();
      if (!error.passing) throw error;
      toast(`${error.message} Trying again.`, { error: failures === 0 });
      await new Promise((done) => setTimeout(done, Math.min(8000, 700 * 2 ** failures)));
    }
  }
}

function leaveForSignIn() {
  location.replace(`/?next=${encodeURIComponent(location.pathname + location.search)}`);
  return new Promise(() => {});
}

/**
 * Build the page's bar and its keys. `groups` are the page's own keys; the general ones are added. Without a title the
 * page is called what its kind is called, until `setTitle` names the work.
 * Returns {me, outbox, keymap, setProgress(done, total), setTitle(words), watch(cache)}.
 */
export async function openPage({ title = document.title.split(" · ")[0], keys = [], extras = [] }) {
  const me = await signedIn();
  const outbox = await Outbox.open(me.person.id);
  const keymap = new Keymap([...keys, general()]);
  sheet = () => keymap.sheet();
  const heading = el("h1", {}, title);
  const progress = el("span", { class: "count wide" });
  const line = el("span", { class: "how-far", "aria-hidden": "true", hidden: true }, el("i"));
  const saved = new SavedLine(outbox);
  document.querySelector("header.topbar").append(
    el("a", { class: "brand", href: "/", title: "All my work" }, "photogenic"),
    heading, line, progress, el("span", { class: "gap" }),
    saved.node, ...extras,
    button("", { picture: "theme", class: "plain", "aria-label": "Light or dark", title: "Light or dark" }, toggleTheme),
    button("?", { class: "plain", "aria-label": "Keys", title: "Keys" }, () => keymap.sheet()),
    el("span", { class: "soft small wide" }, me.person.name),
  );
  document.title = `${title} · photogenic`;
  document.addEventListener("click", (event) => returnFocus(event));
  addEventListener("unhandledrejection", (event) => tellOf(event));
  // The evening comes, and the system turns dark: what is painted has to follow.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("surround")));
  return {
    me, outbox, keymap,
    setTitle(words) {
      heading.textContent = words;
      document.title = `${words} · photogenic`;
    },
    setProgress(done, total) {
      progress.textContent = total ? `${number(done)} of ${number(total)}` : "";
      line.hidden = !total;
      line.firstChild.style.transform = `scaleX(${total ? Math.min(1, done / total) : 0})`;
    },
    /** Say so while the pictures of this cache wait for the server; what comes back first, pictures or saving, wakes the other. */
    watch(cache) {
      cache.addEventListener("away", ({ detail }) => saved.setAway(cache, detail));
      cache.addEventListener("back", () => {
        saved.setAway(cache, null);
        outbox.hurry();
      });
      outbox.addEventListener("change", ({ detail }) => detail.state === "saved" && cache.isAway && cache.hurry());
    },
  };
}

let sheet = null;

function general() {
  return {
    title: "Everywhere",
    keys: [
      { on: ["?"], does: "This sheet", run: () => sheet() },
      { on: ["Shift+d"], does: "Light or dark", run: toggleTheme },
      { on: ["s"], does: "Surround: grey, dark, black, light", run: cycleSurround },
    ],
  };
}

/** After a click on a button of a working page the keys belong to the pictures again, so that Enter and Space mean the work. */
function returnFocus(event) {
  if (event.detail === 0 || !document.body.classList.contains("work")) return;
  if (event.target.closest?.("button") && !document.querySelector("dialog[open]")) document.querySelector("#work")?.focus({ preventScroll: true });
}

const OUTBOX_WORDS = {
  saved: () => "Saved",
  sending: (n) => `Saving ${number(n)}`,
  waiting: (n) => `${number(n)} unsaved`,
  "signed-out": (n) => `Sign in again: ${number(n)} unsaved`,
};
const AWAY_WORDS = { gone: "No server", "signed-out": "Sign in again" };
const KEPT = "The server cannot be reached. Your decisions are kept in this browser and sent when it is back.";
const LATER = "The server cannot be reached. Pictures come as soon as it is back.";
const IN_ANOTHER_TAB = "You are not signed in any more. Sign in in another tab: this page goes on by itself.";

/** The line that says whether everything is with the server, and whether the server is there. */
class SavedLine {
  constructor(outbox) {
    this.outbox = outbox;
    this.waiting = new Map(); // cache -> why its pictures do not come: gone | signed-out
    this.node = el("span", { class: "saved", role: "status", "aria-live": "polite" });
    // The words change at most a few times a second: a line that flickers with every key would be one more thing to
    // look at. That something is not saved yet is marked at once.
    outbox.addEventListener("change", () => {
      if (outbox.state !== "saved") this.mark();
      this.timer ??= setTimeout(() => this.show(), 150);
    });
    outbox.addEventListener("refused", ({ detail }) => toast(`Not accepted: ${detail.error}`, { error: true }));
    addEventListener("beforeunload", (event) => {
      if (outbox.unsaved && outbox.failures) event.preventDefault();
    });
    this.show();
  }

  get away() {
    return this.waiting.values().next().value ?? null;
  }

  setAway(cache, why) {
    if (why) this.waiting.set(cache, why);
    else this.waiting.delete(cache);
    this.show();
  }

  mark() {
    const { state } = this.outbox;
    this.node.dataset.state = state === "signed-out" ? "refused" : this.away && state === "saved" ? "waiting" : state;
  }

  show() {
    this.timer = null;
    this.mark();
    const { state, unsaved } = this.outbox;
    this.node.textContent = this.away && state === "saved" ? AWAY_WORDS[this.away] : OUTBOX_WORDS[state](unsaved);
    if (state === "signed-out" || this.away === "signed-out") this.node.title = IN_ANOTHER_TAB;
    else this.node.title = state === "waiting" ? KEPT : this.away ? LATER : "";
  }
}

export function toggleTheme() {
  const root = document.documentElement;
  const dark = getComputedStyle(root).colorScheme.includes("dark") && (root.dataset.theme === "dark" || matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("photogenic.theme", root.dataset.theme);
  dispatchEvent(new Event("surround"));
}

const SURROUNDS = ["grey", "dark", "black", "light"];

function cycleSurround() {
  const root = document.documentElement;
  const next = SURROUNDS[(SURROUNDS.indexOf(root.dataset.surround ?? "grey") + 1) % SURROUNDS.length];
  root.dataset.surround = next;
  localStorage.setItem("photogenic.surround", next);
  dispatchEvent(new Event("surround"));
  toast(`Surround: ${next}`);
}

const sentenceOf = (error) => (error instanceof ApiError ? error.message : `This page met an error: ${error.message}`);

/** What was asked of the server and refused, where nothing else says so; errors of the page itself stay in the console too. */
function tellOf(event) {
  if (event.reason instanceof ApiError) event.preventDefault();
  toast(sentenceOf(event.reason), { error: true });
}

/** Say what went wrong on a page that cannot go on. */
export function showTrouble(place, error) {
  const sentence = sentenceOf(error);
  place.replaceChildren(el("div", { class: "empty" }, el("h2", {}, "This did not work"), el("p", {}, sentence),
    el("p", {}, el("a", { class: "button", href: "/" }, "All my work"))));
  announce(sentence);
}

export { announce, button, count, el, icon, post, toast };
