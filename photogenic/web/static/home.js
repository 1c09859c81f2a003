// The first page: sign in by the link one was given, then one's own queues.

import { get, post, put } from "./api.js";
import { button, count, el, number, once, toast } from "./dom.js";
import { openPage, showTrouble } from "./shell.js";

const place = document.querySelector("#work");
const SCREENS = {
  grid: "Cull by screens: mark the few, submit the rest",
  loupe: "One picture at a time, in detail",
  captions: "Write what the picture shows",
  adjudicate: "Decide where people disagree",
  vote: "Compare two pictures, pair after pair",
};

/** Where a queue is worked on; stages beside review say so themselves in `page`. */
const pageOf = (queue) => `${queue.page ?? `/review/${queue.screen}`}?queue=${encodeURIComponent(queue.id)}`;

async function start() {
  const invite = new URLSearchParams(location.hash.slice(1)).get("invite");
  // The secret leaves the address bar and the history before anything else happens.
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  if (invite && !(await enterByLink(invite))) return;
  try {
    const me = await get("/api/me");
    if (invite && wanted()) location.replace(wanted());
    else await showWork(me);
  } catch (error) {
    if (error.status === 401) showSignIn();
    else showTrouble(place, error);
  }
}

/** The page of this site that somebody wanted before they had to sign in, or null. */
function wanted() {
  const next = new URLSearchParams(location.search).get("next");
  return next?.startsWith("/") && !next.startsWith("//") ? next : null;
}

/** True when it worked. Else the page says why not, and keeps a code that may not have reached the server: it is nowhere else. */
async function enterByLink(invite) {
  try {
    await post("/api/sign-in", { invite });
    return true;
  } catch (error) {
    showSignIn(error.message, error.passing ? invite : "");
    return false;
  }
}

/** Sign in, by {invite} or {name, passphrase}, and leave this form for good. */
async function enter(who) {
  await post("/api/sign-in", who);
  location.replace(wanted() ?? "/");
  await new Promise(() => {});
}

function showSignIn(sentence = "", invite = "") {
  const trouble = el("p", { class: "notice", role: "alert", hidden: !sentence }, sentence);
  // What was typed stays where it is when the server does not take it.
  const form = (read, ...parts) => {
    const send = once(() => enter(read()).catch(({ message }) => {
      trouble.hidden = false;
      trouble.textContent = message;
    }));
    return el("form", { onsubmit: (event) => {
      event.preventDefault();
      send();
    } }, parts);
  };
  const input = el("input", { name: "invite", value: invite, autocomplete: "off", spellcheck: false, required: true, "aria-describedby": "sign-in-help" });
  place.replaceChildren(el("div", { class: "sign-in card" },
    el("h1", {}, "photogenic"),
    trouble,
    el("p", { id: "sign-in-help", class: "soft" }, "Open the link that the lead of your project sent you. It works once; afterwards this browser knows you."),
    form(() => ({ invite: input.value.trim().replace(/^.*#invite=/, "") }),
      el("label", { class: "field" }, el("span", {}, "Your link, or the code at its end"), input), el("button", { class: "main" }, "Sign in")),
    passphraseSignIn(form)));
}

/** For those who have set a passphrase. */
function passphraseSignIn(form) {
  const name = el("input", { name: "username", autocomplete: "username", required: true });
  const passphrase = el("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  return el("details", {}, el("summary", {}, "With name and passphrase"), form(() => ({ name: name.value, passphrase: passphrase.value }),
    el("label", { class: "field" }, el("span", {}, "Your name, as the first page greeted you"), name),
    el("label", { class: "field" }, el("span", {}, "Passphrase"), passphrase), el("button", {}, "Sign in with it")));
}

/** A session ends after some days, and a link works once: a passphrase is the way back in. */
function passphraseForm(name) {
  const input = el("input", { type: "password", autocomplete: "new-password", required: true, minLength: 12, maxLength: 1000 });
  const send = once(async () => {
    const passphrase = input.value;
    await put("/api/me/passphrase", { passphrase });
    if (input.value === passphrase) input.value = "";
    toast("Set. You can sign in with your name and it.");
  });
  return el("details", { class: "passphrase" }, el("summary", {}, "Set a passphrase"),
    el("form", { onsubmit: (event) => {
      event.preventDefault();
      send();
    } }, el("p", { class: "soft" }, `Your link has worked once. With a passphrase you can come back from any browser, as ${name}.`),
    el("input", { type: "text", autocomplete: "username", value: name, readOnly: true, hidden: true }),
    el("label", { class: "field" }, el("span", {}, "Passphrase, 12 letters or more; four words do well"), input),
    el("button", {}, "Set it")));
}

async function showWork(me) {
  await openPage({ title: "Your work" });
  const name = me.person.name;
  place.replaceChildren(el("div", { class: "home" },
    el("h1", {}, `Hello, ${name}`),
    el("p", { class: "soft" }, me.queues.length ? "Press ? on any screen for its keys." : "There is nothing to do for you right now. The lead opens rounds; this page shows them."),
    el("ul", { class: "queues" }, me.queues.map(card)),
    el("div", { class: "leave" },
      me.desks.map((href) => el("a", { class: "button main", href }, "The lead's desk")),
      me.person.role === "lead" ? el("a", { class: "button", href: "/api/docs" }, "API") : null,
      button("Sign out", { picture: "out" }, async () => {
        await post("/api/sign-out");
        location.replace("/");
      })),
    passphraseForm(name)));
}

function card(queue) {
  const share = queue.total_for_me ? queue.done / queue.total_for_me : 0;
  const bar = el("i");
  bar.style.transform = `scaleX(${share})`;
  return el("li", {}, el("a", { class: "card", href: pageOf(queue) },
    el("h2", {}, queue.title),
    queue.left ? el("span", { class: "left" }, `${number(queue.left)} left`) : el("span", { class: "left finished" }, "Done"),
    el("span", { class: "what" }, SCREENS[queue.screen] ?? queue.kind),
    el("span", { class: "left soft small" }, count(queue.done, "decision")),
    el("span", { class: "bar", "aria-hidden": "true" }, bar)));
}

start();
