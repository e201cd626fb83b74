/**
 * The one WebSocket of the page. Parts of the page listen to channels and never notice that a connection came or went,
 * except that their data start over with a snapshot.
 */
import { createStore, type Store } from "../store/store";
import { FrameBatcher } from "./batcher";
import {
  type Connection,
  type ConnectionEvent,
  DEAD_AFTER_MS,
  nextConnection,
  OPEN_WITHIN_MS,
  PING_EVERY_MS,
  STALE_AFTER_MS,
} from "./connection";
import { type Channel, type ClientMessage, parseFrame, type ServerFrame } from "./protocol";
import { type ChannelListener, Subscriptions } from "./subscriptions";

/** How often the client looks at its clock. */
const WATCH_EVERY_MS = 1_000;

export class StreamClient {
  readonly connection: Store<Connection> = createStore<Connection>({ phase: "stopped" });
  /** Milliseconds from the last ping to its answer, once there was one. */
  readonly roundTripMs: Store<number | undefined> = createStore<number | undefined>(undefined);

  private readonly url: string;
  private readonly subscriptions: Subscriptions;
  private readonly batcher: FrameBatcher;
  private socket: WebSocket | undefined;
  private watch: ReturnType<typeof setInterval> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private dialledAtMs = 0;
  private pingId = 0;
  private pingedAtMs = 0;
  /** When the oldest ping without any answer was sent. */
  private unansweredSinceMs: number | undefined;

  constructor(url: string) {
    this.url = url;
    this.batcher = new FrameBatcher(() => {
      this.subscriptions.resyncAll();
    });
    this.subscriptions = new Subscriptions(this.batcher, (message) => {
      this.send(message);
    });
  }

  /** Listen to a channel until the returned function is called. */
  subscribe<C extends Channel>(channel: C, listener: ChannelListener<C>): () => void {
    return this.subscriptions.add(channel, listener);
  }

  start(): void {
    this.watch ??= setInterval(() => {
      this.look();
    }, WATCH_EVERY_MS);
    this.advance({ type: "dial" });
  }

  stop(): void {
    clearInterval(this.watch);
    this.watch = undefined;
    this.advance({ type: "stop" });
    this.hangUp();
  }

  /** Do not wait any longer: the person asked, the network came back, or the page is looked at again. */
  retryNow(): void {
    if (this.connection.get().phase === "reconnecting") this.advance({ type: "dial" });
  }

  private advance(event: ConnectionEvent): void {
    const before = this.connection.get();
    const after = nextConnection(before, event, Date.now(), Math.random());
    if (after === before) return;
    this.connection.set(after);
    if (after.phase === "connecting") this.dial();
    if (after.phase === "reconnecting") this.planRetry(after.retryAtMs);
  }

  private planRetry(retryAtMs: number): void {
    clearTimeout(this.retry);
    this.retry = setTimeout(() => {
      this.retryNow();
    }, retryAtMs - Date.now());
  }

  private dial(): void {
    clearTimeout(this.retry);
    this.hangUp();
    this.dialledAtMs = Date.now();
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => {
      this.subscriptions.connected();
      this.ping();
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      this.take(parseFrame(data));
    };
    socket.onclose = () => {
      this.hangUp();
      this.advance({ type: "closed" });
    };
  }

  /** Let go of the socket, whatever state it is in, and of everything that still hangs on it. */
  private hangUp(): void {
    clearTimeout(this.retry);
    const socket = this.socket;
    this.socket = undefined;
    this.unansweredSinceMs = undefined;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.batcher.clear();
    this.subscriptions.disconnected();
  }

  private take(frame: ServerFrame | undefined): void {
    if (frame === undefined) return;
    this.unansweredSinceMs = undefined;
    this.advance({ type: "heard" });
    if (frame.type === "snapshot" || frame.type === "update") this.subscriptions.accept(frame);
    else if (frame.type === "subscribed" && frame.id !== undefined) this.subscriptions.confirm(frame.id);
    else if (frame.type === "error") this.subscriptions.refuse(frame);
    else if (frame.type === "pong" && frame.id === this.pingId) this.roundTripMs.set(Date.now() - this.pingedAtMs);
  }

  /** Look after a connection that says nothing. Silence counts from a ping, since a quiet market says nothing either. */
  private look(): void {
    const nowMs = Date.now();
    const { phase } = this.connection.get();
    if (phase === "connecting" && nowMs - this.dialledAtMs > OPEN_WITHIN_MS) this.giveUp();
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    const silentMs = this.unansweredSinceMs === undefined ? 0 : nowMs - this.unansweredSinceMs;
    if (silentMs > DEAD_AFTER_MS) this.giveUp();
    else if (silentMs > STALE_AFTER_MS) this.advance({ type: "silent" });
    if (nowMs - this.pingedAtMs >= PING_EVERY_MS) this.ping();
  }

  private giveUp(): void {
    this.hangUp();
    this.advance({ type: "closed" });
  }

  private ping(): void {
    this.pingedAtMs = Date.now();
    this.unansweredSinceMs ??= this.pingedAtMs;
    this.pingId += 1;
    this.send({ op: "ping", id: this.pingId });
  }

  private send(message: ClientMessage): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}
