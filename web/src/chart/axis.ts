/** What the chart writes about times, in the zone that is shown. */
import { TickMarkType } from "lightweight-charts";
import { formatClock, formatDate, formatDateTime, formatMinute, monthName, wallClock, type Zone } from "../format/time";
import { DAY_S } from "../market/timeframes";

/** Candles of a day or a week are days of UTC; in another zone they would carry the name of the day before or after. */
export function zoneOfAxis(zone: Zone, stepSeconds: number): Zone {
  return stepSeconds >= DAY_S ? "utc" : zone;
}

/** Label of a point on the axis. */
export function axisLabel(seconds: number, type: TickMarkType, zone: Zone): string {
  const timeMs = seconds * 1000;
  switch (type) {
    case TickMarkType.Year:
      return String(wallClock(timeMs, zone).year);
    case TickMarkType.Month:
      return monthName(timeMs, zone);
    case TickMarkType.DayOfMonth:
      return `${wallClock(timeMs, zone).day} ${monthName(timeMs, zone)}`;
    case TickMarkType.Time:
      return formatMinute(timeMs, zone);
    case TickMarkType.TimeWithSeconds:
      return formatClock(timeMs, zone);
  }
}

/** Name of a candle: when it opened. */
export function barName(seconds: number, stepSeconds: number, zone: Zone): string {
  const timeMs = seconds * 1000;
  return stepSeconds >= DAY_S ? `${formatDate(timeMs, "utc")} (UTC)` : formatDateTime(timeMs, zone);
}
