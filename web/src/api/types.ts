/** What `/api/v1` answers, as far as the terminal reads it. Amounts are decimal text; only candles carry numbers. */
import type { Bar } from "../market/bars";

export interface Symbol {
  symbol: string;
  base: string;
  quote: string;
  price_scale: number;
  quantity_scale: number;
  source: string | null;
  label: string | null;
}

export interface SymbolsAnswer {
  symbols: Symbol[];
}

export interface CandlesAnswer {
  symbol: string;
  timeframe: string;
  source: string | null;
  candles: (Bar & { quote_volume: number })[];
}

/** A symbol's prices and its last 24 hours, as of `time`. */
export interface Prices {
  symbol: string;
  source: string;
  time: string;
  last: string;
  bid: string;
  ask: string;
  mid: string;
  spread: string;
  volume: string;
  volume_24h: string;
  high_24h: string;
  low_24h: string;
  change_24h: string;
  change_percent_24h: string;
}

export interface PricesAnswer {
  prices: Prices[];
}

/** A stored trade print; `side` is the taker's, `time` ISO-8601 with microseconds. */
export interface Tick {
  id: number;
  time: string;
  price: string;
  quantity: string;
  side: "buy" | "sell";
}

export interface TicksAnswer {
  symbol: string;
  source: string | null;
  ticks: Tick[];
}

/** An error as RFC 9457 has it, with a `code` that stays the same whatever the sentence says. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
}
