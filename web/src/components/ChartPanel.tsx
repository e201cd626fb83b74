/** The candles of a market: timeframes on top, the numbers of a candle over it, and what is to say when there is none. */
import { useState, useSyncExternalStore } from "react";
import { sentenceFor } from "../api/sentences";
import { guessPlaces } from "../format/numbers";
import type { Bar } from "../market/bars";
import type { CandleSession, SessionStatus } from "../market/candleSession";
import { placesOf } from "../market/places";
import { spokenTimeframe, type Timeframe, TIMEFRAMES } from "../market/timeframes";
import { useFeed } from "../market/useFeed";
import { useSession } from "../market/useSession";
import { zoneStore } from "../preferences/preferences";
import { useStore } from "../store/store";
import { ChartCanvas } from "./ChartCanvas";
import styles from "./ChartPanel.module.css";
import { Legend } from "./Legend";
import { Notice } from "./Notice";
import { Segmented } from "./Segmented";

interface ChartPanelProps {
  symbol: string;
  timeframe: Timeframe;
  onTimeframe: (timeframe: Timeframe) => void;
}

const SEGMENTS = TIMEFRAMES.map((timeframe) => ({
  id: timeframe,
  text: timeframe,
  spoken: spokenTimeframe(timeframe),
  testId: `timeframe-${timeframe}`,
}));

export function ChartPanel({ symbol, timeframe, onTimeframe }: ChartPanelProps) {
  const session = useSession(symbol, timeframe);
  const status = useStore(session.status);
  const zone = useStore(zoneStore);
  const [pointed, setPointed] = useState<Bar>();
  const [following, setFollowing] = useState(true);
  const newest = useNewestBar(session);
  const places = useStore(placesOf(symbol)) ?? guessPlaces(newest?.close ?? 1);
  return (
    <section className={styles.panel} aria-label="Chart">
      <div className={styles.toolbar}>
        <Segmented<Timeframe>
          label="Length of a candle"
          segments={SEGMENTS}
          chosen={timeframe}
          onChoose={onTimeframe}
          testId="timeframes"
          quiet
        />
      </div>
      <div className={styles.stage} data-status={status.kind}>
        <ChartCanvas
          session={session}
          zone={zone}
          places={places}
          summary={summary(symbol, timeframe, newest)}
          onPoint={setPointed}
          onFollowing={setFollowing}
          following={following}
        />
        <div className={styles.overlay}>
          <Legend bar={pointed ?? newest} stepSeconds={session.stepSeconds} zone={zone} places={places} />
        </div>
        <StatusNotice status={status} symbol={symbol} />
      </div>
    </section>
  );
}

/** The newest bar, rendering again when it changes. */
function useNewestBar(session: CandleSession): Bar | undefined {
  return useSyncExternalStore(session.onChange, () => session.series.last);
}

function StatusNotice({ status, symbol }: { status: SessionStatus; symbol: string }) {
  switch (status.kind) {
    case "ready":
      return null;
    case "empty":
      return <EmptyNotice symbol={symbol} />;
    case "failed":
      return <Notice {...sentenceFor(status.problem)} />;
    case "loading":
      return status.problem ? (
        <Notice {...sentenceFor(status.problem)} busy />
      ) : (
        <Notice title="Loading candles" busy />
      );
  }
}

function EmptyNotice({ symbol }: { symbol: string }) {
  const feed = useFeed();
  if (feed && !feed.symbols.includes(symbol)) {
    return (
      <Notice title={`The running feed does not bring ${symbol}`} detail={`It brings ${feed.symbols.join(", ")}.`} />
    );
  }
  return (
    <Notice
      title={`No candles of ${symbol} yet`}
      detail="They appear here with the first trade that the feed brings."
    />
  );
}

function summary(symbol: string, timeframe: Timeframe, newest: Bar | undefined): string {
  const candles = `Candles of ${symbol}, ${spokenTimeframe(timeframe)} each`;
  return newest ? `${candles}; the newest closes at ${newest.close}` : candles;
}
