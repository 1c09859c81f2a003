// <photo-stage>: one picture on the neutral surround, painted from decoded pixels; fit or zoomed, dragged, wheeled,
// pinched. The view is a place in the picture and a scale, so it survives the next picture and can be shared with
// another stage (compare).

const FIT = { zoomed: false, scale: 1, x: 0.5, y: 0.5 };
const LARGEST = 8;

/** Emits "view" when a person moved or zoomed, "shown" when a picture was drawn, "wants-full" when zoomed without full pixels. */
export class PhotoStage extends HTMLElement {
  connectedCallback() {
    if (this.canvas) return;
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.append(this.canvas);
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.view = { ...FIT };
    this.overlays = { thirds: false, clipping: null };
    this.pointers = new Map();
    this.sizes = new ResizeObserver(() => this.resized());
    this.sizes.observe(this);
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      this.addEventListener(kind, (event) => this[kind](event));
    }
    this.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.resized();
  }

  /** The room for a picture, in device pixels. */
  get box() {
    return { width: this.canvas.width, height: this.canvas.height };
  }

  resized() {
    const ratio = devicePixelRatio;
    const width = Math.max(1, Math.round(this.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.clientHeight * ratio));
    if (width === this.canvas.width && height === this.canvas.height) return;
    this.canvas.width = width;
    this.canvas.height = height;
    this.draw();
    // Panels that open change the size more than once: what is dear to do waits until it rests.
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.dispatchEvent(new Event("resized")), 150);
  }

  /** Show a picture: {bitmap, width, height (of the whole picture, px), full?: bitmap, label}. Null empties the stage. */
  show(picture) {
    this.picture = picture;
    this.canvas.setAttribute("aria-label", picture?.label ?? "No picture yet");
    this.draw();
    if (picture?.bitmap) this.dispatchEvent(new CustomEvent("shown", { detail: picture, bubbles: true }));
    this.askForFull();
  }

  /** The pixels of the original, as long as their cache holds them: a bitmap that was let go has no width. */
  get full() {
    return this.picture?.full?.width ? this.picture.full : null;
  }

  askForFull() {
    if (this.view.zoomed && this.picture && !this.full) this.dispatchEvent(new Event("wants-full"));
  }

  /** Full pixels have come for the picture that is shown. */
  sharpen(full) {
    if (!this.picture) return;
    this.picture.full = full;
    if (this.view.zoomed) this.draw();
  }

  /** Fit <-> 100 % (one picture pixel on one screen pixel), around `at` or where it was before. */
  toggleZoom(at) {
    const zoomed = !this.view.zoomed;
    this.setView({ ...this.view, zoomed, scale: 1, ...(zoomed && at ? at : {}) }, true);
  }

  setView(view, byHand = false) {
    this.view = this.bounded(view);
    this.classList.toggle("zoomed", view.zoomed);
    this.draw();
    this.askForFull();
    if (byHand) this.dispatchEvent(new CustomEvent("view", { detail: this.view }));
  }

  /** Keep the picture in the window: no side leaves more surround than fitting would. */
  bounded(view) {
    if (!this.picture || !view.zoomed) return view;
    const keep = (place, picture, room) => {
      const half = room / (2 * picture * view.scale);
      return half >= 0.5 ? 0.5 : Math.min(1 - half, Math.max(half, place));
    };
    return {
      ...view,
      x: keep(view.x, this.picture.width, this.canvas.width),
      y: keep(view.y, this.picture.height, this.canvas.height),
    };
  }

  get fitScale() {
    const { width, height } = this.picture;
    return Math.min(this.canvas.width / width, this.canvas.height / height, Math.max(1, devicePixelRatio));
  }

  /** Where the picture lies on the canvas now: {x, y, width, height} in device pixels. */
  frame() {
    const { width, height } = this.picture;
    const zoomed = this.view.zoomed;
    const scale = zoomed ? this.view.scale : this.fitScale;
    const [w, h] = [width * scale, height * scale];
    const view = zoomed ? this.bounded(this.view) : FIT;
    return {
      x: Math.round(this.canvas.width / 2 - view.x * w), y: Math.round(this.canvas.height / 2 - view.y * h),
      width: Math.round(w), height: Math.round(h),
    };
  }

  draw() {
    const { context, canvas, picture } = this;
    if (!context) return;
    context.fillStyle = getComputedStyle(this).backgroundColor;
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!picture?.bitmap) return;
    const at = this.frame();
    const pixels = (this.view.zoomed && this.full) || picture.bitmap;
    const same = pixels.width === at.width && pixels.height === at.height;
    context.imageSmoothingEnabled = !same;
    context.imageSmoothingQuality = at.width < pixels.width ? "high" : "medium";
    context.drawImage(pixels, at.x, at.y, at.width, at.height);
    if (this.overlays.clipping) context.drawImage(this.overlays.clipping, at.x, at.y, at.width, at.height);
    if (this.overlays.thirds) this.drawThirds(at);
  }

  drawThirds(at) {
    const { context } = this;
    const lines = (colour, shift) => {
      context.strokeStyle = colour;
      context.beginPath();
      for (const share of [1 / 3, 2 / 3]) {
        const [x, y] = [Math.round(at.x + share * at.width) + shift, Math.round(at.y + share * at.height) + shift];
        context.moveTo(x, at.y);
        context.lineTo(x, at.y + at.height);
        context.moveTo(at.x, y);
        context.lineTo(at.x + at.width, y);
      }
      context.stroke();
    };
    context.lineWidth = Math.max(1, Math.round(devicePixelRatio));
    lines("rgb(0 0 0 / 55%)", 1.5);
    lines("rgb(255 255 255 / 75%)", 0.5);
  }

  setOverlay(name, value) {
    this.overlays[name] = value;
    this.draw();
  }

  /** The place in the picture (0..1) under a pointer. */
  placeOf(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const at = this.frame();
    const ratio = this.canvas.width / bounds.width;
    return {
      x: ((event.clientX - bounds.left) * ratio - at.x) / at.width,
      y: ((event.clientY - bounds.top) * ratio - at.y) / at.height,
    };
  }

  pointerdown(event) {
    if (!this.picture || event.button !== 0) return;
    this.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    this.travelled = this.pointers.size > 1;
  }

  pointermove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    if (this.pointers.size === 2) this.pinch(event);
    else this.drag(before, event);
  }

  drag(before, event) {
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    if (!this.travelled && Math.hypot(dx, dy) < 5) return;
    this.travelled = true;
    this.pointers.set(event.pointerId, event);
    if (!this.view.zoomed) return;
    const at = this.frame();
    const view = this.bounded(this.view);
    this.setView({ ...view, x: view.x - (dx * devicePixelRatio) / at.width, y: view.y - (dy * devicePixelRatio) / at.height }, true);
  }

  pinch(event) {
    const [a, b] = [...this.pointers.values()];
    const other = a.pointerId === event.pointerId ? b : a;
    const before = this.pointers.get(event.pointerId);
    const spread = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const factor = spread(event) / Math.max(1, spread(before));
    this.pointers.set(event.pointerId, event);
    this.zoomBy(factor, { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 });
  }

  pointerup(event) {
    if (!this.pointers.delete(event.pointerId) || this.travelled) return;
    this.toggleZoom(this.placeOf(event));
  }

  pointercancel(event) {
    this.pointers.delete(event.pointerId);
  }

  wheel(event) {
    if (!this.picture) return;
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY / 400), event);
  }

  /** Grow or shrink around a pointer; below the fitting size the picture fits again. */
  zoomBy(factor, pointer) {
    const place = this.placeOf(pointer);
    const now = this.view.zoomed ? this.view.scale : this.fitScale;
    const scale = Math.min(LARGEST, now * factor);
    if (scale <= this.fitScale) return this.setView({ ...this.view, zoomed: false }, true);
    const bounds = this.canvas.getBoundingClientRect();
    const ratio = this.canvas.width / bounds.width;
    const offset = (client, start, room, size) => ((client - start) * ratio - room / 2) / (size * scale);
    return this.setView({
      zoomed: true, scale,
      x: place.x - offset(pointer.clientX, bounds.left, this.canvas.width, this.picture.width),
      y: place.y - offset(pointer.clientY, bounds.top, this.canvas.height, this.picture.height),
    }, true);
  }
}

customElements.define("photo-stage", PhotoStage);
