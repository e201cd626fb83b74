/** What the page asks the API for and shares between its parts. */
import { QueryClient, queryOptions } from "@tanstack/react-query";
import { getJson, retryWaitMs, shouldRetry } from "./http";
import type { PricesAnswer, SymbolsAnswer, TicksAnswer } from "./types";

/** The house writes a row of prices every 10 seconds; asking more often brings nothing new. */
const PRICES_EVERY_MS = 10_000;

/** A house that has just opened has none yet. */
const FIRST_PRICES_EVERY_MS = 2_000;

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: (_failures, error) => shouldRetry(error),
        retryDelay: (failures, error) => retryWaitMs(failures, error),
        // The house usually runs on this machine: a browser that calls itself offline can still reach it.
        networkMode: "always",
      },
    },
  });
}

/** The listed markets. Their source and label change when the feed does, so they are asked for again now and then. */
export const symbolsQuery = queryOptions({
  queryKey: ["symbols"],
  queryFn: ({ signal }) => getJson<SymbolsAnswer>("/api/v1/symbols", {}, signal),
  select: ({ symbols }) => symbols,
  staleTime: 60_000,
});

/** The last stored trades of a market. `version` sets one reading apart from the next. */
export function ticksQuery(symbol: string, limit: number, version: number) {
  return queryOptions({
    queryKey: ["ticks", symbol, limit, version],
    queryFn: ({ signal }) => getJson<TicksAnswer>("/api/v1/ticks", { symbol, limit: String(limit) }, signal),
    select: ({ ticks }) => ticks,
    staleTime: Infinity,
    gcTime: 0,
  });
}

/** Prices and 24-hour figures of every market. */
export const pricesQuery = queryOptions({
  queryKey: ["prices"],
  queryFn: ({ signal }) => getJson<PricesAnswer>("/api/v1/prices", {}, signal),
  select: ({ prices }) => prices,
  refetchInterval: ({ state }) => (state.data?.prices.length ? PRICES_EVERY_MS : FIRST_PRICES_EVERY_MS),
});
