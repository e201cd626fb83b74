/** How the chart looks and behaves, in the library's words. */
import {
  type CandlestickSeriesPartialOptions,
  type ChartOptions,
  ColorType,
  CrosshairMode,
  type DeepPartial,
  type HistogramSeriesPartialOptions,
  type TickMarkType,
  type Time,
} from "lightweight-charts";
import { formatPrice, formatVolumeAxis } from "../format/numbers";
import type { Zone } from "../format/time";
import { axisLabel, barName } from "./axis";
import type { Palette } from "./palette";

export const BAR_SPACING = 8;

/** Empty bars to the right of the newest one. */
export const RIGHT_OFFSET = 6;

export function behaviourOptions(): DeepPartial<ChartOptions> {
  return {
    autoSize: true,
    crosshair: { mode: CrosshairMode.Normal },
    timeScale: { timeVisible: true, barSpacing: BAR_SPACING, rightOffset: RIGHT_OFFSET, minBarSpacing: 0.5 },
    rightPriceScale: { scaleMargins: { top: 0.16, bottom: 0.08 }, minimumWidth: 76 },
    // The page scrolls under a finger that moves up and down; the chart takes the rest.
    handleScroll: { vertTouchDrag: false },
    kineticScroll: { touch: !prefersStillness(), mouse: false },
  };
}

export function paletteOptions(palette: Palette): DeepPartial<ChartOptions> {
  const guide = { color: palette.crosshair, labelBackgroundColor: palette.label };
  return {
    layout: {
      background: { type: ColorType.Solid, color: palette.surface },
      textColor: palette.text,
      fontFamily: "'Inter Variable', system-ui, sans-serif",
      fontSize: 11,
      panes: { separatorColor: palette.line, separatorHoverColor: palette.grid, enableResize: true },
    },
    grid: { vertLines: { color: palette.grid }, horzLines: { color: palette.grid } },
    crosshair: { vertLine: guide, horzLine: guide },
    rightPriceScale: { borderColor: palette.line },
    timeScale: { borderColor: palette.line },
  };
}

export function zoneOptions(zone: Zone, stepSeconds: number): DeepPartial<ChartOptions> {
  return {
    localization: { timeFormatter: (time: Time) => barName(Number(time), stepSeconds, zone) },
    timeScale: {
      tickMarkFormatter: (time: Time, type: TickMarkType) => axisLabel(Number(time), type, zone),
    },
  };
}

export function candleOptions(palette: Palette): CandlestickSeriesPartialOptions {
  return {
    upColor: palette.up,
    downColor: palette.down,
    wickUpColor: palette.up,
    wickDownColor: palette.down,
    borderVisible: false,
    priceLineWidth: 1,
  };
}

export function priceFormatOptions(places: number): CandlestickSeriesPartialOptions {
  return {
    priceFormat: {
      type: "custom",
      minMove: 10 ** -places,
      formatter: (price: number) => formatPrice(price, places),
    },
  };
}

export function volumeOptions(): HistogramSeriesPartialOptions {
  return {
    priceFormat: { type: "custom", minMove: 1e-8, formatter: formatVolumeAxis },
    priceLineVisible: false,
    lastValueVisible: false,
  };
}

function prefersStillness(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
