/** The market's price as it moves, with the direction of its last move. */
import { useState } from "react";
import { useChannel } from "../app/services";
import { compareDecimals } from "../format/decimal";
import type { PriceNow } from "../stream/protocol";

export type Direction = "up" | "down" | "none";

export interface LivePrice extends PriceNow {
  direction: Direction;
}

export function useLivePrice(symbol: string): LivePrice | undefined {
  const [price, setPrice] = useState<LivePrice>();
  useChannel(`prices:${symbol}`, (next) => {
    setPrice((before) => (next === null ? undefined : { ...next, direction: directionOf(before, next) }));
  });
  return price?.symbol === symbol ? price : undefined;
}

function directionOf(before: LivePrice | undefined, next: PriceNow): Direction {
  if (before?.symbol !== next.symbol) return "none";
  const order = compareDecimals(next.last, before.last);
  if (order === 1) return "up";
  return order === -1 ? "down" : before.direction;
}
