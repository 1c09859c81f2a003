// One state, drawn anew where it changed: which rule is looked at, and which thresholds were moved. While an answer is on
// its way the page goes on showing, and hearing, the rule that it has.

import { el, number, once, percent } from "../look/dom.js";
import { ask, guarded, tell } from "./asking.js";
import { Histogram, rounded } from "./histogram.js";

const $ = (id) => document.getElementById(id);
let chosen = null; // {rule, scroll}: asked for, to be drawn whole with its answer
const state = { pool: null, rule: null, changes: {}, counts: null, plot: null, undo: false };

const allRules = () => state.pool.steps.flatMap((step) => step.rules.map((rule) => ({ ...rule, step })));
const countsOf = (counts, name) => counts.find((count) => count.name === name);
const place = (rule) => rule.step.rules.findIndex((other) => other.key === rule.key);

/** The rule's threshold in some counts. */
const thresholdIn = (counts, rule) => countsOf(counts, rule.step.name).thresholds[place(rule)] ?? null;

/* --- the funnel ------------------------------------------------------------------------------------- */

let rows = null; // made once and painted anew, so that what has the focus, or a finger on it, stays

function drawSteps() {
  const counts = state.counts, before = state.pool.counts;
  if (!rows) {
    rows = state.pool.steps.map(stepRow);
    $("steps").replaceChildren(el("ol", {}, rows.map((row) => row.node)));
  }
  for (const row of rows) row.paint();
  const last = counts.at(-1), lastBefore = before.at(-1);
  const waiting = counts.reduce((sum, count) => sum + count.unscored, 0);
  $("outcome").replaceChildren(el("b", {}, number(last.left)), ` of ${number(state.pool.samples)} kept`,
    difference(last.left - lastBefore.left, " (", ")"), waiting ? `, ${number(waiting)} not yet scored` : "");
}

function stepRow(step) {
  const figures = el("span", {});
  const bars = ["left", "gone", "unknown"].map((kind) => el("i", { class: kind }));
  const unscored = el("p", { class: "note unknown" });
  const rules = step.rules.map((rule) => ruleButton({ ...rule, step }));
  const node = el("li", { class: "step" },
    el("div", { class: "step-line" }, el("h2", {}, step.name), figures),
    el("div", { class: "flow", "aria-hidden": "true" }, bars),
    step.skipped ? el("p", { class: "note" }, `Left out. ${step.skipped}`) : null,
    step.note ? el("p", { class: "note" }, step.note) : null,
    unscored,
    rules.length ? el("div", { class: "rules" }, rules.map((rule) => rule.node)) : null);
  const total = Math.max(1, state.pool.samples);
  const paint = () => {
    const now = countsOf(state.counts, step.name), then = countsOf(state.pool.counts, step.name);
    node.classList.toggle("moved", now.left !== then.left);
    figures.replaceChildren(now.dropped ? `−${number(now.dropped)}  ` : "", el("b", {}, number(now.left)), " left");
    for (const [index, share] of [now.left, now.dropped, now.unscored].entries()) bars[index].style.width = `${(100 * share) / total}%`;
    unscored.hidden = !now.unscored;
    unscored.textContent = `${number(now.unscored)} not yet scored here`;
    for (const rule of rules) rule.paint();
  };
  return { node, paint };
}

function ruleButton(rule) {
  const sign = rule.side === "min" ? "≥" : "≤";
  const node = el("button", {
    type: "button", dataset: { key: rule.key }, onclick: () => choose(rule, matchMedia("(max-width: 52rem)").matches),
  });
  const paint = () => {
    const threshold = thresholdIn(state.counts, rule);
    node.classList.toggle("moved", rule.key in state.changes);
    node.ariaCurrent = String((chosen?.rule ?? state.rule)?.key === rule.key);
    node.textContent = `${rule.column} ${sign} ${threshold === null ? "–" : rounded(threshold)}`;
  };
  return { node, paint };
}

const difference = (change, before = "", after = "") =>
  change ? `${before}${change > 0 ? "+" : "−"}${number(Math.abs(change))}${after}` : "";

/* --- one threshold ---------------------------------------------------------------------------------- */

function drawRule(rule, seen) {
  state.rule = rule;
  const threshold = thresholdIn(seen.counts, rule);
  const input = el("input", { type: "number", id: "threshold", step: "any", value: threshold === null ? "" : rounded(threshold) });
  input.addEventListener("change", () => input.value !== "" && move(rule, Number(input.value)));
  state.plot = new Histogram(seen.histogram, {
    side: rule.side, threshold, was: thresholdIn(state.pool.counts, rule), label: rule.column, moved: (value) => move(rule, value),
  });
  const quantile = rule.quantile === null ? "" : ` The recipe asks for the ${rounded(100 * rule.quantile)} % quantile.`;
  $("rule").replaceChildren(
    el("div", { class: "rule-head" },
      el("div", {},
        el("h2", {}, `${rule.step.name}: ${rule.column}`),
        el("p", {}, `${rule.says ? `${capital(rule.says)}. ` : ""}${capital(rule.step.says)}${quantile}`)),
      el("div", { class: "value" },
        el("label", { htmlFor: "threshold" }, rule.side === "min" ? "at least" : "at most"), input)),
    state.plot.node,
    el("ul", { class: "figures", id: "figures" }),
    el("div", { id: "unknown" }),
    el("div", { class: "sides" }, side("dropped", "Just dropped"), side("kept", "Just kept")));
  drawFigures();
  drawNear(seen.near);
}

const capital = (text) => (text ? text[0].toUpperCase() + text.slice(1) : "");
const side = (id, title) => el("section", { "aria-label": title }, el("h3", {}, title), el("div", { class: "sheet", id }));

function drawFigures() {
  const rule = state.rule, now = countsOf(state.counts, rule.step.name), then = countsOf(state.pool.counts, rule.step.name);
  const last = state.counts.at(-1), lastBefore = state.pool.counts.at(-1);
  const figure = (value, before, text) => el("li", {},
    el("b", {}, number(value), value === before ? null : el("span", { class: "change" }, difference(value - before))), el("span", {}, text));
  $("figures").replaceChildren(
    figure(now.entered, then.entered, `come to ${rule.step.name}`),
    figure(now.dropped, then.dropped, `dropped here (${percent(now.entered ? now.dropped / now.entered : null, 1)})`),
    figure(now.left, then.left, "pass it"),
    figure(last.left, lastBefore.left, "kept by the whole funnel"));
  $("unknown").replaceChildren(...unknowns(rule).map((text) => el("p", { class: "notice unknown-note" }, text)));
}

/** What cannot be told without opening pictures. */
function unknowns(rule) {
  const said = [];
  const waiting = state.counts.filter((count) => count.unscored);
  for (const count of waiting) {
    said.push(`${number(count.unscored)} samples would come to ${count.name} that were never scored for it: they were dropped`
      + " earlier in the run. Whether they pass is not known; curating again scores them, and only them.");
  }
  if (!waiting.length && rule.never_scored) {
    said.push(`${number(rule.never_scored)} samples were dropped before ${rule.column} was measured. They are not in this histogram;`
      + " loosening an earlier step would score those that it lets through.");
  }
  return said;
}

/* --- moving and choosing: one question in flight, the newest next ----------------------------------- */

let busy = false, again = false;

function choose(rule, scroll = false) {
  chosen = { rule, scroll };
  history.replaceState(null, "", `#${rule.key}`);
  drawSteps();
  return refresh();
}

/** `rule` is the one whose plot or field was moved, whatever was chosen or drawn since. */
function move(rule, value) {
  const was = thresholdIn(state.pool.counts, rule);
  if (rounded(value) === rounded(was ?? NaN)) delete state.changes[rule.key];
  else state.changes[rule.key] = value;
  if (rule.key === state.rule.key) {
    state.plot.place(value);
    $("threshold").value = rounded(value);
  }
  drawChanges();
  refresh();
}

async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  do {
    again = false;
    await look();
  } while (again);
  busy = false;
}

const look = guarded(async () => {
  const asked = chosen, rule = asked?.rule ?? state.rule;
  const seen = await ask("look", { changes: state.changes, rule: rule.key, histogram: asked !== null });
  if (chosen !== asked) return; // another rule was chosen meanwhile: it is asked for next
  chosen = null;
  state.counts = seen.counts;
  if (asked) drawRule(rule, seen);
  else { drawFigures(); drawNear(seen.near); }
  drawSteps();
  if (asked?.scroll) $("rule").scrollIntoView({ block: "start" });
});

/* --- pictures --------------------------------------------------------------------------------------- */

const pictures = new Map();
let wanted = null, fetching = false;

function drawNear(near) {
  const { below, above } = near;
  wanted = state.rule.side === "min" ? { dropped: below, kept: above } : { dropped: above, kept: below };
  for (const [id, rows] of Object.entries(wanted)) fillSheet($(id), rows);
  fetchPictures();
}

async function fetchPictures() {
  if (fetching) return;
  fetching = true;
  try {
    for (;;) {
      const missing = Object.values(wanted).flat().filter((row) => !pictures.has(row));
      if (!missing.length) break;
      const found = await ask("pictures", { rows: missing.slice(0, 32) });
      for (const row of missing.slice(0, 32)) pictures.set(row, found[row] ?? { uri: null, key: "", text: "" });
      for (const [id, rows] of Object.entries(wanted)) if ($(id)) fillSheet($(id), rows);
    }
  } catch (error) { tell(error.message, "error"); } finally { fetching = false; }
}

function fillSheet(sheet, rows) {
  const ready = rows.every((row) => pictures.has(row));
  sheet.classList.toggle("waiting", !ready);
  sheet.ariaBusy = String(!ready);
  if (!ready && sheet.childElementCount) return; // the old pictures stay until the new ones are there
  sheet.replaceChildren(...(rows.length ? rows.map(figureOf) : [el("p", { class: "soft small" }, "None.")]));
}

function figureOf(row) {
  const picture = pictures.get(row);
  const name = picture ? picture.text || picture.key : "";
  const inside = picture?.uri ? el("img", { src: picture.uri, alt: name }) : el("span", {}, picture ? "cannot be shown" : "");
  return el("figure", { title: picture ? picture.key : "" }, el("div", { class: "frame" }, inside), el("figcaption", {}, name));
}

/* --- back into the recipe --------------------------------------------------------------------------- */

function drawChanges() {
  const moved = allRules().filter((rule) => rule.key in state.changes);
  const foot = $("changes");
  foot.hidden = !moved.length && !state.undo;
  const writes = state.pool.recipe !== null;
  foot.replaceChildren(...[
    el("p", {}, moved.length ? moved.flatMap((rule, index) => [index ? ", " : "", `${rule.step.name}: ${rule.column} `,
      el("b", {}, `${rounded(thresholdIn(state.pool.counts, rule) ?? NaN)} → ${rounded(state.changes[rule.key])}`)])
      : "Written. Curate again to apply it.",
    moved.length && !writes ? ". Start with --recipe FILE to write it back." : ""),
    moved.length ? el("button", { type: "button", onclick: () => { state.changes = {}; drawChanges(); choose(state.rule); } }, "Reset") : null,
    state.undo ? el("button", { type: "button", onclick: undo }, "Undo the last write") : null,
    moved.length && writes ? el("button", { type: "button", class: "main", id: "show", onclick: showDifference }, "Write to the recipe…") : null,
  ].filter(Boolean));
}

let shown = null; // what stands in the dialog, and the changes that it is of: those, and no later ones, are written

const showDifference = once(guarded(async () => {
  const changes = { ...state.changes };
  shown = { changes, ...await ask("diff", { changes }) };
  $("difference-path").textContent = state.pool.recipe;
  $("difference-text").replaceChildren(...shown.diff.split("\n").slice(2).map((line) => el(
    line.startsWith("+") ? "ins" : line.startsWith("-") ? "del" : "span",
    { class: line.startsWith("@@") ? "place" : "" }, `${line}\n`)));
  $("difference").showModal();
}));

$("keep").addEventListener("click", () => $("difference").close());
$("write").addEventListener("click", guarded(async () => {
  $("difference").close();
  state.undo = (await ask("write", { changes: shown.changes, seen: shown.text })).undo;
  tell("Written to the recipe.");
  drawChanges();
}));

const undo = once(guarded(async () => {
  state.undo = (await ask("undo", {})).undo;
  tell("The recipe is as it was.");
  drawChanges();
}));

/* --- begin ------------------------------------------------------------------------------------------ */

guarded(async () => {
  state.pool = await ask("pool");
  state.counts = state.pool.counts;
  state.undo = state.pool.undo;
  $("run").textContent = state.pool.run;
  document.title = `Explore ${state.pool.run}`;
  drawSteps();
  drawChanges();
  const rules = allRules(), asked = location.hash.slice(1);
  if (!rules.length) { $("rule").replaceChildren(el("p", {}, "This funnel has no thresholds.")); return; }
  const most = (rule) => countsOf(state.counts, rule.step.name).dropped;
  const first = rules.find((rule) => rule.key === asked) ?? rules.reduce((best, rule) => (most(rule) > most(best) ? rule : best));
  await choose(first);
})();
