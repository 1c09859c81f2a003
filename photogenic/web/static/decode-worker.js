// Fetches and decodes pictures beside the page's own thread, so that a key is never behind a decoder.
// In: {id, url, box: {width, height} | null} or {drop: id}. Out: {id, bitmap, width, height} or {id, error, final, away}:
// `final` where asking again would not help, `away` (gone | signed-out) where no picture would come now.

const LONGEST_MS = 60_000; // a connection that broke in silence would hold its place for ever

const running = new Map();

class NoPicture extends Error {
  constructor(sentence, told) {
    super(sentence);
    Object.assign(this, told);
  }
}

self.onmessage = async ({ data }) => {
  if (data.drop !== undefined) {
    running.get(data.drop)?.abort();
    running.delete(data.drop);
    return;
  }
  const stop = new AbortController();
  running.set(data.id, stop);
  const late = setTimeout(() => stop.abort(), LONGEST_MS);
  try {
    const answer = await decoded(data, stop.signal);
    if (running.delete(data.id)) self.postMessage(answer, [answer.bitmap]);
    else answer.bitmap.close();
  } catch ({ message, final, away }) {
    if (running.delete(data.id)) self.postMessage({ id: data.id, error: message, final, away });
  } finally {
    clearTimeout(late);
  }
};

async function decoded({ id, url, box }, signal) {
  let bitmap = await createImageBitmap(await fetched(url, signal));
  const { width, height } = bitmap;
  const fitted = box ? fit(width, height, box) : null;
  if (fitted) {
    const whole = bitmap;
    bitmap = await createImageBitmap(whole, { resizeWidth: fitted.width, resizeHeight: fitted.height, resizeQuality: "high" });
    whole.close();
  }
  return { id, bitmap, width, height };
}

async function fetched(url, signal) {
  let response;
  let body;
  try {
    response = await fetch(url, { signal, credentials: "same-origin" });
    body = await response.blob();
  } catch {
    throw new NoPicture("The server cannot be reached.", { away: "gone" });
  }
  if (!response.ok) throw refusal(response.status, await body.text());
  return body;
}

/** Why the server gives no picture. An error without a sentence of ours comes from a proxy before a server that is away. */
function refusal(status, text) {
  const sentence = sentenceOf(text);
  if (status === 401) return new NoPicture(sentence ?? "You are not signed in.", { away: "signed-out" });
  if (status >= 500 && !sentence) return new NoPicture(`The server answered ${status}.`, { away: "gone" });
  return new NoPicture(sentence ?? `The server answered ${status}.`, { final: status < 500 && status !== 429 });
}

function sentenceOf(text) {
  try {
    return JSON.parse(text).error ?? null;
  } catch {
    return null;
  }
}

/** The size that fits the box without growing the picture; null when the picture is as it should be. */
function fit(width, height, box) {
  const scale = Math.min(box.width / width, box.height / height);
  if (scale >= 1) return null;
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}
