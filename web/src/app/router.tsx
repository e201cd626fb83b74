/** Addresses of the terminal: `/markets/BTCUSDT?timeframe=5m` can be kept, shared and reloaded. */
import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { isTimeframe, type Timeframe } from "../market/timeframes";
import { FirstMarket } from "../pages/FirstMarket";
import { MarketPage } from "../pages/MarketPage";
import { Missing } from "../pages/Missing";
import { Shell } from "./Shell";

interface MarketSearch {
  timeframe?: Timeframe;
}

const rootRoute = createRootRoute({ component: Shell, notFoundComponent: Missing });

const firstRoute = createRoute({ getParentRoute: () => rootRoute, path: "/", component: FirstMarket });

const marketRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/markets/$symbol",
  // What is no timeframe is left out, and the person's usual one is shown.
  validateSearch: (search: Record<string, unknown>): MarketSearch =>
    isTimeframe(search["timeframe"]) ? { timeframe: search["timeframe"] } : {},
  component: MarketPage,
});

export function createTerminalRouter() {
  return createRouter({ routeTree: rootRoute.addChildren([firstRoute, marketRoute]) });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createTerminalRouter>;
  }
}
