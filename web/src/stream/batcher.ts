/**
 * Gathers deliveries and runs them together, once per animation frame: the screen cannot show more, and React renders
 * once for all. A hidden page gets no animation frames, so a timer stands in for them.
 */

/** How long deliveries wait at most when no animation frame comes. */
const WITHOUT_FRAMES_MS = 250;

/** More deliveries than this in one batch are not worth their work: starting over from snapshots costs less. */
export const MOST_WAITING = 5_000;

export class FrameBatcher {
  private waiting: (() => void)[] = [];
  private cancelWake: (() => void) | undefined;
  private readonly onOverflow: () => void;

  constructor(onOverflow: () => void) {
    this.onOverflow = onOverflow;
  }

  add(delivery: () => void): void {
    if (this.waiting.length >= MOST_WAITING) {
      this.clear();
      this.onOverflow();
      return;
    }
    this.waiting.push(delivery);
    this.cancelWake ??= wakeOnce(() => {
      this.run();
    });
  }

  clear(): void {
    this.cancelWake?.();
    this.cancelWake = undefined;
    this.waiting = [];
  }

  private run(): void {
    const due = this.waiting;
    this.clear();
    for (const delivery of due) delivery();
  }
}

function wakeOnce(wake: () => void): () => void {
  const frames = typeof requestAnimationFrame === "function";
  const frame = frames ? requestAnimationFrame(wake) : undefined;
  const timer = setTimeout(wake, frames ? WITHOUT_FRAMES_MS : 0);
  return () => {
    if (frame !== undefined) cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}
