// What was done in each of the last hours.

import { el, moment, number } from "./dom.js";

const FEWEST_HOURS = 12;

/** `rows`: {at, decisions} of the hours that had any; those without stand between them. Null where there is nothing. */
export function hoursChart(rows, title = "Decisions by the hour", heading = "h3") {
  if (!rows.length) return null;
  const byHour = new Map(rows.map((row) => [row.at, row.decisions]));
  const last = Math.max(...byHour.keys());
  const first = Math.min(...byHour.keys(), last - 3600 * (FEWEST_HOURS - 1));
  const most = Math.max(...byHour.values());
  const bars = [];
  for (let at = first; at <= last; at += 3600) {
    const bar = el("i", { title: `${moment(at)}: ${number(byHour.get(at) ?? 0)}` });
    bar.style.height = `${(100 * (byHour.get(at) ?? 0)) / most}%`;
    bars.push(bar);
  }
  return el("div", {}, el(heading, {}, title),
    el("div", { class: "hours", role: "img", "aria-label": `${title}; the most was ${number(most)}` }, bars),
    el("div", { class: "hours-ends" }, el("span", {}, moment(first)), el("span", {}, `most: ${number(most)}`), el("span", {}, moment(last))));
}
