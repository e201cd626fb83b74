/** How many decimals the prices of a market are shown with: learned from its candles, kept for as long as the page lives. */
import { finestPlaces } from "../format/numbers";
import { createStore, type Store } from "../store/store";
import type { Bar } from "./bars";

/** Bars looked at; with so many, the finest price shows the tick of the market. */
const SAMPLE = 300;

/** Money reads oddly with fewer. */
const FEWEST_PLACES = 2;

const bySymbol = new Map<string, Store<number | undefined>>();

/** The places of a market, `undefined` before its first candles. */
export function placesOf(symbol: string): Store<number | undefined> {
  const known = bySymbol.get(symbol);
  if (known !== undefined) return known;
  const fresh = createStore<number | undefined>(undefined);
  bySymbol.set(symbol, fresh);
  return fresh;
}

/** Look at bars of a market. Places only ever grow, so that nothing on the page jumps to and fro. */
export function learnPlaces(symbol: string, bars: readonly Bar[]): void {
  const sample = bars.slice(-SAMPLE).flatMap(({ open, high, low, close }) => [open, high, low, close]);
  if (sample.length === 0) return;
  const store = placesOf(symbol);
  store.set(Math.max(FEWEST_PLACES, store.get() ?? 0, finestPlaces(sample)));
}
