// People on a lead's desk: who they are and how far, links that nobody has used yet, and an invitation.

import { call, get, inOrder, post } from "./api.js";
import { button, el, moment, number, once, toast } from "./dom.js";

const KINDS = { person: "A person", model: "A model" };

/** A model's role says that it is a model's. */
export const roleOf = ({ role, kind }) => (kind === "model" ? `${role}, a model` : role);

/** Do something; a refusal is shown as a sentence, and null comes back. */
export async function tried(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message, { error: true });
    return null;
  }
}

/** A table that scrolls sideways by itself where the window is narrow. `head`: {title, num}, an empty title for buttons. */
export function tableOf(label, head, rows) {
  return el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": label }, el("table", {},
    el("thead", {}, el("tr", {}, head.map(({ title, num }) => (title ? el("th", { scope: "col", class: num ? "num" : "" }, title) : el("td"))))),
    el("tbody", {}, rows)));
}

export class PeoplePanel {
  /**
   * `roles`: role -> what it does; the first is proposed. `columns`: {title, of(person), num}, between the role and when somebody was last seen.
   * `before()`: what the columns have to know, fetched anew each time. `me`: the person who is signed in.
   */
  constructor({ roles, columns, me, before = () => null }) {
    Object.assign(this, { columns, me });
    this.ask = inOrder(() => Promise.all([get("/api/people"), get("/api/invites"), before()]));
    this.table = el("div", { class: "people" });
    this.open = el("div", { class: "links" });
    this.fresh = el("div", { role: "status" });
    this.node = el("div", {}, this.table, this.open, el("h3", {}, "Invite somebody"), this.form(roles), this.fresh);
  }

  async load() {
    const told = await this.ask();
    if (!told) return;
    const [{ people }, { invites }] = told;
    const focused = document.activeElement?.dataset.does;
    const now = Date.now() / 1000;
    this.draw(people, invites.filter((invite) => !invite.used_at && !invite.revoked && invite.expires_at > now));
    // Who has just pressed a button of a row is still there, and so is a frame that moves by keys.
    if (focused && !document.activeElement?.dataset.does) this.node.querySelector(`[data-does="${CSS.escape(focused)}"]`)?.focus();
  }

  draw(people, invites) {
    const head = [{ title: "Name" }, { title: "Role" }, ...this.columns, { title: "Last seen" }, {}];
    this.table.replaceChildren(tableOf("People", head, people.map((one) => this.row(one))));
    this.open.replaceChildren(...(invites.length ? [
      el("h3", {}, "Links that were not used yet"),
      tableOf("Links not used yet", [{ title: "Name" }, { title: "Role" }, { title: "Expires" }, {}], invites.map((invite) => this.inviteRow(invite))),
    ] : []));
  }

  row(one) {
    const mine = one.id === this.me.id;
    return el("tr", {}, el("th", { scope: "row", class: one.active ? "" : "soft" }, one.name), el("td", {}, roleOf(one)),
      this.columns.map(({ of, num }) => el("td", { class: num ? "num" : "" }, of(one))),
      el("td", { class: "soft" }, one.active ? moment(one.last_seen_at) : "shut out"),
      el("td", { class: "act" },
        one.active && !mine ? button("New link", { "aria-label": `New link: ${one.name}`, dataset: { does: `link ${one.id}` } }, () => this.invite({ name: one.name, role: one.role, kind: one.kind, person_id: one.id })) : null,
        mine ? null : button(one.active ? "Shut out" : "Let in again", { "aria-label": `${one.active ? "Shut out" : "Let in again"}: ${one.name}`, dataset: { does: `active ${one.id}` } }, () => this.change(one))));
  }

  inviteRow(invite) {
    return el("tr", {}, el("th", { scope: "row" }, invite.name), el("td", {}, roleOf(invite)), el("td", { class: "soft" }, moment(invite.expires_at)),
      el("td", { class: "act" }, button("Withdraw", { "aria-label": `Withdraw the link of ${invite.name}` }, () => this.withdraw(invite))));
  }

  form(roles) {
    const options = (named) => Object.entries(named).map(([value, words]) => el("option", { value }, words));
    const field = (words, input) => el("label", { class: "field" }, el("span", {}, words), input);
    const name = el("input", { name: "name", required: true, maxLength: 80, autocomplete: "off" });
    const role = el("select", { name: "role" }, options(roles));
    const kind = el("select", { name: "kind" }, options(KINDS));
    const days = el("input", { name: "days", type: "number", min: 1, max: 90, value: 7, required: true });
    const send = once(async () => {
      const whom = { name: name.value.trim(), role: role.value, kind: kind.value, days: Number(days.value) };
      if ((await this.invite(whom)) && name.value.trim() === whom.name) name.value = ""; // unless the next one is typed already
    });
    return el("form", { class: "invite-form", onsubmit: (event) => {
      event.preventDefault();
      send();
    } }, field("Name", name), field("Role", role), field("Who decides", kind), field("Link expires after, days", days), el("button", { class: "main" }, "Make a link"));
  }

  /** Make a link and show it, this once; whether there is one. */
  async invite(whom) {
    const hasGoneOn = watchHand();
    const answer = await tried(() => post("/api/invites", whom));
    if (!answer) return false;
    const input = el("input", { readOnly: true, value: new URL(answer.link, location.origin).href, "aria-label": `Link for ${whom.name}`, onfocus: () => input.select() });
    this.fresh.replaceChildren(el("div", { class: "fresh-link" },
      el("p", {}, "Send this link to ", el("strong", {}, whom.name), ". It works once, until ", moment(answer.expires_at), ", and is shown only now."),
      el("div", {}, input, button("Copy", {}, () => copy(input)))));
    if (!hasGoneOn()) input.focus();
    tried(() => this.load());
    return true;
  }

  async change(one) {
    await tried(() => call("PATCH", `/api/people/${encodeURIComponent(one.id)}`, { active: !one.active }));
    await this.load();
  }

  async withdraw(invite) {
    await tried(() => call("DELETE", `/api/invites/${encodeURIComponent(invite.id)}`));
    await this.load();
    this.open.querySelector("button")?.focus();
  }
}

/** Whether somebody types or moves on while the server thinks: who is at the next thing keeps the focus. */
function watchHand() {
  const place = document.activeElement;
  const text = place?.value;
  return () => {
    const now = document.activeElement;
    return now !== document.body && (now !== place || now.value !== text);
  };
}

/** How many events a person made; the column of desks that count nothing finer. */
export const DECISIONS = { title: "Decisions", num: true, of: (one) => number(one.num_events) };

/** Copy a field. Where the page did not come by https the clipboard is closed to scripts: the text is selected instead. */
async function copy(input) {
  input.select();
  try {
    await navigator.clipboard.writeText(input.value);
    toast("Copied");
  } catch {
    toast("Selected: press Ctrl C");
  }
}
