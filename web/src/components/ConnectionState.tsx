/** Whether what is on the screen is live, and if not, since when and what happens next. */
import { useEffect, useState } from "react";
import { Button } from "react-aria-components";
import { useStream } from "../app/services";
import { useStore } from "../store/store";
import type { Connection } from "../stream/connection";
import styles from "./ConnectionState.module.css";

export function ConnectionState() {
  const stream = useStream();
  const connection = useStore(stream.connection);
  const roundTripMs = useStore(stream.roundTripMs);
  const now = useClock(connection.phase === "reconnecting" || connection.phase === "stale");
  const waiting = connection.phase === "reconnecting";
  return (
    <div className={styles.state} data-testid="connection" data-state={connection.phase}>
      <span className={styles.dot} aria-hidden="true" />
      <span className={styles.text} title={roundTripMs === undefined ? undefined : `Round trip ${roundTripMs} ms`}>
        {describe(connection, now)}
      </span>
      {/* Announced once per state, not once per second of a countdown. */}
      <span className="visually-hidden" role="status">
        {`Connection: ${connection.phase}`}
      </span>
      {waiting && (
        <Button
          className={styles.retry}
          onPress={() => {
            stream.retryNow();
          }}
        >
          Now
        </Button>
      )}
    </div>
  );
}

function describe(connection: Connection, nowMs: number): string {
  switch (connection.phase) {
    case "live":
      return "Live";
    case "connecting":
      return "Connecting";
    case "stopped":
      return "Closed";
    case "stale":
      return `Stale for ${Math.max(1, Math.round((nowMs - connection.sinceMs) / 1000))} s`;
    case "reconnecting":
      return `Reconnecting in ${Math.max(0, Math.ceil((connection.retryAtMs - nowMs) / 1000))} s`;
  }
}

/** The time, kept up while it is needed. */
function useClock(running: boolean): number {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    if (!running) return;
    const tick = (): void => {
      setNowMs(Date.now());
    };
    tick();
    const timer = setInterval(tick, 250);
    return () => {
      clearInterval(timer);
    };
  }, [running]);
  return nowMs;
}
