/**
 * Times as wall clocks, in UTC or in the zone of this computer.
 *
 * The offset is asked for each moment of its own, never once for the page: two candles of one chart can lie on both sides
 * of a change to summer time.
 */

export type Zone = "utc" | "local";

/** What a clock on the wall shows. `month` counts from 1. */
export interface WallClock {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** Seconds that the zone is ahead of UTC at that moment. */
export function offsetSeconds(timeMs: number, zone: Zone): number {
  return zone === "utc" ? 0 : -60 * new Date(timeMs).getTimezoneOffset();
}

/** The wall clock of the zone at that moment. */
export function wallClock(timeMs: number, zone: Zone): WallClock {
  const shifted = new Date(timeMs + 1000 * offsetSeconds(timeMs, zone));
  return {
    year: shifted.getUTCFullYear(),
    month: shifted.getUTCMonth() + 1,
    day: shifted.getUTCDate(),
    hour: shifted.getUTCHours(),
    minute: shifted.getUTCMinutes(),
    second: shifted.getUTCSeconds(),
  };
}

/** `14:05:07`, as on the tape. */
export function formatClock(timeMs: number, zone: Zone): string {
  const { hour, minute, second } = wallClock(timeMs, zone);
  return `${two(hour)}:${two(minute)}:${two(second)}`;
}

/** `14:05`, as on the axis. */
export function formatMinute(timeMs: number, zone: Zone): string {
  const { hour, minute } = wallClock(timeMs, zone);
  return `${two(hour)}:${two(minute)}`;
}

/** `9 Aug 2024`. */
export function formatDate(timeMs: number, zone: Zone): string {
  const { day, year } = wallClock(timeMs, zone);
  return `${day} ${monthName(timeMs, zone)} ${year}`;
}

/** `9 Aug 2024 14:05`. */
export function formatDateTime(timeMs: number, zone: Zone): string {
  return `${formatDate(timeMs, zone)} ${formatMinute(timeMs, zone)}`;
}

/** `Aug`. */
export function monthName(timeMs: number, zone: Zone): string {
  return MONTHS[wallClock(timeMs, zone).month - 1] ?? "";
}

/** `UTC`, `UTC+2` or `UTC−3:30`: what the zone's clock is set to at that moment. */
export function zoneOffsetName(timeMs: number, zone: Zone): string {
  const minutes = offsetSeconds(timeMs, zone) / 60;
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  const rest = size % 60 === 0 ? "" : `:${two(size % 60)}`;
  return `UTC${minutes > 0 ? "+" : "−"}${Math.floor(size / 60)}${rest}`;
}

/** `Europe/Zurich`, as the computer names its own zone. */
export function localZoneName(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** A span for a person, in its two largest units: `3 d 4 h`, `12 min`. */
export function formatSpan(seconds: number): string {
  const units = [
    { length: 86_400, name: "d" },
    { length: 3_600, name: "h" },
    { length: 60, name: "min" },
    { length: 1, name: "s" },
  ] as const;
  const first = units.findIndex(({ length }) => seconds >= length);
  if (first < 0) return "0 s";
  let rest = seconds;
  const parts = units.slice(first, first + 2).map(({ length, name }) => {
    const count = Math.floor(rest / length);
    rest -= count * length;
    return count > 0 ? `${count} ${name}` : "";
  });
  return parts.filter(Boolean).join(" ");
}

function two(value: number): string {
  return value.toString().padStart(2, "0");
}
