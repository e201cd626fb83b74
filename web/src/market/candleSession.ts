/**
 * The candles of one market and timeframe while they are looked at: opened on a switch, closed on the next.
 *
 * Stream and history are asked at the same time and whichever answers first is shown. Each session has a subscription and
 * a series of its own, so nothing of the timeframe before can leak into it, and none of it depends on a connection being
 * there when it opens.
 */
import { ApiError, getPatiently } from "../api/http";
import type { CandlesAnswer } from "../api/types";
import { createStore, type Store } from "../store/store";
import type { StreamClient } from "../stream/client";
import type { ErrorFrame } from "../stream/protocol";
import { BarSeries, type Change } from "./bars";
import { lengthSeconds, type Timeframe } from "./timeframes";

/** Candles asked for at once. */
const PAGE = 500;

/** Most candles that one chart holds; scrolling back ends there. */
export const MOST_BARS = 20_000;

/** How often the newest page is read again: gaps are found, and filled, after the fact. */
const REFRESH_EVERY_MS = 60_000;

export type SessionStatus =
  | { kind: "loading"; problem?: ApiError }
  | { kind: "empty" }
  | { kind: "ready" }
  | { kind: "failed"; problem: unknown };

export class CandleSession {
  readonly symbol: string;
  readonly timeframe: Timeframe;
  readonly series = new BarSeries();
  readonly status: Store<SessionStatus> = createStore<SessionStatus>({ kind: "loading" });
  /** Where the candles come from, as the server last said. */
  readonly source: Store<string | null> = createStore<string | null>(null);

  private readonly stream: StreamClient;
  private readonly listeners = new Set<(change: Change) => void>();
  private closing = new AbortController();
  private leaveChannel: (() => void) | undefined;
  private refresh: ReturnType<typeof setInterval> | undefined;
  private readingNewest = false;
  private readingOlder = false;
  private exhausted = false;

  constructor(symbol: string, timeframe: Timeframe, stream: StreamClient) {
    this.symbol = symbol;
    this.timeframe = timeframe;
    this.stream = stream;
  }

  get stepSeconds(): number {
    return lengthSeconds(this.timeframe);
  }

  open(): void {
    this.closing = new AbortController();
    this.readingNewest = this.readingOlder = false;
    this.leaveChannel = this.stream.subscribe(`candles:${this.symbol}:${this.timeframe}`, {
      onSnapshot: (bars, source) => {
        this.takeSource(source ?? null);
        this.announce(this.series.applySnapshot(bars));
        // A snapshot after an absence can lack what happened before it, and never knows gaps: history does.
        void this.readNewest();
      },
      onUpdate: (bars) => {
        this.announce(this.series.applyUpdate(bars));
      },
      onRefused: (refusal) => {
        this.fail(refusedAs(refusal));
      },
    });
    this.refresh = setInterval(() => void this.readNewest(), REFRESH_EVERY_MS);
    void this.readNewest();
  }

  close(): void {
    this.leaveChannel?.();
    clearInterval(this.refresh);
    this.closing.abort();
  }

  /** Hear of every change. An arrow, so that it can be handed on as it is. */
  readonly onChange = (listener: (change: Change) => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Read the page before the oldest bar. Calls while one is under way, or when there is nothing older, do nothing. */
  async readOlder(): Promise<void> {
    const oldest = this.series.first;
    if (oldest === undefined || this.readingOlder || this.exhausted) return;
    this.readingOlder = true;
    const page = await this.readPage({ to: String(oldest.time) });
    this.readingOlder = false;
    if (page === undefined) return;
    this.announce(this.series.mergeHistory(page.candles));
    this.exhausted = page.candles.length < PAGE || this.series.bars.length >= MOST_BARS;
  }

  private async readNewest(): Promise<void> {
    if (this.readingNewest) return; // the one under way is still trying, and brings what is new by then
    this.readingNewest = true;
    const page = await this.readPage({});
    this.readingNewest = false;
    if (page === undefined) return;
    this.takeSource(page.source);
    this.announce(this.series.mergeHistory(page.candles));
    if (this.series.last === undefined) this.status.set({ kind: "empty" });
  }

  /** A page of history, or `undefined` when the session closed first or the server refused for good. */
  private async readPage(range: Record<string, string>): Promise<CandlesAnswer | undefined> {
    const parameters = { symbol: this.symbol, timeframe: this.timeframe, limit: String(PAGE), ...range };
    try {
      return await getPatiently<CandlesAnswer>("/api/v1/candles", parameters, this.closing.signal, (problem) => {
        if (this.status.get().kind === "loading") this.status.set({ kind: "loading", problem });
      });
    } catch (error) {
      if (!this.closing.signal.aborted) this.fail(error);
      return undefined;
    }
  }

  /** Candles of another source are another history: what is shown of the old one goes. */
  private takeSource(source: string | null): void {
    const before = this.source.get();
    if (source === null || source === before) return;
    this.source.set(source);
    if (before === null) return;
    this.series.clear();
    this.exhausted = false;
    this.announce({ kind: "reset" });
  }

  private announce(change: Change): void {
    if (change.kind === "none") return;
    for (const listener of this.listeners) listener(change);
    if (this.series.last !== undefined && this.status.get().kind !== "ready") this.status.set({ kind: "ready" });
  }

  private fail(problem: unknown): void {
    if (this.series.last === undefined) this.status.set({ kind: "failed", problem });
  }
}

function refusedAs({ code, message }: ErrorFrame): ApiError {
  return new ApiError(400, code, message);
}
