/** What stands on every page: the bar on top, and the page below it. */
import { Link, Outlet } from "@tanstack/react-router";
import { ConnectionState } from "../components/ConnectionState";
import { FeedLabel } from "../components/FeedLabel";
import { ThemeSwitch } from "../components/ThemeSwitch";
import { ZoneSwitch } from "../components/ZoneSwitch";
import styles from "./Shell.module.css";

export function Shell() {
  return (
    <div className={styles.shell}>
      <header className={styles.bar}>
        <Link to="/" className={styles.brand} aria-label="Fondaco, to the first market">
          <Arches />
          <span className={styles.name}>Fondaco</span>
        </Link>
        <div className={styles.feed}>
          <FeedLabel />
        </div>
        <div className={styles.tools}>
          <ConnectionState />
          <ZoneSwitch />
          <ThemeSwitch />
        </div>
      </header>
      <Outlet />
    </div>
  );
}

/** Two arches of the trading house, in the colour of the text beside them. */
function Arches() {
  return (
    <svg className={styles.mark} viewBox="0 0 24 24" aria-hidden="true">
      <path d="M3.5 20v-8.5a4.25 4.25 0 0 1 8.5 0V20M12 20v-8.5a4.25 4.25 0 0 1 8.5 0V20" />
      <path d="M7.75 3.5v1M16.25 3.5v1" />
    </svg>
  );
}
