/**
 * The chart's time axis in a zone of our choice.
 *
 * The library thinks in UTC. Shifting the times of the candles would make its axis read right and break twice a year, when
 * an hour of local time comes twice or not at all. So times stay UTC, labels are written in the zone (`axis.ts`), and this
 * class answers the one question that is left: which points of the axis begin a new day, hour or minute *on that clock*,
 * and so deserve the bolder label.
 */
import { defaultHorzScaleBehavior, type IHorzScaleBehavior, type Time } from "lightweight-charts";
import { offsetSeconds, type Zone } from "../format/time";

/** How much a border on the wall clock weighs, in the library's own numbers. */
const YEAR_WEIGHT = 70;
const MONTH_WEIGHT = 60;
const DAY_WEIGHT = 50;
const WITHIN_DAY = [
  { seconds: 43_200, weight: 33 },
  { seconds: 21_600, weight: 32 },
  { seconds: 10_800, weight: 31 },
  { seconds: 3_600, weight: 30 },
  { seconds: 1_800, weight: 22 },
  { seconds: 300, weight: 21 },
  { seconds: 60, weight: 20 },
  { seconds: 1, weight: 10 },
] as const;

type TimeBehavior = IHorzScaleBehavior<Time>;
type Points = Parameters<TimeBehavior["fillWeightsForPoints"]>[0];

/** Weight of the border between two moments, given as seconds of the wall clock. */
export function borderWeight(beforeSeconds: number, seconds: number): number {
  const before = new Date(beforeSeconds * 1000);
  const now = new Date(seconds * 1000);
  if (before.getUTCFullYear() !== now.getUTCFullYear()) return YEAR_WEIGHT;
  if (before.getUTCMonth() !== now.getUTCMonth()) return MONTH_WEIGHT;
  if (before.getUTCDate() !== now.getUTCDate()) return DAY_WEIGHT;
  const crossed = WITHIN_DAY.find(
    ({ seconds: length }) => Math.floor(beforeSeconds / length) !== Math.floor(seconds / length),
  );
  return crossed?.weight ?? 0;
}

const LibraryTimeScale = defaultHorzScaleBehavior();

/** The library's behaviour, with the weights of the wall clock that `zone` shows. */
export class ZonedTimeScale extends LibraryTimeScale {
  zone: Zone = "utc";

  override fillWeightsForPoints(points: Points, startIndex: number): void {
    for (let index = startIndex; index < points.length; index += 1) {
      const point = points[index];
      if (point === undefined) continue;
      const before = points[index - 1];
      // The first point has nothing before it: the distance to the next one stands in.
      const beforeSeconds = before ? this.seconds(before) : 2 * this.seconds(point) - this.seconds(points[1] ?? point);
      point.timeWeight = borderWeight(this.onClock(beforeSeconds), this.onClock(this.seconds(point))) as never;
    }
  }

  private seconds(point: Points[number]): number {
    return Number(this.key(point.time));
  }

  private onClock(seconds: number): number {
    return seconds + offsetSeconds(seconds * 1000, this.zone);
  }
}
