/** The last trades, newest on top, coloured by who made them happen. */
import { memo } from "react";
import type { Symbol } from "../api/types";
import { formatDecimal, usedPlaces } from "../format/decimal";
import { guessPlaces } from "../format/numbers";
import { formatClock, type Zone, zoneOffsetName } from "../format/time";
import { placesOf } from "../market/places";
import type { Trade } from "../market/tape";
import { useTape } from "../market/useTape";
import { zoneStore } from "../preferences/preferences";
import { useStore } from "../store/store";
import { Notice } from "./Notice";
import styles from "./Tape.module.css";

/** Most decimals of a quantity, so that a column fits its place. */
const MOST_QUANTITY_PLACES = 6;

export function Tape({ symbol, listing }: { symbol: string; listing: Symbol | undefined }) {
  const trades = useTape(symbol);
  const newest = trades?.[0];
  const zone = useStore(zoneStore);
  const learned = useStore(placesOf(symbol));
  const pricePlaces = learned ?? guessPlaces(Number(newest?.price ?? 1));
  const quantityPlaces = finestQuantity(trades ?? []);
  return (
    <section className={styles.tape} aria-label="Last trades" data-testid="tape">
      <h2 className={styles.title}>Trades</h2>
      <div className={styles.columns} aria-hidden="true">
        <span>Price{listing ? ` ${listing.quote}` : ""}</span>
        <span>Amount{listing ? ` ${listing.base}` : ""}</span>
        <span>Time{newest ? ` ${zoneOffsetName(newest.timeMs, zone)}` : ""}</span>
      </div>
      {trades?.length === 0 && <Notice title="No trades yet" detail="The first one appears here as it happens." />}
      <ol className={styles.rows}>
        {trades?.map((trade) => (
          <TradeRow
            key={trade.id}
            trade={trade}
            zone={zone}
            pricePlaces={pricePlaces}
            quantityPlaces={quantityPlaces}
          />
        ))}
      </ol>
    </section>
  );
}

interface TradeRowProps {
  trade: Trade;
  zone: Zone;
  pricePlaces: number;
  quantityPlaces: number;
}

const TradeRow = memo(function TradeRow({ trade, zone, pricePlaces, quantityPlaces }: TradeRowProps) {
  return (
    <li className={styles.row} data-side={trade.side} data-trade-id={trade.id}>
      <span className={styles.price}>
        <span className="visually-hidden">{trade.side === "buy" ? "Bought at " : "Sold at "}</span>
        {formatDecimal(trade.price, pricePlaces)}
      </span>
      <span>{formatDecimal(trade.quantity, quantityPlaces)}</span>
      <time className={styles.time} dateTime={new Date(trade.timeMs).toISOString()}>
        {formatClock(trade.timeMs, zone)}
      </time>
    </li>
  );
});

function finestQuantity(trades: readonly Trade[]): number {
  const places = trades.reduce((most, { quantity }) => Math.max(most, usedPlaces(quantity)), 2);
  return Math.min(MOST_QUANTITY_PLACES, places);
}
