/** The nine lengths of candle that the house keeps. All are whole spans of UTC; weeks open on Monday. */

export const TIMEFRAMES = ["1m", "2m", "5m", "10m", "15m", "1h", "4h", "1d", "1w"] as const;

export type Timeframe = (typeof TIMEFRAMES)[number];

export const DAY_S = 86_400;

const LENGTH_S: Record<Timeframe, number> = {
  "1m": 60,
  "2m": 120,
  "5m": 300,
  "10m": 600,
  "15m": 900,
  "1h": 3_600,
  "4h": 14_400,
  "1d": DAY_S,
  "1w": 7 * DAY_S,
};

const SPOKEN: Record<string, string> = { m: "minute", h: "hour", d: "day", w: "week" };

/** Whether a text from outside (an address, say) names a timeframe. */
export function isTimeframe(text: unknown): text is Timeframe {
  return TIMEFRAMES.some((timeframe) => timeframe === text);
}

/** Length of a candle in seconds. */
export function lengthSeconds(timeframe: Timeframe): number {
  return LENGTH_S[timeframe];
}

/** `15 minutes`, for those who hear the page. */
export function spokenTimeframe(timeframe: Timeframe): string {
  const count = Number.parseInt(timeframe);
  const unit = SPOKEN[timeframe.slice(-1)] ?? "";
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
