/**
 * The market's last trades, newest first. A server that has just started has none in memory: then the stored ones stand
 * under those that come.
 */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ticksQuery } from "../api/queries";
import { useChannel } from "../app/services";
import { extendTape, fillTape, TAPE_LENGTH, type Trade } from "./tape";

interface TapeOf {
  symbol: string;
  /** How many snapshots there were. */
  snapshots: number;
  trades: readonly Trade[];
}

/** `undefined` until the first snapshot, and while it is not known whether trades were stored before. */
export function useTape(symbol: string): readonly Trade[] | undefined {
  const [tape, setTape] = useState<TapeOf>({ symbol, snapshots: 0, trades: [] });
  useChannel(`ticks:${symbol}`, (rows, kind) => {
    setTape((before) => {
      const goesOn = kind === "update" && before.symbol === symbol;
      return {
        symbol,
        snapshots: goesOn ? before.snapshots : before.snapshots + 1,
        trades: extendTape(goesOn ? before.trades : [], rows),
      };
    });
  });
  const current = tape.symbol === symbol && tape.snapshots > 0;
  const isShort = current && tape.trades.length < TAPE_LENGTH;
  const stored = useQuery({ ...ticksQuery(symbol, TAPE_LENGTH, tape.snapshots), enabled: isShort });
  if (!current) return undefined;
  const trades = isShort ? fillTape(tape.trades, stored.data ?? []) : tape.trades;
  return trades.length === 0 && stored.isPending ? undefined : trades;
}
