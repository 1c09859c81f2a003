// Guidelines are written in markdown. This turns the plain part of it into elements (never into markup text):
// headings, paragraphs, lists, quotes, rules, **strong**, *emphasis*, `code`, [links](https://…).

import { el } from "./dom.js";

const INLINE = /\*\*(.+?)\*\*|\*(.+?)\*|`(.+?)`|\[(.+?)\]\((https?:\/\/[^\s)]+)\)/g;

function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, strong, emphasis, code, label, address] = match;
    nodes.push(text.slice(end, match.index));
    if (strong) nodes.push(el("strong", {}, inline(strong)));
    else if (emphasis) nodes.push(el("em", {}, inline(emphasis)));
    else if (code) nodes.push(el("code", {}, code));
    else nodes.push(el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, label));
    end = match.index + whole.length;
  }
  nodes.push(text.slice(end));
  return nodes.filter((node) => node !== "");
}

function list(lines, ordered) {
  const mark = ordered ? /^\s*\d+[.)]\s+/ : /^\s*[-*+]\s+/;
  const items = [];
  for (const line of lines) {
    if (mark.test(line)) items.push(line.replace(mark, ""));
    else items[items.length - 1] += ` ${line.trim()}`;
  }
  return el(ordered ? "ol" : "ul", {}, items.map((item) => el("li", {}, inline(item))));
}

function block(lines, level) {
  const first = lines[0];
  const heading = /^(#{1,3})\s+(.*)$/.exec(first);
  if (heading) {
    const rest = lines.slice(1);
    const title = el(`h${Math.min(6, heading[1].length + level)}`, {}, inline(heading[2]));
    return rest.length ? [title, ...block(rest, level)] : [title];
  }
  if (/^\s*(-{3,}|\*{3,})\s*$/.test(first)) return [el("hr")];
  if (/^\s*[-*+]\s+/.test(first)) return [list(lines, false)];
  if (/^\s*\d+[.)]\s+/.test(first)) return [list(lines, true)];
  if (first.startsWith(">")) return [el("blockquote", {}, inline(lines.map((line) => line.replace(/^>\s?/, "")).join(" ")))];
  return [el("p", {}, inline(lines.join(" ")))];
}

/** Elements for a text; `level` is added to its headings, so that they stand below the page's own. */
export function markdown(text, level = 2) {
  const blocks = text.replaceAll("\r", "").split(/\n\s*\n/).map((part) => part.split("\n").filter((line) => line.trim())).filter((lines) => lines.length);
  return el("div", { class: "markdown" }, blocks.flatMap((lines) => block(lines, level)));
}
