import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TickMarkType } from "lightweight-charts";
import { axisLabel, barName, zoneOfAxis } from "../src/chart/axis";
import { borderWeight, ZonedTimeScale } from "../src/chart/zonedTimeScale";
import { formatClock, formatDateTime, formatSpan, offsetSeconds, zoneOffsetName } from "../src/format/time";
import { DAY_S } from "../src/market/timeframes";

const HOUR_MS = 3_600_000;

/** The computer's own zone, which Node reads anew whenever it is set. */
function setZone(name: string | undefined): void {
  if (name === undefined) delete process.env["TZ"];
  else process.env["TZ"] = name;
}

describe("wall clocks", () => {
  let before: string | undefined;
  beforeEach(() => {
    before = process.env["TZ"];
    setZone("Europe/Zurich");
  });
  afterEach(() => {
    setZone(before);
  });

  it("skip the hour that spring takes", () => {
    const change = Date.UTC(2026, 2, 29, 1);
    expect(formatClock(change - 1000, "local")).toBe("01:59:59");
    expect(formatClock(change, "local")).toBe("03:00:00");
    expect(zoneOffsetName(change - 1, "local")).toBe("UTC+1");
    expect(zoneOffsetName(change, "local")).toBe("UTC+2");
  });

  it("show the hour that autumn gives twice, with the offset of each", () => {
    const change = Date.UTC(2026, 9, 25, 1);
    expect(formatDateTime(change - HOUR_MS / 2, "local")).toBe("25 Oct 2026 02:30");
    expect(formatDateTime(change + HOUR_MS / 2, "local")).toBe("25 Oct 2026 02:30");
    expect([change - 1, change].map((at) => offsetSeconds(at, "local") / 3600)).toEqual([2, 1]);
  });

  it("know offsets of less than an hour", () => {
    setZone("America/St_Johns");
    expect(zoneOffsetName(Date.UTC(2026, 0, 1), "local")).toBe("UTC−3:30");
    setZone("Asia/Kathmandu");
    expect(zoneOffsetName(Date.UTC(2026, 0, 1), "local")).toBe("UTC+5:45");
    expect(zoneOffsetName(Date.UTC(2026, 0, 1), "utc")).toBe("UTC");
  });

  it("name days of UTC by their UTC date, wherever the reader is", () => {
    setZone("America/New_York");
    const day = Date.UTC(2024, 7, 9) / 1000;
    expect(zoneOfAxis("local", DAY_S)).toBe("utc");
    expect(barName(day, DAY_S, "local")).toBe("9 Aug 2024 (UTC)");
    expect(barName(day, 3_600, "local")).toBe("8 Aug 2024 20:00");
  });

  it("label the axis in the zone", () => {
    const midnight = Date.UTC(2026, 6, 14, 22) / 1000;
    expect(axisLabel(midnight, TickMarkType.DayOfMonth, "local")).toBe("15 Jul");
    expect(axisLabel(midnight, TickMarkType.Time, "local")).toBe("00:00");
    expect(axisLabel(midnight, TickMarkType.Time, "utc")).toBe("22:00");
  });

  it("give the bold label to local midnight", () => {
    const scale = new ZonedTimeScale();
    const start = Date.UTC(2026, 6, 14, 21) / 1000;
    const weights = (zone: "utc" | "local"): number[] => {
      scale.zone = zone;
      const points = [0, 1, 2, 3].map((hour) => ({
        time: scale.convertHorzItemToInternal((start + hour * 3_600) as never),
        timeWeight: 0,
      }));
      scale.fillWeightsForPoints(points as never, 0);
      return points.map(({ timeWeight }) => timeWeight);
    };
    expect(weights("local")).toEqual([30, 50, 30, 30]);
    expect(weights("utc")).toEqual([31, 30, 30, 50]);
  });

  it("weigh each kind of border, the largest first", () => {
    const at = (text: string): number => Date.parse(`${text}Z`) / 1000;
    expect(borderWeight(at("2025-12-31T23:59:00"), at("2026-01-01T00:00:00"))).toBe(70);
    expect(borderWeight(at("2026-01-31T23:59:00"), at("2026-02-01T00:00:00"))).toBe(60);
    expect(borderWeight(at("2026-02-01T11:59:00"), at("2026-02-01T12:00:00"))).toBe(33);
    expect(borderWeight(at("2026-02-01T12:04:00"), at("2026-02-01T12:05:00"))).toBe(21);
    expect(borderWeight(at("2026-02-01T12:05:00"), at("2026-02-01T12:05:00"))).toBe(0);
  });
});

describe("spans", () => {
  it("are told in their two largest units", () => {
    expect([0, 59, 60, 3_661, 90_000, 7 * DAY_S].map(formatSpan)).toEqual([
      "0 s",
      "59 s",
      "1 min",
      "1 h 1 min",
      "1 d 1 h",
      "7 d",
    ]);
  });
});
