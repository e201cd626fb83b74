/** The market at a glance: which one, what it costs, how its last 24 hours went. */
import { useQuery } from "@tanstack/react-query";
import { pricesQuery } from "../api/queries";
import type { Prices, Symbol } from "../api/types";
import { compareDecimals, formatDecimal, formatSigned, percentChange, subtractDecimals } from "../format/decimal";
import { formatVolume, guessPlaces } from "../format/numbers";
import { placesOf } from "../market/places";
import type { LivePrice } from "../market/useLivePrice";
import { useStore } from "../store/store";
import styles from "./MarketHeader.module.css";
import { SymbolSelect } from "./SymbolSelect";

interface MarketHeaderProps {
  symbol: string;
  symbols: readonly Symbol[];
  price: LivePrice | undefined;
  onSymbol: (symbol: string) => void;
}

export function MarketHeader({ symbol, symbols, price, onSymbol }: MarketHeaderProps) {
  const prices = useQuery(pricesQuery).data ?? [];
  const day = prices.find((each) => each.symbol === symbol);
  const last = price?.last ?? day?.last;
  const learned = useStore(placesOf(symbol));
  const places = learned ?? (last === undefined ? 2 : guessPlaces(Number(last)));
  const listing = symbols.find((each) => each.symbol === symbol);
  return (
    <header className={styles.header}>
      <SymbolSelect symbol={symbol} symbols={symbols} prices={prices} onChoose={onSymbol} />
      <p
        className={styles.price}
        data-testid="last-price"
        data-direction={price?.direction ?? "none"}
        data-value={last}
      >
        <span className="visually-hidden">Last price: </span>
        {formatDecimal(last, places)}
        <span className={styles.quote}>{listing?.quote}</span>
      </p>
      <DayFigures day={day} price={price} places={places} base={listing?.base} />
    </header>
  );
}

interface DayFiguresProps {
  day: Prices | undefined;
  price: LivePrice | undefined;
  places: number;
  base: string | undefined;
}

function DayFigures({ day, price, places, base }: DayFiguresProps) {
  const last = price?.last ?? day?.last;
  const change = changeOfDay(day, last);
  const bid = price?.bid ?? day?.bid;
  const ask = price?.ask ?? day?.ask;
  const trend = change === undefined ? undefined : compareDecimals(change.amount, "0");
  return (
    <dl className={styles.figures} data-testid="day-figures">
      <Figure name="24h change" tone={trend === 1 ? "up" : trend === -1 ? "down" : undefined} wide>
        {change ? `${formatSigned(change.amount, places)}  ${formatSigned(change.percent, 2)}%` : "–"}
      </Figure>
      <Figure name="24h high">{formatDecimal(extreme(day?.high_24h, last, 1), places)}</Figure>
      <Figure name="24h low">{formatDecimal(extreme(day?.low_24h, last, -1), places)}</Figure>
      <Figure name={base ? `24h volume ${base}` : "24h volume"}>
        {day ? formatVolume(Number(day.volume_24h)) : "–"}
      </Figure>
      {/* Quoted prices round outward, as the house does: never better than what would be traded. */}
      <Figure name="Bid">{formatDecimal(bid, places, "down")}</Figure>
      <Figure name="Ask">{formatDecimal(ask, places, "up")}</Figure>
      <Figure name="Spread">{spreadText(bid, ask)}</Figure>
    </dl>
  );
}

interface FigureProps {
  name: string;
  tone?: "up" | "down" | undefined;
  wide?: boolean;
  children: string;
}

function Figure({ name, tone, wide = false, children }: FigureProps) {
  return (
    <div className={wide ? styles.wideFigure : styles.figure}>
      <dt>{name}</dt>
      <dd data-tone={tone}>{children}</dd>
    </div>
  );
}

/** The change against the price of 24 hours ago, which the last row of figures implies, up to the live price. */
function changeOfDay(
  day: Prices | undefined,
  last: string | undefined,
): { amount: string; percent: string } | undefined {
  if (day === undefined || last === undefined) return undefined;
  const before = subtractDecimals(day.last, day.change_24h);
  const amount = before && subtractDecimals(last, before);
  const percent = before && percentChange(last, before);
  return amount !== undefined && percent !== undefined ? { amount, percent } : undefined;
}

/** The day's high (`order` 1) or low (-1), moved along by a live price beyond it. */
function extreme(known: string | undefined, last: string | undefined, order: 1 | -1): string | undefined {
  if (known === undefined || last === undefined) return known;
  return compareDecimals(last, known) === order ? last : known;
}

/** The spread in percent of the bid, the unit in which spreads of all markets compare. */
function spreadText(bid: string | undefined, ask: string | undefined): string {
  if (bid === undefined || ask === undefined) return "–";
  const percent = percentChange(ask, bid, 3);
  if (percent === undefined) return "–";
  return `${formatDecimal(percent, 3)}%`;
}
