/**
 * Decimal text, exactly: the API sends amounts as strings, and they stay strings (or whole numbers of their last place)
 * until they are drawn. A float would show prices that nobody traded at.
 */

/** A whole number of units, each of `10^-places`. */
interface Decimal {
  units: bigint;
  places: number;
}

/** Which way a number goes that has more places than are shown. */
export type Rounding = "nearest" | "down" | "up";

const PLAIN_DECIMAL = /^-?\d+(\.\d+)?$/;

/** Three-way comparison of two decimal texts, or `undefined` when one of them is none. */
export function compareDecimals(one: string, other: string): -1 | 0 | 1 | undefined {
  const pair = aligned(one, other);
  if (pair === undefined) return undefined;
  if (pair.one === pair.other) return 0;
  return pair.one < pair.other ? -1 : 1;
}

/** `one - other` as decimal text. */
export function subtractDecimals(one: string, other: string): string | undefined {
  const pair = aligned(one, other);
  return pair && toText({ units: pair.one - pair.other, places: pair.places });
}

/** How far `now` is from `before`, in percent of `before`, rounded to `places`. */
export function percentChange(now: string, before: string, places = 2): string | undefined {
  const pair = aligned(now, before);
  if (pair === undefined || pair.other === 0n) return undefined;
  const scaled = (pair.one - pair.other) * 100n * 10n ** BigInt(places);
  return toText({ units: divide(scaled, pair.other, "nearest"), places });
}

/** Decimal places that carry anything: `"61837.63000000"` has 2. */
export function usedPlaces(text: string): number {
  const fraction = text.split(".")[1] ?? "";
  return fraction.replace(/0+$/, "").length;
}

/** Text for a person: thousands grouped, exactly `places` decimals. What is no number comes back as a dash. */
export function formatDecimal(text: string | undefined, places: number, rounding: Rounding = "nearest"): string {
  const decimal = text === undefined ? undefined : parse(text);
  if (decimal === undefined) return "–";
  const units =
    decimal.places > places
      ? divide(decimal.units, 10n ** BigInt(decimal.places - places), rounding)
      : decimal.units * 10n ** BigInt(places - decimal.places);
  return groupThousands(toText({ units, places }));
}

/** The same with a sign in front of what is above zero, as changes are written. */
export function formatSigned(text: string | undefined, places: number): string {
  const shown = formatDecimal(text, places);
  return text !== undefined && compareDecimals(text, "0") === 1 ? `+${shown}` : shown;
}

function parse(text: string): Decimal | undefined {
  if (!PLAIN_DECIMAL.test(text)) return undefined;
  const [whole = "", fraction = ""] = text.split(".");
  return { units: BigInt(whole + fraction), places: fraction.length };
}

function aligned(one: string, other: string): { one: bigint; other: bigint; places: number } | undefined {
  const left = parse(one);
  const right = parse(other);
  if (left === undefined || right === undefined) return undefined;
  const places = Math.max(left.places, right.places);
  return {
    one: left.units * 10n ** BigInt(places - left.places),
    other: right.units * 10n ** BigInt(places - right.places),
    places,
  };
}

function divide(numerator: bigint, denominator: bigint, rounding: Rounding): bigint {
  const negative = numerator < 0n !== denominator < 0n;
  const size = numerator < 0n ? -numerator : numerator;
  const by = denominator < 0n ? -denominator : denominator;
  const whole = size / by;
  const rest = size % by;
  const away = rest > 0n && (rounding === "nearest" ? rest * 2n >= by : (rounding === "up") !== negative);
  const rounded = away ? whole + 1n : whole;
  return negative ? -rounded : rounded;
}

function toText({ units, places }: Decimal): string {
  const digits = (units < 0n ? -units : units).toString().padStart(places + 1, "0");
  const sign = units < 0n ? "-" : "";
  const whole = digits.slice(0, digits.length - places);
  return places === 0 ? sign + whole : `${sign}${whole}.${digits.slice(digits.length - places)}`;
}

function groupThousands(text: string): string {
  const [whole = "", fraction] = text.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  // A true minus sign is as wide as the plus, so a column of changes lines up.
  const signed = grouped.replace("-", "−");
  return fraction === undefined ? signed : `${signed}.${fraction}`;
}
