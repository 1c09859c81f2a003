// Fetches and decodes pictures beside the page's own thread, so that a key is never behind a decoder.
// In: {id, url, box: {width, height} | null} or {drop: id}. Out: {id, bitmap, width, height} or {id, error, final}.

const running = new Map();

self.onmessage = async ({ data }) => {
  if (data.drop !== undefined) {
    running.get(data.drop)?.abort();
    running.delete(data.drop);
    return;
  }
  const stop = new AbortController();
  running.set(data.id, stop);
  try {
    const answer = await decoded(data, stop.signal);
    if (running.delete(data.id)) self.postMessage(answer, [answer.bitmap]);
    else answer.bitmap.close();
  } catch (error) {
    if (running.delete(data.id)) self.postMessage({ id: data.id, error: error.message || String(error), final: error.final });
  }
};

async function decoded({ id, url, box }, signal) {
  const response = await fetch(url, { signal, credentials: "same-origin" });
  if (!response.ok) throw await refusal(response);
  let bitmap = await createImageBitmap(await response.blob());
  const { width, height } = bitmap;
  const fitted = box ? fit(width, height, box) : null;
  if (fitted) {
    const whole = bitmap;
    bitmap = await createImageBitmap(whole, { resizeWidth: fitted.width, resizeHeight: fitted.height, resizeQuality: "high" });
    whole.close();
  }
  return { id, bitmap, width, height };
}

/** Why there is no picture; `final` where asking again would not help. */
async function refusal(response) {
  const answer = await response.json().catch(() => null);
  const error = new Error(answer?.error ?? `The server answered ${response.status}.`);
  error.final = response.status >= 400 && response.status < 500 && response.status !== 429;
  return error;
}

/** The size that fills the box without growing the picture; null when the picture is as it should be. */
function fit(width, height, box) {
  const scale = Math.min(box.width / width, box.height / height);
  if (scale >= 1) return null;
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}
