/** The frames of `/api/v1/stream`, as the server writes them and as we ask for them. */
import type { StreamBar } from "../market/bars";

export type TicksChannel = `ticks:${string}`;
export type CandlesChannel = `candles:${string}:${string}`;
export type PricesChannel = `prices:${string}`;
export type Channel = TicksChannel | CandlesChannel | PricesChannel | "feed";

/** `[trade id, time in ms, price, quantity, taker's side]`. */
export type TickRow = [id: number, timeMs: number, price: string, quantity: string, side: "buy" | "sell"];

/** Honest last price and the quoted ones round it. */
export interface PriceNow {
  symbol: string;
  last: string;
  bid: string;
  ask: string;
  time_ms: number;
}

/** The feed that runs now. */
export interface FeedNow {
  source: string;
  label: string;
  symbols: string[];
  connected: boolean;
  since_ms: number;
}

/** What a channel carries, in snapshots and updates alike. Null is a price or a feed that nobody knows yet. */
export type ChannelData<C extends Channel> = C extends TicksChannel
  ? TickRow[]
  : C extends CandlesChannel
    ? StreamBar[]
    : C extends PricesChannel
      ? PriceNow | null
      : FeedNow | null;

/** A frame of a channel. `conflated` frames stand for several, merged because we were slow to read. */
export interface ChannelFrame {
  type: "snapshot" | "update";
  channel: Channel;
  seq: number;
  source?: string;
  conflated?: number;
  dropped?: number;
  data: unknown;
}

export interface ErrorFrame {
  type: "error";
  id: number | null;
  code: string;
  message: string;
}

export type ServerFrame =
  ChannelFrame | ErrorFrame | { type: "subscribed" | "unsubscribed"; id?: number } | { type: "pong"; id?: number };

export type ClientMessage =
  { op: "subscribe" | "unsubscribe"; channels: Channel[]; id: number } | { op: "ping"; id: number };

const FRAME_TYPES = new Set(["snapshot", "update", "subscribed", "unsubscribed", "pong", "error"]);

/** Read a frame; `undefined` for what is none, or of a kind that a newer server may have and we do not know. */
export function parseFrame(text: unknown): ServerFrame | undefined {
  if (typeof text !== "string") return undefined;
  const frame = parseObject(text);
  if (frame === undefined || typeof frame["type"] !== "string" || !FRAME_TYPES.has(frame["type"])) return undefined;
  const ofChannel = frame["type"] === "snapshot" || frame["type"] === "update";
  if (ofChannel && !(typeof frame["channel"] === "string" && typeof frame["seq"] === "number")) return undefined;
  // The envelope is checked above; the data inside are our own server's, typed by the channel's name.
  return frame as unknown as ServerFrame;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // broken JSON: the caller counts it as no frame, and the sequence check heals what was lost
  }
}
