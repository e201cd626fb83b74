/** What a person chose, kept in the browser: time zone, theme, and where they were last. */
import { isTimeframe, type Timeframe } from "../market/timeframes";
import type { Zone } from "../format/time";
import { persistedStore } from "../store/persisted";

export type Theme = "dark" | "light";

/** `system` follows `prefers-color-scheme`. */
export type ThemeChoice = Theme | "system";

export const zoneStore = persistedStore<Zone>("zone", (value) => value === "utc" || value === "local", "local");

export const themeChoiceStore = persistedStore<ThemeChoice>(
  "theme",
  (value) => value === "dark" || value === "light" || value === "system",
  "system",
);

export const timeframeStore = persistedStore<Timeframe>("timeframe", isTimeframe, "1m");

export const symbolStore = persistedStore<string | null>("symbol", (value) => typeof value === "string", null);
