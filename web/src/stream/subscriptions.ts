/**
 * Who listens to what: turns the page's wishes into subscribe and unsubscribe messages, and frames into deliveries.
 *
 * Wishes are gathered until the end of the current task: a channel dropped and taken again in the same breath is asked for
 * once, and starts afresh with a snapshot, which the server sends on every subscribe. Each channel has a message of its own,
 * because the server refuses a message as a whole.
 */
import type { FrameBatcher } from "./batcher";
import type { Channel, ChannelData, ChannelFrame, ClientMessage, ErrorFrame } from "./protocol";
import { ChannelSequence } from "./sequence";

/** What a part of the page does with a channel's frames. */
export interface ChannelListener<C extends Channel> {
  onSnapshot: (data: ChannelData<C>, source: string | undefined) => void;
  onUpdate: (data: ChannelData<C>) => void;
  /** The server refused the subscription, with a code and a sentence. */
  onRefused?: (refusal: ErrorFrame) => void;
}

/** A channel that loses frames again within this time waits for as long before it asks again. */
export const RESYNC_PAUSE_MS = 1_000;

interface Subscription {
  /** Each listener, and whether it has had a snapshot: before that, updates mean nothing to it. */
  listeners: Map<ChannelListener<Channel>, boolean>;
  sequence: ChannelSequence;
  /** Which connection the server knows this channel on; an older number means: not subscribed. */
  askedOn: number;
  resyncedAtMs: number;
}

export class Subscriptions {
  private readonly byChannel = new Map<Channel, Subscription>();
  /** Messages without an answer yet. */
  private readonly asked = new Map<number, Channel>();
  private readonly dirty = new Set<Channel>();
  private readonly batcher: FrameBatcher;
  private readonly send: (message: ClientMessage) => void;
  private connection = 0;
  private nextId = 1;
  private flushPlanned = false;

  constructor(batcher: FrameBatcher, send: (message: ClientMessage) => void) {
    this.batcher = batcher;
    this.send = send;
  }

  /** Listen to a channel until the returned function is called. */
  add<C extends Channel>(channel: C, listener: ChannelListener<C>): () => void {
    const subscription = this.byChannel.get(channel) ?? this.create(channel);
    // The listener takes this channel's data and is only ever handed them, so forgetting the type parameter is safe.
    const kept = listener as unknown as ChannelListener<Channel>;
    subscription.listeners.set(kept, false);
    this.markDirty(channel);
    return () => {
      if (subscription.listeners.delete(kept)) this.markDirty(channel);
    };
  }

  /** A connection opened: the server knows nothing yet. Ask for everything. */
  connected(): void {
    this.connection += 1;
    this.asked.clear();
    const channels = [...this.byChannel].filter(([, { listeners }]) => listeners.size > 0).map(([channel]) => channel);
    this.subscribe(channels);
  }

  /** The connection is gone; until the next one nothing can be asked. */
  disconnected(): void {
    this.connection += 1;
    for (const { sequence } of this.byChannel.values()) sequence.awaitSnapshot();
  }

  /** Ask for new snapshots of everything, after deliveries had to be thrown away. */
  resyncAll(): void {
    for (const [channel, subscription] of this.byChannel) this.resync(channel, subscription);
  }

  /** Take a frame of a channel. */
  accept(frame: ChannelFrame): void {
    const subscription = this.byChannel.get(frame.channel);
    if (subscription === undefined) return; // a frame on its way while we unsubscribed
    const verdict = subscription.sequence.judge(frame);
    if (verdict === "resync") this.resync(frame.channel, subscription);
    if (verdict !== "deliver") return;
    this.batcher.add(() => {
      deliver(subscription, frame);
    });
  }

  /** The server has taken a message. */
  confirm(id: number): void {
    this.asked.delete(id);
  }

  /** Take a refusal; it names the message it answers. */
  refuse(refusal: ErrorFrame): void {
    const channel = refusal.id === null ? undefined : this.asked.get(refusal.id);
    if (refusal.id === null || channel === undefined) return;
    this.asked.delete(refusal.id);
    for (const [listener] of this.byChannel.get(channel)?.listeners ?? []) listener.onRefused?.(refusal);
  }

  private create(channel: Channel): Subscription {
    const fresh: Subscription = {
      listeners: new Map(),
      sequence: new ChannelSequence(),
      askedOn: -1,
      resyncedAtMs: -Infinity,
    };
    this.byChannel.set(channel, fresh);
    return fresh;
  }

  private markDirty(channel: Channel): void {
    this.dirty.add(channel);
    if (this.flushPlanned) return;
    this.flushPlanned = true;
    queueMicrotask(() => {
      this.flush();
    });
  }

  private flush(): void {
    this.flushPlanned = false;
    const touched = [...this.dirty];
    this.dirty.clear();
    const wanted = touched.filter((channel) => (this.byChannel.get(channel)?.listeners.size ?? 0) > 0);
    this.leave(touched.filter((channel) => !wanted.includes(channel)));
    this.subscribe(wanted);
  }

  private resync(channel: Channel, subscription: Subscription): void {
    subscription.sequence.awaitSnapshot();
    const sinceLastMs = Date.now() - subscription.resyncedAtMs;
    const ask = (): void => {
      subscription.resyncedAtMs = Date.now();
      this.markDirty(channel);
    };
    if (sinceLastMs > RESYNC_PAUSE_MS) ask();
    else setTimeout(ask, RESYNC_PAUSE_MS);
  }

  private subscribe(channels: readonly Channel[]): void {
    for (const channel of channels) {
      const subscription = this.byChannel.get(channel);
      if (subscription === undefined) continue;
      subscription.sequence.awaitSnapshot();
      subscription.askedOn = this.connection;
      this.asked.set(this.nextId, channel);
      this.send({ op: "subscribe", channels: [channel], id: this.nextId++ });
    }
  }

  private leave(channels: readonly Channel[]): void {
    for (const channel of channels) {
      const known = this.byChannel.get(channel)?.askedOn === this.connection;
      if (known) this.send({ op: "unsubscribe", channels: [channel], id: this.nextId++ });
      this.byChannel.delete(channel);
    }
  }
}

function deliver(subscription: Subscription, frame: ChannelFrame): void {
  // Typed by the channel's name, see `protocol.ts`.
  const data = frame.data as ChannelData<Channel>;
  for (const [listener, ready] of subscription.listeners) {
    if (frame.type === "update") {
      if (ready) listener.onUpdate(data);
      continue;
    }
    subscription.listeners.set(listener, true);
    listener.onSnapshot(data, frame.source);
  }
}
