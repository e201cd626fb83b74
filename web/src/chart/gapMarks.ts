/**
 * Draws what is missing: a band behind each candle with trades missing inside, and a dashed line where a long hole was cut
 * short, with the span it leaves out.
 */
import type {
  IChartApiBase,
  IPrimitivePaneRenderer,
  IPrimitivePaneView,
  ISeriesPrimitive,
  SeriesAttachedParameter,
  UTCTimestamp,
} from "lightweight-charts";
import { formatSpan } from "../format/time";
import type { Break } from "../market/slots";
import type { Palette } from "./palette";

type DrawTarget = Parameters<IPrimitivePaneRenderer["draw"]>[0];

interface Marks {
  /** Opening times of candles with missing trades. */
  gaps: readonly number[];
  breaks: readonly Break[];
  stepSeconds: number;
}

/** Words nearer to the left edge than this would be cut off. */
const LEAST_ROOM_PX = 18;

export class GapMarks implements ISeriesPrimitive, IPrimitivePaneView, IPrimitivePaneRenderer {
  private marks: Marks = { gaps: [], breaks: [], stepSeconds: 60 };
  private attachedTo: { chart: IChartApiBase; redraw: () => void } | undefined;
  private palette: Palette;

  constructor(palette: Palette) {
    this.palette = palette;
  }

  show(marks: Marks): void {
    this.marks = marks;
    this.attachedTo?.redraw();
  }

  setPalette(palette: Palette): void {
    this.palette = palette;
    this.attachedTo?.redraw();
  }

  attached({ chart, requestUpdate }: SeriesAttachedParameter): void {
    this.attachedTo = { chart, redraw: requestUpdate };
  }

  detached(): void {
    this.attachedTo = undefined;
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return [this];
  }

  zOrder(): "bottom" {
    return "bottom";
  }

  renderer(): IPrimitivePaneRenderer {
    return this;
  }

  draw(target: DrawTarget): void {
    const chart = this.attachedTo?.chart;
    if (chart === undefined) return;
    const scale = chart.timeScale();
    const at = (time: number): number | null => scale.timeToCoordinate(time as UTCTimestamp);
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      const width = scale.options().barSpacing;
      const { height } = mediaSize;
      let runEnds = -Infinity;
      for (const time of this.marks.gaps) {
        const x = at(time);
        if (x === null) continue;
        context.fillStyle = this.palette.gap;
        context.fillRect(x - width / 2, 0, width, height);
        // One name for a run of them, beside its first.
        if (time > runEnds) this.write(context, x - width / 2, height, "trades missing");
        runEnds = time + this.marks.stepSeconds;
      }
      for (const each of this.marks.breaks) {
        const x = at(each.time);
        if (x !== null) this.drawBreak(context, x - width / 2, height, each);
      }
    });
  }

  private drawBreak(context: CanvasRenderingContext2D, x: number, height: number, { missing }: Break): void {
    context.strokeStyle = this.palette.gapText;
    context.lineWidth = 1;
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, height);
    context.stroke();
    context.setLineDash([]);
    this.write(context, x, height, `${formatSpan(missing * this.marks.stepSeconds)} without data`);
  }

  /** Words along the left of a line, upwards from the bottom. */
  private write(context: CanvasRenderingContext2D, x: number, height: number, words: string): void {
    if (x < LEAST_ROOM_PX) return;
    context.save();
    context.translate(x - 6, height - 8);
    context.rotate(-Math.PI / 2);
    context.font = "500 11px 'Inter Variable', system-ui, sans-serif";
    context.fillStyle = this.palette.gapText;
    context.fillText(words, 0, 0);
    context.restore();
  }
}
