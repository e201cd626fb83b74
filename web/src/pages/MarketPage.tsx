/** One market: its price and last day on top, candles, and the tape beside them. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect } from "react";
import { symbolsQuery } from "../api/queries";
import type { Symbol } from "../api/types";
import { ChartPanel } from "../components/ChartPanel";
import { MarketHeader } from "../components/MarketHeader";
import { Tape } from "../components/Tape";
import { useLivePrice } from "../market/useLivePrice";
import { useTitle } from "../market/useTitle";
import type { Timeframe } from "../market/timeframes";
import { symbolStore, timeframeStore } from "../preferences/preferences";
import { useStore } from "../store/store";
import styles from "./MarketPage.module.css";

const route = getRouteApi("/markets/$symbol");

export function MarketPage() {
  const usual = useStore(timeframeStore);
  const timeframe = route.useSearch().timeframe ?? usual;
  const navigate = route.useNavigate();
  const symbols = useQuery(symbolsQuery);
  const asked = route.useParams().symbol;
  const listing = symbols.data && findListing(symbols.data, asked);
  const symbol = listing?.symbol ?? asked.toUpperCase();
  const price = useLivePrice(symbol);
  useTitle(symbol, price);
  useEffect(() => {
    if (listing) symbolStore.set(listing.symbol);
  }, [listing]);

  const chooseTimeframe = (next: Timeframe): void => {
    timeframeStore.set(next);
    void navigate({ search: { timeframe: next }, replace: true });
  };
  const chooseSymbol = (next: string): void => {
    void navigate({ params: { symbol: next }, search: { timeframe } });
  };

  return (
    <main className={styles.page}>
      <h1 className="visually-hidden">{pairName(listing, symbol)}</h1>
      <MarketHeader symbol={symbol} symbols={symbols.data ?? []} price={price} onSymbol={chooseSymbol} />
      <ChartPanel symbol={symbol} timeframe={timeframe} onTimeframe={chooseTimeframe} />
      <Tape symbol={symbol} listing={listing} />
    </main>
  );
}

/** The market by any of the spellings that the house takes: `BTCUSDT`, `btc-usdt`, or `btc` for the USDT pair. */
function findListing(symbols: readonly Symbol[], spelling: string): Symbol | undefined {
  const symbol = spelling.replace(/[/-]/g, "").toUpperCase();
  return symbols.find((each) => each.symbol === symbol) ?? symbols.find((each) => each.symbol === `${symbol}USDT`);
}

function pairName(listing: Symbol | undefined, symbol: string): string {
  return listing ? `${listing.base}/${listing.quote}` : symbol;
}
