/** Where the prices come from, said plainly: nobody should take a recording or a simulation for the market. */
import { useFeed } from "../market/useFeed";
import styles from "./FeedLabel.module.css";

const NAMES: Record<string, string> = {
  binance: "Binance",
  replay: "Recorded Binance trades, replayed",
  simulated: "Simulated",
  house: "This house",
};

export function FeedLabel() {
  const feed = useFeed();
  const name = feed ? feed.label || (NAMES[feed.source] ?? feed.source) : feed === null ? "No feed yet" : "…";
  return (
    <p
      className={styles.label}
      data-testid="feed-label"
      data-source={feed?.source ?? "none"}
      data-connected={feed?.connected ?? false}
    >
      <span className="visually-hidden">Prices: </span>
      <span className={styles.dot} aria-hidden="true" />
      <span className={styles.name}>{name}</span>
      {feed && !feed.connected && <span className={styles.away}>not connected</span>}
    </p>
  );
}
