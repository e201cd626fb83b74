import { describe, expect, it } from "vitest";
import { type Bar, BarSeries, type StreamBar } from "../src/market/bars";
import { CUT_MARGIN, layOut, WIDEST_HOLE } from "../src/market/slots";

const STEP = 60;

function bar(minute: number, trades = 1, gap = false): Bar {
  return { time: minute * STEP, open: 1, high: 2, low: 1, close: trades, volume: 1, trades, closed: true, gap };
}

function streamBar(minute: number, trades = 1): StreamBar {
  return { time: minute * STEP, open: 1, high: 2, low: 1, close: trades, volume: 1, trades, closed: false };
}

function minutes(series: BarSeries): number[] {
  return series.bars.map(({ time }) => time / STEP);
}

describe("the series of candles", () => {
  it("moves its last bar with an update, and says that only the tail changed", () => {
    const series = new BarSeries();
    series.applySnapshot([streamBar(1), streamBar(2)]);
    expect(series.applyUpdate([streamBar(2, 9)])).toEqual({ kind: "tail", from: 1 });
    expect(series.last?.close).toBe(9);
    expect(series.applyUpdate([streamBar(3)])).toEqual({ kind: "tail", from: 2 });
    expect(minutes(series)).toEqual([1, 2, 3]);
  });

  it("believes the stream when it corrects a bar downwards", () => {
    const series = new BarSeries();
    series.applySnapshot([streamBar(1, 105)]);
    series.applyUpdate([streamBar(1, 100)]);
    expect(series.last?.trades).toBe(100);
  });

  it("takes from history what is newer or unknown, and gaps always", () => {
    const series = new BarSeries();
    series.applySnapshot([streamBar(2, 50), streamBar(3, 50)]);
    series.mergeHistory([bar(1, 7), bar(2, 40, true), bar(3, 60)]);
    expect(minutes(series)).toEqual([1, 2, 3]);
    expect(series.bars.map(({ trades }) => trades)).toEqual([7, 50, 60]);
    expect(series.bars.map(({ gap }) => gap)).toEqual([false, true, false]);
  });

  it("keeps a known gap through updates, until history says that it was filled", () => {
    const series = new BarSeries();
    series.mergeHistory([bar(1, 5, true)]);
    series.applyUpdate([streamBar(1, 6)]);
    expect(series.last?.gap).toBe(true);
    series.mergeHistory([bar(1, 6, false)]);
    expect(series.last?.gap).toBe(false);
  });

  it("keeps loaded history under a snapshot that reaches it", () => {
    const series = new BarSeries();
    series.mergeHistory([bar(1), bar(2), bar(3)]);
    series.applySnapshot([streamBar(3, 8), streamBar(4)]);
    expect(minutes(series)).toEqual([1, 2, 3, 4]);
    expect(series.at(3 * STEP)?.trades).toBe(8);
  });

  it("drops history that a snapshot after a long absence does not reach", () => {
    const series = new BarSeries();
    series.mergeHistory([bar(1), bar(2)]);
    series.applySnapshot([streamBar(900), streamBar(901)]);
    expect(minutes(series)).toEqual([900, 901]);
  });

  it("redraws when a bar comes in between, and says nothing when nothing changed", () => {
    const series = new BarSeries();
    series.applySnapshot([streamBar(1), streamBar(3)]);
    expect(series.applyUpdate([streamBar(2)])).toEqual({ kind: "reset" });
    expect(minutes(series)).toEqual([1, 2, 3]);
    expect(series.mergeHistory([bar(2), bar(3)])).toEqual({ kind: "none" });
    expect(series.applyUpdate([])).toEqual({ kind: "none" });
    expect(series.applySnapshot([])).toEqual({ kind: "none" });
  });

  it("stays in order whatever the order of pages and updates", () => {
    const series = new BarSeries();
    series.applyUpdate([streamBar(10)]);
    series.mergeHistory([bar(5), bar(6)]);
    series.applyUpdate([streamBar(11), streamBar(10, 2)]);
    series.mergeHistory([bar(1), bar(7)]);
    expect(minutes(series)).toEqual([1, 5, 6, 7, 10, 11]);
  });
});

describe("the axis", () => {
  it("keeps the width of minutes without a candle", () => {
    const { slots, breaks } = layOut([bar(1), bar(4)], STEP);
    expect(slots.map(({ time }) => time / STEP)).toEqual([1, 2, 3, 4]);
    expect(slots.map((slot) => slot.bar !== undefined)).toEqual([true, false, false, true]);
    expect(breaks).toEqual([]);
  });

  it("keeps the widest hole whole, and cuts one minute more, marked with what it leaves out", () => {
    const whole = layOut([bar(0), bar(WIDEST_HOLE + 1)], STEP);
    expect(whole.slots).toHaveLength(WIDEST_HOLE + 2);
    expect(whole.breaks).toEqual([]);
    const cut = layOut([bar(0), bar(WIDEST_HOLE + 2)], STEP);
    expect(cut.slots).toHaveLength(2 * CUT_MARGIN + 2);
    expect(cut.breaks).toEqual([{ time: (WIDEST_HOLE + 2 - CUT_MARGIN) * STEP, missing: WIDEST_HOLE + 1 }]);
    const times = cut.slots.map(({ time }) => time);
    expect(times).toEqual([...new Set(times)].sort((one, other) => one - other));
  });
});
