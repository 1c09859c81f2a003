// What can be said about a caption without a model: how it differs from its draft, and what looks wrong with it.

import { el } from "/static/dom.js";

const BOILERPLATE = [
  "image of", "photo of", "picture of", "photograph of", "stock photo", "stock image", "royalty free", "free download", "buy now",
  "best price", "click here", "click to enlarge", "wallpaper", "all rights reserved", "getty images", "shutterstock",
];
const FEWEST_WORDS = 8;

const words = (text) => text.match(/[\p{L}\p{N}]+(?:[’'-][\p{L}\p{N}]+)*/gu) ?? [];

/** [{must, says}]: what to look at again; `must` forbids saving. */
export function lint(text, { forbidden = [], draft = "" } = {}) {
  const found = [];
  const warn = (says) => found.push({ must: false, says });
  const must = (says) => found.push({ must: true, says });
  const lower = text.toLowerCase();
  const said = words(text);
  if (!said.length) must("There is no caption yet.");
  else if (said.length < FEWEST_WORDS) warn(`Only ${said.length} ${said.length === 1 ? "word" : "words"}: say what is there, where, and in what light.`);
  for (const phrase of forbidden) if (lower.includes(phrase.toLowerCase())) warn(`“${phrase}” is not wanted in a caption.`);
  for (const phrase of BOILERPLATE) if (lower.includes(phrase) && !forbidden.includes(phrase)) warn(`“${phrase}” says nothing about the picture.`);
  if (/https?:|www\.|@\w/.test(lower)) must("A web address or account name is in the caption.");
  if (/\.(jpe?g|png|webp|gif|tiff?)\b/.test(lower) || /\b(img|dsc)_?\d{3,}/.test(lower)) warn("A file name is in the caption.");
  if (/<[a-z/!][^>]*>/i.test(text)) warn("This looks like markup.");
  if (said.length > 3 && text === text.toUpperCase()) warn("All in capitals.");
  const twice = /\b(\p{L}{3,})\s+\1\b/iu.exec(text);
  if (twice) warn(`“${twice[1]}” stands there twice.`);
  if (draft && text.trim() === draft.trim() && said.length) warn("The same as the draft, word for word.");
  return found;
}

/** Words of two texts, aligned: [{kind: "same" | "gone" | "new", text}]. Longest common subsequence. */
export function difference(before, after) {
  const [a, b] = [before, after].map((text) => text.split(/\s+/).filter(Boolean));
  const longest = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let k = b.length - 1; k >= 0; k -= 1) {
      longest[i][k] = a[i] === b[k] ? longest[i + 1][k + 1] + 1 : Math.max(longest[i + 1][k], longest[i][k + 1]);
    }
  }
  const parts = [];
  const add = (kind, word) => {
    if (parts.at(-1)?.kind === kind) parts.at(-1).text += ` ${word}`;
    else parts.push({ kind, text: word });
  };
  let [i, k] = [0, 0];
  while (i < a.length || k < b.length) {
    if (i < a.length && k < b.length && a[i] === b[k]) {
      add("same", a[i]);
      i += 1;
      k += 1;
    } else if (i < a.length && (k === b.length || longest[i + 1][k] >= longest[i][k + 1])) add("gone", a[i++]);
    else add("new", b[k++]);
  }
  return parts;
}

const TAGS = { same: "span", gone: "del", new: "ins" };

/** The difference as elements; what went is struck out, what came is underlined. */
export function diffNodes(before, after) {
  return difference(before, after).flatMap(({ kind, text }, i) => [i ? " " : "", el(TAGS[kind], {}, text)]);
}

/** About how many pieces a text encoder makes of it, where no tokenizer can be asked: 1.3 per word and mark. */
export function approximateTokens(text) {
  return Math.round(1.3 * (text.match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? []).length) + (text.trim() ? 2 : 0);
}
