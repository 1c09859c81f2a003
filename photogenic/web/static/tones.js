// What the pixels on the screen say: the histogram, and where highlights or shadows have lost their drawing.

const SIDE = 512;          // px: the histogram counts a picture of this size at most
const BLOWN = 254;         // a channel at or above has no drawing left
const BLOCKED = 1;         // all channels at or below

function pixels(bitmap, longest) {
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return { canvas, context, image: context.getImageData(0, 0, canvas.width, canvas.height) };
}

/** {red, green, blue: Uint32Array(256), blown, blocked: shares of the pixels, 0..1}. */
export function histogram(bitmap) {
  const { image: { data } } = pixels(bitmap, SIDE);
  const [red, green, blue] = [0, 1, 2].map(() => new Uint32Array(256));
  let blown = 0;
  let blocked = 0;
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
    red[r] += 1;
    green[g] += 1;
    blue[b] += 1;
    if (Math.max(r, g, b) >= BLOWN) blown += 1;
    else if (Math.max(r, g, b) <= BLOCKED) blocked += 1;
  }
  const total = data.length / 4;
  return { red, green, blue, blown: blown / total, blocked: blocked / total };
}

/** Draw a histogram: the channels add up to white where they overlap; heights are square roots, so that small tones show. */
export function drawHistogram(canvas, tones) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  const most = Math.sqrt(Math.max(...tones.red.subarray(2, 254), ...tones.green.subarray(2, 254), ...tones.blue.subarray(2, 254), 1));
  context.globalCompositeOperation = "lighter";
  for (const [channel, colour] of [["red", "#c8402f"], ["green", "#2f9a4a"], ["blue", "#3566cf"]]) {
    context.fillStyle = colour;
    context.beginPath();
    context.moveTo(0, height);
    for (let tone = 0; tone < 256; tone += 1) {
      context.lineTo(((tone + 0.5) / 256) * width, height * (1 - Math.min(1, Math.sqrt(tones[channel][tone]) / most)));
    }
    context.lineTo(width, height);
    context.fill();
  }
  context.globalCompositeOperation = "source-over";
}

/** A picture of the same shape, clear but for blown highlights (red) and blocked shadows (blue). */
export function clipping(bitmap) {
  const { canvas, context, image } = pixels(bitmap, 2048);
  const { data } = image;
  for (let i = 0; i < data.length; i += 4) {
    const highest = Math.max(data[i], data[i + 1], data[i + 2]);
    const [r, g, b, a] = highest >= BLOWN ? [255, 40, 40, 235] : highest <= BLOCKED ? [40, 90, 255, 235] : [0, 0, 0, 0];
    data[i] = r;
    data[i + 1] = g;
    data[i + 2] = b;
    data[i + 3] = a;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
