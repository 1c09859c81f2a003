// After a picture of the calibration set: what the guidelines say of it, beside what was said.

import { button, el } from "/static/dom.js";
import { VERDICTS, screenUrl } from "./common.js";

/** A card over the picture: `answer` {right, expected, words} on an entry {item, verdict}; `onwards` when it has been read. */
export function calibrationCard(queueId, entry, answer, onwards) {
  const expected = VERDICTS[answer.expected].word.toLowerCase();
  const said = VERDICTS[entry.verdict].word.toLowerCase();
  return el("div", { class: "card feedback", role: "alertdialog", "aria-labelledby": "feedback-title" },
    el("img", { src: screenUrl(queueId, entry.item, "thumb"), alt: "The picture you judged" }),
    el("div", {},
      el("h2", { id: "feedback-title" }, answer.right ? `Yes: ${expected}` : `You said ${said}; the guidelines say ${expected}`),
      answer.words ? el("p", {}, answer.words) : null,
      button("Go on", { key: "Enter", class: "main" }, onwards)));
}
