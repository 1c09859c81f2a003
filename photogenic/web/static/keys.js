// The keyboard of a page: one table, from which both the listening and the help sheet are made.

import { button, el } from "./dom.js";

const NAMES = {
  ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "Space", Control: "Ctrl", Backspace: "Backspace", Escape: "Esc",
};

/** A key as it is printed: "Shift+Digit1" becomes "Shift 1". */
export function printed(key) {
  if (key === "+") return key;
  return key.split("+").map((part) => NAMES[part] ?? (part.length === 1 ? part.toUpperCase() : part).replace(/^Digit/, "").replace(/^Key/, "")).join(" ");
}

/**
 * `groups`: [{title, keys: [{on: ["p"], does: "Keep", run(event), always?: true, hidden?: true}]}].
 *
 * `on` names a key by what it types ("p", "?", "Enter", "ArrowLeft") or, for digits, by its place ("Digit1"), so that
 * layouts with digits on the shifted row work; modifiers come before it ("Shift+Digit1", "Control+z"). Keys typed into
 * a field belong to the field, unless the row says `always`.
 */
export class Keymap {
  constructor(groups) {
    this.groups = groups;
    this.table = new Map();
    for (const group of groups) for (const row of group.keys) for (const key of row.on) this.table.set(key.toLowerCase(), row);
    document.addEventListener("keydown", (event) => this.pressed(event));
  }

  pressed(event) {
    if (event.defaultPrevented || event.isComposing || event.altKey) return;
    const row = this.find(event);
    if (!row || (event.repeat && !row.repeats)) return;
    if (document.querySelector("dialog[open]")) return;
    if (!row.always && belongsToField(event)) return;
    event.preventDefault();
    row.run(event);
  }

  find(event) {
    const command = event.ctrlKey || event.metaKey ? "control+" : "";
    const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code ?? "");
    if (digit) return this.table.get(`${command}${event.shiftKey ? "shift+" : ""}digit${digit[1]}`);
    const key = event.key.toLowerCase();
    if (event.shiftKey) {
      const shifted = this.table.get(`${command}shift+${key}`);
      if (shifted) return shifted;
      if (key.length > 1 || /[a-z]/.test(key)) return command ? this.table.get(command + key) : undefined;
    }
    return this.table.get(command + key);
  }

  /** Open the sheet that `?` shows. */
  sheet() {
    const rows = (group) => group.keys.filter((row) => !row.hidden).flatMap((row) => [
      el("dt", {}, row.on.slice(0, 2).flatMap((key, i) => [i ? " or " : "", el("kbd", {}, row.print ?? printed(key))]).slice(0, row.print ? 2 : 4)),
      el("dd", {}, row.does),
    ]);
    const dialog = el("dialog", { "aria-labelledby": "keys-title" },
      el("header", {}, el("h2", { id: "keys-title" }, "Keys"), button("Close", { key: "Esc", class: "plain" }, () => dialog.close())),
      el("div", { class: "keys-sheet" }, this.groups.filter((group) => group.title).map((group) =>
        el("section", {}, el("h3", {}, group.title), el("dl", {}, rows(group))))));
    dialog.addEventListener("close", () => dialog.remove());
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "?") dialog.close();
    });
    document.body.append(dialog);
    dialog.showModal();
  }
}

function belongsToField(event) {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName)) return true;
  if (target.tagName === "INPUT") return !/^(checkbox|radio|button)$/.test(target.type) || event.key === " ";
  // Enter and Space press the button, link or summary that has the focus.
  return (event.key === "Enter" || event.key === " ") && /^(BUTTON|A|SUMMARY)$/.test(target.tagName);
}
