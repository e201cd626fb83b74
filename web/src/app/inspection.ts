/**
 * `window.fondaco`: a look inside, read-only, for tests and for the curious at the console. It shows what the chart has
 * drawn and offers nothing that could change it.
 */
import type { ChartView, DrawnBar } from "../chart/chartView";

export interface Inspection {
  /** The newest bar as the chart has it, or null while there is none. `time` is its opening in Unix seconds. */
  lastBar: () => Readonly<DrawnBar> | null;
  /** How many bars are loaded. */
  barCount: () => number;
}

declare global {
  interface Window {
    fondaco?: Inspection;
  }
}

let shown: ChartView | undefined;

/** Say which chart is on the page now. */
export function inspect(view: ChartView | undefined): void {
  shown = view;
}

export function installInspection(): void {
  window.fondaco = Object.freeze({
    lastBar: () => shown?.lastDrawn() ?? null,
    barCount: () => shown?.barCount() ?? 0,
  });
}
