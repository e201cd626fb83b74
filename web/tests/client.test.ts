/** The client against a real WebSocket server on the loopback. */
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type WebSocket as ServerSocket, WebSocketServer } from "ws";
import { FrameBatcher, MOST_WAITING } from "../src/stream/batcher";
import { StreamClient } from "../src/stream/client";
import type { Channel, ClientMessage, TickRow } from "../src/stream/protocol";
import { Subscriptions } from "../src/stream/subscriptions";

/** A server that keeps what it was told and says what it is asked to. */
class Server {
  readonly heard: ClientMessage[] = [];
  private socket: ServerSocket | undefined;
  private readonly server: WebSocketServer;

  private constructor(server: WebSocketServer) {
    this.server = server;
    server.on("connection", (socket) => {
      this.socket = socket;
      socket.on("message", (data: Buffer) => {
        const message = JSON.parse(data.toString()) as ClientMessage;
        if (message.op === "ping") this.say({ type: "pong", id: message.id });
        else this.heard.push(message);
      });
    });
  }

  static async listen(port = 0): Promise<Server> {
    const server = new WebSocketServer({ host: "127.0.0.1", port });
    await new Promise((resolve) => {
      server.once("listening", resolve);
    });
    return new Server(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get connected(): number {
    return this.server.clients.size;
  }

  say(frame: object | string): void {
    this.socket?.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  async close(): Promise<void> {
    for (const socket of this.server.clients) socket.terminate();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  /** How often each operation on a channel was asked for. */
  asks(op: "subscribe" | "unsubscribe", channel: Channel): number {
    return this.heard.filter((message) => message.op === op && message.channels.includes(channel)).length;
  }
}

/** Wait for something to become true; the bound is there to fail, not to be reached. */
function until(condition: () => boolean): Promise<boolean> {
  return vi.waitUntil(condition, { timeout: 15_000 });
}

const CHANNEL = "ticks:BTCUSDT";

function row(id: number): TickRow {
  return [id, 0, "1.0", "1.0", "buy"];
}

function listener() {
  return { onSnapshot: vi.fn(), onUpdate: vi.fn(), onRefused: vi.fn() };
}

describe("subscriptions", () => {
  it("keep updates from a listener that has not had a snapshot yet", async () => {
    const sent: ClientMessage[] = [];
    const batcher = new FrameBatcher(vi.fn());
    const subscriptions = new Subscriptions(batcher, (message) => sent.push(message));
    const early = listener();
    subscriptions.add(CHANNEL, early);
    await until(() => sent.length === 1);
    subscriptions.accept({ type: "snapshot", channel: CHANNEL, seq: 1, data: [row(1)] });
    await until(() => early.onSnapshot.mock.calls.length === 1);
    const late = listener();
    subscriptions.accept({ type: "update", channel: CHANNEL, seq: 2, data: [row(2)] });
    subscriptions.add(CHANNEL, late);
    await until(() => early.onUpdate.mock.calls.length === 1);
    expect(late.onUpdate).not.toHaveBeenCalled();
    expect(sent.map(({ op }) => op)).toEqual(["subscribe", "subscribe"]);
  });

  it("ask for snapshots again when more waits than is worth delivering", async () => {
    const sent: ClientMessage[] = [];
    const subscriptions: Subscriptions = new Subscriptions(
      new FrameBatcher(() => {
        subscriptions.resyncAll();
      }),
      (message) => sent.push(message),
    );
    const heard = listener();
    subscriptions.add(CHANNEL, heard);
    await until(() => sent.length === 1);
    subscriptions.accept({ type: "snapshot", channel: CHANNEL, seq: 0, data: [] });
    for (let seq = 1; seq < MOST_WAITING; seq += 1)
      subscriptions.accept({ type: "update", channel: CHANNEL, seq, data: [] });
    await until(() => heard.onUpdate.mock.calls.length === MOST_WAITING - 1);
    expect(sent).toHaveLength(1);
    for (let seq = MOST_WAITING; seq <= 2 * MOST_WAITING; seq += 1) {
      subscriptions.accept({ type: "update", channel: CHANNEL, seq, data: [] });
    }
    await until(() => sent.length === 2);
    expect(heard.onUpdate).toHaveBeenCalledTimes(MOST_WAITING - 1);
  });
});

describe("the stream client", () => {
  let server: Server;
  let client: StreamClient;
  beforeEach(async () => {
    server = await Server.listen();
    client = new StreamClient(`ws://127.0.0.1:${server.port}`);
  });
  afterEach(async () => {
    client.stop();
    await server.close();
  });

  async function subscribed(): Promise<ReturnType<typeof listener>> {
    const heard = listener();
    client.subscribe(CHANNEL, heard);
    client.start();
    await until(() => server.asks("subscribe", CHANNEL) === 1);
    server.say({ type: "snapshot", channel: CHANNEL, seq: 1, source: "replay", data: [row(1)] });
    await until(() => heard.onSnapshot.mock.calls.length === 1);
    return heard;
  }

  it("subscribes, and delivers snapshot and updates in order", async () => {
    const heard = await subscribed();
    expect(heard.onSnapshot).toHaveBeenCalledWith([row(1)], "replay");
    server.say({ type: "update", channel: CHANNEL, seq: 2, data: [row(2)] });
    server.say({ type: "update", channel: CHANNEL, seq: 3, data: [row(3)] });
    await until(() => heard.onUpdate.mock.calls.length === 2);
    expect(heard.onUpdate.mock.calls).toEqual([[[row(2)]], [[row(3)]]]);
    expect(client.connection.get()).toEqual({ phase: "live" });
  });

  it("asks for a new snapshot when a frame is missing, and shows nothing of what came after it", async () => {
    const heard = await subscribed();
    server.say({ type: "update", channel: CHANNEL, seq: 3, data: [row(3)] });
    await until(() => server.asks("subscribe", CHANNEL) === 2);
    server.say({ type: "snapshot", channel: CHANNEL, seq: 3, data: [row(3)] });
    await until(() => heard.onSnapshot.mock.calls.length === 2);
    expect(heard.onUpdate).not.toHaveBeenCalled();
  });

  it("leaves one channel and takes another, and no frame of the first reaches the second", async () => {
    const heard = listener();
    const leave = client.subscribe("candles:BTCUSDT:1m", heard);
    client.start();
    await until(() => server.asks("subscribe", "candles:BTCUSDT:1m") === 1);
    leave();
    const next = listener();
    client.subscribe("candles:BTCUSDT:5m", next);
    await until(() => server.asks("subscribe", "candles:BTCUSDT:5m") === 1);
    expect(server.asks("unsubscribe", "candles:BTCUSDT:1m")).toBe(1);
    server.say({ type: "snapshot", channel: "candles:BTCUSDT:1m", seq: 1, data: [] });
    server.say({ type: "snapshot", channel: "candles:BTCUSDT:5m", seq: 1, data: [] });
    server.say({ type: "update", channel: "candles:BTCUSDT:5m", seq: 2, data: [] });
    await until(() => next.onUpdate.mock.calls.length === 1);
    expect(next.onSnapshot).toHaveBeenCalledTimes(1);
    expect(heard.onSnapshot).not.toHaveBeenCalled();
  });

  it("starts a channel afresh that was left and taken again in one breath", async () => {
    const leave = client.subscribe(CHANNEL, listener());
    client.start();
    await until(() => server.asks("subscribe", CHANNEL) === 1);
    leave();
    const again = listener();
    client.subscribe(CHANNEL, again);
    await until(() => server.asks("subscribe", CHANNEL) === 2);
    expect(server.asks("unsubscribe", CHANNEL)).toBe(0);
    server.say({ type: "update", channel: CHANNEL, seq: 2, data: [row(2)] });
    server.say({ type: "snapshot", channel: CHANNEL, seq: 2, data: [row(1), row(2)] });
    await until(() => again.onSnapshot.mock.calls.length === 1);
    expect(again.onSnapshot).toHaveBeenCalledWith([row(1), row(2)], undefined);
    expect(again.onUpdate).not.toHaveBeenCalled();
  });

  it("comes back to a server that went away, subscribes again and goes on", async () => {
    const heard = await subscribed();
    const { port } = server;
    await server.close();
    await until(() => client.connection.get().phase === "reconnecting");
    server = await Server.listen(port);
    await until(() => server.asks("subscribe", CHANNEL) === 1);
    server.say({ type: "snapshot", channel: CHANNEL, seq: 0, data: [row(9)] });
    server.say({ type: "update", channel: CHANNEL, seq: 1, data: [row(10)] });
    await until(() => heard.onUpdate.mock.calls.length === 1);
    expect(heard.onSnapshot).toHaveBeenLastCalledWith([row(9)], undefined);
    expect(client.connection.get()).toEqual({ phase: "live" });
  });

  it("tells the listener of a refused channel alone", async () => {
    const wrong = listener();
    const right = listener();
    client.subscribe("ticks:NOPE", wrong);
    client.subscribe(CHANNEL, right);
    client.start();
    await until(() => server.heard.length === 2);
    const asked = server.heard.find((message) => message.op === "subscribe" && message.channels[0] === "ticks:NOPE");
    server.say({ type: "error", id: asked?.id, code: "unknown_symbol", message: "NOPE is no symbol." });
    await until(() => wrong.onRefused.mock.calls.length === 1);
    expect(wrong.onRefused.mock.lastCall?.[0]).toMatchObject({ code: "unknown_symbol" });
    expect(right.onRefused).not.toHaveBeenCalled();
  });

  it("is not thrown by frames that are none", async () => {
    const heard = await subscribed();
    server.say("{");
    server.say({ type: "novelty" });
    server.say({ type: "update", channel: "ticks:UNASKED", seq: 1, data: [] });
    server.say({ type: "update", channel: CHANNEL, seq: 2, data: [row(2)] });
    await until(() => heard.onUpdate.mock.calls.length === 1);
  });

  it("closes for good when it is stopped", async () => {
    await subscribed();
    client.stop();
    await until(() => server.connected === 0);
    expect(client.connection.get()).toEqual({ phase: "stopped" });
  });
});
