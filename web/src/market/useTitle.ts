/** The price in the tab's title, for those who work in another one. Once a second, so that the tab does not flicker. */
import { useEffect, useEffectEvent } from "react";
import { formatDecimal } from "../format/decimal";
import { guessPlaces } from "../format/numbers";
import { placesOf } from "./places";
import type { LivePrice } from "./useLivePrice";

const EVERY_MS = 1_000;

export function useTitle(symbol: string, price: LivePrice | undefined): void {
  const write = useEffectEvent(() => {
    document.title = price ? `${shown(symbol, price.last)} ${symbol} · Fondaco` : `${symbol} · Fondaco`;
  });
  useEffect(() => {
    write();
    const timer = setInterval(() => {
      write();
    }, EVERY_MS);
    return () => {
      clearInterval(timer);
    };
  }, [symbol]);
}

function shown(symbol: string, last: string): string {
  return formatDecimal(last, placesOf(symbol).get() ?? guessPlaces(Number(last)));
}
