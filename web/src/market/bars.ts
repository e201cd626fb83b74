/**
 * The candles of one market and timeframe, kept from three sources: the stream's snapshot, its updates, and pages of
 * history over HTTP.
 *
 * Whom to believe: what the stream says last is right, a correction downwards included, since the server replaces its
 * provisional candle by the stored one. History fills in what the stream has not said, brings newer versions (more trades)
 * and is alone in knowing `gap`.
 *
 * Invariant: `bars` is ordered by time, each time once.
 */

/** One candle as it is drawn. `time` is its opening in whole seconds. */
export interface Bar {
  time: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  trades: number;
  closed: boolean;
  /** Trades are known to be missing inside this candle. */
  gap: boolean;
}

/** A candle of the stream, which does not know about gaps. */
export type StreamBar = Omit<Bar, "gap">;

/** What a merge did: nothing, touched the bars from an index to the end, or more than that. */
export type Change = { kind: "none" } | { kind: "tail"; from: number } | { kind: "reset" };

const NONE: Change = { kind: "none" };
const RESET: Change = { kind: "reset" };

/** How many bars from the end may change and still count as a change of the tail. */
const TAIL_BARS = 3;

export class BarSeries {
  private kept: Bar[] = [];

  get bars(): readonly Bar[] {
    return this.kept;
  }

  get first(): Bar | undefined {
    return this.kept[0];
  }

  get last(): Bar | undefined {
    return this.kept.at(-1);
  }

  /** Forget everything. */
  clear(): void {
    this.kept = [];
  }

  /** The bar that opens at exactly this time. */
  at(time: number): Bar | undefined {
    const index = this.lowerBound(time);
    const bar = this.kept[index];
    return bar?.time === time ? bar : undefined;
  }

  /**
   * Take the stream's snapshot: it replaces everything from its first bar on. Older bars stay when they reach it, and go
   * when bars may be missing in between (a long absence); scrolling back fetches them anew.
   */
  applySnapshot(snapshot: readonly StreamBar[]): Change {
    const start = snapshot[0];
    if (start === undefined) return NONE;
    const joined = this.last !== undefined && this.last.time >= start.time;
    const older = joined ? this.kept.slice(0, this.lowerBound(start.time)) : [];
    this.kept = [...older, ...snapshot.map((bar) => this.withGap(bar))];
    return RESET;
  }

  /** Take the stream's changed bars. */
  applyUpdate(changed: readonly StreamBar[]): Change {
    return this.put(changed.map((bar) => this.withGap(bar)));
  }

  /** Take a page of history. */
  mergeHistory(page: readonly Bar[]): Change {
    const accepted = page.flatMap((bar) => {
      const known = this.at(bar.time);
      if (known === undefined || bar.trades > known.trades) return [bar];
      return known.gap === bar.gap ? [] : [{ ...known, gap: bar.gap }];
    });
    return this.put(accepted);
  }

  private put(changed: readonly Bar[]): Change {
    const earliest = changed[0];
    if (earliest === undefined) return NONE;
    const lengthBefore = this.kept.length;
    const from = this.lowerBound(Math.min(...changed.map(({ time }) => time)));
    const merged = new Map(this.kept.slice(from).map((bar) => [bar.time, bar]));
    for (const bar of changed) merged.set(bar.time, bar);
    const tail = [...merged.values()].sort((one, other) => one.time - other.time);
    const inserted = tail
      .slice(0, lengthBefore - from)
      .some((bar, index) => bar.time !== this.kept[from + index]?.time);
    this.kept = [...this.kept.slice(0, from), ...tail];
    const small = lengthBefore > 0 && lengthBefore - from <= TAIL_BARS;
    return small && !inserted ? { kind: "tail", from } : RESET;
  }

  private withGap(bar: StreamBar): Bar {
    return { ...bar, gap: this.at(bar.time)?.gap ?? false };
  }

  private lowerBound(time: number): number {
    let low = 0;
    let high = this.kept.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.kept[middle]?.time ?? Infinity) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
