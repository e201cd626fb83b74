/** The chart draws on a canvas, where CSS variables do not reach: its colours are read from the tokens. */

export interface Palette {
  surface: string;
  text: string;
  grid: string;
  line: string;
  crosshair: string;
  label: string;
  up: string;
  down: string;
  upVolume: string;
  downVolume: string;
  gap: string;
  gapText: string;
}

const TOKENS: Record<keyof Palette, string> = {
  surface: "--surface",
  text: "--text-2",
  grid: "--chart-grid",
  line: "--line",
  crosshair: "--text-3",
  label: "--chart-label",
  up: "--up",
  down: "--down",
  upVolume: "--up-volume",
  downVolume: "--down-volume",
  gap: "--gap",
  gapText: "--gap-text",
};

/** The colours of the theme in force. */
export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const entries = Object.entries(TOKENS).map(([name, token]) => [name, style.getPropertyValue(token).trim()]);
  return Object.fromEntries(entries) as Palette;
}
