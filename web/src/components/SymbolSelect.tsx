/** Which market: a list with the last price and change of each. */
import { Button, ListBox, ListBoxItem, Popover, Select, SelectValue } from "react-aria-components";
import type { Prices, Symbol } from "../api/types";
import { formatDecimal, formatSigned, usedPlaces } from "../format/decimal";
import { guessPlaces } from "../format/numbers";
import styles from "./SymbolSelect.module.css";

interface SymbolSelectProps {
  symbol: string;
  symbols: readonly Symbol[];
  prices: readonly Prices[];
  onChoose: (symbol: string) => void;
}

export function SymbolSelect({ symbol, symbols, prices, onChoose }: SymbolSelectProps) {
  const chosen = symbols.find((each) => each.symbol === symbol);
  return (
    <Select
      aria-label="Market"
      className={styles.select}
      value={chosen ? symbol : null}
      onChange={(key) => {
        if (typeof key === "string") onChoose(key);
      }}
    >
      <Button className={styles.button} data-testid="symbol-select">
        <SelectValue className={styles.value}>
          {chosen ? <PairName base={chosen.base} quote={chosen.quote} /> : symbol}
        </SelectValue>
        <svg className={styles.arrow} viewBox="0 0 12 12" aria-hidden="true">
          <path d="m3 4.5 3 3 3-3" />
        </svg>
      </Button>
      <Popover className={styles.popover} placement="bottom start" offset={6}>
        <ListBox className={styles.list} items={symbols} dependencies={[prices]}>
          {(item) => (
            <ListBoxItem
              id={item.symbol}
              className={styles.item}
              textValue={`${item.base} ${item.quote}`}
              data-testid={`symbol-${item.symbol}`}
            >
              <PairName base={item.base} quote={item.quote} />
              <DayOf prices={prices.find((each) => each.symbol === item.symbol)} />
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </Select>
  );
}

function PairName({ base, quote }: { base: string; quote: string }) {
  return (
    <span className={styles.pair}>
      {base}
      <span className={styles.quote}>/{quote}</span>
    </span>
  );
}

function DayOf({ prices }: { prices: Prices | undefined }) {
  if (prices === undefined) return <span className={styles.none}>No trades yet</span>;
  const percent = prices.change_percent_24h;
  const places = Math.max(guessPlaces(Number(prices.last)), Math.min(8, usedPlaces(prices.last)));
  return (
    <>
      <span className={styles.last}>{formatDecimal(prices.last, places)}</span>
      <span className={styles.change} data-tone={percent.startsWith("-") ? "down" : "up"}>
        {`${formatSigned(percent, 2)}%`}
      </span>
    </>
  );
}
