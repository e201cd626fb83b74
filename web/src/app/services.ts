/** What the whole page shares: the one stream. */
import { createContext, use, useEffect, useEffectEvent } from "react";
import type { StreamClient } from "../stream/client";
import type { Channel, ChannelData } from "../stream/protocol";

const StreamContext = createContext<StreamClient | null>(null);

export const StreamProvider = StreamContext.Provider;

export function useStream(): StreamClient {
  const stream = use(StreamContext);
  if (stream === null) throw new Error("useStream needs a StreamProvider above it");
  return stream;
}

/** Listen to a channel while the component is there. `onData` always sees the newest render's values. */
export function useChannel<C extends Channel>(
  channel: C,
  onData: (data: ChannelData<C>, kind: "snapshot" | "update") => void,
): void {
  const stream = useStream();
  const take = useEffectEvent(onData);
  useEffect(
    () =>
      stream.subscribe(channel, {
        onSnapshot: (data) => {
          take(data, "snapshot");
        },
        onUpdate: (data) => {
          take(data, "update");
        },
      }),
    [stream, channel],
  );
}

/** Address of the stream beside this page. */
export function streamUrl({ protocol, host }: Location): string {
  return `${protocol === "https:" ? "wss" : "ws"}://${host}/api/v1/stream`;
}
