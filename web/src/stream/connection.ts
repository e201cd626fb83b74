/**
 * The life of the one connection, as a pure function: what happened → what state that leaves us in.
 *
 * Attempts are counted until the server has *said* something, so that one that accepts and hangs up at once is not
 * hammered. The wait doubles from half a second up to 15, half of it by chance, so that a thousand pages do not all come
 * back in the same moment.
 */

export type Connection =
  | { phase: "stopped" }
  | { phase: "connecting"; attempt: number }
  | { phase: "live" }
  | { phase: "stale"; sinceMs: number }
  | { phase: "reconnecting"; attempt: number; retryAtMs: number };

export type ConnectionEvent =
  /** The page opened, or a wait is over, or somebody asked for it now. */
  | { type: "dial" }
  /** Any frame came in. */
  | { type: "heard" }
  /** A ping has gone unanswered for `STALE_AFTER_MS`. */
  | { type: "silent" }
  | { type: "closed" }
  | { type: "stop" };

export const FIRST_WAIT_MS = 500;
export const LONGEST_WAIT_MS = 15_000;

/** How often a ping goes out. */
export const PING_EVERY_MS = 5_000;
/** A ping unanswered for so long makes the page say that its data are old ... */
export const STALE_AFTER_MS = 5_000;
/** ... and for so long makes it give the connection up for a new one. */
export const DEAD_AFTER_MS = 15_000;
/** A connection that does not open within this time is given up. */
export const OPEN_WITHIN_MS = 10_000;

/** The state after an event. `chance` is a random number from 0 to 1, `nowMs` the time: both come in, so this is pure. */
export function nextConnection(now: Connection, event: ConnectionEvent, nowMs: number, chance: number): Connection {
  if (event.type === "stop") return { phase: "stopped" };
  if (event.type === "dial") return dialled(now);
  if (now.phase === "stopped") return now;
  if (event.type === "heard") return now.phase === "live" || now.phase === "reconnecting" ? now : { phase: "live" };
  if (event.type === "silent") return now.phase === "live" ? { phase: "stale", sinceMs: nowMs } : now;
  return afterClose(now, nowMs, chance);
}

/** Milliseconds to wait before an attempt, the first being 1. */
export function waitMs(attempt: number, chance: number): number {
  const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
  return Math.round(longest * (0.5 + 0.5 * chance));
}

function dialled(now: Connection): Connection {
  if (now.phase === "live" || now.phase === "stale" || now.phase === "connecting") return now;
  return { phase: "connecting", attempt: now.phase === "reconnecting" ? now.attempt : 0 };
}

function afterClose(now: Connection, nowMs: number, chance: number): Connection {
  if (now.phase === "reconnecting") return now;
  const attempt = now.phase === "connecting" ? now.attempt + 1 : 1;
  return { phase: "reconnecting", attempt, retryAtMs: nowMs + waitMs(attempt, chance) };
}
