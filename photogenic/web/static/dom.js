// Elements from plain values. Text is always text: nothing a person wrote is ever parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `props`: `class`, `dataset`, `on…` listeners, properties or attributes; children: nodes, strings, null. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(node, name, value);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function set(node, name, value) {
  if (value === null || value === undefined) return;
  if (name === "class") node.className = value;
  else if (name === "dataset") Object.assign(node.dataset, value);
  else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name in node && !name.startsWith("aria")) node[name] = value;
  else if (value !== false) node.setAttribute(name, value === true ? "" : value);
}

const PATHS = {
  check: "M4 12.5 9.5 18 20 6.5",
  cross: "M6 6l12 12M18 6 6 18",
  doubt: "M8.5 9a3.5 3.5 0 1 1 5.2 3.1c-1.2.7-1.7 1.3-1.7 2.6M12 18.4v.1",
  undo: "M9 5 4.5 9.5 9 14M5 9.5h8.5a5.5 5.5 0 0 1 0 11H9",
  theme: "M12 3.5v17M12 3.5a8.5 8.5 0 0 1 0 17 8.5 8.5 0 0 1 0-17M13.5 8h5.7M13.5 12h7M13.5 16h5.7",
  pin: "M9 4h6l-1 6 3.5 4h-11L10 10 9 4zM12 14v6",
  grid: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h6v6h-6z",
  loupe: "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13M15.3 15.3 20.5 20.5",
  thirds: "M3.5 5h17v14h-17zM9.2 5v14M14.8 5v14M3.5 9.7h17M3.5 14.3h17",
  bars: "M4 20V13M9.3 20V7M14.7 20v-9M20 20V4",
  clip: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17v.1",
  facts: "M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17M12 11v5M12 7.8v.1",
  book: "M12 6.5C10 5 7.5 4.5 4 4.5v13c3.5 0 6 .5 8 2 2-1.5 4.5-2 8-2v-13c-3.5 0-6 .5-8 2zM12 6.5v13",
  out: "M14 4.5H5.5v15H14M10 12h10.5M17 8.5l3.5 3.5-3.5 3.5",
  more: "M6 9.5l6 6 6-6",
};

/** One of the line drawings of this house, hidden from screen readers: its button says what it is. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  for (const [key, value] of Object.entries({
    viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "1.8",
    "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true",
  })) svg.setAttribute(key, value);
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** `run`, but not again before what it has begun is over: who presses twice on a slow line means it once. */
export function once(run) {
  let busy = false;
  return async (...given) => {
    if (busy) return;
    busy = true;
    try {
      await run(...given);
    } finally {
      busy = false;
    }
  };
}

/** A button with a name, a key printed on it, and what it does, `once`. */
export function button(label, { key, picture, title, ...props }, run) {
  return el("button", { type: "button", title: title ?? null, onclick: once(run), ...props },
    picture ? icon(picture) : null, label ? el("span", {}, label) : null, key ? el("kbd", { "aria-hidden": "true" }, key) : null);
}

const plural = new Intl.PluralRules("en");
const figures = new Intl.NumberFormat("en");

/** "1 picture", "2,000 pictures". */
export function count(n, one, many = `${one}s`) {
  return `${figures.format(n)} ${plural.select(n) === "one" ? one : many}`;
}

export const number = (n) => figures.format(n);
export const percent = (share, digits = 0) => (share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)} %`);

/** Milliseconds as "3 h 20 min", "12 min", "40 s". */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return minutes < 60 * 48 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${figures.format(Math.round(minutes / 60))} h`;
}

/** A moment as people say it here, from seconds since 1970 or ISO 8601: "22 Nov, 14:05". */
export function moment(at) {
  if (!at) return "–";
  return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(new Date(typeof at === "number" ? 1000 * at : at));
}

/** The reader's ear: what a screen reader should say now, politely. */
export function announce(sentence) {
  let region = document.querySelector("#announcer");
  if (!region) {
    region = el("div", { id: "announcer", class: "visually-hidden", role: "status", "aria-live": "polite" });
    document.body.append(region);
  }
  region.textContent = sentence;
}

const lasting = new WeakMap(); // line -> the timer that ends it

/** A sentence at the bottom of the window for some seconds. Errors stay longer and are read out at once; one that is there already stays anew. */
export function toast(sentence, { error = false } = {}) {
  let shelf = document.querySelector(".toasts");
  if (!shelf) {
    shelf = el("div", { class: "toasts", role: "region", "aria-label": "Messages" });
    document.body.append(shelf);
  }
  const present = [...shelf.children].find((one) => one.textContent === sentence);
  const line = present ?? el("div", { class: error ? "toast error" : "toast", role: error ? "alert" : "status" }, sentence);
  if (!present) shelf.append(line);
  while (shelf.children.length > 3) shelf.firstChild.remove();
  clearTimeout(lasting.get(line));
  lasting.set(line, setTimeout(() => line.remove(), error ? 9000 : 2200));
}
