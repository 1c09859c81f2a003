// Asking the server of the page, and telling what it answered.

import { el } from "../look/dom.js";

/** The answer to a question, or an error that is a sentence. */
export async function ask(path, body) {
  let answer, text;
  try {
    answer = await fetch(`api/${path}`, body === undefined ? {} : {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    text = await answer.text(); // which fails where the server goes in the middle of its answer
  } catch { throw new Error("The server cannot be reached: has it been stopped?"); }
  const said = parsed(text);
  if (!answer.ok) throw new Error(typeof said?.detail === "string" ? said.detail : `The server answered ${answer.status}.`);
  if (said === null) throw new Error("The server's answer cannot be read.");
  return said;
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}

/** A sentence that comes and goes. */
export function tell(text, kind = "") {
  const toast = el("p", { class: `toast ${kind}` }, text);
  document.getElementById("toasts").replaceChildren(toast);
  setTimeout(() => toast.remove(), kind === "error" ? 9000 : 4000);
}

/** `run`, whose error is told; null comes back instead. */
export const guarded = (run) => async (...given) => {
  try { return await run(...given); } catch (error) { tell(error.message, "error"); return null; }
};
