import { describe, expect, it } from "vitest";
import { finestPlaces, formatPercent, formatVolume, formatVolumeAxis, guessPlaces } from "../src/format/numbers";

describe("numbers of candles", () => {
  it("finds the tick of a market in its prices, whatever a float makes of them", () => {
    expect(finestPlaces([61837.63, 61837.6, 61837])).toBe(2);
    expect(finestPlaces([64120.380000000005])).toBe(2);
    expect(finestPlaces([0.00001043, 1.04e-5])).toBe(8);
    expect(finestPlaces([])).toBe(0);
  });

  it("guesses more places for smaller prices", () => {
    expect(guessPlaces(64_000)).toBe(2);
    expect(guessPlaces(0.5)).toBe(4);
    expect(guessPlaces(0.00001043)).toBe(8);
    expect(guessPlaces(0)).toBe(2);
  });

  it("shortens volumes", () => {
    expect([0, 0.0213, 12.345, 999.94, 1_204, 3.5e6, 7.1e13].map(formatVolume)).toEqual([
      "0.00",
      "0.0213",
      "12.35",
      "999.9",
      "1.20K",
      "3.50M",
      "71.00T",
    ]);
    expect([0, 100, 1_500, 0.5].map(formatVolumeAxis)).toEqual(["0", "100", "1.5K", "0.5"]);
  });

  it("signs a change, but not one that rounds to nothing", () => {
    expect([0.0042, -0.011, 0.000001, -0.000001].map(formatPercent)).toEqual(["+0.42%", "−1.10%", "0.00%", "0.00%"]);
  });
});
