// The lead's desk of a vote: how far each question is, who judges it, and the doors to votes and verdict. Nothing here
// says who is ahead, so that a lead who votes as well stays blind until the votes are counted.

import { ApiError, call, get, inOrder, post } from "/static/api.js";
import { button, count, duration, el, moment, number, toast } from "/static/dom.js";
import { hoursChart } from "/static/hours-chart.js";
import { PeoplePanel, tried } from "/static/people-panel.js";
import { openPage, showTrouble } from "/static/shell.js";

const ROLES = { rater: "Rater: pairs", lead: "Lead: everything" };
const FILES = { jsonl: "JSONL", csv: "CSV", parquet: "Parquet" };
const VERDICT = "/api/evaluate/pages/verdict.html";
const REFRESH_MS = 30_000;

class Desk {
  constructor(page) {
    Object.assign(this, page);
    this.askStanding = inOrder(() => get("/api/evaluate/standing"));
    this.questions = el("div");
    this.enough = el("p", { role: "status" });
    this.verdict = el("p", { role: "status" });
    this.counting = button("Count the votes", { class: "main" }, () => this.count());
  }

  /** Build what does not change, then fill in what does; again every half minute, while somebody looks. */
  async open() {
    this.standing = await this.askStanding();
    this.people = new PeoplePanel({ roles: ROLES, columns: this.columns(), me: this.me.person, before: () => this.ask() });
    const section = (id, title, ...parts) => el("section", { "aria-labelledby": id }, el("h2", { id }, title), ...parts);
    document.querySelector("#work").replaceChildren(el("div", { class: "lead" },
      el("h1", {}, "The lead's desk"),
      el("p", { class: "soft" }, "Counted from the votes that there are. Who is ahead is said nowhere but in the verdict, so that you can vote as well."),
      el("nav", { "aria-label": "On this page" }, [["questions", "Questions"], ["raters", "Raters"], ["verdict", "Votes and verdict"]].map(([id, words]) => el("a", { href: `#${id}` }, words))),
      section("questions", "Questions", this.questions),
      section("raters", "Raters", this.enough, this.people.node),
      section("verdict", "Votes and verdict", this.finish())));
    await this.people.load();
    setInterval(() => document.hidden || this.people.load().catch(() => null), REFRESH_MS);
  }

  /** What the server knows now. */
  async ask() {
    const told = await this.askStanding();
    if (!told) return;
    this.standing = told;
    this.draw();
  }

  draw() {
    const { questions, num_raters: raters, counted_at: countedAt } = this.standing;
    const focused = document.activeElement?.dataset.question;
    this.questions.replaceChildren(el("ul", { class: "questions" }, questions.map((one) => this.question(one))));
    if (focused) this.questions.querySelector(`[data-question="${CSS.escape(focused)}"]`)?.focus();
    const needed = Math.max(0, ...questions.filter((one) => one.state === "open").map((one) => one.raters_a_pair));
    const words = raters < needed ? `A pair is judged by ${number(needed)} raters, each once: invite ${count(needed - raters, "more", "more")}.` : "";
    if (this.enough.textContent !== words) this.enough.textContent = words;
    this.enough.hidden = !words;
    if (this.countedAt !== countedAt) this.showVerdict(countedAt);
  }

  // Questions

  question(one) {
    const wanted = one.votes + one.judgments_left;
    const done = one.num_pairs_done === one.num_pairs;
    const bar = el("span", { class: "bar", "aria-hidden": "true" }, el("i", { class: "done" }));
    bar.firstChild.style.width = `${wanted ? (100 * one.votes) / wanted : 0}%`;
    const figure = (value, words) => el("li", {}, el("b", {}, value), el("span", {}, words));
    return el("li", { class: "card" },
      el("div", { class: "head" }, el("h3", {}, one.title), el("span", { class: "soft small" }, one.state === "closed" ? "closed" : done ? "done" : `each pair by ${count(one.raters_a_pair, "rater")}`)),
      bar,
      el("ul", { class: "figures" },
        figure(`${number(one.num_pairs_done)} of ${number(one.num_pairs)}`, "pairs have all their votes"),
        figure(`${number(one.votes)} of ${number(wanted)}`, "votes"),
        done ? null : figure(one.estimate_s === null ? "–" : duration(1000 * one.estimate_s), this.left(one))),
      hoursChart(one.per_hour, "Votes by the hour", "h4"),
      el("div", { class: "actions" }, button(one.state === "open" ? "Close this question" : "Open it again", {
        "aria-label": `${one.state === "open" ? "Close" : "Open again"}: ${one.title}`, dataset: { question: one.id },
      }, () => this.setState(one))));
  }

  /** What the estimate means: work, and what it is for each when all raters share it. */
  left({ estimate_s: seconds }) {
    const { num_raters: raters } = this.standing;
    if (seconds === null) return "of work left: nobody has voted yet";
    return raters > 1 ? `of work left at this pace, ${duration((1000 * seconds) / raters)} for each of ${number(raters)} raters` : "of work left at this pace";
  }

  async setState(one) {
    await tried(() => call("PATCH", `/api/queues/${encodeURIComponent(one.id)}`, { state: one.state === "open" ? "closed" : "open" }));
    await this.ask();
  }

  // Raters

  columns() {
    const of = (one) => this.standing.raters[one.id];
    const pairs = (one, question) => {
      const told = of(one)?.pairs[question];
      return told ? `${number(told.judged)} of ${number(told.total)}` : "–";
    };
    const checks = (told) => (told?.checks.shown ? `${number(told.checks.passed)} of ${number(told.checks.shown)}` : "–");
    return [
      ...this.standing.questions.map(({ question, title }) => ({ title, num: true, of: (one) => pairs(one, question) })),
      { title: "A pair takes", num: true, of: (one) => (of(one)?.seconds ? `${of(one).seconds.toFixed(1)} s` : "–") },
      { title: "Checks passed", num: true, of: (one) => checks(of(one)) },
    ];
  }

  // Votes and verdict

  finish() {
    return [
      el("p", { class: "soft" }, "The files name rater, models and answer of every vote: whoever still votes should not look into them."),
      el("div", { class: "actions" }, Object.entries(FILES).map(([kind, words]) => el("a", { class: "button", href: `/api/export/votes.${kind}`, download: `votes.${kind}` }, `Votes as ${words}`))),
      el("p", { class: "soft" }, "The verdict is counted when you say so, from the votes so far, and once more when the server is stopped."),
      el("div", { class: "actions" }, this.counting), this.verdict,
    ];
  }

  showVerdict(countedAt) {
    this.countedAt = countedAt;
    this.verdict.replaceChildren(...(countedAt ? [`Counted on ${moment(countedAt)}: `, el("a", { href: VERDICT }, "the verdict")] : ["No votes have been counted yet."]));
  }

  async count() {
    this.counting.disabled = true;
    const answer = await tried(() => post("/api/evaluate/verdict"));
    this.counting.disabled = false;
    if (answer) toast(`${count(answer.num_votes, "vote")} counted.`);
    await this.ask();
    if (document.activeElement === document.body) this.counting.focus(); // while it was off it could not keep the focus
  }
}

async function start() {
  const page = await openPage({ title: "The lead's desk" });
  if (page.me.person.role !== "lead") throw new ApiError("This desk is the lead's.", "", 403);
  await new Desk(page).open();
}

start().catch((error) => showTrouble(document.querySelector("#work"), error));
