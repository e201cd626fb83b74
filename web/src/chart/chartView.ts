/**
 * The chart itself, without React: candles, volume in a pane of its own, marks for what is missing.
 *
 * It draws one `BarSeries` and is told what changed in it. A change of the tail costs one point; anything else lays out
 * everything anew, which keeps the right edge where it is, so older history slides in unseen.
 */
import {
  CandlestickSeries,
  createChartEx,
  HistogramSeries,
  type IChartApiBase,
  type ISeriesApi,
  type LogicalRange,
  type MouseEventParams,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import type { Zone } from "../format/time";
import type { Bar, BarSeries, Change } from "../market/bars";
import { layOut, type Slot } from "../market/slots";
import { zoneOfAxis } from "./axis";
import { GapMarks } from "./gapMarks";
import {
  BAR_SPACING,
  behaviourOptions,
  candleOptions,
  paletteOptions,
  priceFormatOptions,
  RIGHT_OFFSET,
  volumeOptions,
  zoneOptions,
} from "./options";
import type { Palette } from "./palette";
import { ZonedTimeScale } from "./zonedTimeScale";

export interface ChartEvents {
  /** The crosshair is on this bar, or on none. */
  onPoint: (bar: Bar | undefined) => void;
  /** The person scrolled to where the loaded history ends. */
  onNearOldest: () => void;
  /** Whether the newest bar is in view. */
  onFollowing: (following: boolean) => void;
}

/** A bar on the screen. */
export interface DrawnBar {
  time: number;
  open: number;
  high: number;
  low: number;
  close: number;
}

/** So many bars before the oldest one, more are asked for. */
const NEAR_OLDEST_BARS = 60;

export class ChartView {
  private readonly scale = new ZonedTimeScale();
  private readonly chart: IChartApiBase;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly volumes: ISeriesApi<"Histogram">;
  private readonly marks: GapMarks;
  private readonly events: ChartEvents;
  private palette: Palette;
  private zone: Zone = "utc";
  private stepSeconds = 60;
  private series: BarSeries | undefined;
  private newestDrawn = -Infinity;
  private gapsDrawn: ReadonlySet<number> = new Set();
  /** Bar under the crosshair that the keyboard moves. */
  private pointed: number | undefined;

  constructor(container: HTMLElement, palette: Palette, events: ChartEvents) {
    this.palette = palette;
    this.events = events;
    this.chart = createChartEx<Time, ZonedTimeScale>(container, this.scale, behaviourOptions());
    this.candles = this.chart.addSeries(CandlestickSeries, candleOptions(palette));
    this.volumes = this.chart.addSeries(HistogramSeries, volumeOptions(), 1);
    this.chart.panes()[0]?.setStretchFactor(5);
    this.chart.panes()[1]?.setStretchFactor(1);
    this.volumes.priceScale().applyOptions({ scaleMargins: { top: 0.15, bottom: 0 } });
    this.marks = new GapMarks(palette);
    this.candles.attachPrimitive(this.marks);
    this.chart.applyOptions(paletteOptions(palette));
    this.chart.subscribeCrosshairMove((event) => {
      this.pointAt(event);
    });
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      this.lookAround(range);
    });
  }

  remove(): void {
    this.chart.remove();
  }

  /** Show a series from its newest bar on; what was shown before goes. */
  open(series: BarSeries, stepSeconds: number): void {
    this.series = series;
    this.stepSeconds = stepSeconds;
    this.pointed = undefined;
    this.applyZone();
    this.drawAll();
    this.chart.timeScale().applyOptions({ barSpacing: BAR_SPACING, rightOffset: RIGHT_OFFSET });
    this.chart.timeScale().scrollToPosition(RIGHT_OFFSET, false);
    this.candles.priceScale().applyOptions({ autoScale: true });
  }

  /** The series changed. */
  apply(change: Change): void {
    if (this.series === undefined || change.kind === "none") return;
    if (change.kind === "reset") this.drawAll();
    else this.drawTail(this.series.bars, change.from);
  }

  /** The newest bar as the library has it: what is on the screen, not what should be. */
  lastDrawn(): DrawnBar | undefined {
    const point = this.candles.data().at(-1);
    return point !== undefined && "close" in point ? { ...point, time: Number(point.time) } : undefined;
  }

  barCount(): number {
    return this.series?.bars.length ?? 0;
  }

  setPlaces(places: number): void {
    this.candles.applyOptions(priceFormatOptions(places));
  }

  setZone(zone: Zone): void {
    if (zone === this.zone) return;
    this.zone = zone;
    this.applyZone();
    // The library weighs the points of its axis when they come, so they have to come again.
    const range = this.chart.timeScale().getVisibleLogicalRange();
    this.candles.setData([]);
    this.volumes.setData([]);
    this.drawAll();
    if (range !== null) this.chart.timeScale().setVisibleLogicalRange(range);
  }

  setPalette(palette: Palette): void {
    this.palette = palette;
    this.chart.applyOptions(paletteOptions(palette));
    this.candles.applyOptions(candleOptions(palette));
    this.marks.setPalette(palette);
    this.drawAll();
  }

  scrollToNewest(): void {
    this.clearPointer();
    this.chart.timeScale().scrollToPosition(RIGHT_OFFSET, false);
  }

  scrollToOldest(): void {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (range === null) return;
    this.chart.timeScale().setVisibleLogicalRange({ from: 0, to: range.to - range.from });
  }

  scrollBy(bars: number): void {
    const scale = this.chart.timeScale();
    scale.scrollToPosition(scale.scrollPosition() + bars, false);
  }

  zoom(factor: number): void {
    const scale = this.chart.timeScale();
    scale.applyOptions({ barSpacing: Math.min(60, Math.max(1, scale.options().barSpacing * factor)) });
  }

  /** Put the crosshair on the bar so many further on, beginning at the newest, and keep it in view. */
  movePointer(bars: number): void {
    const all = this.series?.bars ?? [];
    const start = this.pointed ?? all.length;
    const index = Math.min(all.length - 1, Math.max(0, start + bars));
    const bar = all[index];
    if (bar === undefined) return;
    this.pointed = index;
    this.chart.setCrosshairPosition(bar.close, bar.time as UTCTimestamp, this.candles);
    const x = this.chart.timeScale().timeToCoordinate(bar.time as UTCTimestamp);
    const width = this.chart.timeScale().width();
    if (x === null || x < 0 || x > width) this.scrollBy(Math.sign(bars) * 20);
  }

  clearPointer(): void {
    this.pointed = undefined;
    this.chart.clearCrosshairPosition();
    this.events.onPoint(undefined);
  }

  private applyZone(): void {
    const zone = zoneOfAxis(this.zone, this.stepSeconds);
    this.scale.zone = zone;
    this.chart.applyOptions(zoneOptions(zone, this.stepSeconds));
  }

  private drawAll(): void {
    const bars = this.series?.bars ?? [];
    const { slots, breaks } = layOut(bars, this.stepSeconds);
    this.candles.setData(slots.map(toCandle));
    this.volumes.setData(bars.map((bar) => this.toVolume(bar)));
    const gaps = bars.filter(({ gap }) => gap).map(({ time }) => time);
    this.marks.show({ gaps, breaks, stepSeconds: this.stepSeconds });
    this.gapsDrawn = new Set(gaps);
    this.newestDrawn = bars.at(-1)?.time ?? -Infinity;
  }

  private drawTail(bars: readonly Bar[], from: number): void {
    const changed = bars.slice(Math.max(0, from - 1));
    const { slots, breaks } = layOut(changed, this.stepSeconds);
    const marksChanged = changed.some(({ time, gap }) => gap !== this.gapsDrawn.has(time));
    if (breaks.length > 0 || marksChanged) {
      this.drawAll();
      return;
    }
    for (const slot of slots) {
      const historical = slot.time < this.newestDrawn;
      if (historical && slot.bar === undefined) continue; // white space that is there already
      this.candles.update(toCandle(slot), historical);
      if (slot.bar) this.volumes.update(this.toVolume(slot.bar), historical);
    }
    this.newestDrawn = bars.at(-1)?.time ?? -Infinity;
  }

  private toVolume({ time, volume, open, close }: Bar): { time: UTCTimestamp; value: number; color: string } {
    const color = close >= open ? this.palette.upVolume : this.palette.downVolume;
    return { time: time as UTCTimestamp, value: volume, color };
  }

  private pointAt(event: MouseEventParams): void {
    const bar = event.time === undefined ? undefined : this.series?.at(Number(event.time));
    this.events.onPoint(bar);
  }

  private lookAround(range: LogicalRange | null): void {
    const last = this.series?.last;
    if (range === null || last === undefined) return;
    if (range.from < NEAR_OLDEST_BARS) this.events.onNearOldest();
    this.events.onFollowing(this.chart.timeScale().scrollPosition() > -1);
  }
}

function toCandle({ time, bar }: Slot): { time: UTCTimestamp; open: number; high: number; low: number; close: number } {
  // A slot without a bar is white space, which the library takes as a point with nothing but a time.
  if (bar === undefined) return { time: time as UTCTimestamp } as ReturnType<typeof toCandle>;
  return { time: time as UTCTimestamp, open: bar.open, high: bar.high, low: bar.low, close: bar.close };
}
