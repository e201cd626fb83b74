/** The tape: the newest trades first, each once, and never more than `TAPE_LENGTH` of them. */
import type { Tick } from "../api/types";
import type { TickRow } from "../stream/protocol";

export interface Trade {
  id: number;
  timeMs: number;
  price: string;
  quantity: string;
  /** The side of the taker, who made the trade happen. */
  side: "buy" | "sell";
}

export const TAPE_LENGTH = 60;

/** Put rows (oldest first, as they come) in front of what is shown. */
export function extendTape(shown: readonly Trade[], rows: readonly TickRow[]): readonly Trade[] {
  const newest = shown[0]?.id ?? -Infinity;
  const fresh = rows
    .slice(-TAPE_LENGTH)
    .filter(([id]) => id > newest)
    .map(toTrade)
    .reverse();
  return fresh.length === 0 ? shown : [...fresh, ...shown].slice(0, TAPE_LENGTH);
}

/** Put stored ticks (newest first) under what is shown, where they are older than all of it. */
export function fillTape(shown: readonly Trade[], stored: readonly Tick[]): readonly Trade[] {
  const oldest = shown.at(-1)?.id ?? Infinity;
  const older = stored.filter(({ id }) => id < oldest).map(fromStored);
  return older.length === 0 ? shown : [...shown, ...older].slice(0, TAPE_LENGTH);
}

function fromStored({ id, time, price, quantity, side }: Tick): Trade {
  return { id, timeMs: Date.parse(time), price, quantity, side };
}

function toTrade([id, timeMs, price, quantity, side]: TickRow): Trade {
  return { id, timeMs, price, quantity, side };
}
