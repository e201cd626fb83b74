/** Numbers of candles, the one place where the API sends JSON numbers: prices at fixed places, volumes at three digits. */

const COMPACT_STEPS = [
  { from: 1e12, letter: "T" },
  { from: 1e9, letter: "B" },
  { from: 1e6, letter: "M" },
  { from: 1e3, letter: "K" },
] as const;

/** Most places that a price is shown with; the finest listed asset in practice has 8. */
const MOST_PRICE_PLACES = 10;

/** Few enough places that a price of this size still reads well, before any candle tells what its tick is. */
export function guessPlaces(price: number): number {
  if (price >= 1) return 2;
  if (price <= 0) return 2;
  return Math.min(MOST_PRICE_PLACES, 3 - Math.floor(Math.log10(price)));
}

/** Places of the finest number among these: with some hundred candles that is the tick of the market. */
export function finestPlaces(prices: Iterable<number>): number {
  let places = 0;
  for (const price of prices) places = Math.max(places, placesOf(price));
  return Math.min(MOST_PRICE_PLACES, places);
}

/** A price at fixed places, thousands grouped. */
export function formatPrice(price: number, places: number): string {
  return price.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
}

/** A volume in about four digits: `0.0213`, `12.35`, `1.204K`. */
export function formatVolume(volume: number): string {
  const step = COMPACT_STEPS.find(({ from }) => volume >= from);
  const shown = step ? volume / step.from : volume;
  const places = shown >= 100 ? 1 : shown >= 1 || shown === 0 ? 2 : 4;
  return `${shown.toFixed(places)}${step?.letter ?? ""}`;
}

/** A volume on an axis, where zeros at the end are noise: `100`, `1.5K`. */
export function formatVolumeAxis(volume: number): string {
  return formatVolume(volume).replace(/\.?0+(?=[A-Z]?$)/, "");
}

/** A change in percent with its sign: `+0.42%`, `−1.10%`. */
export function formatPercent(ratio: number): string {
  const text = Math.abs(ratio * 100).toFixed(2);
  if (Number(text) === 0) return "0.00%";
  return `${ratio > 0 ? "+" : "−"}${text}%`;
}

function placesOf(price: number): number {
  // Twelve digits are more than a market uses and fewer than a float gets wrong.
  const [mantissa = "", exponent = "0"] = Number(price.toPrecision(12)).toString().split("e");
  return Math.max(0, (mantissa.split(".")[1] ?? "").length - Number(exponent));
}
