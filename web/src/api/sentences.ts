/** Errors in words that help: what is the matter, and what happens next. */
import { ApiError } from "./http";

export interface Sentence {
  title: string;
  detail: string;
}

const BY_CODE: Record<string, Sentence> = {
  database_unavailable: {
    title: "The database is starting",
    detail: "This takes a few seconds after the house opens. The page goes on by itself.",
  },
  unreachable: {
    title: "The house does not answer",
    detail: "It may be restarting, or this computer is offline. The page tries again by itself.",
  },
  feed_unavailable: {
    title: "No feed has been chosen yet",
    detail: "The house is looking for market data: Binance, a recording, or a simulation. The page goes on by itself.",
  },
  unknown_symbol: {
    title: "This market is not listed here",
    detail: "Choose another one from the list above.",
  },
};

/** The sentence for an error. */
export function sentenceFor(error: unknown): Sentence {
  if (!(error instanceof ApiError)) return { title: "Something went wrong", detail: "Reload the page to try again." };
  const known = BY_CODE[error.code];
  if (known !== undefined) return known;
  const next = error.passes ? "The page tries again by itself." : "Reload the page to try again.";
  return { title: "The house could not answer", detail: `${error.message} ${next}` };
}
