/** Dark or light. */
import { Button } from "react-aria-components";
import { themeStore, toggleTheme } from "../preferences/theme";
import { useStore } from "../store/store";
import styles from "./ThemeSwitch.module.css";

const SUN =
  "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4";
const MOON = "M20 14.2A8.2 8.2 0 0 1 9.8 4a8.2 8.2 0 1 0 10.2 10.2z";

export function ThemeSwitch() {
  const theme = useStore(themeStore);
  const other = theme === "dark" ? "light" : "dark";
  return (
    <Button
      className={styles.button}
      onPress={toggleTheme}
      aria-label={`Switch to the ${other} theme`}
      data-testid="theme"
    >
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d={theme === "dark" ? MOON : SUN} />
      </svg>
    </Button>
  );
}
