// The lead's desk: how far the rounds are, who works how, whether people agree, and the doors to the next step.

import { ApiError, call, get, inOrder, post } from "/static/api.js";
import { button, count, duration, el, moment, number, percent } from "/static/dom.js";
import { hoursChart } from "/static/hours-chart.js";
import { DECISIONS, PeoplePanel, roleOf, tableOf, tried } from "/static/people-panel.js";
import { openPage, showTrouble } from "/static/shell.js";
import { TastePanel } from "./taste-panel.js";

const ROLES = { generalist: "Generalist: grid", specialist: "Specialist: loupe", writer: "Writer: captions", rater: "Rater: pairs", lead: "Lead: everything" };
const SCREENS = { grid: "Grid", loupe: "Loupe", captions: "Captions", pairs: "Pairs" };
const FILES = { jsonl: "JSONL", csv: "CSV", parquet: "Parquet" };
const REFRESH_MS = 30_000;

/** What the recipe calls cost, in whatever coin it means. */
const money = (amount) => number(amount < 100 ? Number(amount.toFixed(2)) : Math.round(amount));

class Desk {
  constructor(page) {
    Object.assign(this, page);
    this.place = document.querySelector("#work");
    this.askRounds = inOrder((wanted) => this.rounds(wanted));
    this.chosen = new URLSearchParams(location.search).get("queue");
    this.parts = Object.fromEntries(["rounds", "finish", "audit"].map((name) => [name, el("div")]));
    this.taste = new TastePanel(tried);
    this.people = new PeoplePanel({ roles: ROLES, columns: [DECISIONS], me: this.me.person });
    const section = (id, title, part) => el("section", { "aria-labelledby": id }, el("h2", { id }, title), part);
    this.place.replaceChildren(el("div", { class: "lead" },
      el("div", { class: "lead-head" }, el("div", {}, el("h1", {}, "The lead's desk"), el("p", { class: "soft" }, "Everything here is counted from decisions; nothing is ever overwritten."))),
      el("nav", { "aria-label": "On this page" }, [["rounds", "Rounds"], ["taste", "Taste"], ["people", "People"], ["finish", "Export and finish"], ["audit", "Audit"]].map(([id, words]) => el("a", { href: `#${id}` }, words))),
      section("rounds", "Rounds", this.parts.rounds), section("taste", "Taste", this.taste.node), section("people", "People", this.people.node),
      section("finish", "Export and finish", this.parts.finish), section("audit", "Audit", this.parts.audit)));
  }

  async load() {
    await Promise.all([this.loadRounds(), this.people.load(), this.loadAudit()]);
    this.drawFinish();
    setInterval(() => document.hidden || this.loadRounds().catch(() => null), REFRESH_MS);
  }

  // Rounds

  /** All rounds, and how far the wanted one is, or the one that is open. */
  async rounds(wanted) {
    const { queues } = await get("/api/queues");
    const chosen = queues.find((one) => one.id === wanted) ?? queues.find((one) => one.state === "open") ?? queues[0];
    const progress = chosen ? await get(`/api/queues/${encodeURIComponent(chosen.id)}/progress`) : null;
    return { queues, chosen: chosen?.id ?? null, progress };
  }

  async loadRounds() {
    const wanted = this.chosen;
    const told = await this.askRounds(wanted);
    if (!told || this.chosen !== wanted) return; // out of date, or of a round that was left meanwhile
    this.queues = told.queues;
    this.chosen = told.chosen;
    const focused = document.activeElement?.dataset.does;
    this.drawRounds(told.progress);
    if (focused) this.parts.rounds.querySelector(`[data-does="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    if (this.chosen) this.taste.show(this.chosen, told.progress.taste);
  }

  /** Another round; the page says at once which, and shows it when the server has told of it. */
  choose(queue) {
    this.chosen = queue.id;
    for (const one of this.parts.rounds.querySelectorAll(".round")) one.setAttribute("aria-pressed", String(one.dataset.does === queue.id));
    history.replaceState(null, "", `?queue=${encodeURIComponent(queue.id)}${location.hash}`);
    return this.loadRounds();
  }

  drawRounds(progress) {
    if (!this.queues.length) {
      this.parts.rounds.replaceChildren(el("p", { class: "soft" }, "No round has been opened yet. Rounds come from the recipe's `review.rounds`."));
      return;
    }
    const queue = this.queues.find((one) => one.id === this.chosen);
    this.detail ??= el("div", { "aria-live": "off" });
    this.detail.replaceChildren(...this.roundDetail(queue, progress));
    this.parts.rounds.replaceChildren(el("ul", { class: "road" }, this.queues.map((one) => this.roundCard(one, one.id === this.chosen ? progress : null))), this.detail);
  }

  roundCard(queue, progress) {
    const bar = el("span", { class: "bar", "aria-hidden": "true" });
    const total = queue.num_items || 1;
    const funnel = progress?.funnel;
    const pieces = funnel ? ["keep", "drop", "unsure", "adjudicate"].map((name) => [name, funnel[name]]) : [["done", queue.num_done], ["adjudicate", queue.num_adjudicate]];
    for (const [name, n] of pieces) {
      const piece = el("i", { class: name });
      piece.style.width = `${(100 * (n ?? 0)) / total}%`;
      bar.append(piece);
    }
    return el("li", {}, el("button", {
      type: "button", class: "round", "aria-pressed": String(queue.id === this.chosen), dataset: { does: queue.id },
      onclick: () => this.choose(queue),
    }, el("span", { class: "name" }, queue.title), el("span", { class: "num soft" }, `${number(queue.num_done)} of ${number(queue.num_items)}${queue.state === "closed" ? ", closed" : ""}`),
    el("span", { class: "soft small" }, [SCREENS[queue.screen] ?? queue.screen, queue.num_adjudicate ? `${number(queue.num_adjudicate)} to settle` : null].filter(Boolean).join(" · ")), bar));
  }

  roundDetail(queue, progress) {
    const { funnel, agreement, gold, miss, calibration } = progress;
    const figure = (value, words) => el("li", {}, el("b", {}, value), el("span", {}, words));
    const share = (part, whole) => (whole ? percent(part / whole, 1) : "–");
    const within = ({ interval }) => (interval ? `; 95 %: ${percent(interval[0])} to ${percent(interval[1])}` : "");
    return [
      el("h3", {}, queue.title),
      el("div", { class: "legend" }, ["keep", "drop", "unsure", "adjudicate"].filter((name) => name in funnel).map((name) =>
        el("span", { class: name }, `${{ keep: "Kept", drop: "Dropped", unsure: "Unsure", adjudicate: "To settle" }[name]} ${number(funnel[name] ?? 0)}`)),
      el("span", {}, `Open ${number(Math.max(0, funnel.total - funnel.done - (funnel.adjudicate ?? 0)))}`)),
      el("ul", { class: "figures" },
        figure(funnel.target_keep ? `${number(funnel.keep)} of ${number(funnel.target_keep)}` : number(funnel.keep), queue.screen === "captions" ? "captions finished" : funnel.target_keep ? "kept, of those wanted" : "kept"),
        funnel.target_keep && funnel.expected_keep !== null ? figure(number(funnel.expected_keep), "kept in the end, if the rest is like this") : null,
        figure(progress.estimate_s === null ? "–" : duration(1000 * progress.estimate_s), "of work left at this pace"),
        figure(duration(progress.active_ms), "active time so far"),
        figure(progress.decisions && progress.active_ms ? number(Math.round(progress.decisions / (progress.active_ms / 3.6e6))) : "–", "decisions in an active hour"),
        ...this.captionsLeft(progress.captions).map(([num, words]) => figure(number(num), words)),
        progress.cost === undefined ? null : figure(money(progress.cost), progress.cost_left === null ? "spent so far" : `spent so far; about ${money(progress.cost_left)} to come`)),
      queue.screen === "captions" ? null : el("ul", { class: "figures" },
        figure(percent(agreement.percent, 1), agreement.items ? `agree, on ${count(agreement.items, "picture")} seen twice` : "agree; nothing was seen twice yet"),
        figure(agreement.ac1?.toFixed(2) ?? "–", "Gwet AC1"),
        figure(agreement.alpha?.toFixed(2) ?? "–", "Krippendorff alpha"),
        figure(share(gold.right, gold.shown), `right on gold (${number(gold.right)} of ${number(gold.shown)}${within(gold)})`),
        figure(share(miss.missed, miss.shown), `missed among bulk rejects (${number(miss.missed)} of ${number(miss.shown)}${within(miss)})`),
        calibration.shown ? figure(share(calibration.right, calibration.shown), "right while calibrating") : null),
      hoursChart(progress.per_hour ?? []),
      el("div", { class: "actions" },
        queue.num_adjudicate || funnel.adjudicate ? el("a", { class: "button main", href: `/review/adjudicate?queue=${encodeURIComponent(queue.id)}` }, `Settle ${count(funnel.adjudicate || queue.num_adjudicate, "disagreement")}`) : null,
        el("a", { class: "button", href: `/review/guidelines?queue=${encodeURIComponent(queue.id)}` }, "Guidelines"),
        button(queue.state === "open" ? "Close this round" : "Open it again", { dataset: { does: "state" } }, () => this.setState(queue)),
        this.hasNext(queue) ? button("Close it and open the next", { dataset: { does: "advance" } }, () => this.advance(queue)) : null),
      progress.people?.length ? this.workers(progress.people) : el("p", { class: "soft" }, "Nobody has decided anything here yet."),
    ].filter(Boolean);
  }

  /** Of a round of captions: written is not finished. */
  captionsLeft(captions) {
    return captions ? [[captions.unread, captions.unread === 1 ? "waits for a second reader" : "wait for a second reader"], [captions.unwritten, captions.unwritten === 1 ? "has no caption yet" : "have no caption yet"]] : [];
  }

  workers(people) {
    const head = ["Person", "Role", "Decisions", "Kept", "Per hour", "Active", "Gold", "Agrees"].map((title, i) => ({ title, num: i > 1 }));
    return el("div", {}, el("h3", {}, "Who works on it"), tableOf("Who works on it", head,
      people.map((one) => el("tr", {}, el("th", { scope: "row" }, one.name), el("td", {}, roleOf(one)),
        el("td", { class: "num" }, number(one.decisions)), el("td", { class: "num" }, one.decisions ? percent(one.keep / one.decisions) : "–"),
        el("td", { class: "num" }, one.per_hour ? number(Math.round(one.per_hour)) : "–"), el("td", { class: "num" }, duration(one.active_ms)),
        el("td", { class: "num" }, one.gold_shown ? percent(one.gold_right / one.gold_shown) : "–"), el("td", { class: "num" }, percent(one.agree_percent))))));
  }

  /** Whether a round of the recipe may follow: captions are the last, and second looks are no round. */
  hasNext(queue) {
    return queue.screen !== "captions" && queue.kind !== "relook";
  }

  async setState(queue) {
    await tried(() => call("PATCH", `/api/queues/${encodeURIComponent(queue.id)}`, { state: queue.state === "open" ? "closed" : "open" }));
    await this.loadRounds();
  }

  async advance(queue) {
    const open = queue.num_items - queue.num_done;
    if (open > 0 && queue.state === "open" && !confirm(`${count(open, "picture")} of ${queue.title} not settled yet: left out of the next round. Close it all the same?`)) return;
    const answer = await tried(() => post("/api/review/advance", { queue_id: queue.id }));
    if (answer) this.chosen = answer.queue_id;
    await this.loadRounds();
  }

  // Export and finish

  drawFinish() {
    const files = Object.keys(FILES).map((kind) => el("a", { class: "button", href: `/api/export/decisions.${kind}`, download: `decisions.${kind}` }, `Decisions as ${FILES[kind]}`));
    this.outcome = el("p", { role: "status" });
    this.question = el("div");
    this.parts.finish.replaceChildren(
      el("p", { class: "soft" }, "Every decision with who made it, when, and by which version of the guidelines."),
      el("div", { class: "actions" }, files),
      el("p", { class: "soft" }, "The needles are the keepers of the last round, with their captions. Writing them finishes the recipe's review; they can be written again after more work."),
      el("div", { class: "actions" }, button("Write needles.parquet", { class: "main" }, () => this.finish())), this.outcome, this.question);
  }

  /** Captions that nobody has read, or written, would be missing among the needles without a word: which are taken is asked. */
  async finish() {
    const left = await tried(() => get("/api/needles"));
    if (!left) return;
    if (!left.words) {
      await this.write("settled");
      return;
    }
    this.outcome.textContent = `Nothing was written, for captions are not settled: ${left.words}.`;
    const choice = (words, taken) => button(words, {}, () => this.write(taken));
    this.question.replaceChildren(
      el("p", { class: "soft" }, "Let them be written and read, and write the needles then. Or write them now; where no caption is taken, the alternative text stands."),
      el("div", { class: "actions" },
        left.unread ? choice("Write them with the unread captions too", "written") : null,
        choice(left.unread ? "Write them with read captions only" : "Write them without the missing captions", "read")));
  }

  async write(captions) {
    const answer = await tried(() => post("/api/needles", { captions }));
    if (!answer) return;
    this.question.replaceChildren();
    this.outcome.textContent = `${count(answer.num_needles, "needle")} written${answer.captions ? `; ${answer.captions}` : ""}.`;
  }

  // Audit

  async loadAudit(before) {
    const { entries, next } = await get(`/api/audit?limit=30${before ? `&before=${before}` : ""}`);
    this.auditRows ??= el("tbody");
    this.auditRows.append(...entries.map((entry) => el("tr", {}, el("td", { class: "soft" }, moment(entry.at)), el("td", {}, entry.person ?? entry.body.by ?? "–"),
      el("td", {}, entry.action), el("td", { class: "soft" }, entry.subject))));
    this.parts.audit.replaceChildren(el("div", { class: "scroll audit", tabIndex: 0, role: "region", "aria-label": "Audit" }, el("table", {},
      el("thead", {}, el("tr", {}, ["When", "Who", "What", "Whom or what"].map((words) => el("th", { scope: "col" }, words)))), this.auditRows)),
    next ? button("Earlier", {}, () => this.loadAudit(next)) : "");
  }
}

async function start() {
  const page = await openPage({ title: "The lead's desk" });
  if (page.me.person.role !== "lead") throw new ApiError("This desk is the lead's.", "", 403);
  await new Desk(page).load();
}

start().catch((error) => showTrouble(document.querySelector("#work"), error));
