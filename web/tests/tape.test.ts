import { describe, expect, it } from "vitest";
import { extendTape, fillTape, TAPE_LENGTH } from "../src/market/tape";
import type { Tick } from "../src/api/types";
import type { TickRow } from "../src/stream/protocol";

function row(id: number): TickRow {
  return [id, id * 10, "1.00000000", "2.00000000", id % 2 === 0 ? "buy" : "sell"];
}

function rows(from: number, to: number): TickRow[] {
  return Array.from({ length: to - from + 1 }, (_, index) => row(from + index));
}

describe("the tape", () => {
  it("puts the newest first", () => {
    const tape = extendTape(extendTape([], rows(1, 2)), rows(3, 4));
    expect(tape.map(({ id }) => id)).toEqual([4, 3, 2, 1]);
    expect(tape[0]).toEqual({ id: 4, timeMs: 40, price: "1.00000000", quantity: "2.00000000", side: "buy" });
  });

  it("shows each trade once", () => {
    const tape = extendTape(extendTape([], rows(1, 3)), rows(2, 4));
    expect(tape.map(({ id }) => id)).toEqual([4, 3, 2, 1]);
  });

  it("never grows beyond its length, whatever a flush brings", () => {
    const full = extendTape([], rows(1, TAPE_LENGTH + 1));
    expect(full).toHaveLength(TAPE_LENGTH);
    const next = extendTape(full, rows(1_000, 3_000));
    expect(next).toHaveLength(TAPE_LENGTH);
    expect(next[0]?.id).toBe(3_000);
  });

  it("stays the very same when nothing is new, so that nothing renders", () => {
    const tape = extendTape([], rows(1, 3));
    expect(extendTape(tape, rows(1, 3))).toBe(tape);
  });

  it("has stored trades under it, each once, and no more than its length", () => {
    const stored = (from: number, to: number): Tick[] =>
      Array.from({ length: from - to + 1 }, (_, index) => ({
        id: from - index,
        time: "2024-08-09T00:00:00.123456Z",
        price: "1.00000000",
        quantity: "2.00000000",
        side: "sell",
      }));
    const tape = extendTape([], rows(8, 9));
    expect(fillTape(tape, stored(8, 6)).map(({ id }) => id)).toEqual([9, 8, 7, 6]);
    expect(fillTape(tape, stored(9, 8))).toBe(tape);
    expect(fillTape([], stored(3, 1))[0]).toMatchObject({ id: 3, timeMs: Date.UTC(2024, 7, 9, 0, 0, 0, 123) });
    expect(fillTape(extendTape([], rows(101, 100 + TAPE_LENGTH - 1)), stored(100, 1))).toHaveLength(TAPE_LENGTH);
  });
});
