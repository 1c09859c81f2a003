// Talking to the server: JSON in, JSON out, and errors that are sentences.

/** What the server refused, or that it could not be reached (`status` 0: trying again may help). */
export class ApiError extends Error {
  constructor(sentence, fix, status) {
    super(fix ? `${sentence} ${fix}` : sentence);
    this.status = status;
  }

  /** Whether the same call may succeed later: no network, a server that restarts, too many calls at once. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** One call. Raises ApiError; 204 gives null. */
export async function call(method, path, body, { signal, keepalive = false } = {}) {
  let response;
  let text;
  try {
    response = await fetch(path, {
      method, signal, keepalive, credentials: "same-origin",
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await response.text(); // which fails where a server goes in the middle of its answer
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached.", "", 0);
  }
  if (response.status === 204) return null;
  const answer = parsed(text);
  // Some proxies end an answer that was cut off as if it were whole, or give a page of their own.
  if (response.ok && answer === null) throw new ApiError("The server's answer cannot be read.", "", 0);
  if (response.ok) return answer;
  throw new ApiError(answer?.error ?? `The server answered ${response.status}.`, answer?.fix ?? "", response.status);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * A question that is asked again and again. Its answers come as they like; one that comes after the answer to a later
 * question is out of date, and null stands for it.
 */
export function inOrder(ask) {
  let asked = 0;
  let latest = 0;
  return async (...given) => {
    const turn = ++asked;
    const answer = await ask(...given);
    if (turn < latest) return null;
    latest = turn;
    return answer;
  };
}

export const get = (path, options) => call("GET", path, undefined, options);
export const post = (path, body = {}, options = {}) => call("POST", path, body, options);
export const put = (path, body) => call("PUT", path, body);

/** Where a picture of a queue lies. `size`: thumb (384 px), screen (1,920 px) or full. */
export const imageUrl = (queueId, digest, size) => `/api/queues/${encodeURIComponent(queueId)}/images/${digest}/${size}`;

/** An id for an event, made here, so that sending it twice counts once. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // randomUUID exists only where the page came by https or from this machine; getRandomValues exists everywhere.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
