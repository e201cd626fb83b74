// Runs before the first paint: the chosen theme, else the system's. `src/preferences/theme.ts` takes over from here.
(function () {
  var chosen = null;
  try {
    chosen = JSON.parse(localStorage.getItem("fondaco.theme"));
  } catch {
    chosen = null; // storage may be switched off or hold something foreign: the system's theme is a good answer
  }
  var light = matchMedia("(prefers-color-scheme: light)").matches;
  var theme = chosen === "light" || chosen === "dark" ? chosen : light ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
})();
