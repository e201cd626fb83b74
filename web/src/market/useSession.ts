/** The candles of a market and timeframe, for as long as they are shown. */
import { useEffect, useMemo } from "react";
import { useStream } from "../app/services";
import { CandleSession } from "./candleSession";
import { learnPlaces } from "./places";
import type { Timeframe } from "./timeframes";

export function useSession(symbol: string, timeframe: Timeframe): CandleSession {
  const stream = useStream();
  const session = useMemo(() => new CandleSession(symbol, timeframe, stream), [symbol, timeframe, stream]);
  useEffect(() => {
    const stopLearning = session.onChange((change) => {
      if (change.kind === "reset") learnPlaces(session.symbol, session.series.bars);
    });
    session.open();
    return () => {
      stopLearning();
      session.close();
    };
  }, [session]);
  return session;
}
