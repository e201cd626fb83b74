/** The theme in force: the person's choice, else the system's. It stands on `<html data-theme>`, where the tokens read it. */
import { createStore, type Store } from "../store/store";
import { themeChoiceStore, type Theme } from "./preferences";

const systemLight = matchMedia("(prefers-color-scheme: light)");

export const themeStore: Store<Theme> = createStore(currentTheme());

/** Choose the other theme; from then on the system's no longer matters. */
export function toggleTheme(): void {
  themeChoiceStore.set(themeStore.get() === "dark" ? "light" : "dark");
}

/** Put the theme in force now and whenever choice or system change. Called once, at start. */
export function watchTheme(): void {
  systemLight.addEventListener("change", applyTheme);
  themeChoiceStore.subscribe(applyTheme);
  applyTheme();
}

function applyTheme(): void {
  const theme = currentTheme();
  document.documentElement.dataset["theme"] = theme;
  themeStore.set(theme);
}

function currentTheme(): Theme {
  const choice = themeChoiceStore.get();
  if (choice !== "system") return choice;
  return systemLight.matches ? "light" : "dark";
}
