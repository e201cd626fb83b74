/**
 * The count of one channel's frames: tells a frame to deliver from one that does not follow what we have.
 *
 * Each frame's `seq` is one above the last. A conflated frame stands for several and jumps by as many. Anything else means
 * that frames were lost, and what is on the screen can no longer be trusted: only a new snapshot heals that.
 */
import type { ChannelFrame } from "./protocol";

export type Verdict = "deliver" | "ignore" | "resync";

export class ChannelSequence {
  private last: number | undefined;

  /** Whether frames are ignored until a snapshot comes. */
  get waiting(): boolean {
    return this.last === undefined;
  }

  /** Trust nothing before the next snapshot. */
  awaitSnapshot(): void {
    this.last = undefined;
  }

  /** Judge a frame, and count it when it is to be delivered. */
  judge(frame: ChannelFrame): Verdict {
    if (frame.type === "snapshot") {
      this.last = frame.seq;
      return "deliver";
    }
    if (this.last === undefined || frame.seq <= this.last) return "ignore";
    const steps = frame.seq - this.last;
    if (steps > Math.max(1, frame.conflated ?? 1)) {
      this.awaitSnapshot();
      return "resync";
    }
    this.last = frame.seq;
    return "deliver";
  }
}
