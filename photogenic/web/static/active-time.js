// How long a person really worked: time between signs of life, each gap counted up to a limit.

const LONGEST_GAP_MS = 20_000;

export class ActiveTime {
  constructor() {
    this.total = 0;
    this.last = performance.now();
    for (const kind of ["keydown", "pointerdown", "pointermove", "wheel", "input"]) {
      addEventListener(kind, () => this.mark(), { capture: true, passive: true });
    }
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.mark();
      else this.last = performance.now();
    });
  }

  mark() {
    const now = performance.now();
    if (!document.hidden || now - this.last < 1000) this.total += Math.min(now - this.last, LONGEST_GAP_MS);
    this.last = now;
  }

  /** Milliseconds since the last call. */
  lap() {
    this.mark();
    const spent = Math.round(this.total);
    this.total = 0;
    return spent;
  }
}
