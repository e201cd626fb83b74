import { describe, expect, it } from "vitest";
import {
  type Connection,
  type ConnectionEvent,
  FIRST_WAIT_MS,
  LONGEST_WAIT_MS,
  nextConnection,
  waitMs,
} from "../src/stream/connection";

function run(start: Connection, ...events: ConnectionEvent["type"][]): Connection {
  return events.reduce((state, type) => nextConnection(state, { type }, 1_000, 1), start);
}

const STOPPED: Connection = { phase: "stopped" };

describe("the connection", () => {
  it("is live only once the server has said something", () => {
    expect(run(STOPPED, "dial")).toEqual({ phase: "connecting", attempt: 0 });
    expect(run(STOPPED, "dial", "heard")).toEqual({ phase: "live" });
  });

  it("comes back after a loss, with the first wait", () => {
    expect(run(STOPPED, "dial", "heard", "closed")).toEqual({
      phase: "reconnecting",
      attempt: 1,
      retryAtMs: 1_000 + FIRST_WAIT_MS,
    });
  });

  it("waits longer each time a server accepts and hangs up without a word", () => {
    const twice = run(STOPPED, "dial", "closed", "dial", "closed");
    expect(twice).toEqual({ phase: "reconnecting", attempt: 2, retryAtMs: 1_000 + 2 * FIRST_WAIT_MS });
    expect(run(twice, "dial", "heard", "closed")).toMatchObject({ attempt: 1 });
  });

  it("goes stale in silence and is live again at the next word", () => {
    const stale = run(STOPPED, "dial", "heard", "silent");
    expect(stale).toEqual({ phase: "stale", sinceMs: 1_000 });
    expect(run(stale, "silent")).toBe(stale);
    expect(run(stale, "heard")).toEqual({ phase: "live" });
    expect(run(stale, "closed")).toMatchObject({ phase: "reconnecting", attempt: 1 });
  });

  it("ignores what comes after it was stopped, and dials once", () => {
    expect(run(STOPPED, "heard", "closed", "silent")).toBe(STOPPED);
    expect(run(STOPPED, "dial", "heard", "stop", "closed")).toEqual(STOPPED);
    const live = run(STOPPED, "dial", "heard");
    expect(run(live, "dial")).toBe(live);
    const waiting = run(live, "closed");
    expect(run(waiting, "closed", "heard")).toBe(waiting);
  });

  it("doubles its wait up to the longest, half of it by chance", () => {
    expect([1, 2, 3, 4, 5, 6, 60].map((attempt) => waitMs(attempt, 1))).toEqual([
      500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000,
    ]);
    expect(waitMs(1, 0)).toBe(FIRST_WAIT_MS / 2);
    expect(waitMs(60, 0)).toBe(LONGEST_WAIT_MS / 2);
  });
});
