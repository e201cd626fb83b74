import { describe, expect, it } from "vitest";
import {
  compareDecimals,
  formatDecimal,
  formatSigned,
  percentChange,
  subtractDecimals,
  usedPlaces,
} from "../src/format/decimal";

describe("decimal text", () => {
  it("keeps digits that a float would lose", () => {
    expect(formatDecimal("9007199254740993.00000001", 8)).toBe("9,007,199,254,740,993.00000001");
    expect(subtractDecimals("0.30000000", "0.1")).toBe("0.20000000");
  });

  it.each([
    ["61837.635", 2, "nearest", "61,837.64"],
    ["61837.631", 2, "up", "61,837.64"],
    ["61837.639", 2, "down", "61,837.63"],
    ["-1.005", 2, "nearest", "−1.01"],
    ["-1.001", 2, "up", "−1.00"],
    ["-1.001", 2, "down", "−1.01"],
    ["7", 2, "nearest", "7.00"],
    ["0.5", 0, "nearest", "1"],
  ] as const)("writes %s at %i places, rounded %s, as %s", (text, places, rounding, shown) => {
    expect(formatDecimal(text, places, rounding)).toBe(shown);
  });

  it.each([undefined, "", "1e5", "NaN", ".5", "1,000"])("writes a dash for %s, which is no plain decimal", (text) => {
    expect(formatDecimal(text, 2)).toBe("–");
  });

  it("orders by value, not by text", () => {
    expect(compareDecimals("9.5", "10.25")).toBe(-1);
    expect(compareDecimals("1.50", "1.5")).toBe(0);
    expect(compareDecimals("-1", "-2")).toBe(1);
    expect(compareDecimals("1", "one")).toBeUndefined();
  });

  it("says the change in percent, and nothing about a change from zero", () => {
    expect(percentChange("110", "100")).toBe("10.00");
    expect(percentChange("99.995", "100")).toBe("-0.01");
    expect(percentChange("1", "0")).toBeUndefined();
  });

  it("puts a plus before what rises, and nothing before zero", () => {
    expect(formatSigned("1.5", 2)).toBe("+1.50");
    expect(formatSigned("-1.5", 2)).toBe("−1.50");
    expect(formatSigned("0.00", 2)).toBe("0.00");
  });

  it("counts the places that carry anything", () => {
    expect(usedPlaces("61837.63000000")).toBe(2);
    expect(usedPlaces("5.00000000")).toBe(0);
    expect(usedPlaces("5")).toBe(0);
  });
});
