/**
 * From candles to slots on the time axis, honest about what is missing: a span without a candle keeps its width. Only a
 * hole too long to scroll through is cut short, and the cut is marked and says how much it leaves out.
 */
import type { Bar } from "./bars";

/** A place on the time axis; without `bar` it is white space. */
export interface Slot {
  time: number;
  bar?: Bar;
}

/** A hole that was cut short: drawn at `time`, it stands for `missing` candles that do not exist. */
export interface Break {
  time: number;
  missing: number;
}

/** The longest hole that keeps its full width, in candles. */
export const WIDEST_HOLE = 240;

/** What remains of a longer one on each side of the cut. */
export const CUT_MARGIN = 12;

/** Lay bars out on the axis, whose steps are `stepSeconds`. */
export function layOut(bars: readonly Bar[], stepSeconds: number): { slots: Slot[]; breaks: Break[] } {
  const slots: Slot[] = [];
  const breaks: Break[] = [];
  let previous: Bar | undefined;
  for (const bar of bars) {
    const hole = previous && holeBetween(previous.time, bar.time, stepSeconds);
    if (hole) slots.push(...hole.times.map((time) => ({ time })));
    if (hole?.cut) breaks.push(hole.cut);
    slots.push({ time: bar.time, bar });
    previous = bar;
  }
  return { slots, breaks };
}

function holeBetween(before: number, after: number, step: number): { times: number[]; cut?: Break } {
  const missing = Math.max(0, Math.round((after - before) / step) - 1);
  if (missing <= WIDEST_HOLE) return { times: steps(before + step, missing, step) };
  const left = steps(before + step, CUT_MARGIN, step);
  const right = steps(after - CUT_MARGIN * step, CUT_MARGIN, step);
  return { times: [...left, ...right], cut: { time: after - CUT_MARGIN * step, missing } };
}

function steps(from: number, count: number, step: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index * step);
}
