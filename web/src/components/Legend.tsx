/** The numbers of one candle: the one under the crosshair, else the newest. */
import { barName } from "../chart/axis";
import { formatPercent, formatPrice, formatVolume } from "../format/numbers";
import type { Zone } from "../format/time";
import type { Bar } from "../market/bars";
import styles from "./Legend.module.css";

interface LegendProps {
  bar: Bar | undefined;
  stepSeconds: number;
  zone: Zone;
  places: number;
}

export function Legend({ bar, stepSeconds, zone, places }: LegendProps) {
  const tone = bar && (bar.close >= bar.open ? "up" : "down");
  const price = (value: number | undefined): string => (value === undefined ? "–" : formatPrice(value, places));
  return (
    <div className={styles.legend} data-testid="legend" data-tone={tone}>
      <span className={styles.name}>{bar ? barName(bar.time, stepSeconds, zone) : ""}</span>
      <Value name="O" spoken="Open">
        {price(bar?.open)}
      </Value>
      <Value name="H" spoken="High">
        {price(bar?.high)}
      </Value>
      <Value name="L" spoken="Low">
        {price(bar?.low)}
      </Value>
      <Value name="C" spoken="Close">
        {price(bar?.close)}
      </Value>
      <Value name="V" spoken="Volume">
        {bar ? formatVolume(bar.volume) : "–"}
      </Value>
      <span className={styles.change}>{bar ? formatPercent(bar.close / bar.open - 1) : ""}</span>
      {bar?.gap && <span className={styles.gap}>trades missing</span>}
    </div>
  );
}

function Value({ name, spoken, children }: { name: string; spoken: string; children: string }) {
  return (
    <span className={styles.pair}>
      <abbr title={spoken}>{name}</abbr>
      <span className={styles.number}>{children}</span>
    </span>
  );
}
