// Fetches and decodes pictures beside the page's own thread, so that a key is never behind a decoder.
// In: {id, url, box: {width, height} | null} or {drop: id}. Out: {id, bitmap, width, height} or {id, error}.

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
    if (running.delete(data.id)) self.postMessage({ id: data.id, error: error.message || String(error) });
  }
};

async function decoded({ id, url, box }, signal) {
  const response = await fetch(url, { signal, credentials: "same-origin" });
  if (!response.ok) throw new Error(response.status === 404 ? "This picture is not in the queue any more." : `The server answered ${response.status}.`);
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

/** The size that fills the box without growing the picture; null when the picture is as it should be. */
function fit(width, height, box) {
  const scale = Math.min(box.width / width, box.height / height);
  if (scale >= 1) return null;
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}
